package home_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"jiaxin/bridge/home"
)

func TestTheFirstScan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step(home.Followed{From: mum, ID: "1"})
	w.hears(mum, "欢迎!扫一扫家电机身上的二维码,就能把它接进家里。")
	w.step(home.Followed{From: mum, ID: "2", Used: true})
	w.hears(mum, "这个二维码已经用过或过期了,请再扫一次家电机身上的标签。")
	w.scan(mum, ac)
	w.hears(mum, "客厅空调绑定好了,有事它会在这里告诉您。")
	w.scan(mum, ac)
	w.hears(mum, "客厅空调已经在您家里了。")
	if m := w.h.Member(mum); m.Role != home.Owner || m.Name != "妈妈" {
		t.Errorf("she is %+v", m)
	}
}

func TestTheSecondOfANameGetsANumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.claim = func(home.Effect) home.Claimed { return home.Claimed{Bound: true} }
	for i := range 3 {
		w.scan(mum, fmt.Sprintf("standard.ac.%d", i))
	}
	var got []string
	for _, d := range w.h.Devices {
		got = append(got, d.Name)
	}
	if want := []string{"空调", "空调2", "空调3"}; !slices.Equal(got, want) {
		t.Errorf("they are called %q, want %q", got, want)
	}
}

func TestABoundDeviceBringsItsState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.claim = func(e home.Effect) home.Claimed {
		return home.Claimed{Bound: true, Name: names[e.Device], Online: true, Props: props{"leaking": true}}
	}
	w.scan(mum, gas)
	if got := w.talk[mum]; !slices.Contains(got, leak) {
		t.Errorf("it was leaking when it was bound, and she hears %q", got)
	}
}

func TestAHazardousDeviceWantsAPress(t *testing.T) {
	t.Parallel()
	pressed := false
	start := func(t *testing.T) *world {
		w := newWorld(t)
		w.claim = func(e home.Effect) home.Claimed {
			return home.Claimed{Bound: pressed, Press: !pressed, Name: names[e.Device]}
		}
		w.scan(mum, valve)
		w.hears(mum, "为了安全,请在2分钟内按一下燃气阀上的绑定键。")
		return w
	}
	w := start(t)
	w.step(home.Pressed{Device: valve}) // the registry says that it was not: nothing
	w.quiet()
	w.step(home.Pressed{Device: ac})
	w.quiet()
	pressed = true
	w.step(home.Pressed{Device: valve})
	w.hears(mum, "燃气阀绑定好了,有事它会在这里告诉您。")

	pressed = false
	w = start(t)
	w.advance(2 * time.Minute)
	pressed = true
	w.step(home.Pressed{Device: valve})
	w.quiet()
	if len(w.h.Devices) > 0 {
		t.Error("a press after two minutes bound it")
	}
}

func TestATakenDeviceIsForwardedToItsHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.claim = func(home.Effect) home.Claimed { return home.Claimed{Taken: "h2"} }
	w.paused = true
	w.scan(mum, ac)
	var forwarded []home.Effect
	for len(w.held) > 0 {
		e := w.held[0]
		w.held = w.held[1:]
		if e.Kind == home.Forward {
			forwarded = append(forwarded, e)
		}
		w.step(w.perform(e))
	}
	if len(forwarded) != 1 || forwarded[0].To != "h2" || forwarded[0].OpenID != mum || len(w.h.Devices) > 0 {
		t.Errorf("forwarded %+v", forwarded)
	}
}

func TestTheResultOfAClaimTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.paused = true
	w.scan(mum, ac)
	i := slices.IndexFunc(w.held, func(e home.Effect) bool { return e.Kind == home.Claim })
	result := w.perform(w.held[i])
	w.step(result)
	w.step(result)
	if len(w.h.Devices) != 1 {
		t.Errorf("bound %d times", len(w.h.Devices))
	}
}

func TestJoining(t *testing.T) {
	t.Parallel()
	knock := func(t *testing.T) *world {
		w := newHome(t)
		w.scan(stranger, ac)
		w.hears(stranger, "客厅空调是别人家的。已经请他们同意您加入,同意后这里会告诉您。")
		w.hears(mum, "▣ 小王 · 请求加入家庭") // her window is closed
		w.hears(dad)                  // is no owner
		return w
	}
	t.Run("yes", func(t *testing.T) {
		t.Parallel()
		w := knock(t)
		w.say(dad, "同意")
		w.say(stranger, "同意")
		w.hears(stranger, "已经问过家里人了,等他们同意就好。")
		w.scan(stranger, ac)
		w.hears(stranger, "已经问过家里人了,等他们同意就好。")
		w.hears(mum)
		w.say(mum, "好的")
		w.hears(mum, "好的,小王已经加入。")
		w.hears(stranger, "妈妈同意了,您已经加入。家里有事会在这里告诉您。")
		if m := w.h.Member(stranger); m == nil || m.Role != home.Adult || len(w.h.Guests) > 0 {
			t.Errorf("member %+v, guests %+v", m, w.h.Guests)
		}
	})
	t.Run("no", func(t *testing.T) {
		t.Parallel()
		w := knock(t)
		w.say(mum, "不同意")
		w.hears(mum, "好的,没有让对方加入。")
		w.hears(stranger, "这家人没有同意您加入。")
		w.outside(stranger)
	})
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		w := knock(t)
		w.advance(10 * time.Minute)
		w.say(mum, "好的")
		w.hears(mum, "这句我还听不懂,什么也没有做。可以试试:关掉客厅空调")
		w.outside(stranger)
	})
	t.Run("they give up", func(t *testing.T) {
		t.Parallel()
		w := knock(t)
		w.say(mum, "你好")
		w.forget()
		w.leaves(stranger)
		w.say(mum, "同意")
		w.hears(mum, "这句我还听不懂,什么也没有做。可以试试:关掉客厅空调")
		w.outside(stranger)
	})
	t.Run("words without a scan", func(t *testing.T) {
		t.Parallel()
		w := newHome(t)
		w.say(stranger, "关空调")
		w.step(home.Followed{From: stranger, ID: "f"})
		w.step(home.SentMedia{From: stranger, ID: "m"})
		w.quiet()
		w.outside(stranger)
	})
}

func (w *world) outside(person string) {
	w.t.Helper()
	if doc := encode(w.t, w.h); strings.Contains(doc, person) {
		w.t.Errorf("the household still knows %s: %s", person, doc)
	}
}

func TestACrowdOfStrangers(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.swift = true
	for i := range 100 {
		w.scan(fmt.Sprintf("o-crowd-%d", i), ac)
	}
	if n := len(w.h.Guests); n != 8 {
		t.Errorf("%d strangers wait", n)
	}
	w.hears("o-crowd-50", "这个二维码已经用过或过期了,请再扫一次家电机身上的标签。")
}

// A device that a home is just claiming is not in its document yet; that makes nobody a member who is not.
func TestAScanThatComesWhileTheDeviceIsBeingBound(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.scan(stranger, light)
	w.hears(mum, "▣ 小王 · 请求加入家庭")
	if w.h.Member(stranger) != nil {
		t.Error("the stranger is in")
	}
}

func TestLeavingErasesThePerson(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t) // a question is open
	w.joins(daughter)
	w.paused = true // messages, commands, claims and profiles are under way
	w.say(dad, "打开空调")
	w.say(dad, "我是爷爷")
	w.scan(dad, light)
	w.step(home.SentMedia{From: dad, ID: "photo", Media: home.Media{ID: "m1", Kind: "photo"}})
	w.paused = false
	w.leaves(dad)
	w.resume()
	w.outside(dad)
	w.forget()
	w.replies(ac, 0, "")
	w.report(ac, props{"power": true})
	w.advance(time.Hour)
	w.hears(dad)
	w.leaves(daughter)
	w.outside(daughter)
	for _, e := range w.line {
		if strings.Contains(fmt.Sprint(e), dad) || strings.Contains(fmt.Sprint(e), daughter) {
			t.Errorf("the timeline has %v", e)
		}
	}
}

func TestSomebodyIsAlwaysOwner(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.leaves(mum)
	if m := w.h.Member(dad); m.Role != home.Owner {
		t.Errorf("dad is %s", m.Role)
	}
}

func TestAnEmptyHomeLetsItsDevicesGo(t *testing.T) {
	t.Parallel()
	w := newHome(t, valve)
	w.say(dad, "关闭燃气阀")
	w.scan(stranger, ac)
	w.forget()
	w.leaves(mum)
	w.paused = true
	w.say(dad, "打开空调")
	w.leaves(dad)
	var released []string
	for _, e := range w.held {
		if e.Kind == home.Release {
			released = append(released, e.Device)
		}
	}
	if want := []string{ac, valve}; !slices.Equal(released, want) {
		t.Errorf("released %q, want %q", released, want)
	}
	w.held = slices.DeleteFunc(w.held, func(e home.Effect) bool { return e.Kind == home.Publish })
	w.forget()
	w.resume()
	w.hears(stranger, "这家人没有同意您加入。")
	w.advance(time.Hour)
	w.report(ac, props{"power": true, "occupied": false})
	w.advance(time.Hour)
	w.quiet()
	for _, p := range []string{mum, dad, stranger} {
		w.outside(p)
	}
}

func TestLeavingAgainIsAReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.step(home.Followed{From: mum, ID: "1"})
	w.step(home.Unfollowed{From: mum, ID: "2"})
	w.step(home.Followed{From: mum, ID: "3"})
	w.step(home.Unfollowed{From: mum, ID: "2"})
	if w.h.Member(mum) == nil {
		t.Error("an old goodbye that came twice sent her away")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.say(dad, "我是老爸")
	w.hears(dad, "好的,老爸。")
	w.say(dad, "我是一二三四五六七八九十一二三") // longer than a name
	w.hears(dad, "这句我还听不懂,什么也没有做。可以试试:关掉客厅空调")
	if got := w.h.Member(dad).Name; got != "老爸" {
		t.Errorf("he is called %s", got)
	}
}
