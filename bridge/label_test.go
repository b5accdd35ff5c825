package bridge_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"jiaxin/bridge"
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
