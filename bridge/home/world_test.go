package home_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jiaxin/bridge/home"
	"jiaxin/devices"
	"jiaxin/templates"
)

// The people and appliances of the stories.
const (
	mum      = "o-mum"
	dad      = "o-dad"
	daughter = "o-daughter"
	stranger = "o-stranger"

	ac     = "standard.ac.ac-01"
	washer = "standard.washer.w-01"
	gas    = "standard.gas-alarm.g-01"
	valve  = "standard.gas-valve.v-01"
	valve2 = "standard.gas-valve.v-02"
	light  = "standard.light.l-01"
)

var names = map[string]string{
	mum: "妈妈", dad: "爸爸", daughter: "女儿", stranger: "小王",
	ac: "客厅空调", washer: "洗衣机", gas: "厨房报警器", valve: "燃气阀", valve2: "阳台燃气阀", light: "书房灯",
}

// shared is what all households share: the models and messages that ship.
var shared = sync.OnceValue(func() *home.World {
	catalog, err := devices.Load(devices.Standard())
	if err != nil {
		panic(err)
	}
	words, err := templates.Load(catalog, templates.Standard())
	if err != nil {
		panic(err)
	}
	return &home.World{Models: catalog, Words: words, Zone: time.FixedZone("CST", 8*3600)}
})

// world is a household and everything around it: phones, appliances, WeChat and the registry of devices. Between any two
// steps the household goes through its JSON, as it would over a restart.
type world struct {
	t    testing.TB
	h    *home.Household
	now  time.Time
	n    int                 // for ids
	held []home.Effect       // handed out and not performed yet
	talk map[string][]string // what each phone shows and no test has looked at
	menu map[string][]home.Choice
	wire []devices.Command          // sent to appliances, not looked at
	last map[string]devices.Command // the latest one of each appliance
	line []home.Entry               // the timeline

	deliver func(home.Notification) home.Delivered // WeChat; nil: takes everything
	publish func(home.Effect) home.Published       // the broker; nil: as the household knows who is online
	claim   func(home.Effect) home.Claimed         // the registry; nil: every device is free
	paused  bool                                   // effects wait in held
	swift   bool                                   // without going through JSON
}

func newWorld(t testing.TB) *world {
	return &world{
		t: t, h: home.New("h1", shared()), now: time.Date(2024, 3, 5, 11, 0, 0, 0, time.UTC),
		talk: map[string][]string{}, menu: map[string][]home.Choice{}, last: map[string]devices.Command{},
	}
}

// newHome is where most stories begin: mum, who is the owner, and dad live there, with the given appliances online.
func newHome(t testing.TB, appliances ...string) *world {
	w := newWorld(t)
	for _, d := range append([]string{ac}, appliances...) {
		w.scan(mum, d)
		w.step(home.Presence{Device: d, Online: true})
	}
	w.joins(dad)
	w.advance(10 * time.Minute)
	for i := range w.h.Members {
		w.h.Members[i].Window = home.Window{} // as if they had all been silent for two days
	}
	w.forget()
	return w
}

// joins lets a person in by mum's yes.
func (w *world) joins(person string) {
	w.scan(person, ac)
	w.say(mum, "同意")
	if w.h.Member(person) == nil {
		w.t.Fatalf("%s is not a member", names[person])
	}
	w.forget()
}

// step gives the household one input and performs what it asks for, until it asks for nothing more.
func (w *world) step(in home.Input) {
	w.t.Helper()
	effects := w.h.Step(in, w.now)
	w.line = append(w.line, w.h.History()...)
	if !w.swift {
		w.restart()
	}
	if due := w.h.Due(); !due.IsZero() && !due.After(w.now) {
		w.t.Fatalf("after %T the household wants to be woken at %v, and it is %v already", in, due, w.now)
	}
	w.held = append(w.held, effects...)
	for !w.paused && len(w.held) > 0 {
		e := w.held[0]
		w.held = w.held[1:]
		w.step(w.perform(e))
	}
}

// restart reads the household back from what would be stored; nothing may be lost by that.
func (w *world) restart() {
	w.t.Helper()
	before := encode(w.t, w.h)
	w.h = decode(w.t, before)
	if after := encode(w.t, w.h); after != before {
		w.t.Fatalf("stored:\n%s\nread back:\n%s", before, after)
	}
}

func encode(t fataler, h *home.Household) string {
	t.Helper()
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func decode(t fataler, data string) *home.Household {
	t.Helper()
	h := home.New("", shared())
	if err := json.Unmarshal([]byte(data), h); err != nil {
		t.Fatal(err)
	}
	h.Attach(shared())
	return h
}

// resume lets the held effects be performed.
func (w *world) resume() {
	w.t.Helper()
	w.paused = false
	w.step(home.Tick{})
}

func (w *world) perform(e home.Effect) home.Input {
	switch e.Kind {
	case home.Deliver:
		return w.deliverNote(e)
	case home.Publish:
		return w.publishCommand(e)
	case home.Claim:
		in := home.Claimed{Bound: true, Name: names[e.Device]}
		if w.claim != nil {
			in = w.claim(e)
		}
		in.Effect = e.ID
		return in
	case home.Profile:
		return home.Profiled{Effect: e.ID, Name: names[e.OpenID]}
	}
	return home.Settled{Effect: e.ID}
}

func (w *world) deliverNote(e home.Effect) home.Input {
	in := home.Delivered{Outcome: home.Accepted, MsgID: "msg-" + e.ID}
	if w.deliver != nil {
		in = w.deliver(*e.Note)
	}
	in.Effect = e.ID
	if in.Outcome == home.Accepted {
		w.talk[e.Note.To] = append(w.talk[e.Note.To], shown(*e.Note))
		if len(e.Note.Menu) > 0 {
			w.menu[e.Note.To] = append(w.menu[e.Note.To], e.Note.Menu...)
		}
	}
	return in
}

// shown is a notification as it looks on the phone: a card's values but for its time, or words with their menu.
func shown(n home.Notification) string {
	var parts []string
	if n.Via == home.Card {
		for _, f := range n.Card.Fields {
			if !strings.HasPrefix(f.Key, "time") {
				parts = append(parts, f.Value)
			}
		}
		return "▣ " + strings.Join(parts, " · ")
	}
	for _, c := range n.Menu {
		parts = append(parts, c.Label)
	}
	if len(parts) == 0 {
		return n.Text
	}
	return n.Text + " [" + strings.Join(parts, "|") + "]"
}

func (w *world) publishCommand(e home.Effect) home.Input {
	in := home.Published{Offline: !w.h.Device(e.Device).Online}
	if w.publish != nil {
		in = w.publish(e)
	}
	in.Effect = e.ID
	if !in.Offline {
		w.wire = append(w.wire, *e.Command)
		w.last[e.Device] = *e.Command
	}
	return in
}

// advance lets time pass, with every alarm on time.
func (w *world) advance(d time.Duration) {
	w.t.Helper()
	until := w.now.Add(d)
	for due := w.h.Due(); !due.IsZero() && !due.After(until); due = w.h.Due() {
		w.now = due
		w.step(home.Tick{})
	}
	w.now = until
}

func (w *world) id(prefix string) string {
	w.n++
	return fmt.Sprintf("%s-%d", prefix, w.n)
}

func (w *world) say(person, text string) {
	w.t.Helper()
	w.step(home.Said{From: person, ID: w.id(person), Text: text})
}

// tap taps the latest menu choice with the label on the person's phone.
func (w *world) tap(person, label string) {
	w.t.Helper()
	w.step(home.Said{From: person, ID: w.id(person), Text: label, Choice: w.choice(person, label)})
}

func (w *world) choice(person, label string) string {
	w.t.Helper()
	for _, c := range slices.Backward(w.menu[person]) {
		if c.Label == label {
			return c.ID
		}
	}
	w.t.Fatalf("%s's phone shows no %q to tap", names[person], label)
	return ""
}

func (w *world) scan(person, device string) {
	w.t.Helper()
	w.step(home.Scanned{From: person, ID: w.id(person), Device: device})
}

func (w *world) report(device string, values map[string]any) {
	w.t.Helper()
	w.step(home.Properties{Device: device, Values: values})
}

func (w *world) publishes(device, event string) {
	w.t.Helper()
	w.step(home.Happened{Device: device, Report: devices.EventReport{ID: w.id("ev"), Event: event}})
}

// replies is the appliance's answer to the latest command that it got.
func (w *world) replies(device string, code int, message string) {
	w.t.Helper()
	w.step(home.Replied{Device: device, Reply: devices.Reply{ID: w.last[device].ID, Code: code, Message: message}})
}

func (w *world) leaves(person string) {
	w.t.Helper()
	w.step(home.Unfollowed{From: person, ID: w.id(person + ":unsubscribe")})
}

// hears wants exactly these new messages on the person's phone.
func (w *world) hears(person string, want ...string) {
	w.t.Helper()
	if got := w.talk[person]; !slices.Equal(got, want) {
		w.t.Errorf("%s hears\n\t%s\nwant\n\t%s", names[person], strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	delete(w.talk, person)
}

// sends wants exactly these new commands to have gone out.
func (w *world) sends(want ...string) {
	w.t.Helper()
	var got []string
	for _, c := range w.wire {
		got = append(got, what(c))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("the appliances are sent %q, want %q", got, want)
	}
	w.wire = nil
}

func what(c devices.Command) string {
	if c.Do != "" {
		return c.Do
	}
	data, _ := json.Marshal(c.Set)
	return string(data)
}

// quiet wants that nobody hears anything new and nothing is sent.
func (w *world) quiet() {
	w.t.Helper()
	for person := range w.talk {
		w.hears(person)
	}
	w.sends()
}

func (w *world) forget() {
	w.talk, w.wire, w.line = map[string][]string{}, nil, nil
}

// told wants the timeline to have the entry since the last look.
func (w *world) told(what, detail string) {
	w.t.Helper()
	for _, e := range w.line {
		if e.What == what && strings.Contains(e.Detail, detail) {
			return
		}
	}
	w.t.Errorf("the timeline has no %s %q: %v", what, detail, w.line)
}

// fataler is what a testing.T and a rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
}
