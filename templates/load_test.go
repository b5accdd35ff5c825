package templates_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"jiaxin/devices"
	"jiaxin/devices/strictyaml"
	"jiaxin/templates"
)

func catalog(t testing.TB) *devices.Catalog {
	t.Helper()
	c, err := devices.Load(devices.Standard())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loadStandard is shared by tests: a set never changes.
var loadStandard = sync.OnceValues(func() (*templates.Set, error) {
	c, err := devices.Load(devices.Standard())
	if err != nil {
		return nil, err
	}
	return templates.Load(c, templates.Standard())
})

func standard(t testing.TB) *templates.Set {
	t.Helper()
	s, err := loadStandard()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files is a folder: a file's name and its text, in turns.
func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(strings.TrimLeft(pairs[i+1], "\n"))}
	}
	return out
}

func TestWhatTheGatewayItselfSaysIsThere(t *testing.T) {
	t.Parallel()
	s := standard(t)
	for key, category := range map[string]templates.Category{
		"nobody_home": templates.Comfort, "washer_done": templates.Done, "gas_leak": templates.Safety,
		"gas_clear": templates.Safety, "handled": templates.Safety, "self_test": templates.Status,
		"offline": templates.Status, "back_online": templates.Status, "command_done": templates.Status,
		"command_failed": templates.Status, "bound": templates.Family, "join_request": templates.Family,
		"joined": templates.Family,
	} {
		m, ok := s.Message(key)
		if !ok || m.Category != category || m.Form == "" {
			t.Errorf("%s is %+v", key, m)
		}
	}
	if n := len(s.Forms()); n != 5 {
		t.Errorf("there are %d forms", n)
	}
}

func TestTheTwoQuestionsSayExactlyThis(t *testing.T) {
	t.Parallel()
	s := standard(t)
	if got := s.Text("nobody_home", "zh", templates.Vars{}); got != "家里没人,要不要把空调关掉?" {
		t.Errorf("nobody_home says %s", got)
	}
	if got := s.Text("washer_done", "zh", templates.Vars{}); got != "洗好了,烘干还是翻动?" {
		t.Errorf("washer_done says %s", got)
	}
	if got := s.Text("no such message", "zh", templates.Vars{}); got != "" {
		t.Errorf("a message that is not there says %s", got)
	}
}

func TestTheOperatorLearnsWhichWordsToSubmit(t *testing.T) {
	t.Parallel()
	consts := standard(t).Consts()
	if got := consts["alarm.const2"]; !slices.Equal(got, []string{"燃气泄漏", "Gas leak"}) {
		t.Errorf("alarm.const2 is %v", got)
	}
	if got := consts["notice.const2"]; !slices.Contains(got, "家里没人,空调还开着") || !slices.Contains(got, "went offline") {
		t.Errorf("notice.const2 is %v", got)
	}
	for name := range consts {
		if !strings.Contains(name, ".const") {
			t.Errorf("%s is no const", name)
		}
	}
}

// bell is a maker's product and what it says; tests of mistakes replace a piece of it.
const (
	bellModel = `
model: acme/bell
name: {zh: 门铃}
events:
  rang: {level: info, message: rang, fields: {by: {kind: text}}}
samples:
  - {event: rang}
`
	bellForms = `
ring:
  title: 门铃通知
  fields: {thing1: 设备, const2: 提醒, number3: 次数, time4: 时间}
`
	bellMessages = `
rang:
  category: family
  form: ring
  fields:
    thing1: "{device}{field.by}"
    const2: {zh: 有人按门铃, en: the bell rang}
    number3: "1"
    time4: "{time}"
  text: {zh: "{device}:{field.by}按门铃", en: "{device}: {field.by} rang"}
`
)

func loadBell(t *testing.T, model, forms, messages string) (*templates.Set, error) {
	t.Helper()
	folder := files("models/acme/bell.yaml", model, "forms.yaml", forms, "messages/bell.yaml", messages)
	c, err := devices.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return templates.Load(c, templates.Standard(), folder)
}

func TestAMakersMessagesJoinTheStandardOnes(t *testing.T) {
	t.Parallel()
	s, err := loadBell(t, bellModel, bellForms, bellMessages)
	if err != nil {
		t.Fatal(err)
	}
	v := templates.Vars{Device: "前门", Fields: map[string]any{"by": "快递"}}
	if got := s.Text("rang", "zh", v); got != "前门:快递按门铃" {
		t.Errorf("it says %s", got)
	}
	if _, ok := s.Message("gas_leak"); !ok {
		t.Error("the standard messages are gone")
	}
}

func TestAMakerSaysItInOtherWords(t *testing.T) {
	t.Parallel()
	s, err := templates.Load(catalog(t), templates.Standard(), files("messages/own.yaml", `
named:
  category: family
  text: {zh: "记住了,{who}", en: "Noted, {who}"}
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Text("named", "zh", templates.Vars{Who: "妈妈"}); got != "记住了,妈妈" {
		t.Errorf("it says %s", got)
	}
}

func TestEveryMistakeIsToldWithItsPlaceAndCure(t *testing.T) {
	t.Parallel()
	const model, forms, messages = 0, 1, 2
	for _, c := range []struct {
		name     string
		file     int
		old, new string
		want     string
	}{
		{
			"event without its message", model, "message: rang", "message: rnag",
			`models/acme/bell.yaml:4:32: there is no message "rnag"; did you mean "rang"?`,
		},
		{
			"event that clears without words", model, "level: info", "when: not online, cleared: silence, level: info",
			`models/acme/bell.yaml:4:37: there is no message "silence"`,
		},
		{
			"unknown field type", forms, "thing1", "thin1",
			`forms.yaml:3:19: "thin1" is no field: it is a WeChat type with a number, such as thing1; did you mean "thing"?`,
		},
		{
			"field type without number", forms, "const2", "const",
			`forms.yaml:3:31: "const" is no field`,
		},
		{
			"form without title", forms, "title: 门铃通知\n  ", "",
			"forms.yaml:2:3: ring has no title",
		},
		{
			"unknown key of a form", forms, "title:", "titel:",
			`forms.yaml:2:3: unknown key "titel"; did you mean "title"?`,
		},
		{
			"unknown form", messages, "form: ring", "form: rign",
			`messages/bell.yaml:3:9: there is no form "rign"; did you mean "ring"?`,
		},
		{
			"no form, but an event", messages, "form: ring\n  fields:\n    thing1: \"{device}{field.by}\"\n    const2: {zh: 有人按门铃, en: the bell rang}\n    number3: \"1\"\n    time4: \"{time}\"\n  ", "",
			"messages/bell.yaml:2:3: acme/bell tells of rang with this, at any hour, so that it needs a form",
		},
		{
			"unknown category", messages, "category: family", "category: famly",
			`messages/bell.yaml:2:13: unknown word "famly"; did you mean "family"?`,
		},
		{
			"no category", messages, "category: family\n  ", "",
			"messages/bell.yaml:2:3: rang has no category",
		},
		{
			"form field not filled", messages, "    number3: \"1\"\n", "",
			"messages/bell.yaml:5:5: the form ring needs number3 (次数), and WeChat refuses an empty field",
		},
		{
			"field that the form has not", messages, "time4", "time5",
			"messages/bell.yaml:5:5: the form ring needs time4",
		},
		{
			"const too long", messages, "有人按门铃", "有人在前门口已经很有耐心地按了很久很久门铃",
			"messages/bell.yaml:6:18: a const has at most 20 characters, and this has 21: shorten it",
		},
		{
			"const with a placeholder", messages, "zh: 有人按门铃", `zh: "{who}按门铃"`,
			"messages/bell.yaml:6:18: {who} is not known when an appliance tells an event",
		},
		{
			"const with a known placeholder", messages, "zh: 有人按门铃", `zh: "{room}按门铃"`,
			"messages/bell.yaml:6:18: a const holds fixed words only: take {room} out",
		},
		{
			"only one language", messages, ", en: the bell rang", "",
			`messages/bell.yaml:6:13: the words in "en" are missing`,
		},
		{
			"words without a language", messages, "{zh: 有人按门铃, en: the bell rang}", "有人",
			"messages/bell.yaml:6:13: these words need their languages",
		},
		{
			"unknown language", messages, "en: the bell rang", "en: the bell rang, jp: x",
			`messages/bell.yaml:6:44: unknown language "jp"`,
		},
		{
			"time in other words", messages, `"{time}"`, `"at {time}"`,
			"messages/bell.yaml:8:12: these words need their languages",
		},
		{
			"time in a thing", messages, `"{device}{field.by}"`, `"{device}{time}"`,
			"messages/bell.yaml:5:13: {time} belongs in a field of type time",
		},
		{
			"fixed words leave no room", messages, `"{device}{field.by}"`, `{zh: "{device}在前门口的那个门铃被人按了好几次啦", en: "{device}"}`,
			"messages/bell.yaml:5:18: a thing has 20 characters: the fixed words leave too few",
		},
		{
			"thing of two lines", messages, `"{device}{field.by}"`, `"{device}\n{field.by}"`,
			"messages/bell.yaml:5:13: a field is one line without control characters",
		},
		{
			"number that is none", messages, `"1"`, `"1e5"`,
			"messages/bell.yaml:7:14: these words need their languages",
		},
		{
			"number with more beside it", messages, `number3: "1"`, `number3: "1{field.by}"`,
			`messages/bell.yaml:7:14: a number holds a number, or "{field.…}" and nothing else`,
		},
		{
			"unknown placeholder", messages, `zh: "{device}:`, `zh: "{devise}:`,
			`messages/bell.yaml:9:14: unknown placeholder {devise}; did you mean "device"?`,
		},
		{
			"unknown event field", messages, `"{device}{field.by}"`, `"{device}{field.buy}"`,
			`messages/bell.yaml:5:13: acme/bell has neither a property nor, for rang, a field "buy"`,
		},
		{
			"open brace", messages, `zh: "{device}:`, `zh: "{device:`,
			"messages/bell.yaml:9:14: a { has no } or the other way round",
		},
		{
			"nothing for the chat", messages, "  text: {zh: \"{device}:{field.by}按门铃\", en: \"{device}: {field.by} rang\"}\n", "",
			"messages/bell.yaml:2:3: rang says nothing in the chat",
		},
		{
			"far too long for the chat", messages, `zh: "{device}:`, `zh: "` + strings.Repeat("很长", 100) + `{device}:`,
			"messages/bell.yaml:9:14: this has 222 characters, and 200 fit",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			texts := []string{bellModel, bellForms, bellMessages}
			if !strings.Contains(texts[c.file], c.old) {
				t.Fatalf("there is no %s to replace", c.old)
			}
			texts[c.file] = strings.Replace(texts[c.file], c.old, c.new, 1)
			if c.name == "event that clears without words" {
				texts[model] = strings.Replace(texts[model], "  - {event: rang}", "  - {report: {online: false}, raises: [rang]}", 1)
			}
			s, err := loadBell(t, texts[model], texts[forms], texts[messages])
			if err == nil || s != nil || !hasLine(err, c.want) {
				t.Fatalf("Load said\n%v\nwant\n%s", err, c.want)
			}
			var p *strictyaml.Problem
			if !errors.As(err, &p) {
				t.Errorf("%T is no *strictyaml.Problem", err)
			}
		})
	}
}

// hasLine: one of the problems begins with want.
func hasLine(err error, want string) bool {
	return slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return strings.HasPrefix(line, want) })
}

func TestMistakesOfAFolder(t *testing.T) {
	t.Parallel()
	none, err := devices.Load()
	if err != nil {
		t.Fatal(err)
	}
	chat := "{category: status, text: {zh: a, en: a}}\n"
	var forms strings.Builder
	for i := range 30 {
		fmt.Fprintf(&forms, "form%02d: {title: t, fields: {thing1: a}}\n", i)
	}
	for name, c := range map[string]struct {
		folder fstest.MapFS
		want   string
	}{
		"message in two files": {
			files("messages/a.yaml", "hi: "+chat, "messages/b.yaml", "hi: "+chat),
			"messages/b.yaml:1:1: hi is in another file of this folder already: keep one",
		},
		"other ending":   {files("messages/a.yml", "hi: "+chat), "messages/a.yml:1:1: messages are read from .yaml files"},
		"too many forms": {files("forms.yaml", forms.String()), "forms.yaml:24:9: there are 35 forms, and an account may have 25"},
		"fields without a form": {
			files("messages/a.yaml", "hi: {category: status, fields: {thing1: \"{device}\"}, text: {zh: a, en: a}}\n"),
			"messages/a.yaml:1:32: these fields belong to no form",
		},
		"not YAML": {files("messages/a.yaml", "hi: {\n"), "messages/a.yaml:1:5: this is not YAML"},
		"a field of no event": {
			files("messages/a.yaml", "hi: {category: status, text: {zh: \"{field.x}\", en: a}}\n"),
			"messages/a.yaml:1:35: no event uses this message, so nothing fills {field.x}",
		},
	} {
		_, err := templates.Load(none, templates.Standard(), c.folder)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: Load said\n%v\nwant\n%s", name, err, c.want)
		}
	}
}
