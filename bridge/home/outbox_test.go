package home_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"jiaxin/bridge/home"
	"jiaxin/devices"
)

func TestTheWindowOfWords(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.say(dad, "你好") // 5 messages within 48 hours; this answer is the first
	w.forget()
	ask := func() []string {
		w.report(ac, props{"power": true, "occupied": true})
		w.talk = map[string][]string{}
		w.report(ac, props{"occupied": false})
		w.advance(10 * time.Minute)
		got := w.talk[dad]
		w.talk = map[string][]string{}
		return got
	}
	for i := range 4 {
		if got := ask(); !slices.Equal(got, []string{cardNobody, chatNobody}) {
			t.Fatalf("message %d of the window: %q", i+2, got)
		}
	}
	if got := ask(); !slices.Equal(got, []string{cardNobody}) {
		t.Errorf("the window is used up, and he hears %q", got)
	}
	w.say(dad, "不用")
	w.forget()
	w.advance(48*time.Hour - 4*time.Second)
	if got := ask(); !slices.Equal(got, []string{cardNobody}) {
		t.Errorf("the window is over, and he hears %q", got)
	}
}

func TestTheWindowOfATap(t *testing.T) {
	t.Parallel()
	const menu = "小王想加入您的家庭,同意吗? [同意|不同意]"
	const card = "▣ 小王 · 请求加入家庭"
	knock := func(w *world) {
		w.scan(stranger, ac)
		w.leaves(stranger)
	}
	w := newHome(t)
	w.step(home.Followed{From: mum, ID: "f1"}) // 3 messages within a minute; the welcome is the first
	w.forget()
	for range 3 {
		knock(w)
	}
	w.hears(mum, card, menu, card, menu, card)

	w.step(home.Followed{From: mum, ID: "f2"})
	w.forget()
	w.advance(56 * time.Second) // too near to its end
	knock(w)
	w.hears(mum, card)
}

func TestAClosedWindowFallsBackToTheCard(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.report(ac, props{"power": false})
	w.say(dad, "打开空调")
	w.deliver = func(n home.Notification) home.Delivered {
		if n.Via == home.Chat {
			return home.Delivered{Outcome: home.Closed, Code: 45015}
		}
		return home.Delivered{Outcome: home.Accepted}
	}
	w.report(ac, props{"power": true})
	w.replies(ac, 0, "")
	w.hears(dad, "▣ 客厅空调 · 已照办")
	if win := w.h.Member(dad).Window; win.MessageLeft != 0 {
		t.Errorf("it is still thought open: %+v", win)
	}
	w.say(dad, "说什么呢") // an answer without a card cannot go
	w.hears(dad)
	if n := len(w.h.Outbox); n != 0 {
		t.Errorf("%d effects are left", n)
	}
}

func TestAQuestionWhoseMenuIsRefusedIsNotToldTwice(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.say(dad, "你好")
	w.forget()
	w.deliver = func(n home.Notification) home.Delivered {
		return home.Delivered{Outcome: map[home.Via]home.Outcome{home.Chat: home.Closed, home.Card: home.Accepted}[n.Via]}
	}
	w.report(ac, props{"power": true, "occupied": false})
	w.advance(10 * time.Minute)
	w.hears(dad, cardNobody)
}

func TestAnAnswerThatNoWayIsLeftFor(t *testing.T) {
	t.Parallel()
	w := newHome(t, washer)
	w.paused = true
	w.say(dad, "洗衣机烘干")
	w.h.Member(dad).Window = home.Window{}
	w.publish = func(home.Effect) home.Published { return home.Published{Offline: true} }
	w.resume() // that it is offline can be said in the chat only, which is closed
	w.quiet()
	w.told("notice", "not told")
}

// flow lets a test perform effects one by one.
func flow(t *testing.T) *world {
	w := newHome(t, gas, washer)
	w.paused = true
	return w
}

// notes are the notifications that are under way to a person.
func (w *world) notes(person string) []string {
	var out []string
	for _, e := range w.held {
		if e.Kind == home.Deliver && e.Note.To == person {
			out = append(out, shown(*e.Note))
		}
	}
	return out
}

// take performs the notification that is under way to the person, with this outcome.
func (w *world) take(person string, in home.Delivered) {
	w.t.Helper()
	i := slices.IndexFunc(w.held, func(e home.Effect) bool { return e.Kind == home.Deliver && e.Note.To == person })
	if i < 0 {
		w.t.Fatalf("nothing is under way to %s", names[person])
	}
	in.Effect = w.held[i].ID
	w.held = slices.Delete(w.held, i, i+1)
	w.step(in)
}

func (w *world) wantNotes(person string, want ...string) {
	w.t.Helper()
	if got := w.notes(person); !slices.Equal(got, want) {
		w.t.Errorf("under way to %s: %q, want %q", names[person], got, want)
	}
}

const (
	cardDone  = "▣ 洗衣机 · 衣服洗好了 · 回复“烘干”或“翻动”"
	cardTest  = "▣ 厨房报警器 · 自检完成"
	cardClear = "▣ 厨房报警器 · 燃气浓度恢复正常"
)

func TestOneMessageAtATimeTheCriticalOnesFirst(t *testing.T) {
	t.Parallel()
	w := flow(t)
	w.report(washer, props{"phase": "done"})
	w.publishes(gas, "self_test")
	w.wantNotes(mum, cardDone)
	w.report(gas, props{"leaking": true})
	w.report(gas, props{"leaking": false})
	w.wantNotes(mum, cardDone) // it is on its way already
	w.wantNotes(dad, cardDone)
	for _, next := range []string{leak, cardClear, cardTest} {
		w.take(mum, home.Delivered{Outcome: home.Accepted})
		w.wantNotes(mum, next)
	}
	w.wantNotes(dad, cardDone) // hers do not wait for his
}

func TestARetryKeepsTheOrder(t *testing.T) {
	t.Parallel()
	w := flow(t)
	w.report(washer, props{"phase": "done"})
	w.publishes(gas, "self_test")
	w.take(mum, home.Delivered{Outcome: home.Retry})
	w.wantNotes(mum)
	w.report(gas, props{"leaking": true}) // danger does not wait for what is being retried
	w.wantNotes(mum, leak)
	w.take(mum, home.Delivered{Outcome: home.Retry})
	w.report(gas, props{"leaking": false}) // but its end waits for its beginning
	w.wantNotes(mum)
	w.advance(time.Second)
	w.wantNotes(mum, leak)
	w.take(mum, home.Delivered{Outcome: home.Accepted})
	w.wantNotes(mum, cardClear)
	w.take(mum, home.Delivered{Outcome: home.Accepted})
	w.wantNotes(mum, cardDone)
	w.take(mum, home.Delivered{Outcome: home.Gone})
	w.wantNotes(mum, cardTest)
	w.take(mum, home.Delivered{Outcome: home.Refused, Code: 47003})
	w.wantNotes(mum)
}

func TestRetriesWaitLongerAndLonger(t *testing.T) {
	t.Parallel()
	waits := func(level func(*world)) (got []time.Duration) {
		w := flow(t)
		level(w)
		for range 9 {
			w.take(mum, home.Delivered{Outcome: home.Retry})
			began := w.now
			for len(w.notes(mum)) == 0 {
				w.advance(time.Second)
			}
			got = append(got, w.now.Sub(began)/time.Second)
			w.held = slices.DeleteFunc(w.held, func(e home.Effect) bool { return e.Kind != home.Deliver || e.Note.To != mum })
		}
		return got
	}
	if got := waits(func(w *world) { w.report(washer, props{"phase": "done"}) }); !slices.Equal(got, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}) {
		t.Errorf("usual: %d seconds", got)
	}
	if got := waits(func(w *world) { w.report(gas, props{"leaking": true}) }); !slices.Equal(got, []time.Duration{1, 2, 4, 8, 10, 10, 10, 10, 10}) {
		t.Errorf("critical: %d seconds", got)
	}
}

func TestThePauseThatWeChatAsksForIsKept(t *testing.T) {
	t.Parallel()
	w := flow(t)
	w.report(washer, props{"phase": "done"})
	w.take(mum, home.Delivered{Outcome: home.Paused, After: time.Hour})
	w.advance(time.Hour - time.Second)
	w.wantNotes(mum)
	w.advance(time.Second)
	w.wantNotes(mum, cardDone)
}

func TestThreeDaysWithoutWeChatLoseNothing(t *testing.T) {
	t.Parallel()
	outage := func(d time.Duration, happens func(*world)) *world {
		w := newHome(t, gas, washer)
		w.swift = true
		w.deliver = func(home.Notification) home.Delivered { return home.Delivered{Outcome: home.Retry} }
		happens(w)
		w.advance(d)
		w.deliver = nil
		w.advance(2 * time.Minute)
		return w
	}
	w := outage(72*time.Hour-time.Minute, func(w *world) { w.report(washer, props{"phase": "done"}) })
	w.hears(mum, cardDone)
	w.hears(dad, cardDone)
	w = outage(2*time.Hour, func(w *world) {
		w.report(washer, props{"phase": "done"})
		w.report(gas, props{"leaking": true})
		w.report(gas, props{"leaking": false})
	})
	w.hears(mum, leak, cardClear, cardDone)
	w.hears(dad, leak, cardClear, cardDone)
	w = outage(73*time.Hour, func(w *world) { w.report(washer, props{"phase": "done"}) })
	w.quiet()
	w.told("notice", "given up")
}

func TestACrashRepeatsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := flow(t)
	w.report(washer, props{"phase": "done"})
	id := w.held[0].Note.ID
	w.held = nil
	w.step(home.Resume{})
	w.wantNotes(mum, cardDone)
	if again := w.held[0].Note.ID; again != id {
		t.Errorf("the repetition has the id %s, want %s: WeChat could not tell", again, id)
	}
	w.held = nil
	w.advance(30 * time.Second) // lost without a crash: its lease ends
	w.wantNotes(mum, cardDone)
}

func TestAFullOutboxDropsTheOldestThatIsNotCritical(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas, washer)
	w.deliver = func(home.Notification) home.Delivered {
		return home.Delivered{Outcome: home.Retry, After: 48 * time.Hour}
	}
	w.swift = true
	w.report(gas, props{"leaking": true})
	for range 200 {
		w.publishes(washer, "done")
		w.advance(11 * time.Minute)
	}
	critical := 0
	for _, e := range w.h.Outbox {
		if e.Note.Level == devices.Critical {
			critical++
		}
	}
	if n := len(w.h.Outbox); n != 300 || critical != 2 {
		t.Errorf("%d wait, %d of them critical; want 300 and 2", n, critical)
	}
	w.told("notice", "dropped")
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	w.deliver = func(n home.Notification) home.Delivered {
		return home.Delivered{Outcome: home.Accepted, MsgID: "of-" + n.To}
	}
	w.report(gas, props{"leaking": true})
	w.step(home.Receipt{MsgID: "of-nobody", Status: "success"})
	w.step(home.Receipt{MsgID: "of-" + dad, Status: "failed:user block"})
	if w.h.Incidents[0].Told {
		t.Error("he has blocked us and counts as told")
	}
	w.step(home.Receipt{MsgID: "of-" + mum, Status: "success"})
	if !w.h.Incidents[0].Told {
		t.Error("she has it, and nobody counts as told")
	}
	w.told("receipt", "failed:user block")
}

func TestWhatHasNoWords(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.step(home.SentMedia{From: dad, ID: "1", Media: home.Media{ID: "v", Kind: "voice", Format: "amr"}})
	w.step(home.SentMedia{From: dad, ID: "2", Media: home.Media{ID: "p", Kind: "photo"}})
	w.step(home.SentMedia{From: dad, ID: "3"})
	w.step(home.SentMedia{From: dad, ID: "3"})
	w.hears(dad, "语音收到了,可我还听不懂,请打字告诉我。", "照片收到了,可我还看不懂,请打字告诉我。", "这个我还看不懂,请打字告诉我。")
}

func TestSeenIDsAreForgottenInTime(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.say(dad, "你好")
	w.advance(21 * time.Minute)
	w.step(home.Tick{})
	if n := len(w.h.Seen); n != 0 {
		t.Errorf("%d are remembered", n)
	}
	w.swift = true
	for i := range 400 {
		w.step(home.Said{From: dad, ID: fmt.Sprint("flood", i), Text: "你好"})
	}
	if n := len(w.h.Seen); n != 300 {
		t.Errorf("%d are remembered", n)
	}
}

func TestHelpNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newHome(t, washer, gas, valve)
	w.say(dad, "今天天气怎么样")
	w.hears(dad, "这句我还听不懂,什么也没有做。可以试试:关掉客厅空调、开始洗、自检")
	w.step(home.Followed{From: dad, ID: "menu"})
	w.hears(dad, "欢迎!扫一扫家电机身上的二维码,就能把它接进家里。")
}
