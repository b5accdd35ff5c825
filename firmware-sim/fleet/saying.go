package fleet

import (
	"encoding/json"
	"fmt"
	"maps"

	"jiaxin/devices"
)

// emit says what the machine has to say. a.mu is held.
func (a *Appliance) emit(outputs []output) {
	for _, out := range outputs {
		if out.event != "" {
			a.raise(out.event, out.fields)
		} else if len(out.props) > 0 {
			a.report(out.props)
		}
	}
	a.sendEvents()
}

// report says a part of the state. a.mu is held.
func (a *Appliance) report(props map[string]any) {
	l := a.link
	if l == nil {
		return
	}
	l.reports++
	a.send(devices.UpProperty, props, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		l.reports--
		a.o.Changed()
	})
}

// reports is how many reports of this connection the gateway has not acknowledged yet. a.mu is held.
func (a *Appliance) reports() int {
	if a.link == nil {
		return 0
	}
	return a.link.reports
}

// send queues one message if there is a connection; without one it is lost, as everything but events may be.
func (a *Appliance) send(sort string, payload any, acked func()) {
	if a.link == nil {
		return
	}
	data, err := json.Marshal(payload)
	if err != nil {
		a.o.Logger.Error("cannot be said in JSON", "sort", sort, "error", err)
		return
	}
	a.link.send(message{topic: a.topic(sort), payload: data, acked: acked})
}

// raise takes an event into the queue. a.mu is held.
func (a *Appliance) raise(event string, fields map[string]any) {
	a.seq++
	report := devices.EventReport{ID: fmt.Sprintf("%s-%d", a.boot, a.seq), Event: event, At: a.o.Now().UTC(), Fields: maps.Clone(fields)}
	data, err := json.Marshal(report)
	if err != nil {
		a.o.Logger.Error("an event cannot be said in JSON", "event", event, "error", err)
		return
	}
	dropped := a.events.add(&pending{id: report.ID, payload: data, critical: a.critical(event)})
	if dropped != nil {
		a.o.Logger.Warn("too many events wait for the gateway: the oldest is dropped", "event", dropped.id, "critical", dropped.critical)
	}
}

func (a *Appliance) critical(event string) bool {
	e, ok := a.o.Model.Event(event)
	return ok && e.Level == devices.Critical
}

// sendEvents sends the events that are due. a.mu is held. Without a greeting they wait for it.
func (a *Appliance) sendEvents() {
	if a.link == nil || !a.told {
		return
	}
	for _, p := range a.events.due(a.o.Now()) {
		a.link.send(message{topic: a.topic(devices.UpEvent), payload: p.payload, acked: func() { a.acked(p.id) }})
	}
}

func (a *Appliance) acked(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events.acked(id)
	a.reschedule()
	a.o.Changed()
}
