package understand_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"jiaxin/bridge/understand"
	"jiaxin/devices"
)

var catalog = sync.OnceValue(func() *devices.Catalog {
	c, err := devices.Load(devices.Standard())
	if err != nil {
		panic(err)
	}
	return c
})

func device(t testing.TB, product, name string) understand.Device {
	t.Helper()
	m, ok := catalog().Model("standard/" + product)
	if !ok {
		t.Fatalf("no model %s", product)
	}
	return understand.Device{ID: name, Name: name, Model: m}
}

// family is a home with one of everything, and two lights.
func family(t testing.TB) understand.Home {
	return understand.Home{Devices: []understand.Device{
		device(t, "ac", "客厅空调"), device(t, "washer", "洗衣机"), device(t, "gas-alarm", "厨房报警器"), device(t, "gas-valve", "燃气阀"),
		device(t, "light", "书房灯"), device(t, "light", "卧室灯"), device(t, "tv", "电视"),
	}}
}

// meaning is a result in one line: "客厅空调 {"power":false}", "电视 play {"title":"西游记"}", "客厅空调 power?", "书房灯|卧室灯 {…}", "".
func meaning(r understand.Result) string {
	who := r.Device
	switch r.Kind {
	case understand.NotMine:
		return ""
	case understand.Answer:
		return who + " " + r.Query + "?"
	case understand.Ask:
		who = strings.Join(r.Choices, "|")
	}
	if r.Do == "" {
		return who + " " + encode(r.Set)
	}
	return strings.TrimSpace(who + " " + r.Do + " " + encode(r.With))
}

func encode(m map[string]any) string {
	if len(m) == 0 {
		return ""
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestSentences(t *testing.T) {
	t.Parallel()
	tests := []struct{ say, means string }{
		// Orders, by name and by kind, in three languages.
		{"关掉客厅空调", `客厅空调 {"power":false}`},
		{"关空调", `客厅空调 {"power":false}`},
		{"把空调关了", `客厅空调 {"power":false}`},
		{"请把空调打开吧。", `客厅空调 {"power":true}`},
		{"帮我开一下空调", ``}, // not a form: nothing is guessed
		{"打开一下空调", `客厅空调 {"power":true}`},
		{"关冷氣", `客厅空调 {"power":false}`},
		{"關冷氣", ``}, // 關 is in no model
		{"开 空 调 ！", `客厅空调 {"power":true}`},
		{"ＴＵＲＮ ｏｆｆ the ＡＣ", `客厅空调 {"power":false}`},
		{"turn off the air conditioner, please", `客厅空调 {"power":false}`},
		{"turn on the telly", `电视 {"power":true}`},
		{"空调调到26度", `客厅空调 {"target":26}`},
		{"空调26℃", `客厅空调 {"target":26}`},
		{"空调二十六度", `客厅空调 {"target":26}`},
		{"set the AC to 25 degrees", `客厅空调 {"target":25}`},
		{"温度调到20", `客厅空调 {"target":20}`},
		{"音量调到三十", `电视 {"volume":30}`},
		{"空调改成除湿", `客厅空调 {"mode":"dry"}`},
		{"书房灯50%", `书房灯 {"brightness":50}`},
		{"书房灯一百", `书房灯 {"brightness":100}`},
		{"烘干", `洗衣机 dry`},
		{"洗衣机开始洗", `洗衣机 start`},
		{"电视播放西游记", `电视 play {"title":"西游记"}`},
		{"打开燃气阀", `燃气阀 {"open":true}`},
		{"报警器静音", `厨房报警器 mute`},
		// Questions.
		{"空调开着吗？", `客厅空调 power?`},
		{"请问空调几度", `客厅空调 target?`},
		{"洗衣机还有多久", `洗衣机 remaining?`},
		{"电视在放什么?", `电视 playing?`},
		// What fits several is asked back, or not understood.
		{"开灯", `书房灯|卧室灯 {"power":true}`},
		{"灯30%", `书房灯|卧室灯 {"brightness":30}`},
		{"灯开着吗", ``},
		{"静音", ``},     // the alarm? the television?
		{"空调自动", ``},   // the mode? the fan?
		{"色温4000", ``}, // no form without 调到
		{"色温调到4000", `书房灯|卧室灯 {"colour_temperature":4000}`},
		// What must not be done.
		{"别关空调", ``},
		{"不要打开燃气阀", ``},
		{"空调开啦", ``}, // it tells that it is on
		{"空调开了", ``},
		{"关空调？", ``}, // asks
		{"打开燃气阀?", ``},
		{"空调关了吗", `客厅空调 power?`},
		{"关空调开电视", ``},
		{"关空调，开电视", ``},
		{"关掉", ``},
		{"打开", ``},
		{"空调", ``},
		{"26度", ``},
		{"有人说把空调关了", ``},
		{"一会儿关空调", ``},
		{"妈妈让我关空调", ``},
		{"空调99度", ``}, // more than it can
		{"空调-26度", ``},
		{"空调2.6度", ``},
		{"空调2 6度", ``},
		{"空调2、6度", ``},
		{"书房灯1/2", ``},
		{"书房灯3.5%", ``},
		{"书房灯二点五", ``},
		{"书房灯十、五", ``},
		{"频道一百五", ``}, // people mean 150
		{"电视频道一百零五", `电视 {"channel":105}`},
		{"电视频道一百五", ``},
		{"电视播放", ``},
		{"", ``},
		{"。。。", ``},
		{"谢谢", ``},
		{"好的", ``},
		{"1", ``},
		{"😀", ``},
		{"\xff\xfe", ``},
		{strings.Repeat("空调", 2000), ``},
		{"电视播放" + strings.Repeat("长", 600), ``}, // longer than a title may be
	}
	h := family(t)
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.30s", tt.say), func(t *testing.T) {
			t.Parallel()
			r := understand.Read(h, tt.say)
			if got := meaning(r); got != tt.means {
				t.Errorf("%q means %q (%s), want %q", tt.say, got, r.Why, tt.means)
			}
			if r.Why == "" {
				t.Error("it does not say why")
			}
		})
	}
}

// A device called as its kind is called is not preferred to the others of the kind, and no name swallows a number.
func TestNamesThatLookAlike(t *testing.T) {
	t.Parallel()
	h := understand.Home{Devices: []understand.Device{device(t, "light", "灯"), device(t, "light", "灯2"), device(t, "light", "大灯")}}
	tests := []struct{ say, means string }{
		{"关灯", `灯|灯2|大灯 {"power":false}`},
		{"关灯2", `灯2 {"power":false}`},
		{"关大灯", `大灯 {"power":false}`},
		{"灯25", ``}, // 灯2 to 5, or 灯 to 25?
		{"灯2调到5", `灯2 {"brightness":5}`},
		{"关大灯2", ``},
	}
	for _, tt := range tests {
		if got := meaning(understand.Read(h, tt.say)); got != tt.means {
			t.Errorf("%q means %q, want %q", tt.say, got, tt.means)
		}
	}
}

func TestAWordWithoutADeviceWhereOnlyOneCouldBeMeant(t *testing.T) {
	t.Parallel()
	alarm, tv, dryer := device(t, "gas-alarm", "报警器"), device(t, "tv", "电视"), device(t, "ac", "空调")
	w := device(t, "washer", "洗衣机")
	tests := []struct {
		home  []understand.Device
		say   string
		means string
	}{
		{[]understand.Device{alarm}, "静音", "报警器 mute"},
		{[]understand.Device{alarm, tv}, "静音", ""},
		{[]understand.Device{tv}, "静音", ""}, // a switch wants its device named
		{[]understand.Device{w}, "dry", "洗衣机 dry"},
		{[]understand.Device{w, dryer}, "dry", ""},
		{nil, "烘干", ""},
	}
	for _, tt := range tests {
		if got := meaning(understand.Read(understand.Home{Devices: tt.home}, tt.say)); got != tt.means {
			t.Errorf("%q in a home of %d means %q, want %q", tt.say, len(tt.home), got, tt.means)
		}
	}
}

// Every sentence that a model gives as an example means what the model says, in a home with that one device.
func TestTheSentencesOfTheModels(t *testing.T) {
	t.Parallel()
	said := 0
	for _, m := range catalog().Models() {
		h := understand.Home{Devices: []understand.Device{{ID: "it", Name: "小白", Model: m}}}
		for _, s := range m.Samples {
			if s.Say == "" {
				continue
			}
			said++
			r := understand.Read(h, s.Say)
			if r.Kind != understand.Act || r.Do != s.Do || !same(r.Set, s.Set) || !same(r.With, s.With) {
				t.Errorf("%s: %q means %q (%s), want %s%s", m.ID, s.Say, meaning(r), r.Why, s.Do, encode(s.Set))
			}
		}
	}
	if said < 30 {
		t.Errorf("only %d sentences were tried", said)
	}
}

func same(a, b map[string]any) bool { return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b) }

// Every example that we give is understood, and as nothing hazardous.
func TestTheExamplesThatWeGive(t *testing.T) {
	t.Parallel()
	h := family(t)
	for _, lang := range []string{"zh", "en"} {
		examples := understand.Examples(h, lang, 10)
		if len(examples) != 7 || !slices.Equal(understand.Examples(h, lang, 3), examples[:3]) {
			t.Errorf("the examples are %q", examples)
		}
		for _, s := range examples {
			r := understand.Read(h, s)
			if r.Kind != understand.Act {
				t.Errorf("we say that %q is understood, and it is %s: %s", s, r.Kind, r.Why)
			}
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"我是妈妈": "妈妈", " 我是妈妈。": "妈妈", "我叫小明": "小明", "叫我老爸!": "老爸", "Call me Tom": "Tom", "i am Anna": "Anna", "I'm Bob.": "Bob",
		"我是谁": "", "我是": "", "我是。": "", "我是你妈妈吗": "", "我是说关空调": "", "我是问灯": "", "我是想关灯": "", "我叫你关灯": "", "叫我怎么办": "",
		"I am at home": "", "妈妈": "", "我来处理": "", "": "", "我是\xff": "", "我是<b>": "", "我是 a b": "",
	}
	for say, want := range tests {
		name, ok := understand.Name(say)
		if name != want || ok != (want != "") {
			t.Errorf("%q names %q, want %q", say, name, want)
		}
	}
}

func TestNormal(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"关 掉！": "关掉", "ＡＣ": "ac", "关吧": "关", "好的呀": "好的", "吧": "吧", "50%": "50", "关掉谢谢": "关掉", "A.C.": "ac",
	}
	for say, want := range tests {
		if got := understand.Normal(say); got != want {
			t.Errorf("%q is %q, want %q", say, got, want)
		}
	}
	for _, pair := range [][2]string{{"2.5", "25"}, {"2 5", "25"}, {"-5", "5"}, {"1/2", "12"}, {"二、五", "二五"}, {"20–30", "2030"}} {
		if understand.Normal(pair[0]) == understand.Normal(pair[1]) {
			t.Errorf("%q is the same as %q", pair[0], pair[1])
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"关空调", "空调26度", "灯一百零五", "电视播放西游记", "我是妈妈", "2.5", "", "\xff", "{d}{w}", "{n}", "空调{n}"} {
		f.Add(s, "灯{w}")
	}
	light, _ := catalog().Model("standard/light")
	f.Fuzz(func(t *testing.T, text, name string) {
		h := family(t)
		h.Devices = append(h.Devices, understand.Device{ID: "x", Name: name, Model: light})
		r := understand.Read(h, text)
		if again := understand.Read(h, text); !reflect.DeepEqual(r, again) {
			t.Errorf("%q means %+v, and then %+v", text, r, again)
		}
		checkResult(t, h, text, r)
		if n := understand.Normal(text); len(n) > 3*len(text)+3 {
			t.Errorf("%q grows to %q", text, n)
		}
		if name, ok := understand.Name(text); ok && (!utf8.ValidString(name) || len(name) > len(text)) {
			t.Errorf("%q names %q", text, name)
		}
	})
}

// checkResult: what is to be done can be done by the device that is to do it.
func checkResult(t *testing.T, h understand.Home, text string, r understand.Result) {
	if r.Kind != understand.Act && r.Kind != understand.Ask {
		return
	}
	for _, id := range append(r.Choices, r.Device) {
		i := slices.IndexFunc(h.Devices, func(d understand.Device) bool { return d.ID == id && id != "" })
		if i < 0 {
			continue
		}
		err := h.Devices[i].Model.CheckSet(r.Set)
		if r.Do != "" {
			err = h.Devices[i].Model.CheckDo(r.Do, r.With)
		}
		if err != nil {
			t.Errorf("%q means %s, which %s cannot do: %v", text, meaning(r), id, err)
		}
	}
}
