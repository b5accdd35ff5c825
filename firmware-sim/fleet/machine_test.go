package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"jiaxin/devices"
)

// morning is when these stories begin.
var morning = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// story writes outputs in one line: {left:10} !dry {heat:0}.
func story(outputs []output) string {
	var parts []string
	for _, o := range outputs {
		switch {
		case o.event != "":
			parts = append(parts, "!"+o.event)
		default:
			parts = append(parts, strings.TrimPrefix(fmt.Sprint(o.props), "map"))
		}
	}
	return strings.Join(parts, " ")
}

func wantStory(t *testing.T, got []output, want string) {
	t.Helper()
	if s := story(got); s != want {
		t.Errorf("it says %q, want %q", s, want)
	}
}

func TestPotCooksThroughItsPhases(t *testing.T) {
	t.Parallel()
	m := newMachine(testModel(t, "test/pot"), 1)
	wantStory(t, m.do("cook", map[string]any{"dish": "粥"}, morning), "[dish:粥 left:20 phase:cooking]")
	wantStory(t, m.advance(morning.Add(9*time.Minute)), "")
	wantStory(t, m.advance(morning.Add(10*time.Minute)), "[left:10]")
	if next := m.next(); !next.Equal(morning.Add(20 * time.Minute)) {
		t.Errorf("the next step is at %s", next)
	}
	wantStory(t, m.advance(morning.Add(time.Hour)), "[left:0 phase:done]")
	if !m.next().IsZero() {
		t.Error("something is still to come")
	}
}

func TestWasherThatWeShipWashesAndDries(t *testing.T) {
	t.Parallel()
	model, _ := standardCatalog(t).Model("standard/washer")
	m := newMachine(model, 1)
	now := morning
	for _, act := range []struct{ do, first, last string }{
		{"start", "washing", "done"},
		{"dry", "drying", "idle"},
		{"start", "washing", "done"},
		{"tumble", "tumbling", "idle"},
	} {
		m.do(act.do, nil, now)
		if m.props["phase"] != act.first || m.props["remaining"] == 0.0 {
			t.Errorf("just after %s: %v", act.do, m.props)
		}
		for !m.next().IsZero() {
			now = m.next()
			m.advance(now)
		}
		if m.props["phase"] != act.last || m.props["remaining"] != 0.0 {
			t.Errorf("at the end of %s: %v", act.do, m.props)
		}
	}
	m.do("start", nil, now)
	m.do("pause", nil, now)
	if m.advance(now.Add(24 * time.Hour)); m.props["phase"] != "paused" {
		t.Errorf("a day after the pause: %v", m.props)
	}
}

func TestSpeedShortensTheSteps(t *testing.T) {
	t.Parallel()
	m := newMachine(testModel(t, "test/pot"), 60)
	m.do("cook", map[string]any{"dish": "粥"}, morning)
	wantStory(t, m.advance(morning.Add(20*time.Second)), "[left:10] [left:0 phase:done]")
}

func TestCommandsOwnWordsReplaceTheSamples(t *testing.T) {
	t.Parallel()
	m := newMachine(testModel(t, "test/pot"), 1)
	wantStory(t, m.do("cook", map[string]any{"dish": "米饭"}, morning), "[dish:米饭 left:20 phase:cooking]")
}

func TestWhatTakesHoldOfAPropertyEndsItsScript(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(*machine) []output{
		"the stop action": func(m *machine) []output { return m.do("stop", nil, morning) },
		"switching off":   func(m *machine) []output { return m.set(map[string]any{"power": false}, morning) },
	} {
		m := newMachine(testModel(t, "test/pot"), 1)
		m.do("cook", map[string]any{"dish": "粥"}, morning)
		interrupt(m)
		if got := m.advance(morning.Add(time.Hour)); got != nil || m.props["phase"] != "idle" {
			t.Errorf("%s: it cooks on: %s, %v", name, story(got), m.props)
		}
	}
}

func TestSettingSomethingElseDoesNotEndTheScript(t *testing.T) {
	t.Parallel()
	m := newMachine(testModel(t, "test/pot"), 1)
	m.do("cook", map[string]any{"dish": "粥"}, morning)
	m.set(map[string]any{"power": true}, morning)
	wantStory(t, m.advance(morning.Add(10*time.Minute)), "[left:10]")
}

func TestWhatIsAskedForIsDoneWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		act        func(*machine) []output
		now, later string
	}{
		{"a set whose sample takes a second", func(m *machine) []output { return m.set(map[string]any{"heat": 50.0}, morning) }, "[heat:50]", "[left:5]"},
		{"the same to another number", func(m *machine) []output { return m.set(map[string]any{"heat": 70.0}, morning) }, "[heat:70]", "[left:5]"},
		{"a set without a sample", func(m *machine) []output { return m.set(map[string]any{"power": true}, morning) }, "[power:true]", ""},
		{"an action whose sample takes five seconds", func(m *machine) []output { return m.do("stop", nil, morning) }, "[left:0 phase:idle]", ""},
		{"an action that nothing proves", func(m *machine) []output { return m.do("ring", nil, morning) }, "", "!click"},
	} {
		m := newMachine(testModel(t, "test/pot"), 1)
		t.Log(c.name)
		wantStory(t, c.act(m), c.now)
		wantStory(t, m.advance(morning.Add(time.Hour)), c.later)
	}
}

func TestScenesHappen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ id, now, later string }{
		{"1", "[dish:粥 left:20 phase:cooking]", "[left:10] [left:0 phase:done]"},
		{"2", "!dry", "[heat:0]"},
		{"3", "!click", ""},
		{"4", "[phase:idle]", ""},
		{"5", "[phase:cooking] [phase:done]", ""}, // it raises something, so what it takes for granted comes first
	} {
		m := newMachine(testModel(t, "test/pot"), 1)
		sample, err := m.scene(c.id)
		if err != nil {
			t.Fatal(err)
		}
		wantStory(t, m.happen(sample, morning), c.now)
		wantStory(t, m.advance(morning.Add(time.Hour)), c.later)
	}
	if _, err := newMachine(testModel(t, "test/pot"), 1).scene("6"); err == nil {
		t.Error("there is a sixth scene")
	}
}

func TestTimeStandsStillWithoutPower(t *testing.T) {
	t.Parallel()
	m := newMachine(testModel(t, "test/pot"), 1)
	m.do("cook", map[string]any{"dish": "粥"}, morning)
	m.freeze(morning.Add(4 * time.Minute))
	wantStory(t, m.advance(morning.Add(time.Hour)), "")
	m.thaw(morning.Add(time.Hour))
	wantStory(t, m.advance(morning.Add(time.Hour+6*time.Minute-1)), "")
	wantStory(t, m.advance(morning.Add(time.Hour+6*time.Minute)), "[left:10]")
}

func TestRoomDriftsToTheTargetAndBack(t *testing.T) {
	t.Parallel()
	m := newMachine(testModel(t, "test/heater"), 1)
	m.set(map[string]any{"power": true}, morning)
	wantStory(t, m.advance(morning.Add(time.Hour)), "[temperature:20.5] [temperature:21]")
	m.set(map[string]any{"power": false}, morning.Add(time.Hour))
	wantStory(t, m.advance(morning.Add(2*time.Hour)), "[temperature:20.5] [temperature:20]")
	if !m.next().IsZero() {
		t.Error("a room at rest still drifts")
	}
}

func TestNumbersStayInTheirRange(t *testing.T) {
	t.Parallel()
	m := newMachine(testModel(t, "test/pot"), 1)
	wantStory(t, []output{m.report(map[string]any{"heat": 140.0, "left": -3.0})}, "[heat:100 left:0]")
}

// TestStandardModels plays every scene and every command sample of every model that we ship to its end, and lets the
// gateway's own decoder judge all that is said.
func TestStandardModels(t *testing.T) {
	t.Parallel()
	for _, model := range standardCatalog(t).Models() {
		for i, sample := range model.Samples {
			if sample.Say != "" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", model.ID, i+1), func(t *testing.T) {
				t.Parallel()
				m := newMachine(model, 1)
				judge(t, model, []output{{props: m.props}})
				judge(t, model, append(m.happen(sample, morning), m.advance(morning.Add(24*time.Hour))...))
			})
		}
	}
}

func standardCatalog(t *testing.T) *devices.Catalog {
	t.Helper()
	c, err := devices.Load(devices.Standard())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func judge(t *testing.T, model *devices.Model, outputs []output) {
	t.Helper()
	for _, o := range outputs {
		if o.event != "" {
			payload := mustJSON(t, devices.EventReport{ID: "b-1", Event: o.event, At: morning, Fields: o.fields})
			if _, err := devices.DecodeEvent(model, payload); err != nil {
				t.Errorf("%s: %v", payload, err)
			}
			continue
		}
		payload := mustJSON(t, o.props)
		values, err := devices.DecodeProperties(model, payload)
		if err != nil {
			t.Errorf("%s: %v", payload, err)
		}
		for k, v := range values {
			if p, _ := model.Property(k); p.CheckRange(v) != nil {
				t.Error(p.CheckRange(v))
			}
		}
	}
}
