package home

import (
	"maps"
	"slices"
	"time"

	"jiaxin/devices"
)

// Properties is what a device reports of its state.
type Properties struct {
	Device string // address
	Values map[string]any
}

func (in Properties) apply(h *Household, now time.Time) {
	d := h.Device(in.Device)
	if d == nil {
		return
	}
	if d.Props == nil {
		d.Props = map[string]any{}
	}
	maps.Copy(d.Props, in.Values)
	h.heard(d, now)
	h.runRules(d, now)
	h.denied(d, in.Values, now)
	h.verify(d, now)
}

// heard notes a sign of life. A device that speaks is online, whatever was known of it before.
func (h *Household) heard(d *Device, now time.Time) {
	d.Heard = now
	if !d.Online {
		h.presence(d, true, now)
	}
}

// Happened is an event that a device published itself.
type Happened struct {
	Device string
	Report devices.EventReport
}

func (in Happened) apply(h *Household, now time.Time) {
	d := h.Device(in.Device)
	id := short(in.Report.ID)
	if d == nil || slices.Contains(d.Events, id) {
		return
	}
	d.Events = newest(append(d.Events, id), maxEvents)
	h.heard(d, now)
	m := h.model(d)
	if m == nil {
		return
	}
	e, ok := m.Event(in.Report.Event)
	if !ok {
		return
	}
	if e.Resolves != "" {
		h.end(d, e.Resolves, now)
		return
	}
	h.raise(d, e, in.Report.Fields, now)
}

// Presence is a device coming or going, as the broker sees it.
type Presence struct {
	Device string
	Online bool
}

func (in Presence) apply(h *Household, now time.Time) {
	if d := h.Device(in.Device); d != nil && d.Online != in.Online {
		h.presence(d, in.Online, now)
	}
}

func (h *Household) presence(d *Device, online bool, now time.Time) {
	d.Online = online
	what := "offline"
	if online {
		what, d.Heard = "online", now
	}
	h.log(Entry{At: now, What: "device", Device: d.Address, Detail: what})
	h.runRules(d, now)
	if online {
		h.resend(d, now)
	}
}

// runRules looks at every When of the device after its state has changed.
func (h *Household) runRules(d *Device, now time.Time) {
	m := h.model(d)
	if m == nil {
		return
	}
	props := maps.Clone(d.Props)
	if props == nil {
		props = map[string]any{}
	}
	props[devices.Online] = d.Online
	known := m.Raised(props)
	for i := range m.Events {
		if active, ok := known[m.Events[i].Key]; ok {
			h.runRule(d, &m.Events[i], active, now)
		}
	}
}

// denied ends the incidents that the device published itself and whose state it now reports not to be.
func (h *Household) denied(d *Device, reported map[string]any, now time.Time) {
	m := h.model(d)
	for i := 0; m != nil && i < len(m.Events); i++ {
		e := &m.Events[i]
		if _, holds := d.Rules[e.Key]; holds || h.incident(d.Address, e.Key) == nil {
			continue
		}
		for key := range reported {
			if m.LooksAt(e.Key, key) {
				h.end(d, e.Key, now)
				break
			}
		}
	}
}

func (h *Household) runRule(d *Device, e *devices.Event, active bool, now time.Time) {
	_, was := d.Rules[e.Key]
	switch {
	case active && !was:
		if d.Rules == nil {
			d.Rules = map[string]Rule{}
		}
		d.Rules[e.Key] = Rule{Since: now}
	case !active && was:
		delete(d.Rules, e.Key)
		h.end(d, e.Key, now)
	}
}

// hold is how long the event's When must stay true before it is raised.
func (h *Household) hold(e *devices.Event) time.Duration {
	if max := h.world.Hold; max > 0 && e.For > max {
		return max
	}
	return e.For
}

// dueRules raises the events whose When has been true for long enough.
func (h *Household) dueRules(now time.Time) {
	h.eachRule(func(d *Device, e *devices.Event, r Rule) {
		if !r.Raised && !now.Before(r.Since.Add(h.hold(e))) {
			r.Raised = true
			d.Rules[e.Key] = r
			h.raise(d, e, nil, now)
		}
	})
}

func (h *Household) rulesDue(due *earliest) {
	h.eachRule(func(_ *Device, e *devices.Event, r Rule) {
		if !r.Raised {
			due.at(r.Since.Add(h.hold(e)))
		}
	})
}

// eachRule visits the true rules in a fixed order: devices as bound, events as in the model.
func (h *Household) eachRule(visit func(*Device, *devices.Event, Rule)) {
	for i := range h.Devices {
		d := &h.Devices[i]
		if len(d.Rules) == 0 {
			continue
		}
		m := h.model(d)
		for j := 0; m != nil && j < len(m.Events); j++ {
			if r, ok := d.Rules[m.Events[j].Key]; ok {
				visit(d, &m.Events[j], r)
			}
		}
	}
}
