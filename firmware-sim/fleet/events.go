package fleet

import (
	"slices"
	"time"
)

// events keeps what happened until the gateway has it: until both the broker's PUBACK and the gateway's own
// down/reply have come for it. Until then it is sent again with the same id, on every connection and
// at growing intervals. It holds at most maxEvents; one more drops the oldest that is not critical.
type events struct {
	retry time.Duration // the first interval
	queue []*pending
}

// pending is one event on its way.
type pending struct {
	id       string
	payload  []byte
	critical bool
	acked    bool // by the broker
	kept     bool // by the gateway
	due      time.Time
	wait     time.Duration
}

const (
	maxEvents = 64
	maxRetry  = 5 * time.Minute
)

// add takes an event in and returns the one that had to go for it, nil if there was room.
func (e *events) add(p *pending) (dropped *pending) {
	if len(e.queue) >= maxEvents {
		i := max(0, slices.IndexFunc(e.queue, func(q *pending) bool { return !q.critical }))
		dropped = e.queue[i]
		e.queue = slices.Delete(e.queue, i, i+1)
	}
	e.queue = append(e.queue, p)
	return dropped
}

// acked and kept note one of the two receipts; the event is forgotten once both are there.
func (e *events) acked(id string) { e.note(id, func(p *pending) { p.acked = true }) }
func (e *events) kept(id string)  { e.note(id, func(p *pending) { p.kept = true }) }

func (e *events) note(id string, receipt func(*pending)) {
	e.queue = slices.DeleteFunc(e.queue, func(p *pending) bool {
		if p.id == id {
			receipt(p)
		}
		return p.acked && p.kept
	})
}

// renew makes everything due at once, for a new connection.
func (e *events) renew() {
	for _, p := range e.queue {
		p.due, p.wait = time.Time{}, 0
	}
}

// due returns the events to send now, oldest first, and plans their next turn.
func (e *events) due(now time.Time) []*pending {
	var out []*pending
	for _, p := range e.queue {
		if p.due.After(now) {
			continue
		}
		p.wait = min(max(2*p.wait, e.retry), maxRetry)
		p.due = now.Add(p.wait)
		out = append(out, p)
	}
	return out
}

// next is when due will have something; zero: never.
func (e *events) next() time.Time {
	var due time.Time
	for _, p := range e.queue {
		due = earlier(due, p.due)
	}
	return due
}
