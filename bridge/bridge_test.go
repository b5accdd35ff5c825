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

func TestFromTheLabelToTheCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.online(ac)
	w.report(ac, `{"power":true}`)
	w.say(mum, "关空调")
	w.until("the command is out", func() bool { return len(w.sent("down/command")) > 0 })
	var id string
	_, rest, _ := strings.Cut(w.sent("down/command")[0], `"id":"`)
	id, _, _ = strings.Cut(rest, `"`)
	w.must(w.publish(ac, devices.UpReply, `{"id":"`+id+`","code":0}`))
	w.report(ac, `{"power":false}`)
	w.hears(mum, "空调已关", 1)
	entries, err := w.Timeline(w.ctx, w.homeOf(mum).ID, 0, 1000)
	w.must(err)
	var said bool
	for _, e := range entries {
		said = said || e.What == "said" && e.Detail == "关空调"
	}
	if !said {
		t.Errorf("the timeline is %+v", entries)
	}
}

func TestARestartResumesWhatWasNotDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, gas)
	w.onDeliver(func(home.Notification) error {
		return &bridge.DeliveryError{Outcome: home.Retry, Err: errors.New("WeChat is down")}
	})
	w.report(gas, `{"leaking":true}`)
	w.close()
	w.onDeliver(nil)
	w.clock.add(time.Minute)
	w.open()
	w.hears(mum, "▣ 燃气泄漏", 1)
	w.settled()
}

func TestAlarmsRing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.online(ac)
	ctx, stop := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.say(mum, "打开空调")
	w.until("it was sent", func() bool { return len(w.sent("down/command")) == 1 })
	w.clock.add(15 * time.Second)
	w.hears(mum, "没有回应", 1)
	stop()
	w.must(<-ended)
}

func TestStopKeepsWhatWasTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, gas)
	w.settled()
	delivering, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.onDeliver(func(home.Notification) error {
		once.Do(func() { close(delivering); <-let })
		return nil
	})
	w.report(gas, `{"leaking":true}`)
	<-delivering
	stopped := make(chan error, 1)
	go func() { stopped <- w.Stop(w.ctx) }()
	w.until("nothing is taken any more", func() bool {
		err := w.publish(gas, devices.UpProperty, `{"gas":1}`)
		w.news.tell()
		return err != nil
	})
	select {
	case err := <-stopped:
		t.Errorf("it stopped (%v) while a message was on its way", err)
	default:
	}
	close(let)
	w.must(<-stopped)
	w.hears(mum, "▣ 燃气泄漏", 1)
	for _, e := range w.homeOf(mum).Outbox {
		if e.Note.Via == home.Card {
			t.Errorf("it was delivered, and is still filed: %+v", e)
		}
	}
	w.must(w.bolt.Close())
	w.open()
	w.settled()
	w.hears(mum, "▣ 燃气泄漏", 1)
}

func TestOneBrokenHomeHurtsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.bind(dad, gas)
	w.settled()
	broken := w.homeOf(mum).ID
	w.close()
	w.open() // for the store
	_, err := w.bolt.Commit(w.ctx, "hh/"+broken, store.Write{Key: "doc", Expect: store.AnyRev, Data: []byte("{")})
	w.must(err)
	w.close()
	w.open()
	if err := w.publish(ac, devices.UpProperty, `{"power":true}`); err == nil {
		t.Error("a report to the broken home was acknowledged")
	}
	w.report(gas, `{"leaking":true}`)
	w.hears(dad, "▣ 燃气泄漏", 1)
	if !strings.Contains(w.log.text(), broken) {
		t.Error("the log does not name the broken home")
	}
}

func TestTwoHundredHouseholds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const homes, inputs = 200, 20
	client := func(i int) string { return fmt.Sprintf("standard.gas-alarm.many-%03d", i) }
	person := func(i int) string { return fmt.Sprintf("openid-%03d", i) }
	var regs []devices.Registration
	for i := range homes {
		r := registration(client(i))
		r.LabelURL = "https://home.example/l/" + devices.NewLabelCode(strings.NewReader(fmt.Sprintf("%016d", i)))
		regs = append(regs, r)
	}
	w.must(w.Register(w.ctx, regs))
	var all sync.WaitGroup
	for i := range homes {
		all.Go(func() {
			code, _ := regs[i].LabelCode()
			o, err := w.Offer(w.ctx, code)
			if err == nil {
				err = w.Receive(w.ctx, bridge.Inbound{Kind: bridge.InFollow, From: person(i), ID: w.id(), Scene: strings.TrimPrefix(o.Follow, "code:")})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.hears("", "绑定好了", homes)
	w.settled()
	for i := range homes {
		all.Go(func() {
			for n := range inputs {
				if err := w.publish(client(i), devices.UpProperty, fmt.Sprintf(`{"gas":%d,"leaking":%t}`, n, n == inputs/2)); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range inputs / 4 {
				if err := w.Receive(w.ctx, bridge.Inbound{Kind: bridge.InText, From: person(i), ID: w.id(), Text: "我是老王"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w.hears("", "▣ 燃气泄漏", homes)
	w.hears("", "▣ 燃气浓度恢复正常", homes)
	w.hears("", "好的,老王。", homes*inputs/4)
	w.settled()
}
