package home

import (
	"slices"
	"time"
)

// Input is something that happened to a household.
type Input interface {
	apply(h *Household, now time.Time)
}

// Step takes one input at one time, to the millisecond, and returns the effects to perform once the household has been
// committed. Whatever is due by now happens too, whichever input came; what has lapsed by now does so before the input, so
// that an answer or a reply is never in time only because the alarm was late.
func (h *Household) Step(in Input, now time.Time) []Effect {
	now = now.UTC().Truncate(time.Millisecond)
	h.lapse(now)
	in.apply(h, now)
	h.dueRules(now)
	h.lapse(now)
	h.prune(now)
	return h.ready(now)
}

// Tick is the alarm going off: nothing happened but time.
type Tick struct{}

func (Tick) apply(*Household, time.Time) {}

// Resume says that the process which was performing effects is gone: those in flight are performed again (except what
// must never be done twice), every device counts as offline until it is heard from, and the time in which nobody listened
// does not count towards an event's For.
type Resume struct{}

func (Resume) apply(h *Household, now time.Time) {
	h.release(func(Effect) bool { return true }, now)
	for i := range h.Devices {
		d := &h.Devices[i]
		for key, r := range d.Rules {
			if !r.Raised {
				d.Rules[key] = Rule{Since: now}
			}
		}
		if d.Online {
			h.presence(d, false, now)
		}
	}
}

// lapse ends everything whose time is over.
func (h *Household) lapse(now time.Time) {
	h.dueIncidents(now)
	h.dueHushed(now)
	h.dueQuestions(now)
	h.dueCommands(now)
	h.dueClaims(now)
}

// Due is when the household must be woken next; zero: never.
func (h *Household) Due() time.Time {
	d := &earliest{}
	h.rulesDue(d)
	for _, i := range h.Incidents {
		d.at(i.Until)
		d.at(i.Hushed)
	}
	for _, q := range h.Questions {
		if q.open() {
			d.at(q.Expires)
		}
	}
	for _, c := range h.Commands {
		d.at(c.due())
	}
	for _, c := range h.Claims {
		d.at(c.Until)
	}
	for _, g := range h.Guests {
		d.at(g.Until)
	}
	h.outboxDue(d)
	return d.t
}

// earliest keeps the earliest time that it is shown.
type earliest struct{ t time.Time }

func (e *earliest) at(t time.Time) {
	if !t.IsZero() && (e.t.IsZero() || t.Before(e.t)) {
		e.t = t
	}
}

// prune forgets what has no use any more.
func (h *Household) prune(now time.Time) {
	h.Seen = slices.DeleteFunc(h.Seen, func(s Seen) bool { return now.Sub(s.At) > keepSeen })
	h.Seen = newest(h.Seen, maxSeen)
	h.Questions = slices.DeleteFunc(h.Questions, func(q Question) bool { return !q.open() && now.Sub(q.At) > keepAnswered })
	h.Questions = trim(h.Questions, maxQuestions, func(q Question) bool { return !q.open() })
	h.Refused = slices.DeleteFunc(h.Refused, func(s Seen) bool { return now.Sub(s.At) > keepRefused })
	h.Refused = newest(h.Refused, maxGuests*8)
	h.Receipts = slices.DeleteFunc(h.Receipts, func(r Awaited) bool { return now.Sub(r.At) > keepReceipt })
	h.Receipts = newest(h.Receipts, maxReceipts)
	h.pruneCommands(now)
}

// pruneCommands forgets the commands that no reply is expected to any more. More than anybody gives end as silent, the
// oldest first.
func (h *Household) pruneCommands(now time.Time) {
	h.Commands = slices.DeleteFunc(h.Commands, func(c Command) bool { return c.State.final() && now.Sub(c.Expires) >= lateReply })
	for i := range max(0, len(h.Commands)-maxCommands) {
		if c := &h.Commands[i]; !c.State.final() {
			h.finish(c, Silent, "", now)
		}
	}
	h.Commands = newest(h.Commands, maxCommands)
}

// trim forgets the oldest of more than n, first of those that are over.
func trim[T any](s []T, n int, over func(T) bool) []T {
	excess := len(s) - n
	s = slices.DeleteFunc(s, func(v T) bool {
		if excess <= 0 || !over(v) {
			return false
		}
		excess--
		return true
	})
	return newest(s, n)
}

func newest[T any](s []T, n int) []T {
	if len(s) > n {
		return slices.Delete(s, 0, len(s)-n)
	}
	return s
}
