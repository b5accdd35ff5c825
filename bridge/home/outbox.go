package home

import (
	"slices"
	"time"

	"jiaxin/devices"
)

// Effect is something to be done outside the document. It is filed in the outbox in the same commit as its cause,
// performed after that commit, and stays until its result has come back as an input.
type Effect struct {
	ID       string           `json:"id"`
	Kind     EffectKind       `json:"kind"`
	Note     *Notification    `json:"note,omitempty"`     // Deliver
	Device   string           `json:"device,omitempty"`   // Publish, Claim, Release, Forward
	Command  *devices.Command `json:"command,omitempty"`  // Publish
	Once     bool             `json:"once,omitempty"`     // Publish: rather not at all than twice
	OpenID   string           `json:"openid,omitempty"`   // Claim, Enter, Leave, Profile, Fetch, Forward
	Media    *Media           `json:"media,omitempty"`    // Fetch
	Member   string           `json:"member,omitempty"`   // Fetch, Erase: a member id
	To       string           `json:"to,omitempty"`       // Forward: the other household
	Incident string           `json:"incident,omitempty"` // Deliver: what it tells of
	At       time.Time        `json:"at"`                 // not before
	Until    time.Time        `json:"until,omitzero"`     // given up then; zero: never
	Leased   time.Time        `json:"leased,omitzero"`    // being performed, until then
	Tries    int              `json:"tries,omitempty"`
}

// EffectKind is the sort of an effect.
type EffectKind string

// The kinds of effect and the input that carries each one's result.
const (
	Deliver EffectKind = "deliver" // a notification to a person → Delivered
	Publish EffectKind = "publish" // a command to a device → Published
	Claim   EffectKind = "claim"   // the ownership of a device → Claimed
	Release EffectKind = "release" // give a device free → Settled
	Enter   EffectKind = "enter"   // the person's index names this household → Settled
	Leave   EffectKind = "leave"   // the person's index forgets this household → Settled
	Profile EffectKind = "profile" // what WeChat knows of a person → Profiled
	Fetch   EffectKind = "fetch"   // store a voice or photo before WeChat drops it → Settled
	Erase   EffectKind = "erase"   // a member's words out of the timeline, and what they sent → Settled
	Forward EffectKind = "forward" // a scan that belongs to another household → Settled
)

// Media is what a person sent besides words.
type Media struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"` // "voice" or "photo"
	Format string `json:"format,omitempty"`
}

// The times of the outbox.
const (
	keepUndelivered = 72 * time.Hour // an outage of WeChat that long loses nothing
	lease           = 30 * time.Second
	firstRetry      = time.Second
	slowestRetry    = time.Minute
	slowestCritical = 10 * time.Second // danger is told soon after an outage
)

// line names the queue that an effect stands in: one person's messages, and one device's commands, go one after the
// other. The zero line is no queue.
func (e *Effect) line() line {
	switch {
	case e.Kind == Deliver:
		return line{e.Kind, e.Note.To}
	case e.Kind == Publish:
		return line{e.Kind, e.Device}
	case e.Kind == Claim, e.Kind == Release: // or a device could be freed that was just claimed again
		return line{Claim, e.Device}
	}
	return line{}
}

type line struct {
	kind EffectKind
	of   string // openid or address
}

func (e *Effect) critical() bool { return e.Note != nil && e.Note.Level == devices.Critical }

// heads are the effects that are being performed or come next: the first of each line, the critical ones first, and all
// that stand in no line.
func (h *Household) heads() []*Effect {
	var out []*Effect
	taken := map[line]bool{}
	for _, wanted := range []func(*Effect) bool{
		func(e *Effect) bool { return e.line() != line{} && !e.Leased.IsZero() },
		func(e *Effect) bool { return e.critical() },
		func(*Effect) bool { return true },
	} {
		for i := range h.Outbox {
			e := &h.Outbox[i]
			if l := e.line(); wanted(e) && !taken[l] {
				taken[l] = l != line{}
				out = append(out, e)
			}
		}
	}
	return out
}

// outboxDue shows the times at which effects need attention. What waits behind another one needs none: the other's
// result wakes the household.
func (h *Household) outboxDue(due *earliest) {
	for _, e := range h.heads() {
		if !e.Leased.IsZero() {
			due.at(e.Leased)
		} else {
			due.at(e.At)
		}
	}
}

// file puts an effect into the outbox. A full outbox drops its oldest notification, a critical one only if there is no
// other, with a line in the timeline. One that is being performed stays.
func (h *Household) file(e Effect) {
	if len(h.Outbox) >= maxOutbox {
		h.dropOldest(e.At)
	}
	h.Outbox = append(h.Outbox, e)
}

func (h *Household) dropOldest(now time.Time) {
	i := slices.IndexFunc(h.Outbox, func(e Effect) bool { return e.Kind == Deliver && e.Leased.IsZero() && !e.critical() })
	if i < 0 {
		i = slices.IndexFunc(h.Outbox, func(e Effect) bool { return e.Kind == Deliver && e.Leased.IsZero() })
	}
	if i < 0 {
		return
	}
	h.log(Entry{At: now, What: "notice", Ref: h.Outbox[i].Note.ID, Detail: "dropped: too many waiting"})
	h.Outbox = slices.Delete(h.Outbox, i, i+1)
}

// ready takes the effects whose time has come and marks them as being performed.
func (h *Household) ready(now time.Time) []Effect {
	h.giveUp(now)
	h.release(func(e Effect) bool { return !now.Before(e.Leased) }, now)
	var out []Effect
	for _, e := range h.heads() {
		if e.Leased.IsZero() && !e.At.After(now) {
			e.Leased = now.Add(lease)
			e.Tries++
			out = append(out, *e)
		}
	}
	return out
}

// release puts back the effects of which nobody knows whether they were performed. One that must not be done twice is
// given up instead: its command then ends as silent.
func (h *Household) release(lost func(Effect) bool, now time.Time) {
	h.Outbox = slices.DeleteFunc(h.Outbox, func(e Effect) bool {
		gone := e.Once && !e.Leased.IsZero() && lost(e)
		if gone {
			h.log(Entry{At: now, What: "command", Device: e.Device, Ref: e.Command.ID, Detail: "given up: it may have been sent"})
		}
		return gone
	})
	for i := range h.Outbox {
		if e := &h.Outbox[i]; !e.Leased.IsZero() && lost(*e) {
			e.Leased = time.Time{}
		}
	}
}

func (h *Household) giveUp(now time.Time) {
	h.Outbox = slices.DeleteFunc(h.Outbox, func(e Effect) bool {
		over := !e.Until.IsZero() && !now.Before(e.Until)
		if over && e.Kind == Deliver {
			h.log(Entry{At: now, What: "notice", Ref: e.Note.ID, Detail: "given up: not accepted in time"})
		}
		return over
	})
}

// effect finds a filed effect by id; nil if it is done already.
func (h *Household) effect(id string) *Effect {
	for i := range h.Outbox {
		if h.Outbox[i].ID == id {
			return &h.Outbox[i]
		}
	}
	return nil
}

func (h *Household) settle(id string) {
	h.Outbox = slices.DeleteFunc(h.Outbox, func(e Effect) bool { return e.ID == id })
}

// again puts an effect back for another try. Waits double from a second to a minute, or to ten seconds for danger.
func (e *Effect) again(now time.Time, after time.Duration) {
	wait := min(firstRetry<<min(max(e.Tries-1, 0), 6), slowestRetry)
	if e.critical() {
		wait = min(wait, slowestCritical)
	}
	e.At, e.Leased = now.Add(max(wait, after)), time.Time{}
}

// Settled says that an effect without a result of its own is done, or, with Again, that it must be tried again.
type Settled struct {
	Effect string
	Again  bool
}

func (in Settled) apply(h *Household, now time.Time) {
	e := h.effect(in.Effect)
	switch {
	case e == nil:
	case in.Again:
		e.again(now, 0)
	default:
		h.settle(in.Effect)
	}
}

// Delivered is how an attempt to deliver a notification ended.
type Delivered struct {
	Effect  string
	Outcome Outcome
	MsgID   string
	Code    int
	After   time.Duration
}

func (in Delivered) apply(h *Household, now time.Time) {
	e := h.effect(in.Effect)
	if e == nil {
		return
	}
	entry := Entry{At: now, What: "notice", Ref: e.Note.ID, Detail: string(in.Outcome)}
	switch in.Outcome {
	case Retry, Paused:
		e.again(now, in.After)
		return
	case Closed:
		if h.otherWay(e, now) {
			return
		}
	case Accepted:
		entry.Detail += " " + in.MsgID
		h.await(e, in.MsgID, now)
	}
	h.log(entry)
	h.settle(in.Effect)
}

// otherWay turns a chat message whose window is closed into a card, if it has one.
func (h *Household) otherWay(e *Effect, now time.Time) bool {
	if w := h.window(e.Note.To); w != nil {
		w.shut()
	}
	if e.Note.Via != Chat || e.Note.Card.Form == "" {
		return false
	}
	e.Note.Via, e.At, e.Leased = Card, now, time.Time{}
	return true
}

func (h *Household) window(openID string) *Window {
	if m := h.Member(openID); m != nil {
		return &m.Window
	}
	if g := h.guest(openID); g != nil {
		return &g.Window
	}
	return nil
}
