package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/devices"
)

func TestTwoScanOneCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scene := w.offer(ac)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			w.receive(bridge.Inbound{Kind: bridge.InFollow, From: fmt.Sprint("openid-", i), Scene: scene})
		})
	}
	all.Wait()
	w.settled()
	w.hears("", "绑定好了", 1)
	w.hears("", "这个二维码已经用过", 7)
	if got := w.owners(ac); len(got) != 1 {
		t.Errorf("it belongs to %q", got)
	}
}

func TestOnePersonsRepeatedScanIsNoSecondUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := bridge.Inbound{Kind: bridge.InScan, From: mum, ID: "scan", Scene: w.offer(ac)}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() { w.receive(in) })
	}
	all.Wait()
	w.settled()
	w.hears(mum, "绑定好了", 1)
	w.hears(mum, "已经用过", 0)
}

// WeChat repeats a callback that is still being worked on, and its twin is faster.
func TestARepeatedScanOvertakesItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scene := w.offer(ac)
	var once sync.Once
	w.store.on(func(lane string, writes []store.Write) (bool, error) {
		if strings.HasPrefix(lane, "ticket/") {
			once.Do(func() { _, _ = w.bolt.Commit(w.ctx, lane, writes...) })
		}
		return true, nil
	})
	w.receive(bridge.Inbound{Kind: bridge.InScan, From: mum, Scene: scene})
	w.hears(mum, "绑定好了", 1)
	w.hears(mum, "已经用过", 0)
}

func TestTwoPeopleAndOneDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	for i := range 8 {
		in := bridge.Inbound{Kind: bridge.InFollow, From: fmt.Sprint("openid-", i), Scene: w.offer(ac)} // each has a code of their own
		all.Go(func() { w.receive(in) })
	}
	all.Wait()
	w.settled()
	if got := w.owners(ac); len(got) != 1 {
		t.Fatalf("it belongs to %q", got)
	}
	h := w.homes()[w.owners(ac)[0]]
	if len(h.Members) != 1 || len(h.Guests) != 7 {
		t.Errorf("its home has %d members and %d who asked to join", len(h.Members), len(h.Guests))
	}
	w.hears("", "绑定好了", 1)
	w.hears(h.Members[0].OpenID, "▣ 请求加入家庭", 7)
}

func TestACodeIsGoodForTenMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scene := w.offer(ac)
	w.clock.add(10 * time.Minute)
	w.receive(bridge.Inbound{Kind: bridge.InFollow, From: mum, Scene: scene})
	w.hears(mum, "这个二维码已经用过或过期了", 1)
	w.receive(bridge.Inbound{Kind: bridge.InScan, From: mum, Scene: "b_nonsense"})
	w.hears(mum, "这个二维码已经用过或过期了", 2)
	if got := w.owners(ac); len(got) > 0 {
		t.Errorf("it belongs to %q", got)
	}
}

func TestALabelThatWasReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	again := registration(ac)
	again.LabelURL = "https://home.example/l/" + labelOf("standard.ac.another")
	w.must(w.Register(w.ctx, []devices.Registration{again}))
	if _, err := w.Offer(w.ctx, labelOf(ac)); !errors.Is(err, bridge.ErrUnknownLabel) {
		t.Errorf("the old label still works: %v", err)
	}
	if _, err := w.Offer(w.ctx, labelOf("standard.ac.another")); err != nil {
		t.Errorf("the new label: %v", err)
	}
	for _, code := range []string{"", "x", labelOf("standard.tv.never")} {
		if _, err := w.Offer(w.ctx, code); !errors.Is(err, bridge.ErrUnknownLabel) {
			t.Errorf("the label %q: %v", code, err)
		}
	}
}

// A home that everybody has left lets its devices go by an errand; whoever scans before it is done gets the device, and
// not the home.
func TestTheDeviceOfADesertedHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.settled()
	old := w.homeOf(mum).ID
	w.store.on(func(lane string, _ []store.Write) (bool, error) {
		if strings.HasPrefix(lane, "dev/") {
			return false, errors.New("not now")
		}
		return true, nil
	})
	w.receive(bridge.Inbound{Kind: bridge.InUnfollow, From: mum})
	w.until("the release has failed", func() bool {
		left := w.homes()[old].Outbox
		return len(left) == 1 && left[0].Kind == home.Release && left[0].Leased.IsZero()
	})
	w.store.on(nil)
	w.bind(dad, ac)
	ctx, stop := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.clock.add(time.Minute)
	w.settled() // the release comes too late
	stop()
	w.must(<-ended)
	w.report(ac, `{"power":true}`)
	if h := w.homeOf(dad); h.ID == old || h.Device(ac).Props["power"] != true {
		t.Errorf("dad's home is %s, and knows %+v", h.ID, h.Device(ac))
	}
}

// Somebody with a photo of the label waits for the owner to press the button.
func TestAPressBindsNothingThatTwoHomesWaitFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.receive(bridge.Inbound{Kind: bridge.InFollow, From: mum, Scene: w.offer(valve)})
	w.settled()
	w.receive(bridge.Inbound{Kind: bridge.InFollow, From: dad, Scene: w.offer(valve)})
	w.settled()
	w.hears(dad, "为了安全先不绑定", 1)
	w.must(w.publish(valve, devices.UpButton, `{"nonce":"n","counter":1}`))
	w.settled()
	if got := w.owners(valve); len(got) > 0 {
		t.Errorf("it belongs to %q", got)
	}
	w.clock.add(5 * time.Minute)
	w.receive(bridge.Inbound{Kind: bridge.InScan, From: mum, ID: "again", Scene: w.offer(valve)})
	w.settled()
	w.must(w.publish(valve, devices.UpButton, `{"nonce":"n","counter":2}`))
	w.settled()
	w.hears(mum, "绑定好了", 1)
}
