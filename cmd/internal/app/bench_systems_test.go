package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.etcd.io/bbolt"

	"jiaxin/bridge"
	"jiaxin/bridge/store"
	"jiaxin/bridge/store/bolt"
	"jiaxin/bridge/wechat"
	"jiaxin/broker"
	"jiaxin/broker/brokertest"
	"jiaxin/devices"
)

// This file holds the systems that BenchmarkIngest compares.

const benchPassword = "the same for all"

func benchAddress(m message, i int) devices.Address {
	return devices.Address{Product: m.product, Device: fmt.Sprintf("bench-%03d", i)}
}

// connect connects the publishers.
func connect(b *testing.B, addr string, l load, m message) []*publisher {
	b.Helper()
	var all []*publisher
	for i := range l.publishers {
		a := benchAddress(m, i)
		c, err := brokertest.Dial(addr, a.ClientID(), a.ClientID(), benchPassword)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		if _, err := c.Subscribe(a.Topic(devices.DownReply)); err != nil {
			b.Fatal(err)
		}
		all = append(all, &publisher{client: c, topic: a.Topic(m.sort)})
	}
	return all
}

func bare(b *testing.B, l load, m message) *system {
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	tcp := listeners.NewTCP(listeners.Config{ID: "t", Address: "127.0.0.1:0"})
	for _, err := range []error{s.AddHook(new(anyone), nil), s.AddListener(tcp), s.Serve()} {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() { _ = s.Close() })
	return &system{name: "bare", publishers: connect(b, tcp.Address(), l, m)}
}

// anyone lets everyone do everything.
type anyone struct{ mochi.HookBase }

func (*anyone) Provides(m byte) bool {
	return m == mochi.OnConnectAuthenticate || m == mochi.OnACLCheck
}

func (*anyone) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*anyone) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// handler is a broker.Handler as a function.
type handler func(broker.Message, func(error))

func (h handler) Handle(m broker.Message, done func(error)) { h(m, done) }

// granting lets every device use its own topics.
type granting struct{}

func (granting) Authenticate(_ context.Context, id, _ string, _ []byte) (broker.Grant, error) {
	a, err := devices.ParseAddress(id)
	return broker.Grant{
		ID: id, Publish: []string{a.Topic(devices.UpProperty), a.Topic(devices.UpEvent)}, Subscribe: []string{a.Topic(devices.DownReply)},
	}, err
}

// handled is our broker with another handler behind it.
func handled(b *testing.B, name string, l load, m message, h handler) *system {
	s, err := broker.New(broker.Options{Listen: "127.0.0.1:0", Handler: h, Authenticator: granting{}})
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop(b.Context()) })
	return &system{name: name, publishers: connect(b, s.Addr(), l, m)}
}

func memory(b *testing.B, l load, m message) *system {
	return handled(b, "memory", l, m, func(_ broker.Message, done func(error)) { done(nil) })
}

func update(b *testing.B, l load, m message) *system {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "events.db"), 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return handled(b, "update", l, m, func(e broker.Message, done func(error)) {
		done(db.Update(func(tx *bbolt.Tx) error {
			events, err := tx.CreateBucketIfNotExists([]byte("events"))
			if err != nil {
				return err
			}
			n, err := events.NextSequence()
			if err != nil {
				return err
			}
			return events.Put(fmt.Appendf(nil, "%016x", n), e.Payload)
		}))
	})
}

func raw(b *testing.B, l load, m message) *system {
	s, err := bolt.Open(filepath.Join(b.TempDir(), "events.db"), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	var n atomic.Uint64
	return handled(b, "raw", l, m, func(e broker.Message, done func(error)) {
		key := fmt.Sprintf("%016x", n.Add(1))
		go func() {
			_, err := s.Commit(context.Background(), e.Client, store.Write{Key: key, Data: e.Payload})
			done(err)
		}()
	})
}

// durable is the gateway as `jiaxin serve` runs it, with every publisher bound to a household of its own by a scan of its
// label, and a WeChat that says yes to everything.
func durable(b *testing.B, l load, m message) *system {
	weChat := httptest.NewServer(http.HandlerFunc(agree))
	b.Cleanup(weChat.Close)
	devs := registrations(l, m)
	a, err := New(benchConfig(b.TempDir(), weChat.URL), Options{Devices: devs, Templates: forms})
	if err != nil {
		b.Fatal(err)
	}
	a.cfg.WeChat.Templates = forms(a.words)
	if err := a.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = a.Stop(context.Background()) })
	h := &homes{a: a, m: m}
	for i, d := range devs {
		if err := h.bind(b.Context(), i, d); err != nil {
			b.Fatal(err)
		}
	}
	h.system = &system{name: "durable", publishers: connect(b, a.MQTTAddr(), l, m), check: h.check}
	return h.system
}

func registrations(l load, m message) []devices.Registration {
	var devs []devices.Registration
	for i := range l.publishers {
		a := benchAddress(m, i)
		devs = append(devs, devices.Registration{
			Address: a, Username: a.ClientID(), Password: benchPassword,
			LabelURL: "http://127.0.0.1/b/" + devices.NewLabelCode(rand.Reader),
		})
	}
	return devs
}

func benchConfig(dir, api string) Config {
	cfg := defaults()
	cfg.Data, cfg.HTTP, cfg.Admin, cfg.Broker, cfg.PublicURL = dir, "127.0.0.1:0", "127.0.0.1:0", "embedded://127.0.0.1:0", "http://127.0.0.1"
	cfg.WeChat.Config = wechat.Config{
		API: api, AppID: "wx0123456789abcdef", Secret: "secret", Token: "token", AESKey: wechat.Secret(newAESKey()),
	}
	return cfg
}

// agree answers as WeChat does when all is well. A code to be scanned says its own scene.
func agree(w http.ResponseWriter, r *http.Request) {
	var code struct {
		Info struct {
			Scene struct {
				Text string `json:"scene_str"`
			} `json:"scene"`
		} `json:"action_info"`
	}
	_ = json.NewDecoder(r.Body).Decode(&code) // what is no such request has no scene
	_ = json.NewEncoder(w).Encode(map[string]any{
		"errcode": 0, "access_token": "token", "expires_in": 7200, "url": code.Info.Scene.Text, "subscribe": 1, "msgid": 1,
	})
}

// homes are the households of the durable system, one for each publisher.
type homes struct {
	a      *App
	m      message
	ids    []string
	system *system
}

// bind lets a person scan the label, and waits until the household has the device and nothing else to do.
func (h *homes) bind(ctx context.Context, i int, d devices.Registration) error {
	code, err := d.LabelCode()
	if err != nil {
		return err
	}
	offer, err := h.a.bridge.Offer(ctx, code)
	if err != nil {
		return err
	}
	who := fmt.Sprintf("person-%03d", i)
	if err := h.a.bridge.Receive(ctx, bridge.Inbound{Kind: bridge.InFollow, From: who, ID: who, At: time.Now(), Scene: offer.Follow}); err != nil {
		return err
	}
	return h.settle(ctx, d.Address.ClientID())
}

func (h *homes) settle(ctx context.Context, device string) error {
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		var owner struct{ Household string }
		if doc, err := h.a.store.Get(ctx, "dev/"+device, "doc"); err != nil || json.Unmarshal(doc.Data, &owner) != nil {
			return fmt.Errorf("the record of %s cannot be read: %w", device, err)
		}
		doc, _ := h.a.store.Get(ctx, "hh/"+owner.Household, "doc") // not yet there: no household
		if strings.Contains(string(doc.Data), `"devices"`) && !strings.Contains(string(doc.Data), `"outbox"`) {
			h.ids = append(h.ids, owner.Household)
			return nil
		}
	}
}

// check looks whether the last publish of everybody is in the documents on disk.
func (h *homes) check() error {
	for i, p := range h.system.publishers {
		doc, err := h.a.store.Get(context.Background(), "hh/"+h.ids[i], "doc")
		if err != nil {
			return err
		}
		if mark := h.m.mark(p.sent - 1); !strings.Contains(string(doc.Data), mark) {
			return fmt.Errorf("%s was acknowledged, but %s is not in its household: %s", p.topic, mark, doc.Data)
		}
	}
	return nil
}
