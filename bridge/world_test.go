package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/bridge/store/bolt"
	"jiaxin/broker"
	"jiaxin/devices"
	"jiaxin/templates"
)

const (
	mum = "openid-mum"
	dad = "openid-dad"

	ac    = "standard.ac.ac-01"
	gas   = "standard.gas-alarm.g-01"
	valve = "standard.gas-valve.v-01"
)

var shared = sync.OnceValue(func() *home.World {
	catalog, err := devices.Load(devices.Standard())
	if err != nil {
		panic(err)
	}
	words, err := templates.Load(catalog, templates.Standard())
	if err != nil {
		panic(err)
	}
	return &home.World{Models: catalog, Words: words, Zone: time.UTC}
})

// world is a Bridge over a real store, with phones, appliances and WeChat played by the test.
type world struct {
	*bridge.Bridge
	t     testing.TB
	ctx   context.Context
	path  string
	bolt  *bolt.Store
	store *watched
	log   *lockedBuffer
	clock *clock
	news  *news

	mu      sync.Mutex
	notes   []home.Notification
	wire    []published
	scenes  []string
	offline bool                          // the broker reaches no device
	deliver func(home.Notification) error // nil: takes everything
	next    int                           // for ids
}

type published struct {
	topic   string
	payload string
}

// newWorld is a gateway with its devices registered and nobody at home.
func newWorld(t testing.TB) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	w := &world{
		t: t, ctx: ctx, path: filepath.Join(t.TempDir(), "home.db"), log: &lockedBuffer{},
		clock: &clock{now: time.Date(2024, 3, 5, 11, 0, 0, 0, time.UTC)}, news: &news{},
	}
	w.open()
	t.Cleanup(w.end)
	w.must(w.Register(ctx, []devices.Registration{registration(ac), registration(gas), registration(valve)}))
	return w
}

// open starts a gateway on the store, as after a crash or a stop.
func (w *world) open() {
	w.t.Helper()
	s, err := bolt.Open(w.path, bolt.Options{Now: w.clock.Now})
	w.must(err)
	w.bolt, w.store = s, &watched{Store: s, news: w.news, commits: map[string]int{}}
	w.Bridge = w.another(w.store)
	w.must(w.Start(w.ctx))
}

func (w *world) another(s store.Store) *bridge.Bridge {
	return bridge.New(bridge.Options{
		Store: s, Channel: w, Account: w, Publisher: w, World: shared(), Now: w.clock.Now,
		Logger: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
}

func (w *world) close() {
	w.t.Helper()
	w.must(w.Stop(w.ctx))
	w.must(w.bolt.Close())
}

// end closes the gateway and looks into its log: whatever a test did, no person is named there.
func (w *world) end() {
	if err := w.Stop(w.ctx); err != nil {
		w.t.Errorf("stop: %v", err)
	}
	_ = w.bolt.Close()
	if log := w.log.text(); strings.Contains(log, "openid-") || strings.Contains(log, "secret-") {
		w.t.Errorf("the log names a person or tells a secret:\n%s", log)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// until waits for something to become true.
func (w *world) until(what string, cond func() bool) {
	w.t.Helper()
	for {
		changed := w.news.wait()
		if cond() {
			return
		}
		select {
		case <-changed:
		case <-w.ctx.Done():
			w.t.Fatalf("never: %s\n%q\n%s", what, w.heard(""), w.log.text())
		}
	}
}

func registration(client string) devices.Registration {
	a, err := devices.ParseAddress(client)
	if err != nil {
		panic(err)
	}
	return devices.Registration{Address: a, Username: client, Password: "secret-" + client, LabelURL: "https://home.example/l/" + labelOf(client), Name: ""}
}

// labelOf is a label code that follows from the device.
func labelOf(client string) string {
	return devices.NewLabelCode(strings.NewReader(strings.Repeat(client, 16)[len(client)-2:]))
}

// heard is what a person's phone shows: words, or "▣" and a card's second field.
func (w *world) heard(person string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, n := range w.notes {
		if n.To != person && person != "" {
			continue
		}
		if n.Via == home.Chat {
			out = append(out, n.Text)
		} else {
			out = append(out, "▣ "+n.Card.Fields[1].Value)
		}
	}
	return out
}

// hears waits until the person has got this many times the words.
func (w *world) hears(person, words string, times int) {
	w.t.Helper()
	count := func() (n int) {
		for _, s := range w.heard(person) {
			if strings.Contains(s, words) {
				n++
			}
		}
		return n
	}
	w.until(fmt.Sprintf("%s hears %d times %q", person, times, words), func() bool { return count() >= times })
	if n := count(); n != times {
		w.t.Errorf("%s hears %d times %q, want %d", person, n, words, times)
	}
}

// sent are the payloads that were published on topics with the suffix.
func (w *world) sent(suffix string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, p := range w.wire {
		if strings.HasSuffix(p.topic, suffix) {
			out = append(out, p.payload)
		}
	}
	return out
}

func (w *world) id() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	return fmt.Sprint("id-", w.next)
}

// offer opens a device's label page and returns the scene of the code that it shows.
func (w *world) offer(client string) string {
	w.t.Helper()
	o, err := w.Offer(w.ctx, labelOf(client))
	w.must(err)
	return strings.TrimPrefix(o.Follow, "code:")
}

func (w *world) receive(in bridge.Inbound) {
	w.t.Helper()
	if in.ID == "" {
		in.ID = w.id()
	}
	w.must(w.Receive(w.ctx, in))
}

func (w *world) say(person, text string) {
	w.t.Helper()
	w.receive(bridge.Inbound{Kind: bridge.InText, From: person, Text: text})
}

// bind lets the person scan the device's label, and waits until it is theirs.
func (w *world) bind(person, client string) {
	w.t.Helper()
	w.receive(bridge.Inbound{Kind: bridge.InFollow, From: person, Scene: w.offer(client)})
	w.hears(person, "绑定好了", 1)
}

// publish is a device's message; it returns what the broker learns.
func (w *world) publish(client, sort, payload string) error {
	w.t.Helper()
	a, err := devices.ParseAddress(client)
	w.must(err)
	return w.handle(broker.Message{Client: client, Topic: a.Topic(sort), Payload: []byte(payload), QoS: 1})
}

var errNoWord = errors.New("done was never called")

func (w *world) handle(m broker.Message) error {
	result := make(chan error, 1)
	w.Handle(m, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-w.ctx.Done():
		return errNoWord
	}
}

func (w *world) report(client, payload string) {
	w.t.Helper()
	w.must(w.publish(client, devices.UpProperty, payload))
}

func (w *world) online(client string) {
	w.t.Helper()
	w.must(w.publish(client, devices.UpStatus, `{"online":true}`))
}

// docs are all documents whose lane has the prefix.
func (w *world) docs(prefix string) []store.Doc {
	w.t.Helper()
	docs, err := w.bolt.Scan(w.ctx, prefix, store.Doc{}, 100000)
	w.must(err)
	return docs
}

// homes are the households with their documents.
func (w *world) homes() map[string]*home.Household {
	out := map[string]*home.Household{}
	for _, d := range w.docs("hh/") {
		if d.Key == "doc" {
			h := home.New("", shared())
			w.must(json.Unmarshal(d.Data, h))
			out[h.ID] = h
		}
	}
	return out
}

// homeOf is the household that the person is a member of.
func (w *world) homeOf(person string) *home.Household {
	w.t.Helper()
	var found []*home.Household
	for _, h := range w.homes() {
		if h.Member(person) != nil {
			found = append(found, h)
		}
	}
	if len(found) != 1 {
		w.t.Fatalf("%s lives in %d homes", person, len(found))
	}
	return found[0]
}

// settled waits until no effect is left to be done in any home.
func (w *world) settled() {
	w.t.Helper()
	w.until("all effects are done", func() bool {
		for _, h := range w.homes() {
			if len(h.Outbox) > 0 {
				return false
			}
		}
		return true
	})
}

// owners are the households that have the device.
func (w *world) owners(client string) []string {
	var out []string
	for id, h := range w.homes() {
		if h.Device(client) != nil {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
