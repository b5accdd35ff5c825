package fleet

import (
	"math"
	"time"

	"jiaxin/devices"
)

// climate is the only physics here: the room of an appliance that reports a temperature, has a settable target and
// a power switch. While it is on the room goes half a degree a minute towards the target, else back to where it began.
type climate struct {
	room    bool
	ambient float64
	due     time.Time
}

const (
	driftEvery = time.Minute
	driftStep  = 0.5 // degrees
)

func newClimate(m *machine) climate {
	kinds := map[string]devices.Property{}
	for _, p := range m.model.Properties {
		kinds[p.Key] = p
	}
	t, target, power := kinds["temperature"], kinds["target"], kinds["power"]
	ok := t.Kind == devices.Number && !t.Writable && target.Kind == devices.Number && target.Writable && power.Kind == devices.Switch
	ambient, _ := m.props["temperature"].(float64)
	return climate{room: ok, ambient: ambient}
}

// wake plans the next drift if the room is not where it should be, and none if it is.
func (c *climate) wake(m *machine, now time.Time) {
	switch {
	case !c.room || c.gap(m) == 0:
		c.due = time.Time{}
	case c.due.IsZero():
		c.due = now.Add(time.Duration(float64(driftEvery) / m.speed))
	}
}

func (c *climate) gap(m *machine) float64 {
	goal := c.ambient
	if m.props["power"] == true {
		goal, _ = m.props["target"].(float64)
	}
	t, _ := m.props["temperature"].(float64)
	return goal - t
}

func (c *climate) step(m *machine, now time.Time) []output {
	t, _ := m.props["temperature"].(float64)
	gap := c.gap(m)
	t += math.Copysign(min(driftStep, math.Abs(gap)), gap)
	out := m.report(map[string]any{"temperature": t})
	c.due = time.Time{}
	c.wake(m, now)
	return []output{out}
}

func (c *climate) delay(d time.Duration) {
	if !c.due.IsZero() {
		c.due = c.due.Add(d)
	}
}
