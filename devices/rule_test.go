package devices_test

import (
	"maps"
	"testing"

	"jiaxin/devices"
)

type props = map[string]any

func TestRulesHoldEndOrAreUnknown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		model string
		props props
		want  map[string]bool
	}{
		{"nothing reported", "standard/ac", props{}, map[string]bool{}},
		{"connected", "standard/ac", props{"online": true}, map[string]bool{"offline": false}},
		{"gone", "standard/ac", props{"online": false}, map[string]bool{"offline": true}},
		{"nobody home, power never reported", "standard/ac", props{"occupied": false}, map[string]bool{}},
		{"nobody home, off", "standard/ac", props{"occupied": false, "power": false}, map[string]bool{"nobody_home": false}},
		{"nobody home, on", "standard/ac", props{"occupied": false, "power": true}, map[string]bool{"nobody_home": true}},
		{
			"somebody home", "standard/ac",
			props{"occupied": true, "power": true, "online": true},
			map[string]bool{"nobody_home": false, "offline": false},
		},
		{"washing", "standard/washer", props{"phase": "washing"}, map[string]bool{"done": false}},
		{"washed", "standard/washer", props{"phase": "done", "remaining": 0.0}, map[string]bool{"done": true}},
		{"leaking", "standard/gas-alarm", props{"leaking": true}, map[string]bool{"gas_leak": true}},
		{"a value that Decode would not let in", "standard/ac", props{"occupied": false, "power": 1}, map[string]bool{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := model(t, c.model).Raised(c.props); !maps.Equal(got, c.want) {
				t.Errorf("Raised(%v) = %v, want %v", c.props, got, c.want)
			}
		})
	}
}

func TestRulesOfNumbersAndLists(t *testing.T) {
	t.Parallel()
	c, err := devices.Load(files("acme/heater", `
model: acme/heater
name: {zh: 取暖器}
properties:
  temperature: {kind: number}
  target: {kind: number}
  mode: {kind: enum, values: {eco: [省电], full: [全开], off: [停]}}
events:
  hot: {when: "temperature > target + 5 and not (mode in ['off', 'eco'])", level: warning, message: hot}
samples:
  - {given: {target: 20, mode: full}, report: {temperature: 25.5}, raises: [hot]}
  - {given: {target: 20, mode: eco}, report: {temperature: 25.5}}
`))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("acme/heater")
	for _, key := range []string{"temperature", "target", "mode"} {
		if !m.Watches(key) {
			t.Errorf("the rule does not watch %s", key)
		}
	}
	if m.Watches("online") {
		t.Error("the rule watches online")
	}
	if got := m.Raised(props{"temperature": 26.0, "target": 20.0, "mode": "full"}); !got["hot"] {
		t.Errorf("26 degrees are not hot: %v", got)
	}
}

func BenchmarkRaised(b *testing.B) {
	m := model(b, "standard/ac")
	state := props{"online": true, "power": true, "occupied": false, "target": 26.0}
	b.ReportAllocs()
	for b.Loop() {
		m.Raised(state)
	}
}
