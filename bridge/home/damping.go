package home

import (
	"slices"
	"time"

	"jiaxin/devices"
)

// How often one event of one device is told. A flapping detector must not use up the account's messages, which every
// other home's alarms need too; what is held back is told as soon as it may be, if it is still so.
const (
	tellAtMost = 6
	tellWithin = 10 * time.Minute
)

// Telling counts how often an event was told lately.
type Telling struct {
	Since time.Time `json:"since"`
	N     int       `json:"n"`
}

// hush says until when the event must wait to be told; zero: it is told now, and counted.
func (h *Household) hush(d *Device, e *devices.Event, now time.Time) time.Time {
	t := d.Told[e.Key]
	if now.Sub(t.Since) >= tellWithin || now.Before(t.Since) {
		t = Telling{Since: now}
	}
	if t.N >= tellAtMost {
		return t.Since.Add(tellWithin)
	}
	t.N++
	if d.Told == nil {
		d.Told = map[string]Telling{}
	}
	d.Told[e.Key] = t
	return time.Time{}
}

// danger says whether a critical incident is live: of the device, or with "" of any.
func (h *Household) danger(device string) bool {
	return slices.ContainsFunc(h.Incidents, func(i Incident) bool {
		return i.Level == devices.Critical && (device == "" || i.Device == device)
	})
}

// resume tells what was held back while the device told of danger, now that it is over.
func (h *Household) resume(d *Device, now time.Time) {
	if h.danger(d.Address) {
		return
	}
	for i := range h.Incidents {
		if inc := &h.Incidents[i]; inc.Device == d.Address && inc.Held {
			inc.Held = false
			h.tellAgain(inc, now)
		}
	}
}

// dueHushed tells what was held back and is still so.
func (h *Household) dueHushed(now time.Time) {
	for i := range h.Incidents {
		inc := &h.Incidents[i]
		if inc.Hushed.IsZero() || now.Before(inc.Hushed) {
			continue
		}
		inc.Hushed = time.Time{}
		h.tellAgain(inc, now)
	}
}

func (h *Household) tellAgain(inc *Incident, now time.Time) {
	if d, e := h.about(inc); e != nil {
		h.tell(d, e, inc, now)
	}
}

// about finds an incident's device and event; no event if the device, its model or the event is gone.
func (h *Household) about(inc *Incident) (*Device, *devices.Event) {
	d := h.Device(inc.Device)
	if m := h.model(d); m != nil {
		if e, ok := m.Event(inc.Event); ok {
			return d, e
		}
	}
	return d, nil
}
