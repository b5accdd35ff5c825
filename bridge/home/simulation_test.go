package home_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jiaxin/bridge/home"
	"jiaxin/devices"
)

// trial is a household in a random world: inputs come in any order, alarms are late, effects are performed, lost or
// repeated, and the process crashes.
type trial struct {
	t        *rapid.T
	r        *referee
	h        *home.Household
	steps    int
	now      time.Time
	n        int
	held     []home.Effect // under way
	results  []home.Input  // that have come back once already
	inputs   []home.Input
	choices  []string
	commands []devices.Command
	cards    []string
}

// TestNothingBreaksAHousehold plays random worlds. Longer: -rapid.checks=100000.
func TestNothingBreaksAHousehold(t *testing.T) {
	t.Parallel()
	homes := []*world{newWorld(t), newHome(t), newHome(t, valve), newHome(t, washer, gas, valve, valve2, light)}
	var docs []string
	for _, w := range homes {
		docs = append(docs, encode(t, w.h))
	}
	rapid.Check(t, func(rt *rapid.T) {
		i := rapid.IntRange(0, len(homes)-1).Draw(rt, "home")
		w := &trial{t: rt, r: newReferee(), h: decode(rt, docs[i]), now: homes[i].now}
		for range rapid.IntRange(1, 45).Draw(rt, "steps") {
			w.one()
		}
		w.calm()
	})
}

func people() []string { return []string{mum, dad, daughter, stranger, "o-neighbour"} }

func appliances() []string { return []string{ac, washer, gas, valve, valve2, light} }

func (w *trial) pick(label string, from []string) string {
	return rapid.SampledFrom(from).Draw(w.t, label)
}

func (w *trial) id() string {
	w.n++
	return fmt.Sprint("in", w.n)
}

// step checks all that can be said of one step: the referee's rules, and, for every fourth step, that it is the same
// from the stored document.
func (w *trial) step(in home.Input) {
	var twin *home.Household
	if w.steps++; w.steps%4 == 0 {
		twin = decode(w.t, encode(w.t, w.h))
	}
	before := *w.h
	before.Members, before.Guests, before.Outbox = slices.Clone(w.h.Members), slices.Clone(w.h.Guests), slices.Clone(w.h.Outbox)
	effects := w.h.Step(in, w.now)
	s := step{in: in, now: w.now, before: &before, after: w.h, effects: effects, history: w.h.History()}
	doc := encode(w.t, w.h)
	s.size = len(doc)
	if err := w.r.check(s); err != nil {
		w.t.Fatal(err)
	}
	if twin != nil {
		w.same(in, doc, effects, twin)
	}
	w.held = append(w.held, effects...)
	for _, e := range effects {
		w.notice(e)
	}
}

func (w *trial) same(in home.Input, doc string, effects []home.Effect, twin *home.Household) {
	again := twin.Step(in, w.now)
	if b := encode(w.t, twin); doc != b || show(effects) != show(again) {
		w.t.Fatalf("%T%+v gives\n%s %s\nand, from the stored document,\n%s %s", in, in, doc, show(effects), b, show(again))
	}
}

func show(effects []home.Effect) string {
	data, err := json.Marshal(effects)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func (w *trial) notice(e home.Effect) {
	if e.Kind == home.Deliver {
		for _, c := range e.Note.Menu {
			w.choices = append(w.choices, c.ID)
		}
		w.cards = append(w.cards, "msg-"+e.ID)
	}
	if e.Kind == home.Publish {
		w.commands = append(w.commands, *e.Command)
	}
}

// one does one random thing.
func (w *trial) one() {
	acts := []func(){
		w.input, w.input, w.input, w.input, w.device, w.device, w.device,
		w.perform, w.perform, w.perform, w.perform, w.performAll, w.performAll, w.lose, w.repeat, w.wait, w.wait, w.late, w.crash,
	}
	acts[rapid.IntRange(0, len(acts)-1).Draw(w.t, "act")]()
}

func (w *trial) input() {
	from := w.pick("who", people())
	device := w.pick("device", appliances())
	sentences := []string{
		"关掉", "好的", "1", "2", "不用", "我来处理", "同意", "不同意", "烘干", "打开燃气阀", "打开阳台燃气阀", "确认打开", "确认打开",
		"关闭燃气阀", "关闭燃气阀门", "打开燃气阀门", "开灯", "关灯", "空调26度", "空调开着吗", "我是妈妈", "今天天气", "燃气阀", "",
	}
	in := []func() home.Input{
		func() home.Input { return home.Said{From: from, ID: w.id(), Text: w.pick("words", sentences)} },
		func() home.Input { return home.Said{From: from, ID: w.id(), Text: w.pick("words", sentences)} },
		func() home.Input {
			return home.Said{From: from, ID: w.id(), Choice: w.pick("choice", append(w.choices, "x", "h1/q0:0", "h2/q1:0"))}
		},
		func() home.Input { return home.Scanned{From: from, ID: w.id(), Device: device} },
		func() home.Input { return home.Followed{From: from, ID: w.id()} },
		func() home.Input { return home.Unfollowed{From: from, ID: w.id()} },
		func() home.Input {
			return home.SentMedia{From: from, ID: w.id(), Media: home.Media{ID: "m", Kind: "photo"}}
		},
		func() home.Input { return home.Pressed{Device: device} },
		func() home.Input { return home.Receipt{MsgID: w.pick("card", append(w.cards, "x")), Status: "success"} },
	}
	next := in[rapid.IntRange(0, len(in)-1).Draw(w.t, "input")]()
	w.inputs = append(w.inputs, next)
	w.step(next)
}

func (w *trial) device() {
	device := w.pick("device", appliances())
	reply := devices.Reply{ID: "none", Code: rapid.IntRange(0, 1).Draw(w.t, "code")}
	if len(w.commands) > 0 {
		reply.ID = rapid.SampledFrom(w.commands).Draw(w.t, "command").ID
	}
	yes := rapid.Bool().Draw(w.t, "yes")
	reports := []map[string]any{
		{"power": yes}, {"occupied": yes}, {"leaking": yes}, {"open": yes}, {"phase": map[bool]string{true: "done", false: "idle"}[yes]},
	}
	in := []home.Input{
		home.Presence{Device: device, Online: yes},
		home.Properties{Device: device, Values: rapid.SampledFrom(reports).Draw(w.t, "report")},
		home.Properties{Device: gas, Values: map[string]any{"leaking": yes}},
		home.Properties{Device: valve, Values: map[string]any{"open": yes}},
		home.Happened{Device: gas, Report: devices.EventReport{ID: fmt.Sprint(rapid.IntRange(0, 9).Draw(w.t, "event")), Event: w.pick("event", []string{"gas_leak", "gas_clear", "self_test"})}},
		home.Replied{Device: device, Reply: reply},
		home.Replied{Device: valve, Reply: reply},
	}
	w.step(in[rapid.IntRange(0, len(in)-1).Draw(w.t, "report")])
}

func (w *trial) take() (home.Effect, bool) {
	if len(w.held) == 0 {
		return home.Effect{}, false
	}
	i := rapid.IntRange(0, len(w.held)-1).Draw(w.t, "effect")
	e := w.held[i]
	w.held = slices.Delete(w.held, i, i+1)
	return e, true
}

func (w *trial) perform() {
	if e, ok := w.take(); ok {
		result := w.result(e)
		w.results = append(w.results, result)
		w.step(result)
	}
}

// performAll is what usually happens: everything works.
func (w *trial) performAll() {
	for len(w.held) > 0 {
		e := w.held[0]
		w.held = w.held[1:]
		w.step(good(e))
	}
}

func good(e home.Effect) home.Input {
	switch e.Kind {
	case home.Deliver:
		return home.Delivered{Effect: e.ID, Outcome: home.Accepted, MsgID: "msg-" + e.ID}
	case home.Publish:
		return home.Published{Effect: e.ID}
	case home.Claim:
		return home.Claimed{Effect: e.ID, Bound: true, Name: names[e.Device], Online: true}
	case home.Profile:
		return home.Profiled{Effect: e.ID}
	}
	return home.Settled{Effect: e.ID}
}

func (w *trial) result(e home.Effect) home.Input {
	bad := rapid.IntRange(0, 7).Draw(w.t, "outcome")
	switch e.Kind {
	case home.Deliver:
		outcome := []home.Outcome{home.Retry, home.Closed, home.Gone, home.Refused, home.Paused}
		if bad < len(outcome) {
			return home.Delivered{Effect: e.ID, Outcome: outcome[bad], After: time.Duration(bad) * time.Second}
		}
	case home.Publish:
		return home.Published{Effect: e.ID, Offline: bad < 3}
	case home.Claim:
		return home.Claimed{Effect: e.ID, Bound: bad > 2, Press: bad == 1, Taken: map[bool]string{true: "h2"}[bad == 2]}
	case home.Profile, home.Fetch, home.Release, home.Enter, home.Leave, home.Forward:
		if bad < 3 {
			return home.Settled{Effect: e.ID, Again: true}
		}
	}
	return good(e)
}

// lose is an effect whose result never comes.
func (w *trial) lose() { w.take() }

// repeat is an input or a result that comes twice.
func (w *trial) repeat() {
	if len(w.inputs) > 0 {
		w.step(rapid.SampledFrom(w.inputs).Draw(w.t, "input"))
	}
	if len(w.results) > 0 {
		w.step(rapid.SampledFrom(w.results).Draw(w.t, "result"))
	}
}

func (w *trial) some() time.Duration {
	return rapid.SampledFrom([]time.Duration{
		time.Microsecond, 900 * time.Microsecond, time.Second, 4 * time.Second, 11 * time.Second, 31 * time.Second, 2 * time.Minute, 10 * time.Minute, 3 * time.Hour, 26 * time.Hour,
	}).Draw(w.t, "time")
}

// wait lets time pass with all alarms on time.
func (w *trial) wait() {
	until := w.now.Add(w.some())
	for i := 0; i < 40; i++ {
		due := w.h.Due()
		if due.IsZero() || due.After(until) {
			break
		}
		w.now = due
		w.step(home.Tick{})
	}
	w.now = until
}

// late lets time pass, and no alarm goes off.
func (w *trial) late() { w.now = w.now.Add(w.some()) }

func (w *trial) crash() {
	w.h = decode(w.t, encode(w.t, w.h))
	w.held, w.r.way = nil, map[string]home.Effect{}
	w.step(home.Resume{})
}

// calm ends the trial: everything works from now on, and within four days nothing is left to be done.
func (w *trial) calm() {
	w.performAll()
	until := w.now.Add(4 * 24 * time.Hour)
	for i := 0; ; i++ {
		due := w.h.Due()
		if due.IsZero() || due.After(until) {
			break
		}
		if i > 5000 {
			w.t.Fatalf("no end of alarms: %s", encode(w.t, w.h))
		}
		w.now = due
		w.step(home.Tick{})
		w.performAll()
	}
	if len(w.h.Outbox) > 0 || len(w.h.Guests) > 0 || len(w.h.Claims) > 0 || len(w.h.Commands) > 0 {
		w.t.Fatalf("left for ever: %s", encode(w.t, w.h))
	}
}

// TestADocumentStaysSmall floods a household while WeChat is down.
func TestADocumentStaysSmall(t *testing.T) {
	t.Parallel()
	w := newHome(t, washer, gas, valve, valve2, light)
	for i := range 6 {
		w.joins(fmt.Sprintf("o-%026d", i))
	}
	w.swift, w.paused = true, true
	r := newReferee()
	largest := 0
	for i := range 150 {
		w.now = w.now.Add(time.Second)
		person := fmt.Sprintf("o-%026d", i%6)
		for _, in := range []home.Input{
			home.Properties{Device: gas, Values: props{"leaking": i%2 == 0}},
			home.Said{From: person, ID: fmt.Sprint("s", i), Text: []string{"打开燃气阀", "开灯", "关闭燃气阀", strings.Repeat("啊", 2000)}[i%4]},
			home.Scanned{From: fmt.Sprintf("o-stranger-%d", i), ID: fmt.Sprint("x", i), Device: ac},
			home.Happened{Device: gas, Report: devices.EventReport{ID: fmt.Sprint(i), Event: "self_test"}},
		} {
			w.h.Step(in, w.now)
			w.h.History()
		}
		if i%30 == 0 {
			largest = max(largest, len(encode(t, w.h)))
			if err := r.small(step{size: largest}); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("at most %d KiB", largest>>10)
}

// The referee sees each kind of foul.
func TestTheRefereeIsAwake(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 3, 5, 11, 0, 0, 0, time.UTC)
	person := func(id string, role home.Role) home.Member { return home.Member{OpenID: id, Role: role} }
	open := func(id string, expires time.Time) home.Effect {
		return home.Effect{ID: "e" + id, Kind: home.Publish, Device: valve, Leased: now.Add(time.Minute), Command: &devices.Command{ID: id, Set: props{"open": true}, Expires: expires}}
	}
	note := func(id, to string) home.Effect {
		return home.Effect{ID: id, Kind: home.Deliver, Note: &home.Notification{To: to}, At: now, Leased: now.Add(time.Minute)}
	}
	yes := []home.Entry{{What: "answer", Detail: "确认打开"}}
	tests := []struct {
		name  string
		steps []step
		want  string // "": no foul
	}{
		{"a fair one", []step{{effects: []home.Effect{open("c1", now.Add(time.Second))}, history: yes}}, ""},
		{"twice", []step{
			{effects: []home.Effect{open("c1", now.Add(time.Second))}, history: slices.Concat(yes, yes)},
			{effects: []home.Effect{open("c1", now.Add(time.Second))}},
		}, "sent again"},
		{"late", []step{{effects: []home.Effect{open("c1", now)}, history: yes}}, "late"},
		{"unconfirmed", []step{{effects: []home.Effect{open("c1", now.Add(time.Second))}}}, "not confirmed"},
		{"to a stranger", []step{{after: &home.Household{Outbox: []home.Effect{note("e1", stranger)}}}}, "no member"},
		{"two at once", []step{{
			before: &home.Household{Members: []home.Member{person(mum, home.Owner)}}, after: &home.Household{Members: []home.Member{person(mum, home.Owner)}},
			effects: []home.Effect{note("e1", mum), note("e2", mum)},
		}}, "under way"},
		{"a busy loop", []step{{after: &home.Household{Outbox: []home.Effect{{ID: "e1", At: now}}}}}, "not later"},
		{"a large one", []step{{size: maxDocument + 1}}, "bytes"},
		{"uninvited", []step{{
			in:     home.Said{From: dad},
			before: &home.Household{Members: []home.Member{person(mum, home.Owner), person(dad, home.Adult)}},
			after:  &home.Household{Members: []home.Member{person(mum, home.Owner), person(stranger, home.Adult)}},
		}}, "uninvited"},
		{"not erased", []step{{in: home.Unfollowed{From: mum}, after: &home.Household{Commands: []home.Command{{By: mum, Expires: now.Add(time.Hour)}}}}}, "has left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReferee()
			var err error
			for _, s := range tt.steps {
				s.now = now
				for _, h := range []**home.Household{&s.before, &s.after} {
					if *h == nil {
						*h = home.New("h1", shared())
					}
				}
				if err == nil {
					err = r.check(s)
				}
			}
			if got := fmt.Sprint(err); (tt.want == "") != (err == nil) || !strings.Contains(got, tt.want) && err != nil {
				t.Errorf("the referee says %v, want %q", err, tt.want)
			}
		})
	}
}
