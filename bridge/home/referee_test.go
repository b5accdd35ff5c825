package home_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"jiaxin/bridge/home"
	"jiaxin/devices"
)

// maxDocument is what a household's document may grow to, in bytes, whatever happens to it.
const maxDocument = 320 << 10

// referee watches every step of a household and says which of its promises was broken.
type referee struct {
	confirmed int                    // hazards that somebody said yes to
	sent      map[string]bool        // the hazardous commands that were handed out
	way       map[string]home.Effect // under way
	left      map[string]bool        // the goodbyes that came
}

func newReferee() *referee {
	return &referee{sent: map[string]bool{}, way: map[string]home.Effect{}, left: map[string]bool{}}
}

// step is one step as the referee sees it.
type step struct {
	in      home.Input
	now     time.Time
	before  *home.Household
	after   *home.Household
	size    int // of after's document, in bytes
	effects []home.Effect
	history []home.Entry
}

// check returns the first broken promise.
func (r *referee) check(s step) error {
	for _, rule := range []func(step) error{
		r.small, r.awake, r.inLine, r.hazards, r.recipients, r.invited, r.erased,
	} {
		if err := rule(s); err != nil {
			return fmt.Errorf("after %T%+v at %v: %w", s.in, s.in, s.now, err)
		}
	}
	return nil
}

func (r *referee) small(s step) error {
	if s.size > maxDocument {
		return fmt.Errorf("the document has %d bytes", s.size)
	}
	return nil
}

func (r *referee) awake(s step) error {
	if due := s.after.Due(); !due.IsZero() && !due.After(s.now) {
		return fmt.Errorf("it wants to be woken at %v, which is not later", due)
	}
	return nil
}

// inLine: one message a person and one command a device at a time.
func (r *referee) inLine(s step) error {
	delete(r.way, resultOf(s.in))
	for id, e := range r.way {
		filed := slices.ContainsFunc(s.after.Outbox, func(o home.Effect) bool { return o.ID == id && !o.Leased.IsZero() })
		if !filed || !e.Leased.After(s.now) {
			delete(r.way, id)
		}
	}
	for _, e := range s.effects {
		for _, o := range r.way {
			if line(e) != "" && line(e) == line(o) {
				return fmt.Errorf("%s is handed out while %s, to the same, is under way", e.ID, o.ID)
			}
		}
		r.way[e.ID] = e
	}
	return nil
}

// resultOf is the effect whose result the input is.
func resultOf(in home.Input) string {
	switch in := in.(type) {
	case home.Delivered:
		return in.Effect
	case home.Published:
		return in.Effect
	}
	return ""
}

func line(e home.Effect) string {
	switch e.Kind {
	case home.Deliver:
		return e.Note.To
	case home.Publish:
		return e.Device
	}
	return ""
}

// hazards: each is sent once, for a confirmation of its own, before it expires.
func (r *referee) hazards(s step) error {
	for _, e := range s.history {
		if e.What == "answer" && strings.HasPrefix(e.Detail, "确认") {
			r.confirmed++
		}
	}
	for _, e := range s.effects {
		if e.Kind != home.Publish || !hazardous(e) {
			continue
		}
		switch {
		case r.sent[e.Command.ID]:
			return fmt.Errorf("the hazard %s is sent again", e.Command.ID)
		case !s.now.Before(e.Command.Expires):
			return fmt.Errorf("the hazard %s is sent late", e.Command.ID)
		}
		r.sent[e.Command.ID] = true
		if len(r.sent) > r.confirmed {
			return fmt.Errorf("the hazard %s was not confirmed", e.Command.ID)
		}
	}
	return nil
}

func hazardous(e home.Effect) bool {
	a, err := devices.ParseAddress(e.Device)
	if err != nil {
		return true
	}
	m, ok := shared().Models.Model(a.Product)
	return !ok || m.Hazardous(*e.Command)
}

// recipients: only who belongs to the home, or has just knocked, gets a message filed.
func (r *referee) recipients(s step) error {
	for _, e := range s.after.Outbox {
		old := slices.ContainsFunc(s.before.Outbox, func(o home.Effect) bool { return o.ID == e.ID })
		if e.Kind != home.Deliver || old {
			continue
		}
		if !belongs(s.before, e.Note.To) && !belongs(s.after, e.Note.To) && !knocks(s.in, e.Note.To) {
			return fmt.Errorf("%s is no member and gets a message", e.Note.To)
		}
	}
	return nil
}

func belongs(h *home.Household, person string) bool {
	return h.Member(person) != nil || slices.ContainsFunc(h.Guests, func(g home.Guest) bool { return g.OpenID == person })
}

func knocks(in home.Input, person string) bool {
	scan, ok := in.(home.Scanned)
	return ok && scan.From == person
}

// invited: into a home where somebody lives, only an owner's word lets people.
func (r *referee) invited(s step) error {
	for _, m := range s.after.Members {
		if s.before.Member(m.OpenID) != nil || len(s.before.Members) == 0 {
			continue
		}
		said, ok := s.in.(home.Said)
		if by := s.before.Member(said.From); !ok || by == nil || by.Role != home.Owner {
			return fmt.Errorf("%s has become a member, uninvited", m.OpenID)
		}
	}
	return nil
}

// erased: who unfollows leaves no openid behind, but for the errand that tells their index.
func (r *referee) erased(s step) error {
	left, ok := s.in.(home.Unfollowed)
	if !ok || r.left[left.ID] { // a replay
		return nil
	}
	r.left[left.ID] = true
	rest := *s.after
	rest.Outbox = slices.DeleteFunc(slices.Clone(rest.Outbox), func(e home.Effect) bool { return e.Kind == home.Leave })
	data, err := json.Marshal(&rest)
	if err == nil && strings.Contains(string(data), left.From) {
		err = fmt.Errorf("%s has left and is still in %s", left.From, data)
	}
	return err
}
