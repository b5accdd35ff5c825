package home_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"jiaxin/bridge/home"
)

func (w *world) heard(person string) []string { return w.talk[person] }

// among wants the message to be one of those that the person hears.
func (w *world) among(person, want string) {
	w.t.Helper()
	if !slices.Contains(w.talk[person], want) {
		w.t.Errorf("%s hears %q, want %q among it", names[person], w.talk[person], want)
	}
}

// The end of a leak can get lost: its event, or the report of it. The next leak must be heard all the same.
func TestALostAllClearSilencesNoLaterLeak(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	w.publishes(gas, "gas_leak")
	w.among(mum, leak)
	w.say(mum, "我来处理")
	w.advance(3 * time.Hour)
	w.forget()
	w.publishes(gas, "gas_leak")
	w.among(dad, leak)
	w.among(mum, leak) // who dealt with the last one, too
	w.forget()
	w.report(gas, props{"leaking": false}) // never having reported that it was
	w.among(dad, "▣ 厨房报警器 · 燃气浓度恢复正常")
	w.forget()
	w.publishes(gas, "gas_leak")
	w.among(dad, leak)
}

// A report that says nothing of the leak does not end it.
func TestAnotherReportEndsNoLeak(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	w.report(gas, props{"leaking": false})
	w.publishes(gas, "gas_leak")
	w.forget()
	w.report(gas, props{"gas": 20.0})
	w.quiet()
	w.report(gas, props{"leaking": true})
	w.quiet()
	w.report(gas, props{"leaking": false})
	w.among(dad, "▣ 厨房报警器 · 燃气浓度恢复正常")
}

// A flapping detector does not use up the account's messages, and what is still so is told when it may be again.
func TestAFlappingDetectorIsToldSixTimes(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	for range 100 {
		w.report(gas, props{"leaking": true})
		w.report(gas, props{"leaking": false})
	}
	count := func() (n int) {
		for _, s := range w.heard(dad) {
			if s == leak {
				n++
			}
		}
		return n
	}
	if n := count(); n != 6 {
		t.Errorf("told %d times, want 6", n)
	}
	w.forget()
	w.report(gas, props{"leaking": true})
	w.quiet()
	w.advance(10 * time.Minute)
	w.among(dad, leak)
}

// While a device tells of danger, its lesser news waits.
func TestDangerHoldsBackTheSameDevicesLesserNews(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	w.report(gas, props{"leaking": true})
	w.forget()
	w.step(home.Presence{Device: gas, Online: false})
	w.advance(5 * time.Minute)
	w.quiet()
	w.publishes(gas, "gas_clear")
	w.report(gas, props{"leaking": false})
	w.forget()
	w.step(home.Presence{Device: gas, Online: false})
	w.advance(5 * time.Minute)
	w.among(dad, "▣ 厨房报警器 · 离线了 · 检查电源和网络")
}

func TestNoHazardInDanger(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas, valve)
	w.say(dad, "打开燃气阀")
	w.report(gas, props{"leaking": true})
	w.forget()
	w.say(dad, "确认打开")
	w.hears(dad, "家里正在报警,现在不能对燃气阀做这个操作。")
	w.say(dad, "打开燃气阀")
	w.hears(dad, "家里正在报警,现在不能对燃气阀做这个操作。")
	w.sends()
	w.say(dad, "怎么办")
	w.hears(dad, "家里正在报警,请先照警报说的做。能处理的人请回复“我来处理”。")
	w.say(dad, "关闭燃气阀")
	w.sends(`{"open":false}`)
}

func TestOnlyTheVeryWordsConfirm(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"确认打开?", "确认打开?", "-确认打开", "¬确认打开", "“确认打开”", "确认打开吧", "确认打开吗", "不确认打开", "1"} {
		w := newHome(t, valve)
		w.say(dad, "打开燃气阀")
		w.say(dad, words)
		w.sends()
		w.say(dad, " 确认打开。")
		w.sends(`{"open":true}`)
	}
}

func TestAskingForAHazardTwiceIsOneQuestion(t *testing.T) {
	t.Parallel()
	w := newHome(t, valve)
	w.say(dad, "打开燃气阀")
	w.say(dad, "打开燃气阀")
	w.forget()
	w.say(dad, "好的")
	w.hears(dad, "还没有做。请原样回复其中一个:确认打开 / 不用")
	w.say(dad, "确认打开")
	w.sends(`{"open":true}`)
}

func TestWhoJoinsDuringALeakHearsOfItAndMayAnswer(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	w.report(gas, props{"leaking": true})
	w.scan(daughter, gas)
	w.say(mum, "同意")
	w.among(daughter, leak)
	w.forget()
	w.say(daughter, "我来处理")
	w.among(dad, "▣ 厨房报警器 · 女儿 · 正在处理")
}

func TestWhoWasRefusedAsksNobodyAgain(t *testing.T) {
	t.Parallel()
	w := newHome(t, ac)
	w.scan(stranger, ac)
	w.say(mum, "不同意")
	w.forget()
	for range 5 {
		w.scan(stranger, ac)
	}
	w.hears(mum)
	w.advance(25 * time.Hour)
	w.scan(stranger, ac)
	if len(w.heard(mum)) == 0 {
		t.Error("a day later nobody is asked")
	}
}

// The owner leaves while somebody waits: the next owner is asked.
func TestTheNextOwnerIsAskedToo(t *testing.T) {
	t.Parallel()
	w := newHome(t, ac)
	w.scan(stranger, ac)
	w.forget()
	w.leaves(mum)
	w.among(dad, "▣ 小王 · 请求加入家庭")
	w.say(dad, "同意")
	if w.h.Member(stranger) == nil {
		t.Error("the answer let nobody in")
	}
}

// A device that lost its connection sends everything again that was not acknowledged: up to 256 publishes.
func TestManyEventsSentAgainAreTheSame(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	send := func() {
		for i := range 256 {
			in := home.Happened{Device: gas}
			in.Report.ID, in.Report.Event = fmt.Sprint("b-", i), "gas_leak"
			w.step(in)
		}
	}
	send()
	before := w.h.Incidents[0].Count
	send()
	if n := w.h.Incidents[0].Count; n != before {
		t.Errorf("counted %d, then %d", before, n)
	}
}

func TestADevicesOwnWordsAreShortAndLeadNowhere(t *testing.T) {
	t.Parallel()
	w := newHome(t, ac)
	for reason, want := range map[string]string{
		"door open":                 "door open",
		strings.Repeat("长", 100):    strings.Repeat("长", 40) + "…",
		"see https://evil.example/": "",
		"【微信支付】到账":                  "",
	} {
		w.say(dad, "关掉空调")
		w.forget()
		w.replies(ac, 1, reason)
		said := "客厅空调说现在做不了:" + want
		if want == "" {
			said = "客厅空调说现在做不了。"
		}
		w.hears(dad, said)
	}
}
