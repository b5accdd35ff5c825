package home_test

import (
	"testing"
	"time"

	"jiaxin/bridge/home"
	"jiaxin/devices"
)

func TestHowACommandEnds(t *testing.T) {
	t.Parallel()
	const silent = "客厅空调没有回应,不知道做了没有,请看一下。"
	const unseen = "客厅空调收到了,但还没有报告变化,请看一下。"
	tests := []struct {
		name string
		do   func(w *world) // after 打开空调 has gone out
		want []string
	}{
		{"reply, then state", func(w *world) { w.replies(ac, 0, ""); w.report(ac, props{"power": true}) }, []string{"客厅空调已开"}},
		{"state, then reply", func(w *world) { w.report(ac, props{"power": true}); w.replies(ac, 0, "") }, []string{"客厅空调已开"}},
		{"state alone proves nothing", func(w *world) { w.report(ac, props{"power": true}); w.advance(15 * time.Second) }, []string{silent}},
		{"refused", func(w *world) { w.replies(ac, 1, "") }, []string{"客厅空调说现在做不了。"}},
		{"refused with its reason", func(w *world) { w.replies(ac, 1, "滤网没装好") }, []string{"客厅空调说现在做不了:滤网没装好"}},
		{"no answer", func(w *world) { w.advance(15*time.Second - time.Millisecond) }, nil},
		{"no answer in time", func(w *world) { w.advance(15 * time.Second) }, []string{silent}},
		{"yes, but nothing changes", func(w *world) { w.replies(ac, 0, ""); w.advance(15 * time.Second) }, []string{unseen}},
		{"it changes later", func(w *world) {
			w.replies(ac, 0, "")
			w.advance(20 * time.Second)
			w.report(ac, props{"power": true})
		}, []string{unseen, "客厅空调后来还是照办了:已开"}},
		{"a late yes is a correction", func(w *world) {
			w.advance(20 * time.Second)
			w.replies(ac, 0, "")
			w.report(ac, props{"power": true})
		}, []string{silent, "客厅空调后来还是照办了:已开"}},
		{"a late yes without a change", func(w *world) {
			w.advance(20 * time.Second)
			w.replies(ac, 0, "")
			w.advance(time.Minute)
		}, []string{silent, unseen}},
		{
			"a late no is a correction", func(w *world) { w.advance(20 * time.Second); w.replies(ac, 1, "门开着") },
			[]string{silent, "客厅空调说现在做不了:门开着"},
		},
		{"a reply after ten minutes is history", func(w *world) { w.advance(11 * time.Minute); w.replies(ac, 0, "") }, []string{silent}},
		{"its reply comes twice", func(w *world) {
			w.report(ac, props{"power": true})
			w.replies(ac, 0, "")
			w.replies(ac, 0, "")
			w.replies(ac, 1, "")
		}, []string{"客厅空调已开"}},
		{"a reply to something else", func(w *world) {
			w.step(home.Replied{Device: ac, Reply: devices.Reply{ID: "h1-9999"}})
			w.step(home.Replied{Device: light, Reply: devices.Reply{ID: w.last[ac].ID}})
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newHome(t, light)
			w.report(ac, props{"power": false})
			w.say(dad, "打开空调")
			tt.do(w)
			w.hears(dad, tt.want...)
			w.hears(mum)
		})
	}
}

func TestASettingIsRepeatedUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.say(dad, "打开空调")
	first := w.wire[0]
	if got := first.Expires.Sub(w.now); got != 15*time.Second {
		t.Errorf("it expires after %v", got)
	}
	w.sends(`{"power":true}`)
	w.advance(6 * time.Second)
	if w.wire[1].ID != first.ID || !w.wire[1].Expires.Equal(first.Expires) {
		t.Errorf("the repetition %+v is not the same command as %+v", w.wire[1], first)
	}
	w.sends(`{"power":true}`, `{"power":true}`)
	w.replies(ac, 0, "")
	w.advance(8 * time.Second)
	w.sends()
}

func TestAnActionIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newHome(t, washer)
	w.say(dad, "洗衣机烘干")
	w.advance(time.Minute)
	w.sends("dry")
}

func TestTheSafeDirectionIsTriedForAMinuteAlsoWhileAway(t *testing.T) {
	t.Parallel()
	w := newHome(t, valve)
	w.step(home.Presence{Device: valve, Online: false})
	w.say(dad, "关闭燃气阀")
	w.hears(dad, "燃气阀现在不在线,接下来1分钟我会一直试,结果会告诉您。")
	w.advance(50 * time.Second)
	w.quiet()
	w.step(home.Presence{Device: valve, Online: true})
	w.sends(`{"open":false}`)
	w.report(valve, props{"open": false})
	w.replies(valve, 0, "")
	w.hears(dad, "燃气阀已关闭")

	w.step(home.Presence{Device: valve, Online: false})
	w.say(dad, "关闭燃气阀")
	w.forget()
	w.advance(time.Minute)
	w.hears(dad, "燃气阀没有回应,不知道做了没有,请看一下。", "▣ 燃气阀 · 离线了 · 检查电源和网络")
	w.step(home.Presence{Device: valve, Online: true})
	w.sends() // never late
}

func TestWhatIsNotSafeNeedsTheDeviceOnline(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.step(home.Presence{Device: ac, Online: false})
	w.say(dad, "打开空调")
	w.hears(dad, "客厅空调现在不在线,没有做成。请看看它的电源和网络。")
	w.sends()
}

func TestTheLastWordCounts(t *testing.T) {
	t.Parallel()
	w := newHome(t, light)
	w.say(dad, "关灯")
	w.say(dad, "灯50%")
	w.advance(time.Second)
	w.say(dad, "开灯")
	w.sends(`{"power":false}`, `{"brightness":50}`, `{"power":true}`)
	w.advance(3 * time.Second)
	w.sends(`{"brightness":50}`, `{"power":true}`) // 关灯 is not repeated any more
}

func TestCommandsOfADeviceGoOutInOrder(t *testing.T) {
	t.Parallel()
	w := newHome(t, light)
	w.paused = true
	w.say(dad, "关灯")
	w.say(dad, "灯50%")
	if n := len(w.held); n != 1 {
		t.Errorf("%d commands are on their way at once, want 1", n)
	}
	w.resume()
	w.sends(`{"power":false}`, `{"brightness":50}`)
}

func TestAskingForAState(t *testing.T) {
	t.Parallel()
	w := newHome(t)
	w.say(dad, "空调开着吗?")
	w.hears(dad, "客厅空调还没有报告过,现在不知道。")
	w.report(ac, props{"power": false, "target": 26.0})
	w.say(dad, "空调开着吗?")
	w.hears(dad, "客厅空调已关")
	w.step(home.Presence{Device: ac, Online: false})
	w.say(dad, "空调几度")
	w.hears(dad, "客厅空调现在不在线,3月5日 19:10时温度26度")
}

func TestTwoOfAKindAskWhich(t *testing.T) {
	t.Parallel()
	w := newHome(t, valve, valve2)
	w.say(dad, "关闭燃气阀门") // an alias, which fits both
	w.hears(dad, "您说的是哪一台? [燃气阀|阳台燃气阀]")
	w.say(dad, "阳台燃气阀")
	if len(w.wire) != 1 || w.last[valve2].ID == "" {
		t.Errorf("sent %+v, want it sent to the balcony's", w.wire)
	}
}

const (
	ask  = "燃气阀:这个操作有危险,身边安全吗?2分钟内请回复“确认打开 / 不用”。 [确认打开|不用]"
	ask2 = "阳台燃气阀:这个操作有危险,身边安全吗?2分钟内请回复“确认打开 / 不用”。 [确认打开|不用]"
)

func TestAHazardNeedsItsFullWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(w *world) // after dad was asked to confirm
		sent bool
	}{
		{"the words", func(w *world) { w.say(dad, "确认打开") }, true},
		{"the words, in English", func(w *world) { w.say(dad, "Confirm open") }, true},
		{"a tap", func(w *world) { w.tap(dad, "确认打开") }, true},
		{"just in time", func(w *world) { w.advance(2*time.Minute - time.Millisecond); w.say(dad, "确认打开") }, true},
		{"two minutes later", func(w *world) { w.advance(2 * time.Minute); w.say(dad, "确认打开") }, false},
		{"two minutes later, the alarm being late", func(w *world) { w.now = w.now.Add(2 * time.Minute); w.tap(dad, "确认打开") }, false},
		{"好的", func(w *world) { w.say(dad, "好的") }, false},
		{"确认", func(w *world) { w.say(dad, "确认") }, false},
		{"1", func(w *world) { w.say(dad, "1") }, false},
		{"打开", func(w *world) { w.say(dad, "打开") }, false},
		{"the order again", func(w *world) { w.say(dad, "打开燃气阀") }, false},
		{"no", func(w *world) { w.say(dad, "不用"); w.say(dad, "确认打开") }, false},
		{"somebody else's words", func(w *world) { w.say(mum, "确认打开") }, false},
		{"somebody else's tap", func(w *world) {
			w.step(home.Said{From: mum, ID: "tap", Choice: w.choice(dad, "确认打开")})
		}, false},
		{"a device that is away by then", func(w *world) {
			w.step(home.Presence{Device: valve, Online: false})
			w.say(dad, "确认打开")
			w.step(home.Presence{Device: valve, Online: true})
			w.advance(time.Minute)
		}, false},
		{"the confirmation twice", func(w *world) { w.say(dad, "确认打开"); w.tap(dad, "确认打开"); w.advance(time.Hour) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newHome(t, valve)
			w.say(dad, "打开燃气阀")
			w.hears(dad, ask)
			w.sends()
			tt.do(w)
			if tt.sent {
				w.sends(`{"open":true}`)
			} else {
				w.sends()
			}
		})
	}
}

func TestAHazardIsSentOnce(t *testing.T) {
	t.Parallel()
	confirmed := func(t *testing.T) *world {
		w := newHome(t, valve)
		w.say(dad, "打开燃气阀")
		w.forget()
		return w
	}
	t.Run("it is not repeated, and expires", func(t *testing.T) {
		t.Parallel()
		w := confirmed(t)
		w.say(dad, "确认打开")
		if got := w.wire[0].Expires.Sub(w.now); got != 10*time.Second {
			t.Errorf("it expires after %v", got)
		}
		w.advance(time.Hour)
		w.sends(`{"open":true}`)
		w.hears(dad, "燃气阀没有回应,不知道做了没有,请看一下。")
	})
	t.Run("a crash while it is being sent", func(t *testing.T) {
		t.Parallel()
		w := confirmed(t)
		w.paused = true
		w.say(dad, "确认打开")
		w.held = nil // sent, or not: nobody knows
		w.paused = false
		w.step(home.Resume{})
		w.step(home.Presence{Device: valve, Online: true})
		w.step(home.Presence{Device: ac, Online: true})
		w.advance(time.Hour)
		w.sends()
		w.hears(dad, "燃气阀没有回应,不知道做了没有,请看一下。")
		w.told("command", "it may have been sent")
	})
	t.Run("it turns out to be offline", func(t *testing.T) {
		t.Parallel()
		w := confirmed(t)
		w.publish = func(home.Effect) home.Published { return home.Published{Offline: true} }
		w.say(dad, "确认打开")
		w.hears(dad, "燃气阀现在不在线,没有做成。请看看它的电源和网络。")
		w.publish = nil
		w.advance(time.Hour)
		w.quiet()
	})
	t.Run("closing it is the last word", func(t *testing.T) {
		t.Parallel()
		w := confirmed(t)
		w.say(dad, "确认打开")
		w.say(mum, "关闭燃气阀")
		w.advance(4 * time.Second)
		w.sends(`{"open":true}`, `{"open":false}`, `{"open":false}`)
	})
}

func TestTwoHazardsAtOnceAskWhich(t *testing.T) {
	t.Parallel()
	w := newHome(t, valve, valve2)
	w.say(dad, "打开阳台燃气阀")
	w.hears(dad, ask2)
	w.say(dad, "打开燃气阀门")
	w.say(dad, "燃气阀")
	w.hears(dad, "您说的是哪一台? [燃气阀|阳台燃气阀]", ask)
	w.say(dad, "确认打开")
	w.hears(dad, "您是回答哪一个? [阳台燃气阀:确认打开|燃气阀:确认打开]")
	w.say(dad, "1")
	w.say(dad, "阳台燃气阀")
	w.sends() // neither says in full what shall happen
	w.say(dad, "阳台燃气阀,确认打开")
	w.sends(`{"open":true}`)
	if w.last[valve2].ID == "" {
		t.Error("it was the other one")
	}
}
