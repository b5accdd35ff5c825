package bridge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/broker"
	"jiaxin/devices"
)

func TestAStoreThatCannotKeepAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, gas)
	w.settled()
	full := errors.New("the disk is full")
	w.store.on(func(string, []store.Write) (bool, error) { return false, full })
	if err := w.publish(gas, devices.UpEvent, `{"id":"1","event":"gas_leak"}`); !errors.Is(err, full) {
		t.Errorf("an event: %v", err)
	}
	if err := w.publish(gas, devices.UpProperty, `{`); !errors.Is(err, full) {
		t.Errorf("a message to set aside: %v", err)
	}
	if err := w.publish(gas, devices.UpButton, `{"nonce":"n","counter":1}`); !errors.Is(err, full) {
		t.Errorf("a press: %v", err)
	}
	said := bridge.Inbound{Kind: bridge.InText, From: mum, ID: "1", Text: "你好"}
	if err := w.Receive(w.ctx, said); !errors.Is(err, full) {
		t.Errorf("a callback: %v", err)
	}
	if got := w.sent("down/reply"); len(got) > 0 {
		t.Errorf("the device is told %q", got)
	}
	w.store.on(nil)
	w.must(w.publish(gas, devices.UpEvent, `{"id":"1","event":"gas_leak"}`)) // it comes again, and is new
	w.must(w.Receive(w.ctx, said))
	w.hears(mum, "▣ 燃气泄漏", 1)
	w.hears(mum, "家里正在报警", 1)
}

func TestACommitOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{true, false} {
		t.Run(fmt.Sprintf("done=%t", done), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.bind(mum, ac)
			w.online(ac)
			w.settled()
			var once sync.Once
			w.store.on(func(lane string, _ []store.Write) (do bool, after error) {
				do = true
				if strings.HasPrefix(lane, "hh/") {
					once.Do(func() { do, after = done, store.ErrUnknown })
				}
				return do, after
			})
			w.say(mum, "打开空调")
			w.settled()
			if got := w.sent("down/command"); len(got) != 1 {
				t.Errorf("sent %q", got)
			}
		})
	}
}

func TestManyInputsShareACommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.settled()
	lane := "hh/" + w.homeOf(mum).ID
	before := w.store.count(lane)
	held, let := make(chan struct{}), make(chan struct{})
	var first sync.Once
	w.store.on(func(l string, _ []store.Write) (bool, error) {
		if l == lane {
			first.Do(func() { close(held); <-let })
		}
		return true, nil
	})
	const n = 500
	done := make(chan error, n+1)
	send := func(i int) {
		w.Handle(broker.Message{Client: ac, Topic: "d/standard/ac/ac-01/up/property", QoS: 1, Payload: fmt.Appendf(nil, `{"temperature":%d}`, i%50)}, func(err error) { done <- err })
	}
	send(n)
	<-held
	for i := range n {
		send(i)
	}
	select {
	case err := <-done:
		t.Errorf("acknowledged before the commit (%v)", err)
	default:
	}
	close(let)
	for range n + 1 {
		w.must(<-done)
	}
	if commits := w.store.count(lane) - before; commits > 5 {
		t.Errorf("%d inputs took %d commits", n+1, commits)
	}
	if got := w.homeOf(mum).Device(ac).Props["temperature"]; got != float64((n-1)%50) {
		t.Errorf("the last report is %v: the order is lost", got)
	}
}

func TestATooLongQueueIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	w.settled()
	held, let := make(chan struct{}), make(chan struct{})
	var first sync.Once
	w.store.on(func(l string, _ []store.Write) (bool, error) {
		first.Do(func() { close(held); <-let })
		return true, nil
	})
	const n = 5000
	done := make(chan error, n+1)
	send := func() {
		w.Handle(broker.Message{Client: ac, Topic: "d/standard/ac/ac-01/up/status", QoS: 1, Payload: []byte(`{"online":true}`)}, func(err error) { done <- err })
	}
	send()
	<-held
	for range n {
		send()
	}
	close(let)
	refused := 0
	for range n + 1 {
		if <-done != nil {
			refused++
		}
	}
	if refused != n-4096 {
		t.Errorf("%d of %d were refused", refused, n)
	}
}

// Two gateways on one store is a mistake, but one that loses nothing.
func TestASecondWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, gas)
	w.settled()
	other := w.another(w.store)
	defer func() { w.must(other.Stop(w.ctx)) }()
	for i := range 20 {
		w.must(w.publish(gas, devices.UpEvent, fmt.Sprintf(`{"id":"a-%d","event":"self_test"}`, i)))
		w.must(other.Receive(w.ctx, bridge.Inbound{Kind: bridge.InText, From: mum, ID: fmt.Sprint("b", i), Text: "你好"}))
	}
	w.settled()
	w.hears(mum, "▣ 自检完成", 6) // and no more in ten minutes, whoever writes
	w.hears(mum, "听不懂", 20)
}

func TestEveryHomeIsResumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const homes = 600
	for i := range homes {
		h := home.New(fmt.Sprintf("h%03d", i), shared())
		h.Seq = 1
		h.Outbox = []home.Effect{{
			ID: "e1", Kind: home.Deliver, At: w.clock.Now(), Leased: w.clock.Now().Add(time.Hour), // under way when the process died
			Note: &home.Notification{ID: h.ID + "-1", To: fmt.Sprint("openid-", i), Via: home.Chat, Text: "早"},
		}}
		data, err := json.Marshal(h)
		w.must(err)
		_, err = w.bolt.Commit(w.ctx, "hh/"+h.ID, store.Write{Key: "doc", Data: data}, store.Write{Key: "t/0000000000000001", Data: []byte("{}")})
		w.must(err)
	}
	w.close()
	w.open()
	w.hears("", "早", homes)
}

// A commit that takes long makes the command late; a late one is not sent at all.
func TestAHazardIsNeverSentLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.publish(valve, devices.UpButton, `{"nonce":"n","counter":1}`))
	w.bind(mum, valve)
	w.online(valve)
	w.say(mum, "打开燃气阀")
	w.hears(mum, "这个操作有危险", 1)
	w.settled()
	var once sync.Once
	w.store.on(func(string, []store.Write) (bool, error) {
		once.Do(func() { w.clock.add(11 * time.Second) })
		return true, nil
	})
	w.say(mum, "确认打开")
	w.hears(mum, "没有回应", 1)
	w.settled()
	if got := w.sent("down/command"); len(got) > 0 {
		t.Errorf("sent %q", got)
	}
}
