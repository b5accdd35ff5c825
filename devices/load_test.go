package devices_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"jiaxin/devices"
	"jiaxin/devices/strictyaml"
)

// loadStandard is shared by tests: a catalog never changes.
var loadStandard = sync.OnceValues(func() (*devices.Catalog, error) { return devices.Load(devices.Standard()) })

// standard is the catalog of the models that come with Jiaxin.
func standard(t testing.TB) *devices.Catalog {
	t.Helper()
	c, err := loadStandard()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func model(t testing.TB, id string) *devices.Model {
	t.Helper()
	m, ok := standard(t).Model(id)
	if !ok {
		t.Fatalf("there is no %s", id)
	}
	return m
}

// files is a maker's folder: a model's id and the YAML of it, in turns.
func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out["models/"+pairs[i]+".yaml"] = &fstest.MapFile{Data: []byte(strings.TrimLeft(pairs[i+1], "\n"))}
	}
	return out
}

func TestTheStandardModelsAreThereAndSpeakBothLanguages(t *testing.T) {
	t.Parallel()
	c := standard(t)
	var ids []string
	for _, m := range c.Models() {
		ids = append(ids, m.ID)
		wantBothLanguages(t, m)
	}
	want := "standard/ac standard/gas-alarm standard/gas-valve standard/light standard/tv standard/washer"
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("models are %s, want %s", got, want)
	}
	if _, ok := c.Model("standard/appliance"); ok {
		t.Error("the abstract base can be a device's product")
	}
}

func wantBothLanguages(t *testing.T, m *devices.Model) {
	t.Helper()
	texts := map[string]devices.Text{"name": m.Name}
	words := map[string]devices.Words{"aliases": m.Aliases}
	for _, p := range m.Properties {
		texts[p.Key] = p.Name
		words[p.Key+" up"], words[p.Key+" down"], words[p.Key+" query"] = p.Up, p.Down, p.Query
		for _, v := range p.Values {
			words[fmt.Sprint(p.Key, v.Value)] = v.Say
			if v.Told != nil {
				texts[fmt.Sprint(p.Key, v.Value)] = v.Told
			}
		}
	}
	for _, a := range m.Commands {
		texts[a.Key+" name"], texts[a.Key+" told"], words[a.Key] = a.Name, a.Told, a.Say
	}
	for _, e := range m.Events {
		texts[e.Key] = e.Name
		for i, o := range e.Ask {
			words[fmt.Sprint(e.Key, i)] = o.Say
		}
	}
	for _, s := range m.Samples {
		if s.Name != nil {
			texts["sample "+s.Name["zh"]] = s.Name
		}
	}
	for what, text := range texts {
		if text["zh"] == "" || text["en"] == "" {
			t.Errorf("%s: %s lacks a language: %v", m.ID, what, text)
		}
	}
	for what, w := range words {
		if w != nil && (len(w["zh"]) == 0 || len(w["en"]) == 0) {
			t.Errorf("%s: %s lacks a language: %v", m.ID, what, w)
		}
	}
}

func TestEveryMistakeIsToldWithItsPlaceAndCure(t *testing.T) {
	t.Parallel()
	head := "model: acme/x\nname: {zh: 灯}\n" // two lines
	for _, c := range []struct{ name, yaml, want string }{
		{
			"unknown key", head + "propertys: {}\n",
			`models/acme/x.yaml:3:1: unknown key "propertys"; did you mean "properties"?`,
		},
		{
			"no model line", "name: {zh: 灯}\n",
			"models/acme/x.yaml:1:1: the file must begin with `model: acme/x`",
		},
		{
			"other id than its file", "model: acme/y\nname: {zh: 灯}\n",
			`models/acme/x.yaml:1:8: by its folder and file this is the model acme/x`,
		},
		{
			"no name", "model: acme/x\n",
			"models/acme/x.yaml:1:1: the product has no name",
		},
		{
			"name without Chinese", "model: acme/x\nname: {en: lamp}\n",
			"models/acme/x.yaml:2:7: the Chinese is missing: add `zh`",
		},
		{
			"unknown language", "model: acme/x\nname: {zh: 灯, eng: lamp}\n",
			`models/acme/x.yaml:2:15: unknown language "eng"; did you mean "en"?`,
		},
		{
			"wrong type", head + "claim: [scan]\n",
			"models/acme/x.yaml:3:8: this must be a text, not a list",
		},
		{
			"unknown word", head + "claim: scam\n",
			`models/acme/x.yaml:3:8: unknown word "scam"; did you mean "scan"?`,
		},
		{
			"doubled key", head + "properties:\n  a: {kind: switch}\n  a: {kind: text}\n",
			`models/acme/x.yaml:5:3: "a" is given twice, first on line 4: keep one`,
		},
		{
			"no kind", head + "properties:\n  a: {writable: true}\n",
			"models/acme/x.yaml:4:6: a has no kind",
		},
		{
			"misspelt kind", head + "properties:\n  a: {kind: swich}\n",
			`models/acme/x.yaml:4:13: unknown word "swich"; did you mean "switch"?`,
		},
		{
			"key the rules cannot read", head + "properties:\n  a-b: {kind: switch}\n",
			`models/acme/x.yaml:4:8: "a-b" cannot be a property`,
		},
		{
			"key that is a rule word", head + "properties:\n  not: {kind: switch}\n",
			`models/acme/x.yaml:4:8: "not" cannot be a property`,
		},
		{
			"key that is taken", head + "properties:\n  online: {kind: switch}\n",
			`models/acme/x.yaml:4:11: "online" cannot be a property`,
		},
		{
			"unit of a switch", head + "properties:\n  a: {kind: switch, unit: K}\n",
			"models/acme/x.yaml:4:27: unit is for numbers: delete it, or make a `kind: number`",
		},
		{
			"range upside down", head + "properties:\n  a: {kind: number, min: 9, max: 1}\n",
			"models/acme/x.yaml:4:34: max is below min: swap them",
		},
		{
			"step wider than range", head + "properties:\n  a: {kind: number, min: 1, max: 3, step: 5}\n",
			"models/acme/x.yaml:4:43: step must be above 0",
		},
		{
			"number as a text", head + "properties:\n  a: {kind: number, min: \"1\", max: 3}\n",
			"models/acme/x.yaml:4:26: this must be a number, not a text",
		},
		{
			"initial out of range", head + "properties:\n  a: {kind: number, min: 1, max: 3, initial: 7}\n",
			"models/acme/x.yaml:4:46: a must be from 1 to 3, not 7",
		},
		{
			"enum without values", head + "properties:\n  a: {kind: enum}\n",
			"models/acme/x.yaml:4:6: a has no values",
		},
		{
			"one word for two values", head + "properties:\n  a: {kind: enum, values: {x: [快], y: [快]}}\n",
			`models/acme/x.yaml:4:39: "快" means x already`,
		},
		{
			"switch with other values", head + "properties:\n  a: {kind: switch, values: {on: [开]}}\n",
			`models/acme/x.yaml:4:34: a switch is true or false, not "on"`,
		},
		{
			"two defaults", head + "properties:\n  a: {kind: number, writable: true, default: true}\n  b: {kind: number, writable: true, default: true}\n",
			"models/acme/x.yaml:5:46: a is the default already",
		},
		{
			"default that is read only", head + "properties:\n  a: {kind: number, default: true}\n",
			"models/acme/x.yaml:4:30: a cannot be the default: it can only be read",
		},
		{
			"hazard without button", head + "properties:\n  a: {kind: switch, writable: true, hazard: [true]}\nclaim: scan\n",
			"models/acme/x.yaml:5:8: a product with a hazard is claimed by pressing its button",
		},
		{
			"hazard of no value", head + "properties:\n  a: {kind: switch, writable: true, hazard: [1]}\nclaim: button\n",
			"models/acme/x.yaml:4:46: a must be true or false, not a number",
		},
		{
			"safe and hazardous", head + "properties:\n  a: {kind: switch, writable: true, hazard: [true], safe: [true]}\nclaim: button\n",
			"models/acme/x.yaml:4:59: true is a hazard already",
		},
		{
			"an anchor", "model: acme/x\nname: &n {zh: 灯}\n",
			"models/acme/x.yaml:2:7: anchors, aliases, tags and the like are not used here",
		},
		{
			"not YAML", "model: acme/x\nname: {zh: 灯\n",
			"models/acme/x.yaml:2:7: this is not YAML",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, files("acme/x", c.yaml), c.want)
		})
	}
}

// wantProblem expects exactly one problem, beginning with want.
func wantProblem(t *testing.T, fsys fstest.MapFS, want string) {
	t.Helper()
	c, err := devices.Load(fsys)
	if err == nil || c != nil {
		t.Fatalf("Load gave %v, %v; want %s", c, err, want)
	}
	if got := err.Error(); !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
		t.Errorf("Load said\n%s\nwant\n%s…", got, want)
	}
	var p *strictyaml.Problem
	if !errors.As(err, &p) {
		t.Errorf("%T is no *strictyaml.Problem", err)
	}
}

// lamp is a maker's small right model; tests of mistakes replace a line of it.
const lamp = `
model: acme/x
name: {zh: 灯}
properties:
  power: {kind: switch, writable: true}
  level: {kind: number, min: 1, max: 9, writable: true}
  mode: {kind: enum, values: {day: [白天], night: [夜里]}}
commands:
  blink: {say: [闪], told: 闪了, with: {times: {kind: number, min: 1, max: 5}}, then: {power: true}}
events:
  late: {when: power && mode == "night", for: 10m, level: suggestion, message: late, ask: [{say: [关], set: {power: false}}]}
  broken: {level: critical, message: broken, ask: [{say: [知道了], ack: true}]}
samples:
  - {given: {mode: night, power: false}, report: {power: true}, raises: [late]}
  - {event: broken}
  - {command: true, do: blink, with: {times: 2}, then: [{after: 1s, report: {power: true}}]}
  - {say: 关灯, set: {power: false}}
`

func TestARightModelLoads(t *testing.T) {
	t.Parallel()
	c, err := devices.Load(files("acme/x", lamp))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("acme/x")
	if p, _ := m.Property("power"); p.Values[1].Told["zh"] != "已关闭" {
		t.Errorf("a switch without words got %v", p.Values)
	}
}

func TestWhatDoesNotFitTogetherIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{
			"unknown property in when", "power &&", "powr &&",
			`10:16: unknown property "powr"; did you mean "power"?`,
		},
		{
			"impossible value in when", `"night",`, `"nite",`,
			`10:33: mode is never "nite"; known are day and night`,
		},
		{
			"compares a switch with a text", "power &&", `power == "on" &&`,
			"10:22: invalid operation: == (mismatched types bool and string)",
		},
		{
			"not a condition", `power && mode == "night"`, "level + 1",
			"10:16: expected bool, but got float64",
		},
		{
			"syntax", `power && mode == "night"`, "power &&",
			"10:23: unexpected token EOF",
		},
		{
			"a function", "power &&", `len(mode) > 2 &&`,
			"10:16: this is not used in rules",
		},
		{
			"a pattern", `mode == "night"`, `mode matches "n.*"`,
			`10:30: the operator "matches" is not used in rules`,
		},
		{
			"constant", `power && mode == "night"`, "1 < 2",
			"10:16: the expression looks at no property",
		},
		{
			"for without when", `when: power && mode == "night", `, ``,
			"10:15: for needs a `when`",
		},
		{
			"for too long", "for: 10m", "for: 100h",
			"10:47: for is longer than a day",
		},
		{
			"for without unit", "for: 10m", "for: 10",
			"10:47: this must be a time span such as 90s, 10m or 2h",
		},
		{
			"no level", "level: critical, ", "",
			"11:11: broken has no level",
		},
		{
			"no message", "message: broken, ", "",
			"11:11: broken has no message",
		},
		{
			"critical without ack", "ack: true", "do: blink, with: {times: 1}",
			"11:11: a critical event goes on until somebody answers",
		},
		{
			"answer sets what it cannot", "set: {power: false}}]}", "set: {mode: day}}]}",
			"10:92: mode can only be read",
		},
		{
			"answer out of range", "set: {power: false}}]}", "set: {level: 10}}]}",
			"10:92: level must be from 1 to 9, not 10",
		},
		{
			"answer does two things", "set: {power: false}}]}", "set: {power: false}, ack: true}]}",
			"10:92: an answer does one thing",
		},
		{
			"answer with unknown command", "set: {power: false}}]}", "do: blnk}]}",
			`10:92: unknown command "blnk"; did you mean "blink"?`,
		},
		{
			"resolves nothing", "broken: {level", "broken: {resolves: lat, level",
			`11:22: unknown event "lat"; did you mean "late"?`,
		},
		{
			"end told twice", "broken: {level", "broken: {resolves: late, level",
			"11:54: the end of late is told by its `cleared`",
		},
		{
			"cleared but never over", "broken: {level", "broken: {cleared: mended, level",
			"11:21: nothing ends this event",
		},
		{
			"sample raises without saying", ", raises: [late]", "",
			"10:9: late has no sample: add one to `samples` that raises it\n" +
				"models/acme/x.yaml:13:5: this raises late: add it to `raises`",
		},
		{
			"report that cannot raise", "raises: [late]", "raises: [late, broken]",
			"13:73: broken has no `when`, so no report raises it: make it `event: broken`",
		},
		{
			"sample does not raise", "report: {power: true}, raises", "report: {power: false}, raises",
			"13:74: this does not raise late",
		},
		{
			"sample with unknown property", "given: {mode: night, ", "given: {mod: night, mode: night, ",
			`13:19: unknown property "mod"; did you mean "mode"?`,
		},
		{
			"sample of two sorts", "- {event: broken}", "- {event: broken, say: 灯坏了}",
			"14:5: a sample is one of report, event, say and command: true",
		},
		{
			"event without sample", "  - {event: broken}\n", "",
			"11:11: broken has no sample",
		},
		{
			"command without sample", "{command: true, do: blink, with: {times: 2}, then: [{after: 1s, report: {power: true}}]}", "{event: broken}",
			"8:10: blink has no sample",
		},
		{
			"command that is never seen done", "then: [{after: 1s, report: {power: true}}]}", "then: [{after: 1s, report: {level: 2}}]}",
			"15:56: the device never comes to report map[power:true]",
		},
		{
			"command lacks its parameter", "with: {times: 2}, then", "then",
			"15:25: blink needs its parameter times",
		},
		{
			"sentence means the impossible", "set: {power: false}}\n", "set: {power: off}}\n",
			"16:20: power must be true or false, not a text",
		},
		{
			"told with unknown parameter", "told: 闪了", `told: "闪了{time}次"`,
			`8:27: {time} is no parameter of blink; did you mean "times"?`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(lamp, c.old) {
				t.Fatalf("the lamp has no %s", c.old)
			}
			fsys := files("acme/x", strings.Replace(lamp, c.old, c.new, 1))
			_, err := devices.Load(fsys)
			t.Logf("%v", err)
			if err == nil || !strings.HasPrefix(err.Error(), "models/acme/x.yaml:"+c.want) {
				t.Errorf("want models/acme/x.yaml:%s", c.want)
			}
		})
	}
}
