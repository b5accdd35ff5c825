// Package brokertest says what a broker must do, as a suite that every broker runs, and has the MQTT client for it.
//
// Promise: a broker that passes Run keeps the promises of package broker towards well-behaved devices and
// against devices that reach for what is not theirs. No test sleeps; each waits for what must come, at most ten seconds.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"jiaxin/broker"
)

// Start starts a broker for one test, stops it at the test's end, and returns where it listens and what publishes to
// its devices.
type Start func(t *testing.T, h broker.Handler, a broker.Authenticator) (addr string, p broker.Publisher)

// Run runs the suite. Brokers are started many times, several at once.
func Run(t *testing.T, start Start) {
	for name, test := range map[string]func(*testing.T, Start, byte){
		"a publish is acknowledged only once it is kept":               ackAfterDone,
		"a publish that cannot be kept is not acknowledged":            noAckOnFailure,
		"acknowledgements come in the order of the publishes":          acksInOrder,
		"messages of one device arrive in order":                       messagesInOrder,
		"a slow device holds up nobody else":                           independent,
		"only the granted topics can be published to":                  publishACL,
		"only the granted topics can be subscribed to":                 subscribeACL,
		"only the right credential connects":                           authentication,
		"a will is for the own status topic only":                      will,
		"presence follows the connection":                              presence,
		"presence is never taken from the device's word":               presenceByDevice,
		"a second connection takes over without an absence":            takeover,
		"a fleet of duplicates leaves one connection, which is online": takeoverStorm,
		"a command reaches the device that is there":                   publishOnline,
		"a command to a device that is not there is not kept":          publishOffline,
	} {
		for _, version := range []byte{4, 5} {
			t.Run(fmt.Sprintf("%s/mqtt%d", name, version), func(t *testing.T) {
				t.Parallel()
				test(t, start, version)
			})
		}
	}
}

func connect(t *testing.T, addr, id string, version byte) *Client {
	t.Helper()
	c, err := DialWith(addr, Connect{ID: id, Username: id, Password: Password, Version: version, Keepalive: 60})
	if err != nil {
		t.Fatalf("%s cannot connect: %v", id, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func publish(t *testing.T, c *Client, topic, payload string) uint16 {
	t.Helper()
	id, err := c.Publish(topic, []byte(payload), 1)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func ackAfterDone(t *testing.T, start Start, version byte) {
	h := NewRecorder()
	addr, _ := start(t, h, Fleet{})
	c := connect(t, addr, "ac", version)
	id := publish(t, c, Up("ac"), "one")
	kept := h.Data(t)
	if err := c.Ping(); err != nil { // had the PUBACK been sent already, it would come before the answer
		t.Fatalf("before done: %v", err)
	}
	kept.Done(nil)
	if got, code, err := c.WaitAck(); err != nil || got != id || code != 0 {
		t.Fatalf("after done: id %d code %#x error %v, want id %d", got, code, err, id)
	}
}

func noAckOnFailure(t *testing.T, start Start, version byte) {
	h := NewRecorder()
	addr, _ := start(t, h, Fleet{})
	c := connect(t, addr, "ac", version)
	publish(t, c, Up("ac"), "one")
	publish(t, c, Up("ac"), "two")
	one, two := h.Data(t), h.Data(t)
	two.Done(nil)
	one.Done(errors.New("the disk is full"))
	p, err := c.Next()
	if err == nil && p.Type != Disconnect { // which MQTT 5 has
		t.Fatalf("got a packet of type %d with % x", p.Type, p.Body)
	}
	if err := c.WaitClosed(); err != nil {
		t.Fatal(err)
	}
	again := connect(t, addr, "ac", version)
	if err := again.PublishAs(Up("ac"), []byte("one"), 8|2, 1); err != nil {
		t.Fatal(err)
	}
	if err := again.Flush(); err != nil {
		t.Fatal(err)
	}
	m := h.Data(t)
	m.Done(nil)
	if string(m.Payload) != "one" {
		t.Fatalf("sent again: %q", m.Payload)
	}
	if id, _, err := again.WaitAck(); err != nil || id != 1 {
		t.Fatalf("id %d, error %v", id, err)
	}
}

func acksInOrder(t *testing.T, start Start, version byte) {
	h := NewRecorder()
	addr, _ := start(t, h, Fleet{})
	c := connect(t, addr, "ac", version)
	const n = 20
	kept := make([]Received, n)
	for i := range kept {
		publish(t, c, Up("ac"), fmt.Sprint(i))
		kept[i] = h.Data(t)
	}
	for i := n - 1; i >= 0; i-- {
		kept[i].Done(nil)
	}
	for i := range n {
		if id, _, err := c.WaitAck(); err != nil || int(id) != i+1 {
			t.Fatalf("acknowledgement %d is for packet %d, error %v", i+1, id, err)
		}
	}
}

func messagesInOrder(t *testing.T, start Start, version byte) {
	h := NewRecorder()
	addr, _ := start(t, h, Fleet{})
	c := connect(t, addr, "ac", version)
	const n = 100
	for i := range n {
		if _, err := c.Queue(Up("ac"), fmt.Append(nil, i), byte(i%2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m := h.Data(t)
		if string(m.Payload) != fmt.Sprint(i) || m.QoS != byte(i%2) || m.Client != "ac" || m.Topic != Up("ac") {
			t.Fatalf("message %d: %+v", i, m.Message)
		}
		m.Done(nil)
	}
}

func independent(t *testing.T, start Start, version byte) {
	h := NewRecorder()
	addr, _ := start(t, h, Fleet{})
	slow, quick := connect(t, addr, "slow", version), connect(t, addr, "quick", version)
	publish(t, slow, Up("slow"), "waits")
	waits := h.Data(t)
	publish(t, quick, Up("quick"), "goes")
	h.Data(t).Done(nil)
	if _, _, err := quick.WaitAck(); err != nil {
		t.Fatal(err)
	}
	waits.Done(nil)
	if _, _, err := slow.WaitAck(); err != nil {
		t.Fatal(err)
	}
}

func publishACL(t *testing.T, start Start, version byte) {
	h := NewRecorder()
	addr, _ := start(t, h, Fleet{})
	c := connect(t, addr, "ac", version)
	foreign := []string{Up("heater"), Up("ac") + "/", Up("ac") + "/x", strings.ToUpper(Up("ac")), "d/ac", "/" + Up("ac"), Down("ac")}
	for _, topic := range foreign {
		id := publish(t, c, topic, "forged")
		got, code, err := c.WaitAck()
		refused := byte(0)
		if version == 5 {
			refused = 0x87
		}
		if err != nil || got != id || code != refused {
			t.Fatalf("%q: id %d code %#x error %v, want id %d code %#x", topic, got, code, err, id, refused)
		}
	}
	publish(t, c, Up("ac"), "own")
	m := h.Data(t)
	m.Done(nil)
	if string(m.Payload) != "own" {
		t.Fatalf("delivered %+v", m.Message)
	}
}

func subscribeACL(t *testing.T, start Start, version byte) {
	addr, p := start(t, NewRecorder().Keeping(), Fleet{})
	c := connect(t, addr, "ac", version)
	filters := []string{Down("heater"), "#", "+/ac/down", "d/+/down", "$share/g/" + Down("ac"), "$SYS/#", Down("ac") + "/#", Down("ac"), Up("ac")}
	codes, err := c.Subscribe(filters...)
	if err != nil || len(codes) != len(filters) {
		t.Fatalf("codes % x, error %v", codes, err)
	}
	for i, f := range filters {
		if granted := codes[i] < 0x80; granted != (f == Down("ac")) {
			t.Errorf("%q: code %#x", f, codes[i])
		}
	}
	if err := p.Publish(t.Context(), "ac", Down("heater"), nil); !errors.Is(err, broker.ErrOffline) {
		t.Errorf("publish to a topic that was refused: %v", err)
	}
}

func authentication(t *testing.T, start Start, version byte) {
	h := NewRecorder().Keeping()
	addr, _ := start(t, h, Fleet{})
	victim := connect(t, addr, "ac", version)
	for name, c := range map[string]Connect{
		"wrong password":           {ID: "ac", Username: "ac", Password: "guess"},
		"no password":              {ID: "ac", Username: "ac"},
		"another's client id":      {ID: "ac", Username: "heater", Password: Password},
		"no client id":             {ID: "", Username: "ac", Password: Password},
		"an id beginning with one": {ID: "ac2", Username: "ac", Password: Password},
	} {
		c.Version = version
		_, err := DialWith(addr, c)
		want := map[byte]byte{4: 5, 5: 0x87}[version]
		var refused ErrRefused
		if name == "no password" { // may be seen as malformed first
			if err == nil {
				t.Error("connected without a password")
			}
			continue
		}
		if !errors.As(err, &refused) || refused.Code != want {
			t.Errorf("%s: %v, want code %#x", name, err, want)
		}
	}
	if err := victim.PublishAcked(Up("ac"), []byte("still here")); err != nil {
		t.Errorf("the rightful device was disturbed: %v", err)
	}
}

func will(t *testing.T, start Start, version byte) {
	h := NewRecorder().Keeping()
	addr, _ := start(t, h, Fleet{})
	try := func(w Will) error {
		c, err := DialWith(addr, Connect{ID: "ac", Username: "ac", Password: Password, Version: version, Will: &w})
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	for _, w := range []Will{
		{Topic: Up("heater"), Payload: []byte("gas")},
		{Topic: Up("ac"), Payload: []byte("gas")},
		{Topic: Status("ac"), Payload: []byte("{}"), Retain: true},
		{Topic: Status("ac"), Payload: []byte("{}"), QoS: 2},
	} {
		if err := try(w); err == nil {
			t.Errorf("accepted the will %+v", w)
		}
	}
	if err := try(Will{Topic: Status("ac"), Payload: []byte(`{"online":"lies"}`), QoS: 1}); err != nil {
		t.Errorf("own status: %v", err)
	}
	h.Presence(t, "ac", true, false)
}

func presence(t *testing.T, start Start, version byte) {
	h := NewRecorder().Keeping()
	addr, _ := start(t, h, Fleet{})
	for _, leave := range []func(*Client) error{(*Client).Disconnect, (*Client).Close} {
		c := connect(t, addr, "ac", version)
		h.Presence(t, "ac", true)
		if err := leave(c); err != nil {
			t.Fatal(err)
		}
		h.Presence(t, "ac", false)
	}
}

func presenceByDevice(t *testing.T, start Start, version byte) {
	h := NewRecorder().Keeping()
	addr, _ := start(t, h, Fleet{})
	c := connect(t, addr, "ac", version)
	if err := c.PublishAcked(Status("ac"), []byte(`{"online":false}`)); err != nil {
		t.Fatal(err)
	}
	if got := h.PresenceSoFar("ac"); !slices.Equal(got, []bool{true}) {
		t.Errorf("reported online %v", got)
	}
	_ = c.Close()
	h.Presence(t, "ac", true, false)
}

func takeover(t *testing.T, start Start, version byte) {
	h := NewRecorder().Keeping()
	addr, p := start(t, h, Fleet{})
	first := connect(t, addr, "ac", version)
	if _, err := first.Subscribe(Down("ac")); err != nil {
		t.Fatal(err)
	}
	second := connect(t, addr, "ac", version)
	if err := first.WaitClosed(); err != nil {
		t.Fatal(err)
	}
	h.Presence(t, "ac", true, true)
	if err := p.Publish(t.Context(), "ac", Down("ac"), nil); !errors.Is(err, broker.ErrOffline) {
		t.Errorf("the second connection inherited the first one's subscription: %v", err)
	}
	if err := second.PublishAcked(Up("ac"), []byte("here")); err != nil {
		t.Fatal(err)
	}
	_ = second.Close()
	h.Presence(t, "ac", false)
}

func takeoverStorm(t *testing.T, start Start, version byte) {
	h := NewRecorder().Keeping()
	addr, _ := start(t, h, Fleet{})
	const n = 20
	clients := make(chan *Client, n)
	for range n {
		go func() {
			c, _ := DialWith(addr, Connect{ID: "ac", Username: "ac", Password: Password, Version: version})
			clients <- c
		}()
	}
	alive := 0
	for range n {
		c := <-clients
		if c == nil {
			continue // taken over before it was answered
		}
		defer c.Close()
		if c.Ping() == nil {
			alive++
		}
	}
	last := connect(t, addr, "ac", version)
	if err := last.PublishAcked(Up("ac"), nil); err != nil {
		t.Fatal(err)
	}
	for _, online := range h.PresenceSoFar("ac") {
		if !online {
			t.Fatal("reported offline although a connection was always there")
		}
	}
	_ = last.Close()
	h.WaitOffline(t, "ac")
}

func publishOnline(t *testing.T, start Start, version byte) {
	addr, p := start(t, NewRecorder().Keeping(), Fleet{})
	c := connect(t, addr, "ac", version)
	if _, err := c.Subscribe(Down("ac")); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := p.Publish(t.Context(), "ac", Down("ac"), fmt.Append(nil, "off ", i)); err != nil {
			t.Fatal(err)
		}
		topic, payload, err := c.Receive()
		if err != nil || topic != Down("ac") || string(payload) != fmt.Sprint("off ", i) {
			t.Fatalf("%q %q %v", topic, payload, err)
		}
	}
	if err := c.Unsubscribe(Down("ac")); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), "ac", Down("ac"), nil); !errors.Is(err, broker.ErrOffline) {
		t.Fatalf("after unsubscribing: %v", err)
	}
}

func publishOffline(t *testing.T, start Start, version byte) {
	h := NewRecorder().Keeping()
	addr, p := start(t, h, Fleet{})
	send := func() error { return p.Publish(t.Context(), "ac", Down("ac"), []byte("unlock")) }
	if err := send(); !errors.Is(err, broker.ErrOffline) {
		t.Errorf("never seen: %v", err)
	}
	o := Connect{ID: "ac", Username: "ac", Password: Password, Version: version, Persist: true}
	c, err := DialWith(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Subscribe(Down("ac")); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	h.Presence(t, "ac", true, false)
	if err := send(); !errors.Is(err, broker.ErrOffline) {
		t.Errorf("gone: %v", err)
	}
	c, err = DialWith(addr, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ping(); err != nil {
		t.Errorf("something was waiting for the device: %v", err)
	}
	if c.SessionPresent() {
		t.Error("the device is told that its subscriptions are still there")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	cancel()
	if err := p.Publish(ctx, "ac", Down("ac"), nil); err == nil {
		t.Error("published with a context that had ended")
	}
}
