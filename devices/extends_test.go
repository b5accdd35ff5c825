package devices_test

import (
	"slices"
	"strings"
	"testing"

	"jiaxin/devices"
)

func TestAMakersModelAddsToTheStandardOne(t *testing.T) {
	t.Parallel()
	c, err := devices.Load(devices.Standard(), files("acme/cool9", `
model: acme/cool9
extends: standard/ac
name: {zh: 酷九空调}
aliases: {zh: [酷九]}
without: [properties.swing, properties.mode.values.auto, aliases.en]
properties:
  target: {max: 28}
  fan: {values: {turbo: [强劲]}}
  ion: {kind: switch, writable: true, name: {zh: 负离子}}
samples:
  - {say: 酷九开强劲, set: {fan: turbo}}
`))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("acme/cool9")
	if m.Name["zh"] != "酷九空调" || m.Name["en"] != "air conditioner" {
		t.Errorf("the name did not merge: %v", m.Name)
	}
	if m.Aliases["zh"][0] != "酷九" || !slices.Contains(m.Aliases["zh"], "冷气") || m.Aliases["en"] != nil {
		t.Errorf("the aliases did not add up: %v", m.Aliases)
	}
	target, _ := m.Property("target")
	if target.Min != 16 || target.Max != 28 || target.Unit != "°C" {
		t.Errorf("the range is %v to %v%s", target.Min, target.Max, target.Unit)
	}
	if _, ok := m.Property("swing"); ok {
		t.Error("swing was left out, and is there")
	}
	mode, _ := m.Property("mode")
	if _, ok := mode.Value("auto"); ok || len(mode.Values) != 4 {
		t.Errorf("modes are %v", mode.Values)
	}
	fan, _ := m.Property("fan")
	if last := fan.Values[len(fan.Values)-1]; last.Value != "turbo" || len(fan.Values) != 5 {
		t.Errorf("fan speeds are %v", fan.Values)
	}
	if last := m.Properties[len(m.Properties)-1].Key; last != "ion" || m.Properties[0].Key != "power" {
		t.Errorf("the order of the properties is lost: %v … %v", m.Properties[0].Key, last)
	}
	if _, ok := m.Event("nobody_home"); !ok || !m.Watches("occupied") || m.Extends != "standard/ac" {
		t.Error("the events were not inherited")
	}
	base, _ := c.Model("standard/ac")
	if p, _ := base.Property("target"); p.Max != 30 {
		t.Error("the base changed with the model that extends it")
	}
}

func TestWhatIsLeftOutTakesItsSamplesAlong(t *testing.T) {
	t.Parallel()
	c, err := devices.Load(devices.Standard(), files("acme/dryless", `
model: acme/dryless
extends: standard/washer
without: [commands.dry, properties.programme, events.done]
`))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("acme/dryless")
	for _, s := range m.Samples {
		if s.Do == "dry" || s.Set["programme"] != nil || slices.Contains(s.Raises, "done") {
			t.Errorf("this sample should have gone: %+v", s)
		}
	}
	if len(m.Samples) < 5 {
		t.Errorf("only %d samples are left", len(m.Samples))
	}
}

func TestExtendsMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pairs []string
		want  string
	}{
		"no such base": {
			[]string{"acme/x", "model: acme/x\nextends: standard/acc\nname: {zh: 灯}\n"},
			`models/acme/x.yaml:2:10: there is no model "standard/acc"; did you mean "standard/ac"?`,
		},
		"circle": {
			[]string{"acme/x", "model: acme/x\nextends: acme/y\nname: {zh: 灯}\n", "acme/y", "model: acme/y\nextends: acme/x\nname: {zh: 灯}\n"},
			`models/acme/y.yaml:2:10: acme/x extends this model in turn: break the circle`,
		},
		"itself": {
			[]string{"acme/x", "model: acme/x\nextends: acme/x\nname: {zh: 灯}\n"},
			`models/acme/x.yaml:2:10: acme/x extends this model in turn`,
		},
		"leaves out nothing": {
			[]string{"acme/x", "model: acme/x\nextends: standard/light\nwithout: [properties.powr]\n"},
			"models/acme/x.yaml:3:11: the base has no properties.powr: delete this",
		},
		"leaves out without a base": {
			[]string{"acme/x", "model: acme/x\nwithout: [properties.power]\nname: {zh: 灯}\n"},
			"models/acme/x.yaml:2:10: without an `extends` there is nothing to leave out",
		},
		"breaks an inherited rule": {
			[]string{"acme/x", "model: acme/x\nextends: standard/ac\nwithout: [properties.occupied]\n"},
			"models/standard/ac.yaml:86:5: nobody_home has no sample",
		},
		"taken id": {
			[]string{"standard/ac", "model: standard/ac\nname: {zh: 灯}\n"},
			"models/standard/ac.yaml:1:1: the model standard/ac is there already",
		},
		"bad file name": {
			[]string{"acme/X", "model: acme/X\nname: {zh: 灯}\n"},
			"models/acme/X.yaml:1:1: models stand in models/<maker>/<model>.yaml",
		},
		"one base's mistake is told once": {
			[]string{
				"acme/a", "model: acme/a\nname: {zh: 灯}\nproperties: {p: {kind: enum}}\n",
				"acme/b", "model: acme/b\nextends: acme/a\n", "acme/c", "model: acme/c\nextends: acme/b\n",
			},
			"models/acme/a.yaml:3:17: p has no values",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := devices.Load(devices.Standard(), files(c.pairs...))
			if err == nil {
				t.Fatal("it loaded")
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("Load said\n%v\nwant\n%s", err, c.want)
			}
			if name == "one base's mistake is told once" && strings.Contains(err.Error(), "\n") {
				t.Errorf("told more than once:\n%v", err)
			}
			if name == "breaks an inherited rule" && !strings.Contains(err.Error(), `ac.yaml:87:11: unknown property "occupied"; known are power, target, mode, fan, swing and temperature (as models/acme/x.yaml extends it)`) {
				t.Errorf("nobody can tell who broke it:\n%v", err)
			}
		})
	}
}
