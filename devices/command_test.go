package devices_test

import (
	"strings"
	"testing"

	"jiaxin/devices"
)

func TestOnlyWhatADeviceCanDoIsAccepted(t *testing.T) {
	t.Parallel()
	ac, tv := model(t, "standard/ac"), model(t, "standard/tv")
	for _, c := range []struct {
		err  error
		want string
	}{
		{ac.CheckSet(props{"power": false, "target": 26.0}), ""},
		{ac.CheckSet(props{"target": 31.0}), "target must be from 16 to 30°C, not 31"},
		{ac.CheckSet(props{"target": 15.5}), "target must be from 16 to 30°C, not 15.5"},
		{ac.CheckSet(props{"target": 16.0}), ""},
		{ac.CheckSet(props{"target": 30.0}), ""},
		{ac.CheckSet(props{"target": "26"}), "target must be a number, not a text"},
		{ac.CheckSet(props{"target": 26}), "target must be a number, not int"},
		{ac.CheckSet(props{"mode": "cold"}), `mode is never "cold"; did you mean "cool"?`},
		{ac.CheckSet(props{"temperature": 20.0}), "temperature can only be read"},
		{ac.CheckSet(props{"targe": 20.0}), `unknown property "targe"; did you mean "target"?`},
		{ac.CheckSet(nil), "nothing to set"},
		{tv.CheckDo("play", props{"title": "西游记"}), ""},
		{tv.CheckDo("play", nil), "play needs its parameter title"},
		{tv.CheckDo("play", props{"title": "a", "loud": true}), `unknown parameter "loud"`},
		{tv.CheckDo("play", props{"title": strings.Repeat("长", 400)}), "title has 1200 bytes"},
		{tv.CheckDo("paly", nil), `unknown command "paly"; did you mean "play"?`},
	} {
		switch {
		case c.want == "" && c.err != nil:
			t.Errorf("refused: %v", c.err)
		case c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)):
			t.Errorf("got %v, want %s", c.err, c.want)
		}
	}
}

func TestHazardsAndSafeDirections(t *testing.T) {
	t.Parallel()
	valve, ac, washer := model(t, "standard/gas-valve"), model(t, "standard/ac"), model(t, "standard/washer")
	for _, c := range []struct {
		model        *devices.Model
		command      devices.Command
		hazard, safe bool
	}{
		{valve, devices.Command{Set: props{"open": true}}, true, false},
		{valve, devices.Command{Set: props{"open": false}}, false, true},
		{ac, devices.Command{Set: props{"power": false}}, false, true},
		{ac, devices.Command{Set: props{"power": true}}, false, false},
		{ac, devices.Command{Set: props{"power": false, "target": 20.0}}, false, false},
		{washer, devices.Command{Do: "dry"}, false, false},
		{washer, devices.Command{Do: "unheard-of"}, false, false},
		{valve, devices.Command{}, false, false},
	} {
		if c.model.Hazardous(c.command) != c.hazard || c.model.SafeDirection(c.command) != c.safe {
			t.Errorf("%s %+v: hazard %v, safe %v", c.model.ID, c.command, c.model.Hazardous(c.command), c.model.SafeDirection(c.command))
		}
	}
	if !valve.Hazards() || valve.Claim != devices.ClaimButton || ac.Hazards() {
		t.Error("the valve is hazardous and claimed by button, the air conditioner is neither")
	}
}

func TestAHazardOfAnySettingAndOfACommand(t *testing.T) {
	t.Parallel()
	c, err := devices.Load(files("acme/oven", `
model: acme/oven
name: {zh: 烤箱}
properties:
  heat: {kind: number, min: 0, max: 250, writable: true, hazard: set, safe: [0]}
commands:
  clean: {say: [自洁], told: 自洁中, hazard: true}
  stop: {say: [停], told: 已停, safe: true}
claim: button
samples:
  - {command: true, do: clean}
  - {command: true, do: stop}
`))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("acme/oven")
	if !m.Hazardous(devices.Command{Set: props{"heat": 50.0}}) || !m.Hazardous(devices.Command{Do: "clean"}) {
		t.Error("the oven's heat and cleaning are hazards")
	}
	if !m.SafeDirection(devices.Command{Do: "stop"}) || m.SafeDirection(devices.Command{Do: "clean"}) {
		t.Error("stopping is safe, cleaning is not")
	}
	off := devices.Command{Set: props{"heat": 0.0}}
	if m.Hazardous(off) || !m.SafeDirection(off) || m.SafeDirection(devices.Command{Set: props{"heat": 50.0}}) {
		t.Error("heat 0 is the safe one of the hazardous settings")
	}
}

func TestCommandsInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		model, lang string
		command     devices.Command
		told, asked string
	}{
		{"ac", "zh", devices.Command{Set: props{"power": false}}, "已关", "关掉"},
		{"ac", "zh", devices.Command{Set: props{"power": true}}, "已开", "打开"},
		{"ac", "en", devices.Command{Set: props{"power": false}}, "turned off", "turn off"},
		{"ac", "zh", devices.Command{Set: props{"target": 26.0}}, "温度已设为26度", "把温度设为26度"},
		{"ac", "zh-TW", devices.Command{Set: props{"target": 26.5}}, "温度已设为26.5度", "把温度设为26.5度"},
		{"ac", "en", devices.Command{Set: props{"target": 26.0}}, "temperature set to 26°C", "set temperature to 26°C"},
		{"ac", "zh", devices.Command{Set: props{"mode": "dry"}}, "模式已设为除湿", "把模式设为除湿"},
		{"ac", "zh", devices.Command{Set: props{"target": 26.0, "power": true}}, "已开,温度已设为26度", "打开,把温度设为26度"},
		{"washer", "zh", devices.Command{Do: "dry"}, "正在烘干", "烘干"},
		{"washer", "en", devices.Command{Do: "tumble"}, "now tumbling", "tumble"},
		{"tv", "zh", devices.Command{Do: "play", With: props{"title": "{title}西游记"}}, "正在播放{title}西游记", "播放"},
		{"light", "zh", devices.Command{Set: props{"brightness": 50.0}}, "亮度已设为50%", "把亮度设为50%"},
		{"light", "en", devices.Command{Set: props{"colour_temperature": 4000.0}}, "colour temperature set to 4000 K", "set colour temperature to 4000 K"},
		{"gas-valve", "zh", devices.Command{Set: props{"open": false}}, "已关闭", "关闭"},
		{"gas-valve", "zh", devices.Command{Set: props{"open": true}}, "已打开", "打开"},
	} {
		m := model(t, "standard/"+c.model)
		if got := m.Told(c.command, c.lang); got != c.told {
			t.Errorf("Told %s %+v = %q, want %q", c.model, c.command, got, c.told)
		}
		if got := m.Asked(c.command, c.lang); got != c.asked {
			t.Errorf("Asked %s %+v = %q, want %q", c.model, c.command, got, c.asked)
		}
	}
}

func TestASimulatedDeviceBeginsWithValuesOfItsModel(t *testing.T) {
	t.Parallel()
	for _, m := range standard(t).Models() {
		for _, p := range m.Properties {
			if err := p.CheckRange(p.Start()); err != nil {
				t.Errorf("%s: %v", m.ID, err)
			}
		}
	}
}
