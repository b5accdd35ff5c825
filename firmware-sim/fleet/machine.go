package fleet

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"jiaxin/devices"
)

// machine is the inside of an appliance: its properties and what is going to happen to them. It is made of the
// model alone, does no I/O and has no clock: whoever calls it says what time it is. Not safe for concurrent use.
type machine struct {
	model   *devices.Model
	speed   float64 // how much faster than life the samples' steps run
	props   map[string]any
	scripts []*script
	climate climate
	frozen  time.Time // when the power went; zero: powered
}

// output is one thing that the appliance says: either its changed properties or an event.
type output struct {
	props  map[string]any
	event  string
	fields map[string]any
}

func newMachine(model *devices.Model, speed float64) *machine {
	if speed <= 0 {
		speed = 1
	}
	m := &machine{model: model, speed: speed, props: map[string]any{}}
	for _, p := range model.Properties {
		m.props[p.Key] = p.Start()
	}
	m.climate = newClimate(m)
	return m
}

// set changes properties as asked by a command or by a hand on the appliance, and starts what follows from that.
func (m *machine) set(values map[string]any, now time.Time) []output {
	then := m.follows(values)
	m.interrupt(values, then)
	out := append([]output{m.report(values)}, m.start(then, now)...)
	m.climate.wake(m, now)
	return out
}

// do performs an action: the steps of its sample, or where it has none the properties that prove it.
func (m *machine) do(action string, with map[string]any, now time.Time) []output {
	steps := m.performance(action, with)
	m.interrupt(nil, steps)
	out := m.start(steps, now)
	m.climate.wake(m, now)
	return out
}

// happen plays a sample: what it reports and then its steps.
func (m *machine) happen(s devices.Sample, now time.Time) []output {
	if s.Command {
		if s.Do != "" {
			return m.do(s.Do, s.With, now)
		}
		return m.set(s.Set, now)
	}
	m.interrupt(s.Report, s.Then)
	out := append(m.opening(s), m.start(s.Then, now)...)
	m.climate.wake(m, now)
	return out
}

// opening is what a sample's appliance says before its steps. A sample that raises something needs its beginning: what
// it takes for granted and is not so is reported first. To others Given is just where they were seen.
func (m *machine) opening(s devices.Sample) []output {
	var out []output
	if len(s.Raises) > 0 {
		if before := m.report(m.unlike(s.Given)); len(before.props) > 0 {
			out = append(out, before)
		}
	}
	if len(s.Report) > 0 {
		out = append(out, m.report(s.Report))
	}
	if s.Event != "" {
		out = append(out, output{event: s.Event, fields: s.Fields})
	}
	return out
}

// report takes values over, kept in the range of their property, and returns what to say about them.
func (m *machine) report(values map[string]any) output {
	said := make(map[string]any, len(values))
	for key, v := range values {
		if p, ok := m.model.Property(key); ok { // devices.Online is no property and is not for the device to say
			said[key] = within(p, v)
		}
	}
	maps.Copy(m.props, said)
	return output{props: said}
}

// unlike returns the values that differ from the present ones.
func (m *machine) unlike(values map[string]any) map[string]any {
	diff := map[string]any{}
	for k, v := range values {
		if v != m.props[k] {
			diff[k] = v
		}
	}
	return diff
}

// next is when advance has something to do; zero: never.
func (m *machine) next() time.Time {
	if !m.frozen.IsZero() {
		return time.Time{}
	}
	due := m.climate.due
	for _, s := range m.scripts {
		due = earlier(due, s.steps[0].due)
	}
	return due
}

// advance lets everything happen that is due, in the order in which it falls due.
func (m *machine) advance(now time.Time) []output {
	var out []output
	for {
		due := m.next()
		if due.IsZero() || due.After(now) {
			return out
		}
		if due.Equal(m.climate.due) {
			out = append(out, m.climate.step(m, due)...)
			continue
		}
		out = append(out, m.step(due)...)
		m.climate.wake(m, due)
	}
}

// freeze stops time for a machine without power; thaw lets it go on where it was.
func (m *machine) freeze(now time.Time) {
	if m.frozen.IsZero() {
		m.frozen = now
	}
}

func (m *machine) thaw(now time.Time) {
	if m.frozen.IsZero() {
		return
	}
	lost := now.Sub(m.frozen)
	m.frozen = time.Time{}
	m.climate.delay(lost)
	for _, s := range m.scripts {
		for i := range s.steps {
			s.steps[i].due = s.steps[i].due.Add(lost)
		}
	}
}

func within(p *devices.Property, v any) any {
	n, ok := v.(float64)
	if !ok || p.Min == p.Max {
		return v
	}
	return min(max(n, p.Min), p.Max)
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// scenes are the named samples, numbered from 1.
func (m *machine) scenes() []Scene {
	var out []Scene
	for _, s := range m.model.Samples {
		if s.Name.In("zh") != "" {
			out = append(out, Scene{ID: strconv.Itoa(len(out) + 1), Name: s.Name})
		}
	}
	return out
}

// scene returns the sample that scenes lists under this id.
func (m *machine) scene(id string) (devices.Sample, error) {
	n := 0
	for _, s := range m.model.Samples {
		if s.Name.In("zh") == "" {
			continue
		}
		if n++; strconv.Itoa(n) == id {
			return s, nil
		}
	}
	return devices.Sample{}, fmt.Errorf("%w: %s has the scenes 1 to %d, not %q", ErrUnknown, m.model.ID, n, id)
}
