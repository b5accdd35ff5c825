package home

import (
	"slices"
	"strconv"
	"time"

	"jiaxin/devices"
)

// raise makes an event known: once per live incident, however often it is reported.
func (h *Household) raise(d *Device, e *devices.Event, fields map[string]any, now time.Time) {
	if inc := h.incident(d.Address, e.Key); inc != nil {
		h.repeat(d, e, inc, now)
		return
	}
	inc := Incident{
		ID: "i" + strconv.FormatUint(h.next(), 10), Device: d.Address, Event: e.Key,
		Level: e.Level, At: now, Last: now, Until: h.until(d, e, now), Count: 1, Fields: fields,
	}
	if !h.lasts(d, e) {
		h.tell(d, e, &inc, now)
		return
	}
	h.Incidents = append(h.Incidents, inc)
	h.tell(d, e, &h.Incidents[len(h.Incidents)-1], now)
}

// repeat notes that a live incident was reported again. Danger that was not heard of for a while is told again: its end
// may have been lost, and whoever dealt with it then may believe it over.
func (h *Household) repeat(d *Device, e *devices.Event, inc *Incident, now time.Time) {
	again := e.Level == devices.Critical && now.Sub(inc.Last) > same
	inc.Count++
	inc.Last, inc.Until = now, h.until(d, e, now)
	if again && inc.Hushed.IsZero() {
		inc.By = ""
		h.tell(d, e, inc, now)
	}
}

// tell announces an incident, or holds it back if its like was told too often.
func (h *Household) tell(d *Device, e *devices.Event, inc *Incident, now time.Time) {
	if inc.Held = e.Level != devices.Critical && h.danger(d.Address); inc.Held {
		return // nobody has an ear for it while the same device tells of danger
	}
	if inc.Hushed = h.hush(d, e, now); !inc.Hushed.IsZero() {
		return
	}
	h.log(Entry{At: now, What: "event", Device: d.Address, Ref: inc.ID, Detail: e.Key})
	if e.Message != "" {
		h.announce(d, e, *inc, now)
	}
}

// lasts says whether the event is a state with an end, or just a moment.
func (h *Household) lasts(d *Device, e *devices.Event) bool {
	return e.When != "" || h.resolvable(d, e)
}

// resolvable says whether another event of the device ends this one.
func (h *Household) resolvable(d *Device, e *devices.Event) bool {
	return slices.ContainsFunc(h.model(d).Events, func(o devices.Event) bool { return o.Resolves == e.Key })
}

// same is how long an event that a device publishes, without the state that its When looks at, counts as the same one.
const same = 10 * time.Minute

// until is when an incident is over by itself: never, if the reported state will end it; if another event should, then
// when even its question is no longer open, because that event may have been lost; else, what the device published was a
// moment, which its state may still confirm.
func (h *Household) until(d *Device, e *devices.Event, now time.Time) time.Time {
	if _, holds := d.Rules[e.Key]; holds {
		return time.Time{}
	}
	if h.resolvable(d, e) {
		return now.Add(expiry(e))
	}
	return now.Add(same)
}

// dueIncidents forgets the moments that no state has confirmed. Their questions stay open for as long as they may.
func (h *Household) dueIncidents(now time.Time) {
	h.Incidents = slices.DeleteFunc(h.Incidents, func(i Incident) bool { return !i.Until.IsZero() && !now.Before(i.Until) })
}

// announce tells every member, with the event's question if it asks one.
func (h *Household) announce(d *Device, e *devices.Event, inc Incident, now time.Time) {
	var q *Question
	h.withdraw(func(o *Question) bool { return o.Kind == AskEvent && o.Device == d.Address && o.Event == e.Key })
	if len(e.Ask) > 0 {
		q = h.ask(Question{Kind: AskEvent, Device: d.Address, Event: e.Key, Incident: inc.ID, Message: e.Message, Options: eventOptions(e)}, expiry(e), now)
		for i := range h.Members {
			q.Asked = append(q.Asked, h.Members[i].OpenID)
		}
	}
	for i := range h.Members {
		h.notify(&h.Members[i], notice{message: e.Message, device: d, incident: &inc, question: q, level: e.Level}, now)
	}
}

func expiry(e *devices.Event) time.Duration {
	if e.Expires > 0 {
		return e.Expires
	}
	return 2 * time.Hour
}

// end closes the live incident of a device's event, if there is one: its question is withdrawn and, where the
// model wants it, everyone hears that it is over.
func (h *Household) end(d *Device, event string, now time.Time) {
	inc := h.incident(d.Address, event)
	if inc == nil {
		return
	}
	over := *inc
	h.Incidents = slices.DeleteFunc(h.Incidents, func(i Incident) bool { return i.ID == over.ID })
	defer h.resume(d, now)
	if over.untold() {
		return
	}
	h.log(Entry{At: now, What: "ended", Device: d.Address, Ref: over.ID, Detail: event})
	h.withdraw(func(q *Question) bool { return q.Incident == over.ID })
	m := h.model(d)
	if m == nil {
		return
	}
	e, ok := m.Event(event)
	if !ok || e.Cleared == "" {
		return
	}
	for i := range h.Members {
		h.notify(&h.Members[i], notice{message: e.Cleared, device: d, incident: &over, level: e.Level}, now)
	}
}

// acknowledge notes who deals with an incident, or with a moment that is over already, and tells the others. The first
// one wins, because a question is answered once.
func (h *Household) acknowledge(q *Question, by *Member, now time.Time) {
	level := devices.Warning
	for i := range h.Incidents {
		if inc := &h.Incidents[i]; inc.ID == q.Incident {
			inc.By, level = by.ID, inc.Level
		}
	}
	h.log(Entry{At: now, What: "answer", Device: q.Device, Member: by.ID, Ref: q.Incident, Detail: "handles it"})
	h.tellHandled(q, by, level, now)
	key := "handling"
	if len(h.Members) == 1 {
		key = "handling_alone"
	}
	h.reply(by, key, h.vars(h.Device(q.Device), by.Lang, now), now)
}

func (h *Household) tellHandled(q *Question, by *Member, level devices.Level, now time.Time) {
	for i := range h.Members {
		if m := &h.Members[i]; m.ID != by.ID {
			h.notify(m, notice{message: "handled", device: h.Device(q.Device), who: by, level: level}, now)
		}
	}
}

func (h *Household) incident(address, event string) *Incident {
	for i := range h.Incidents {
		if h.Incidents[i].Device == address && h.Incidents[i].Event == event {
			return &h.Incidents[i]
		}
	}
	return nil
}
