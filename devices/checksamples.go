package devices

import (
	"maps"
	"slices"
	"strconv"
)

// samples runs every sample, and says which events and commands have none.
func (c *checker) samples() {
	for i := range c.model.Samples {
		c.sample(&c.model.Samples[i], []string{"samples", strconv.Itoa(i)})
	}
	for _, e := range c.model.Events {
		if !slices.ContainsFunc(c.model.Samples, func(s Sample) bool { return s.Event == e.Key || slices.Contains(s.Raises, e.Key) }) {
			c.failAt([]string{"events", e.Key}, "%s has no sample: add one to `samples` that raises it", e.Key)
		}
	}
	for _, a := range c.model.Commands {
		if !slices.ContainsFunc(c.model.Samples, func(s Sample) bool { return s.Command && s.Do == a.Key }) {
			c.failAt([]string{"commands", a.Key}, "%s has no sample: add `{command: true, do: %s, …}` to `samples`", a.Key, a.Key)
		}
	}
}

func (c *checker) sample(s *Sample, path []string) {
	if !c.oneSort(s, path) {
		return
	}
	c.reported(at(path, "report"), s.Report)
	c.reported(at(path, "given"), s.Given)
	c.raisedKeys(s, path)
	for i, step := range s.Then {
		c.step(step, at(path, "then", strconv.Itoa(i)))
	}
	switch {
	case s.Report != nil:
		c.reportSample(s, path)
	case s.Event != "":
		c.eventSample(s, path)
	default:
		c.wordsSample(s, path)
	}
}

func (c *checker) oneSort(s *Sample, path []string) bool {
	sorts := 0
	for _, is := range []bool{s.Report != nil, s.Event != "", s.Say != "", s.Command} {
		if is {
			sorts++
		}
	}
	acts := s.Set != nil || s.Do != "" || s.With != nil
	told := s.Say != "" || s.Command
	switch {
	case sorts != 1:
		c.failAt(path, "a sample is one of report, event, say and command: true")
	case acts && !told:
		c.failAt(path, "set, do and with belong to say, or to command: true")
	case told && s.Raises != nil:
		c.failAt(at(path, "raises"), "raises belongs to report or event")
	case s.Fields != nil && s.Event == "":
		c.failAt(at(path, "fields"), "fields belong to event")
	case s.Say != "" && (s.Then != nil || s.Given != nil):
		c.failAt(path, "then and given show what a device does, say what a sentence means: make two samples of it")
	default:
		return true
	}
	return false
}

func (c *checker) raisedKeys(s *Sample, path []string) {
	for i, key := range s.Raises {
		if _, ok := c.model.Event(key); !ok {
			c.failErr(at(path, "raises", strconv.Itoa(i)), unknown("event", key, c.model.eventKeys()))
		}
	}
}

func (c *checker) step(s Step, path []string) {
	if s.Report == nil && s.Event == "" {
		c.failAt(path, "a step needs a report or an event")
	}
	c.reported(at(path, "report"), s.Report)
	if _, ok := c.model.Event(s.Event); s.Event != "" && !ok {
		c.failErr(at(path, "event"), unknown("event", s.Event, c.model.eventKeys()))
	}
	if _, ok := s.Report[Online]; ok {
		c.failAt(at(path, "report", Online), "online is the broker's word: a device does not report it")
	}
}

// reportSample: exactly the events in raises begin to hold with the report. A device is online unless given otherwise.
func (c *checker) reportSample(s *Sample, path []string) {
	before := map[string]any{Online: true}
	maps.Copy(before, s.Given)
	after := maps.Clone(before)
	maps.Copy(after, s.Report)
	was := c.model.Raised(before)
	for _, r := range c.model.rules {
		holds := c.model.Raised(after)[r.event] && !was[r.event]
		switch listed := slices.Contains(s.Raises, r.event); {
		case holds && !listed:
			c.failAt(path, "this raises %s: add it to `raises`, or mend the event's `when`", r.event)
		case listed && !holds:
			c.failAt(at(path, "raises"), "this does not raise %s: mend the report, or the event's `when`", r.event)
		}
	}
	for _, key := range s.Raises {
		if e, ok := c.model.Event(key); ok && e.When == "" {
			c.failAt(at(path, "raises"), "%s has no `when`, so no report raises it: make it `event: %s`", key, key)
		}
	}
}

func (c *checker) eventSample(s *Sample, path []string) {
	e, ok := c.model.Event(s.Event)
	if !ok {
		c.failErr(at(path, "event"), unknown("event", s.Event, c.model.eventKeys()))
		return
	}
	if s.Raises != nil && !slices.Equal(s.Raises, []string{s.Event}) {
		c.failAt(at(path, "raises"), "a published event raises itself: delete this")
	}
	for _, key := range sortedKeys(s.Fields) {
		p, ok := findProperty(e.Fields, key)
		if !ok {
			c.failErr(at(path, "fields", key), unknown("field", key, propertyKeys(e.Fields)))
			continue
		}
		c.failErr(at(path, "fields", key), p.Check(s.Fields[key]))
	}
}

// wordsSample: what is said or told can be done, and a command's then-steps come to what proves it.
func (c *checker) wordsSample(s *Sample, path []string) {
	if (s.Set == nil) == (s.Do == "") {
		c.failAt(path, "a %s sample needs either set or do", map[bool]string{true: "command", false: "say"}[s.Command])
		return
	}
	if err := c.model.checkAct(s.Set, s.Do, s.With); err != nil {
		c.failErr(at(path, map[bool]string{true: "set", false: "do"}[s.Set != nil]), err)
		return
	}
	if s.Command {
		c.proves(s, path)
	}
}

func (c *checker) proves(s *Sample, path []string) {
	wanted := s.Set
	if a, ok := c.model.Action(s.Do); ok {
		wanted = a.Then
	} else if s.Then == nil {
		return // a simulator reports what was set
	}
	state := map[string]any{}
	maps.Copy(state, s.Given)
	reached := len(wanted) == 0
	for _, step := range s.Then {
		maps.Copy(state, step.Report)
		reached = reached || includes(state, wanted)
	}
	if !reached {
		c.failAt(at(path, "then"), "the device never comes to report %v: add a step that does", wanted)
	}
}

func includes(state, wanted map[string]any) bool {
	for key, v := range wanted {
		if state[key] != v {
			return false
		}
	}
	return true
}
