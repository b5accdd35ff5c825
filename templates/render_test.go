package templates_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"

	"jiaxin/templates"
)

var update = flag.Bool("update", false, "write testdata/preview.txt anew")

func noon() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC) }

// TestPreview keeps every message under review: who changes one changes this file with it.
func TestPreview(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := standard(t).Preview(&got); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/preview.txt"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the messages changed: run `go test ./templates -update`, look at the diff of %s and commit it too", golden)
	}
}

func TestACardOfAnAlarm(t *testing.T) {
	t.Parallel()
	card, err := standard(t).Card("handled", "zh", templates.Vars{Device: "厨房报警器", Who: "妈妈", At: noon()})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range card.Fields {
		lines = append(lines, f.Key+" "+f.Label+" "+f.Value)
	}
	want := "thing1 设备 厨房报警器\nthing2 处理人 妈妈\nconst3 进展 正在处理\ntime4 时间 2026年1月2日 15:04"
	if got := strings.Join(lines, "\n"); got != want || card.Form != "handled" || card.Title != "警报处理通知" {
		t.Errorf("%s %s\n%s", card.Form, card.Title, got)
	}
}

func TestWhatDoesNotFitACardIsCutAndNeverEmpty(t *testing.T) {
	t.Parallel()
	s := standard(t)
	for device, want := range map[string]string{
		"客厅空调":                        "客厅空调",
		strings.Repeat("长", 20):       strings.Repeat("长", 20),
		strings.Repeat("长", 21):       strings.Repeat("长", 19) + "…",
		"Living room air conditioner": "Living room air con…",
		"Living room air c ditioner":  "Living room air c d…",
		"a b\nc\td":                   "a b c d",
		"🐱咪咪的灯❤️":                     "咪咪的灯",
		"😀😀":                          "空调",
		"":                            "空调",
		"  \n ":                       "空调",
		"26℃空调㎡":                      "26℃空调㎡",
		"{who}":                       "{who}",
	} {
		card, err := s.Card("back_online", "zh", templates.Vars{Device: device, Product: "空调", At: noon()})
		if err != nil {
			t.Fatal(err)
		}
		got := card.Fields[0].Value
		if got != want {
			t.Errorf("%q became %q, want %q", device, got, want)
		}
	}
}

func TestACardThatCannotBeIsAnError(t *testing.T) {
	t.Parallel()
	s, err := loadBell(t, bellModel, bellForms, strings.Replace(bellMessages, `"1"`, `"{field.by}"`, 1))
	if err != nil {
		t.Fatal(err)
	}
	v := templates.Vars{Device: "门铃", At: noon(), Fields: map[string]any{"by": 3.0}}
	if card, err := s.Card("rang", "en", v); err != nil || card.Fields[2].Value != "3" {
		t.Errorf("got %+v, %v", card, err)
	}
	v.Fields["by"] = "three"
	for name, c := range map[string]struct {
		key  string
		v    templates.Vars
		want string
	}{
		"not a number":    {"rang", v, `message rang, field number3: a number is a number, not "three"`},
		"no time":         {"gas_leak", templates.Vars{}, "message gas_leak, field time4: the time is missing"},
		"chat only":       {"named", templates.Vars{At: noon()}, `the message "named" is for the chat only`},
		"no such message": {"nmaed", templates.Vars{At: noon()}, `there is no message "nmaed"`},
	} {
		if card, err := s.Card(c.key, "zh", c.v); err == nil || !strings.Contains(err.Error(), c.want) || card.Form != "" {
			t.Errorf("%s: got %+v, %v; want %s", name, card, err, c.want)
		}
	}
}

func TestTheChatSaysItPlainly(t *testing.T) {
	t.Parallel()
	s := standard(t)
	for _, c := range []struct {
		key, lang string
		v         templates.Vars
		want      string
	}{
		{"command_done", "zh", templates.Vars{Device: "客厅空调", Command: "已关"}, "客厅空调已关"},
		{"command_done", "en", templates.Vars{Device: "Living-room AC", Command: "turned off"}, "Living-room AC: turned off"},
		{"command_done", "zh-TW", templates.Vars{Device: "客廳空調", Command: "已关"}, "客廳空調已关"},
		{"command_failed", "zh", templates.Vars{Device: "客厅空调", Command: "关掉", Reason: "没有回应"}, "客厅空调没能关掉:没有回应"},
		{"handled", "zh", templates.Vars{Device: "厨房报警器", Who: "妈妈"}, "妈妈正在处理厨房报警器的警报。"},
		{"handled", "en", templates.Vars{}, "somebody is dealing with the alarm from appliance."},
		{"joined", "zh", templates.Vars{Who: "{device}\n</a><a href=\"http://evil\">点我"}, `{device} ＜/a＞＜a href="http://evil"＞点我加入了家庭。`},
		{"joined", "zh", templates.Vars{Who: "\u202e小明\u2066"}, "小明加入了家庭。"},
		{"joined", "zh", templates.Vars{Who: strings.Repeat("长", 300)}, strings.Repeat("长", 199) + "…加入了家庭。"},
	} {
		if got := s.Text(c.key, c.lang, c.v); got != c.want {
			t.Errorf("%s in %s says\n%s\nwant\n%s", c.key, c.lang, got, c.want)
		}
	}
}

// TestWhateverAHouseholdIsCalledWeChatTakesIt is the package's promise, checked with rules written down a second time.
func TestWhateverAHouseholdIsCalledWeChatTakesIt(t *testing.T) {
	t.Parallel()
	s := standard(t)
	consts := s.Consts()
	cards := []string{"nobody_home", "washer_done", "gas_leak", "handled", "offline", "command_failed", "join_request"}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.String(), rapid.StringMatching(`[一-龥a-z 😀\n]{0,40}`))
		v := templates.Vars{
			Device: word.Draw(t, "device"), Product: word.Draw(t, "product"), Room: word.Draw(t, "room"),
			Who: word.Draw(t, "who"), Options: word.Draw(t, "options"), Command: word.Draw(t, "command"),
			Reason: word.Draw(t, "reason"), At: noon(),
		}
		key, lang := rapid.SampledFrom(cards).Draw(t, "key"), rapid.SampledFrom([]string{"zh", "en", "zh-HK"}).Draw(t, "lang")
		card, err := s.Card(key, lang, v)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range card.Fields {
			wantAccepted(t, card.Form, f, consts)
		}
		if text := s.Text(key, lang, v); text == "" || len(text) > 2048 || !utf8.ValidString(text) {
			t.Fatalf("the chat would refuse %d bytes: %q", len(text), text)
		}
	})
}

func wantAccepted(t *rapid.T, form string, f templates.CardField, consts map[string][]string) {
	n := len(utf16.Encode([]rune(f.Value)))
	switch {
	case strings.TrimSpace(f.Value) == "" || strings.ContainsFunc(f.Value, unicode.IsControl) || !utf8.ValidString(f.Value):
		t.Fatalf("%s would be refused: %q", f.Key, f.Value)
	case strings.HasPrefix(f.Key, "thing") && n > 20:
		t.Fatalf("%s has %d characters: %q", f.Key, n, f.Value)
	case strings.HasPrefix(f.Key, "const"):
		for _, approved := range consts[form+"."+f.Key] {
			if approved == f.Value {
				return
			}
		}
		t.Fatalf("%s.%s was never approved: %q", form, f.Key, f.Value)
	case strings.HasPrefix(f.Key, "time"):
		if _, err := time.Parse("2006年1月2日 15:04", f.Value); err != nil {
			t.Fatal(err)
		}
	}
}
