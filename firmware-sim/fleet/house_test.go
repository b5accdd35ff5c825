package fleet

import (
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"jiaxin/devices"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// house is a plain broker with a small gateway in it, that writes down what devices say.
type house struct {
	t      *testing.T
	server *mochi.Server
	heard  chan said

	mu    sync.Mutex
	keeps bool // it answers events with down/reply
}

// door lets in who has the right password, and lets everybody say everything.
type door struct{ mochi.HookBase }

func (*door) Provides(b byte) bool { return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck }

func (*door) OnConnectAuthenticate(c *mochi.Client, p packets.Packet) bool {
	a, err := devices.ParseAddress(p.Connect.ClientIdentifier)
	return err == nil && p.Connect.Clean && string(p.Connect.Username) == c.ID && string(p.Connect.Password) == "pw-"+a.Device
}

func (*door) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// said is one message from a device.
type said struct {
	device  string
	sort    string
	payload string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, heard: make(chan said, 10_000), keeps: true}
	h.server = mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := h.server.AddHook(&door{}, nil); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.server.AddListener(listeners.NewNet("test", listener)); err != nil {
		t.Fatal(err)
	}
	if err := h.server.Subscribe("d/#", 1, h.hear); err != nil {
		t.Fatal(err)
	}
	if err := h.server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.server.Close() })
	return h
}

func (h *house) broker() string {
	l, _ := h.server.Listeners.Get("test")
	return "tcp://" + l.Address()
}

func (h *house) hear(_ *mochi.Client, _ packets.Subscription, p packets.Packet) {
	a, sort, err := devices.ParseTopic(p.TopicName)
	if err != nil || strings.HasPrefix(sort, "down/") {
		return
	}
	h.heard <- said{a.Device, sort, string(p.Payload)}
	h.mu.Lock()
	keeps := h.keeps
	h.mu.Unlock()
	if sort != devices.UpEvent || !keeps {
		return
	}
	var e devices.EventReport
	if err := json.Unmarshal(p.Payload, &e); err != nil {
		h.t.Errorf("not an event: %s", p.Payload)
	}
	// Publishing from the broker's own callback would wait for itself.
	go h.tell(a, devices.DownReply, devices.Reply{ID: e.ID})
}

func (h *house) keepEvents(yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keeps = yes
}

func (h *house) tell(a devices.Address, sort string, payload any) {
	if err := h.server.Publish(a.Topic(sort), mustJSON(h.t, payload), false, 0); err != nil {
		h.t.Error(err)
	}
}

// next returns the next message of that sort, passing over others.
func (h *house) next(sort string) said {
	h.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case s := <-h.heard:
			if s.sort == sort {
				return s
			}
		case <-timeout:
			h.t.Fatalf("nothing came on %s", sort)
		}
	}
}

// sequence returns the next n messages.
func (h *house) sequence(n int) []said {
	h.t.Helper()
	timeout := time.After(patience)
	var out []said
	for len(out) < n {
		select {
		case s := <-h.heard:
			out = append(out, s)
		case <-timeout:
			h.t.Fatalf("only this came: %v", out)
		}
	}
	return out
}

// appliance plugs one in and waits until it has introduced itself.
func (h *house) appliance(change ...func(*Options)) *Appliance {
	h.t.Helper()
	o := Options{
		Model: testModel(h.t, "test/pot"), Registration: registration("test/pot", "pot1"), Broker: h.broker(),
		Reconnect: 10 * time.Millisecond,
	}
	for _, c := range change {
		c(&o)
	}
	a, err := NewAppliance(o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := a.Stop(h.t.Context()); err != nil && h.t.Context().Err() == nil {
			h.t.Error(err)
		}
	})
	a.Plug()
	h.next(devices.UpProperty)
	return a
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
