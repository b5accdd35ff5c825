package fleet

import (
	"maps"
	"slices"
	"time"

	"jiaxin/devices"
)

// script is a sequence of steps on its way; it is dropped as a whole when something else takes hold of a property
// that it was still going to change, as a washer that is stopped does not go on counting its minutes.
type script struct {
	steps []timedStep // never empty while it is kept
}

type timedStep struct {
	due    time.Time
	report map[string]any
	event  string
}

// start schedules the steps, each so long after the one before, says what is to be said at once, and returns it.
func (m *machine) start(steps []devices.Step, now time.Time) []output {
	s := &script{}
	due := now
	for _, step := range steps {
		due = due.Add(time.Duration(float64(step.After) / m.speed))
		s.steps = append(s.steps, timedStep{due, step.Report, step.Event})
	}
	if len(s.steps) == 0 {
		return nil
	}
	m.scripts = append(m.scripts, s)
	return m.advance(now)
}

// step performs the first step that is due at that moment.
func (m *machine) step(due time.Time) []output {
	for i, s := range m.scripts {
		if !s.steps[0].due.Equal(due) {
			continue
		}
		first := s.steps[0]
		if s.steps = s.steps[1:]; len(s.steps) == 0 {
			m.scripts = append(m.scripts[:i], m.scripts[i+1:]...)
		}
		return m.say(first)
	}
	return nil
}

func (m *machine) say(s timedStep) []output {
	var out []output
	if len(s.report) > 0 {
		out = append(out, m.report(s.report))
	}
	if s.event != "" {
		out = append(out, output{event: s.event})
	}
	return out
}

// interrupt drops every script that was still going to change one of these values, or one that the steps change.
func (m *machine) interrupt(values map[string]any, steps []devices.Step) {
	touched := map[string]bool{}
	for k := range values {
		touched[k] = true
	}
	for _, s := range steps {
		for k := range s.Report {
			touched[k] = true
		}
	}
	kept := m.scripts[:0]
	for _, s := range m.scripts {
		if !s.touches(touched) {
			kept = append(kept, s)
		}
	}
	m.scripts = kept
}

func (s *script) touches(keys map[string]bool) bool {
	for _, step := range s.steps {
		for k := range step.report {
			if keys[k] {
				return true
			}
		}
	}
	return false
}

// follows is what setting these values leads to, by the command sample that sets most of them. A number or text of the
// sample stands for any other. Steps that only repeat what is being set are left out: it is done when it is answered.
func (m *machine) follows(values map[string]any) []devices.Step {
	best := m.sample(func(s devices.Sample) int {
		if s.Do != "" || !m.alike(s.Set, values) {
			return 0
		}
		return len(s.Set)
	})
	var out []devices.Step
	for _, step := range best.Then {
		step.Report = maps.Clone(step.Report)
		maps.DeleteFunc(step.Report, func(k string, v any) bool { return v == best.Set[k] })
		if len(step.Report) > 0 || step.Event != "" {
			out = append(out, step)
		}
	}
	return out
}

// alike says whether the values set the same as the sample does, but perhaps to another number or text.
func (m *machine) alike(sample, values map[string]any) bool {
	for k, v := range sample {
		got, ok := values[k]
		p, known := m.model.Property(k)
		if !ok || !known || (got != v && (p.Kind == devices.Switch || p.Kind == devices.Enum)) {
			return false
		}
	}
	return true
}

// performance is what doing an action looks like: its sample's steps, with the command's own parameters for those of
// the sample. The steps up to the one that proves the action are not waited for: it is done when it is answered.
func (m *machine) performance(action string, with map[string]any) []devices.Step {
	proof := map[string]any{}
	if a, ok := m.model.Action(action); ok {
		proof = a.Then
	}
	best := m.sample(func(s devices.Sample) int {
		switch {
		case s.Do != action:
			return 0
		case maps.Equal(s.With, with):
			return 2
		}
		return 1
	})
	if len(best.Then) == 0 && len(proof) > 0 {
		return []devices.Step{{Report: proof}}
	}
	return hurried(swapped(best.Then, exchange(best.With, with)), proof)
}

// hurried takes the waits out of the steps that lead to the proof.
func hurried(steps []devices.Step, proof map[string]any) []devices.Step {
	out, state := slices.Clone(steps), map[string]any{}
	for i := range out {
		if holds(state, proof) {
			break
		}
		maps.Copy(state, out[i].Report)
		out[i].After = 0
	}
	return out
}

// sample returns the command sample that fits best, 0 being not at all. Of two that fit as well, one whose Given holds
// just now is taken, then the earlier.
func (m *machine) sample(fit func(devices.Sample) int) devices.Sample {
	best, most := devices.Sample{}, 0
	for _, s := range m.model.Samples {
		if !s.Command {
			continue
		}
		score := 2 * fit(s)
		if score > 0 && holds(m.props, s.Given) {
			score++
		}
		if score > most {
			best, most = s, score
		}
	}
	return best
}

// holds says whether every wanted value is among the given ones.
func holds(given, wanted map[string]any) bool {
	for k, v := range wanted {
		if got, ok := given[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// exchange maps the sample's parameter values to the command's. A switch is left out: true would mean too much.
func exchange(sample, command map[string]any) map[any]any {
	swap := map[any]any{}
	for k, v := range sample {
		got, ok := command[k]
		if _, isSwitch := v.(bool); ok && !isSwitch {
			swap[v] = got
		}
	}
	return swap
}

func swapped(steps []devices.Step, swap map[any]any) []devices.Step {
	out := slices.Clone(steps)
	for i := range out {
		out[i].Report = maps.Clone(out[i].Report)
		for k, v := range out[i].Report {
			if other, ok := swap[v]; ok {
				out[i].Report[k] = other
			}
		}
	}
	return out
}
