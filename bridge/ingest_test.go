package bridge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"jiaxin/bridge"
	"jiaxin/broker"
	"jiaxin/devices"
)

func TestAnEventIsReceivedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, gas)
	for range 3 {
		w.must(w.publish(gas, devices.UpEvent, `{"id":"7-1","event":"gas_leak"}`))
	}
	w.until("each is answered", func() bool { return len(w.sent("down/reply")) == 3 })
	if got := w.sent("down/reply")[2]; got != `{"id":"7-1","code":0}` {
		t.Errorf("it is answered %s", got)
	}
	w.settled()
	w.hears(mum, "▣ 燃气泄漏", 1)
}

func TestWhatIsNotUnderstoodIsSetAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	topic := "d/standard/ac/ac-01/"
	bad := []broker.Message{
		{Client: ac, Topic: topic + "up/property", Payload: []byte("{")},
		{Client: ac, Topic: topic + "up/property", Payload: []byte(`{"pwoer":true}`)},
		{Client: ac, Topic: topic + "up/reply", Payload: []byte("\xff\x00")},
		{Client: ac, Topic: topic + "up/button", Payload: []byte(`{}`)},
		{Client: ac, Topic: topic + "down/command", Payload: []byte(`{}`)},
		{Client: ac, Topic: "d/standard/gas-alarm/g-01/up/event", Payload: []byte(`{"id":"1","event":"gas_leak"}`)},
		{Client: "acme.gone.1", Topic: "d/acme/gone/1/up/property", Payload: []byte(`{}`)},
		{Client: ac, Topic: "$SYS", Payload: nil},
		{Client: ac, Topic: topic + "up/event", Payload: []byte(`{"id":"9-1","event":"no_such"}`)},
		{Client: ac, Topic: topic + "up/property", Payload: []byte(strings.Repeat("x", 64<<10))},
	}
	w.settled()
	before := w.docs("hh/")
	for _, m := range bad {
		if err := w.handle(m); err != nil {
			t.Errorf("%s %.20q: %v; it would be sent for ever", m.Topic, m.Payload, err)
		}
	}
	if n := len(w.docs("odd/")); n != len(bad) {
		t.Errorf("%d were set aside, want %d", n, len(bad))
	}
	for range 50 {
		w.must(w.handle(bad[9]))
	}
	if n := len(w.docs("odd/" + ac)); n > 16 {
		t.Errorf("%d are kept of one device", n)
	}
	for _, d := range w.docs("odd/") {
		if len(d.Data) > 8<<10 {
			t.Errorf("%d bytes are kept of one message", len(d.Data))
		}
	}
	if after := w.docs("hh/"); len(after) != len(before) {
		t.Error("a household was changed")
	}
	if got := w.sent("down/reply"); len(got) != 1 || !strings.Contains(got[0], `"id":"9-1","code":2`) {
		t.Errorf("the device of the unknown event hears %q", got)
	}
}

func TestWhatAFreeDeviceReportedIsKnownAfterItsClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.online(gas)
	w.report(gas, `{"leaking":false}`)
	w.report(gas, `{"leaking":true,"gas":12}`)
	if len(w.docs("hh/")) > 0 {
		t.Error("a device without a home made one")
	}
	w.bind(mum, gas)
	w.hears(mum, "▣ 燃气泄漏", 1)
	if d := w.homeOf(mum).Device(gas); !d.Online || d.Props["gas"] != 12.0 {
		t.Errorf("it is known as %+v", d)
	}
}

func TestTheNextHomeLearnsNothingOfTheLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.report(ac, `{"target":18}`)
	w.bind(mum, ac)
	w.online(ac)
	w.report(ac, `{"power":true}`)
	w.receive(bridge.Inbound{Kind: bridge.InUnfollow, From: mum})
	w.settled()
	w.bind(dad, ac)
	d := w.homeOf(dad).Device(ac)
	if len(d.Props) > 0 || !d.Online {
		t.Errorf("the next home knows %+v", d)
	}
	entries, err := w.Timeline(w.ctx, w.homeOf(dad).ID, 0, 1000)
	w.must(err)
	for _, e := range entries {
		if e.Member == "m1" && e.Detail == "left" {
			t.Error("the next home sees the last one's timeline")
		}
	}
}

func TestTheButton(t *testing.T) {
	t.Parallel()
	press := func(w *world, counter int) {
		w.t.Helper()
		w.must(w.publish(valve, devices.UpButton, fmt.Sprintf(`{"nonce":"n","counter":%d}`, counter)))
	}
	scan := func(w *world) {
		w.t.Helper()
		w.receive(bridge.Inbound{Kind: bridge.InFollow, From: mum, Scene: w.offer(valve)})
	}
	const wait = "请在2分钟内按一下"
	tests := []struct {
		name  string
		do    func(w *world)
		bound bool
	}{
		{"press, then scan", func(w *world) { press(w, 1); w.clock.add(119 * time.Second); scan(w) }, true},
		{"scan, then press", func(w *world) { scan(w); w.hears(mum, wait, 1); w.clock.add(119 * time.Second); press(w, 1) }, true},
		{"a press too early", func(w *world) { press(w, 1); w.clock.add(2 * time.Minute); scan(w); w.hears(mum, wait, 1) }, false},
		{"a press too late", func(w *world) { scan(w); w.hears(mum, wait, 1); w.clock.add(2 * time.Minute); press(w, 1) }, false},
		{"a recorded press", func(w *world) {
			press(w, 7)
			w.clock.add(3 * time.Minute)
			scan(w)
			w.hears(mum, wait, 1)
			press(w, 7)
			press(w, 6)
		}, false},
		{"a real press after a recorded one", func(w *world) {
			press(w, 7)
			w.clock.add(3 * time.Minute)
			scan(w)
			w.hears(mum, wait, 1)
			press(w, 7)
			press(w, 8)
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.do(w)
			if tt.bound {
				w.hears(mum, "绑定好了", 1)
			}
			w.settled()
			if got := len(w.owners(valve)) == 1; got != tt.bound {
				t.Errorf("bound: %t, want %t", got, tt.bound)
			}
		})
	}
}

func TestAPressBeforeAReleaseIsWorthNothingAfterIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.publish(valve, devices.UpButton, `{"nonce":"n","counter":1}`))
	w.bind(mum, valve)
	w.must(w.publish(valve, devices.UpButton, `{"nonce":"n","counter":2}`))
	w.receive(bridge.Inbound{Kind: bridge.InUnfollow, From: mum})
	w.settled()
	w.receive(bridge.Inbound{Kind: bridge.InFollow, From: dad, Scene: w.offer(valve)})
	w.hears(dad, "请在2分钟内按一下", 1)
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, err := w.Authenticate(w.ctx, ac, ac, []byte("secret-"+ac))
	w.must(err)
	if g.ID != ac || g.Status != "d/standard/ac/ac-01/up/status" || len(g.Subscribe) != 2 {
		t.Errorf("granted %+v", g)
	}
	for _, tt := range [][3]string{
		{ac, ac, "secret-" + gas},
		{ac, gas, "secret-" + ac},
		{gas, ac, "secret-" + ac},
		{"standard.ac.unknown", ac, "secret-" + ac},
		{"x", "x", ""},
		{"", "", ""},
		{ac, ac, ""},
	} {
		if _, err := w.Authenticate(w.ctx, tt[0], tt[1], []byte(tt[2])); err == nil {
			t.Errorf("%q was let in", tt)
		}
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	again := registration(ac)
	again.Password = "secret-new"
	w.must(w.Register(w.ctx, []devices.Registration{again}))
	if _, err := w.Authenticate(w.ctx, ac, ac, []byte("secret-new")); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if _, err := w.Authenticate(w.ctx, ac, ac, []byte("secret-"+ac)); err == nil {
		t.Error("the old password still works")
	}
	w.report(ac, `{"power":true}`)
	if got := w.homeOf(mum).Device(ac).Props["power"]; got != true {
		t.Error("it has lost its home")
	}
	unknown := registration("acme.gone.1")
	if err := w.Register(w.ctx, []devices.Registration{unknown}); err == nil || !strings.Contains(err.Error(), "acme/gone") {
		t.Errorf("an unknown model: %v", err)
	}
	w.must(w.Ready(w.ctx))
}
