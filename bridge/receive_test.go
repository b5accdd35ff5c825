package bridge_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/devices"
)

func TestTheSameCallbackTwiceIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.online(ac)
	said := bridge.Inbound{Kind: bridge.InText, From: mum, ID: "24001", Text: "打开空调"}
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { w.receive(said) })
	}
	all.Wait()
	w.settled()
	if got := w.sent("down/command"); len(got) != 1 {
		t.Errorf("sent %q", got)
	}
}

func TestOneWhoUnfollowsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.online(ac)
	w.receive(bridge.Inbound{Kind: bridge.InScan, From: dad, ID: dad + ":1709636400:eventSCAN:b_x", Scene: w.offer(ac)})
	w.hears(mum, "▣ 请求加入家庭", 1)
	w.say(mum, "同意")
	w.hears(dad, "您已经加入", 1)
	w.say(dad, "打开空调")
	w.receive(bridge.Inbound{Kind: bridge.InPhoto, From: dad, MediaID: "m"})
	guest := "openid-guest"
	w.receive(bridge.Inbound{Kind: bridge.InScan, From: guest, Scene: w.offer(ac)})
	w.hears(mum, "▣ 请求加入家庭", 2)
	for _, person := range []string{dad, guest} {
		w.receive(bridge.Inbound{Kind: bridge.InUnfollow, From: person, ID: person + ":1709636401:eventunsubscribe:"})
	}
	w.settled()
	for _, d := range w.docs("") {
		for _, person := range []string{dad, guest} {
			if strings.Contains(d.Lane+d.Key+string(d.Data), person) {
				t.Errorf("%s %s still holds %s: %s", d.Lane, d.Key, person, d.Data)
			}
		}
	}
}

// The index of a person follows by effects; whoever comes back before them is a stranger all the same.
func TestOneWhoComesBackIsNotLetInByAnOldIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.receive(bridge.Inbound{Kind: bridge.InScan, From: dad, Scene: w.offer(ac)})
	w.hears(mum, "▣ 请求加入家庭", 1)
	w.say(mum, "同意")
	w.hears(dad, "您已经加入", 1)
	w.settled()
	down := errors.New("down")
	w.store.on(func(lane string, _ []store.Write) (bool, error) {
		if strings.HasPrefix(lane, "user/") {
			return false, down
		}
		return true, nil
	})
	w.receive(bridge.Inbound{Kind: bridge.InUnfollow, From: dad})
	w.receive(bridge.Inbound{Kind: bridge.InFollow, From: dad})
	w.hears(dad, "欢迎", 1)
	if w.homeOf(mum).Member(dad) != nil {
		t.Error("he is in again, and nobody has agreed")
	}
	if w.homeOf(dad).ID == w.homeOf(mum).ID {
		t.Error("he has no home of his own")
	}
}

func TestATapGoesToTheHomeThatAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.bind(dad, gas)
	mums, dads := w.homeOf(mum).ID, w.homeOf(dad).ID
	w.say(mum, "你好")
	w.must(w.publish(gas, devices.UpProperty, `{"leaking":false}`))
	w.receive(bridge.Inbound{Kind: bridge.InScan, From: mum, Scene: w.offer(gas)})
	w.hears(dad, "▣ 请求加入家庭", 1)
	w.say(dad, "同意")
	w.hears(mum, "您已经加入", 1)
	w.settled()
	h := w.homes()
	if h[mums].Member(mum) == nil || h[dads].Member(mum) == nil {
		t.Fatal("she does not live in both homes")
	}
	w.report(gas, `{"leaking":true}`)
	w.hears(mum, "检测到燃气泄漏", 1)
	var choice string
	for _, n := range w.notesTo(mum) {
		for _, c := range n.Menu {
			choice = c.ID
		}
	}
	if home.ChoiceOf(choice) != dads {
		t.Fatalf("the choice %q does not name the home", choice)
	}
	w.receive(bridge.Inbound{Kind: bridge.InText, From: mum, Text: "我来处理", MenuID: choice})
	w.hears(dad, "▣ ", 3) // the request, the leak, and who deals with it
	w.receive(bridge.Inbound{Kind: bridge.InText, From: "openid-thief", Text: "我来处理", MenuID: choice})
	w.hears("openid-thief", "这个问题已经过期了", 1)
	if w.homes()[dads].Member("openid-thief") != nil {
		t.Error("a copied choice let a stranger in")
	}
}

func (w *world) notesTo(person string) []home.Notification {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []home.Notification
	for _, n := range w.notes {
		if n.To == person {
			out = append(out, n)
		}
	}
	return out
}

func TestAPhotoIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receive(bridge.Inbound{Kind: bridge.InFollow, From: mum})
	w.receive(bridge.Inbound{Kind: bridge.InPhoto, From: mum, MediaID: "m"})
	w.hears(mum, "照片收到了", 1)
	w.settled()
	if n := len(w.docs("media/")); n != 1 {
		t.Errorf("%d pictures are kept", n)
	}
}

// Callbacks about people without a home make none.
func TestReceiptsAndGoodbyesMakeNoHomes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receive(bridge.Inbound{Kind: bridge.InReceipt, From: mum, MsgID: "1", Status: "success"})
	w.receive(bridge.Inbound{Kind: bridge.InUnfollow, From: mum})
	if n := len(w.docs("hh/")); n != 0 {
		t.Errorf("%d documents", n)
	}
}
