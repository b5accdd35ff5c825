package home_test

import (
	"testing"
	"time"

	"jiaxin/bridge/home"
)

type props = map[string]any

// nobodyHome is the air conditioner that has been on for ten minutes with nobody there.
func nobodyHome(t *testing.T) *world {
	w := newHome(t)
	w.say(mum, "你好") // her window is open, dad's is not
	w.report(ac, props{"power": true, "occupied": true})
	w.forget()
	w.report(ac, props{"occupied": false})
	w.advance(9 * time.Minute)
	w.quiet()
	w.advance(time.Minute)
	return w
}

const (
	cardNobody = "▣ 客厅空调 · 家里没人,空调还开着 · 回复“关掉”或“不用”"
	chatNobody = "家里没人,要不要把空调关掉? [关掉|不用]"
)

func TestNobodyHomeAccepted(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	w.hears(mum, cardNobody, chatNobody)
	w.hears(dad, cardNobody)

	w.say(dad, "关掉")
	w.sends(`{"power":false}`)
	w.quiet()
	w.replies(ac, 0, "")
	w.quiet() // the state decides, not the reply
	w.report(ac, props{"power": false})
	w.hears(dad, "客厅空调已关")

	w.say(mum, "关掉")
	w.hears(mum, "爸爸已经回答过了,没有再做什么。")
	w.tap(mum, "关掉")
	w.hears(mum, "爸爸已经回答过了,没有再做什么。")
	w.sends()
}

func TestNobodyHomeDismissed(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	w.forget()
	w.tap(mum, "不用")
	w.hears(mum, "好的,不动它。")
	w.advance(24 * time.Hour) // still on, still nobody there: once is enough
	w.quiet()
}

func TestNobodyHomeResolvedByItself(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	w.forget()
	w.report(ac, props{"occupied": true})
	w.tap(mum, "关掉")
	w.hears(mum, "这件事已经过去了,什么也没有做。")
	w.sends()

	w.report(ac, props{"occupied": false}) // and when it comes again, it is told again
	w.advance(10 * time.Minute)
	w.hears(dad, cardNobody)
}

func TestNobodyHomeIsForgottenIfSomebodyComesBackInTime(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.report(ac, props{"power": true, "occupied": false})
	w.advance(9 * time.Minute)
	w.report(ac, props{"occupied": true})
	w.report(ac, props{"occupied": false})
	w.advance(9 * time.Minute)
	w.quiet()
}

func TestQuestionExpires(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	w.forget()
	w.now = w.now.Add(2 * time.Hour) // the alarm is late: the answer comes first
	w.tap(mum, "关掉")
	w.hears(mum, "这个问题已经过期了,什么也没有做。")
	w.sends()
}

func TestTapOnAMenuThatIsForgotten(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	old := w.choice(mum, "关掉")
	w.report(ac, props{"occupied": true})
	w.advance(25 * time.Hour)
	w.report(ac, props{"occupied": false})
	w.advance(10 * time.Minute)
	w.forget()
	w.step(home.Said{From: mum, ID: "tap", Text: "关掉", Choice: old}) // its words would fit the new question
	w.hears(mum, "这个问题已经过期了,什么也没有做。")
	w.sends()
}

func TestAnswerOfSomebodyWhoWasNotAsked(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	choice := w.choice(mum, "关掉")
	w.joins(daughter)
	w.forget()
	w.step(home.Said{From: daughter, ID: "tap", Text: "关掉", Choice: choice})
	w.hears(daughter, "这个问题不是问您的,没有照办。")
	w.say(daughter, "关掉")
	w.hears(daughter, "这句我还听不懂,什么也没有做。可以试试:关掉客厅空调")
	w.sends()
}

func TestTheSameMessageTwiceIsOneMessage(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	w.forget()
	said := home.Said{From: mum, ID: "24000", Text: "关掉"}
	w.step(said)
	w.advance(time.Second)
	w.step(said)
	w.sends(`{"power":false}`)
	w.quiet()
}

func TestABareYesThatFitsTwoQuestionsAsksWhich(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	w.scan(stranger, ac)
	w.forget()
	w.say(mum, "好的")
	w.hears(mum, "您是回答哪一个? [客厅空调:关掉|小王:同意]")
	w.sends()
	w.say(mum, "2") // counts in the list that was asked last
	w.hears(mum, "好的,小王已经加入。")
	w.say(mum, "好的") // one question is left
	w.sends(`{"power":false}`)
}

func TestWhichIsAnsweredByName(t *testing.T) {
	t.Parallel()
	w := nobodyHome(t)
	w.scan(stranger, ac)
	w.say(mum, "好的")
	w.forget()
	w.say(mum, "空调") // is neither
	w.hears(mum, "这句我还听不懂,什么也没有做。可以试试:关掉客厅空调")
	w.sends()
	w.say(mum, "客厅空调")
	w.sends(`{"power":false}`)
	if w.h.Member(stranger) != nil {
		t.Error("the stranger was let in")
	}
}

func TestWashing(t *testing.T) {
	t.Parallel()
	w := newHome(t, washer)
	w.say(mum, "你好")
	w.report(washer, props{"phase": "washing", "remaining": 40.0})
	w.forget()
	w.report(washer, props{"phase": "done", "remaining": 0.0})
	w.hears(mum, "▣ 洗衣机 · 衣服洗好了 · 回复“烘干”或“翻动”", "洗好了,烘干还是翻动? [烘干|翻动|不用]")
	w.hears(dad, "▣ 洗衣机 · 衣服洗好了 · 回复“烘干”或“翻动”")
	w.report(washer, props{"phase": "done"})
	w.quiet()

	w.say(dad, "翻动")
	w.sends("tumble")
	w.report(washer, props{"phase": "tumbling"})
	w.quiet() // it may have been somebody's hand
	w.replies(washer, 0, "")
	w.hears(dad, "洗衣机正在翻动")
	w.tap(mum, "烘干")
	w.hears(mum, "爸爸已经回答过了,没有再做什么。")
	w.sends()
}

const leak = "▣ 厨房报警器 · 燃气泄漏 · 开窗离开,并回复“我来处理”"

func TestGasLeak(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	w.joins(daughter)
	w.advance(time.Minute)
	w.say(mum, "你好")
	w.forget()
	w.report(gas, props{"leaking": true, "gas": 12.0})
	w.hears(mum, leak, "厨房报警器检测到燃气泄漏!请马上开窗,关掉燃气总阀,不要开关任何电器,到室外再打电话。 [我来处理]")
	w.hears(dad, leak)
	w.hears(daughter, leak)

	w.publishes(gas, "gas_leak") // it says so again and again: one incident
	w.report(gas, props{"gas": 15.0})
	w.report(gas, props{"leaking": true})
	w.quiet()
	if n := w.h.Incidents[0].Count; len(w.h.Incidents) != 1 || n != 2 {
		t.Errorf("incidents %+v, want one that was reported twice", w.h.Incidents)
	}

	w.say(dad, "我来处理")
	w.hears(dad, "好的,已经告诉家里人您在处理。")
	w.hears(mum, "▣ 厨房报警器 · 爸爸 · 正在处理")
	w.hears(daughter, "▣ 厨房报警器 · 爸爸 · 正在处理")
	w.tap(mum, "我来处理")
	w.hears(mum, "爸爸已经回答过了,没有再做什么。")
	w.quiet()

	w.report(gas, props{"leaking": false, "gas": 0.0})
	for _, p := range []string{mum, dad, daughter} {
		w.hears(p, "▣ 厨房报警器 · 燃气浓度恢复正常")
	}
	w.publishes(gas, "gas_clear")
	w.quiet()
	w.report(gas, props{"leaking": true})
	w.hears(dad, leak, "厨房报警器检测到燃气泄漏!请马上开窗,关掉燃气总阀,不要开关任何电器,到室外再打电话。 [我来处理]")
}

// A simple washer publishes that it is done and never reports its phase. Each washing is told of.
func TestAnEventWithoutTheStateThatEndsIt(t *testing.T) {
	t.Parallel()
	w := newHome(t, washer)
	told := func() {
		w.hears(mum, "▣ 洗衣机 · 衣服洗好了 · 回复“烘干”或“翻动”")
		w.hears(dad, "▣ 洗衣机 · 衣服洗好了 · 回复“烘干”或“翻动”")
	}
	w.publishes(washer, "done")
	told()
	w.advance(9 * time.Minute)
	w.publishes(washer, "done")
	w.quiet() // the same washing still
	w.advance(11 * time.Minute)
	w.publishes(washer, "done")
	told()

	w.report(washer, props{"phase": "done"}) // the state confirms it, and ends it from now on
	w.advance(20 * time.Minute)
	w.publishes(washer, "done")
	w.quiet()
	w.report(washer, props{"phase": "idle"})
	w.publishes(washer, "done")
	told()
}

func TestTheSameEventTwiceIsOneEvent(t *testing.T) {
	t.Parallel()
	w := newHome(t, gas)
	test := home.Happened{Device: gas}
	test.Report.ID, test.Report.Event = "7-1", "self_test"
	w.step(test)
	w.step(test)
	w.hears(mum, "▣ 厨房报警器 · 自检完成")
	w.hears(dad, "▣ 厨房报警器 · 自检完成")
}

func TestOfflineAndBack(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.step(home.Presence{Device: ac, Online: false})
	w.advance(59 * time.Second)
	w.step(home.Presence{Device: ac, Online: true}) // a hiccup
	w.advance(time.Hour)
	w.quiet()

	w.step(home.Presence{Device: ac, Online: false})
	w.advance(time.Minute)
	w.hears(mum, "▣ 客厅空调 · 离线了 · 检查电源和网络")
	w.hears(dad, "▣ 客厅空调 · 离线了 · 检查电源和网络")
	w.report(ac, props{"power": false}) // who speaks is there
	w.hears(mum, "▣ 客厅空调 · 恢复在线")
	w.hears(dad, "▣ 客厅空调 · 恢复在线")
}

func TestRestartCountsEveryDeviceAsOfflineForAMinute(t *testing.T) {
	t.Parallel()
	w := newHome(t, light)
	w.step(home.Presence{Device: light, Online: false})
	w.now = w.now.Add(time.Hour) // the gateway was down, and could not have heard anybody
	w.step(home.Resume{})
	w.advance(59 * time.Second)
	w.quiet()
	w.step(home.Presence{Device: ac, Online: true})
	w.advance(time.Second)
	w.hears(mum, "▣ 书房灯 · 离线了 · 检查电源和网络")
	w.hears(dad, "▣ 书房灯 · 离线了 · 检查电源和网络")
}

func TestAModelThatIsGoneHurtsNobody(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.say(mum, "打开空调")
	w.h.Devices[0].Address = "acme.gone.1"
	w.h.Commands[0].Device = "acme.gone.1"
	w.forget()
	w.step(home.Properties{Device: "acme.gone.1", Values: props{"power": true}})
	w.step(home.Happened{Device: "acme.gone.1"})
	w.advance(time.Hour)
	w.say(mum, "打开空调")
	w.hears(mum, "家里还没有家电。扫一扫家电机身上的二维码,就能接进来。")
}
