// Package home is what a household is: a small durable state machine with an alarm clock.
//
// Promise: Step is pure. It does no I/O, reads no clock and draws nothing at random, so the same document, input
// and time always give the same document and effects. Everything that must not be lost is in the Household, and an
// Effect stays in its Outbox until its result has come back as an input: a crash between any two lines repeats an
// effect and never forgets one. Effects are therefore made so that a repetition does no harm (stable ids).
// Step never fails: an input that makes no sense in the present state changes nothing, or is answered honestly.
package home

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"jiaxin/devices"
	"jiaxin/templates"
)

// Household is one home: the document that is committed as a whole after every Step.
type Household struct {
	ID        string     `json:"id"`
	Seq       uint64     `json:"seq"` // the last number given to anything in here
	Members   []Member   `json:"members,omitempty"`
	Guests    []Guest    `json:"guests,omitempty"`
	Devices   []Device   `json:"devices,omitempty"`
	Claims    []Claiming `json:"claims,omitempty"`
	Incidents []Incident `json:"incidents,omitempty"`
	Questions []Question `json:"questions,omitempty"`
	Commands  []Command  `json:"commands,omitempty"`
	Outbox    []Effect   `json:"outbox,omitempty"`
	Refused   []Seen     `json:"refused,omitempty"` // who was not let in lately, by the hash of their openid
	Receipts  []Awaited  `json:"receipts,omitempty"`
	Seen      []Seen     `json:"seen,omitempty"`

	world   *World
	history []Entry
}

// World is what all households share and none of them changes.
type World struct {
	Models *devices.Catalog
	Words  *templates.Set
	Zone   *time.Location
	// Hold, if not 0, is the longest that an event's For may last. The demo sets it, so that nobody waits ten minutes.
	Hold time.Duration
}

// Role is what a member may decide.
type Role string

// The roles. An owner approves who joins.
const (
	Owner Role = "owner"
	Adult Role = "adult"
)

// Member is a person of the household.
type Member struct {
	ID     string `json:"id"` // "m1": how the timeline names them, so that erasing a person leaves no openid behind
	OpenID string `json:"openid"`
	Name   string `json:"name,omitempty"`
	Lang   string `json:"lang,omitempty"`
	Role   Role   `json:"role"`
	Window Window `json:"window,omitzero"`
}

// Guest is a person who asked to join and has not been answered yet.
type Guest struct {
	ID     string    `json:"id"` // "g3": how the question about them names them
	OpenID string    `json:"openid"`
	Name   string    `json:"name,omitempty"`
	Lang   string    `json:"lang,omitempty"`
	Device string    `json:"device"` // whose label they scanned
	Window Window    `json:"window,omitzero"`
	Until  time.Time `json:"until"`
}

// Device is one appliance of the household and what it last reported.
type Device struct {
	Address string             `json:"address"` // its client id, "<maker>.<model>.<device>"
	Name    string             `json:"name"`
	Online  bool               `json:"online"`
	Props   map[string]any     `json:"props,omitempty"`
	Heard   time.Time          `json:"heard,omitzero"` // when it last reported anything
	Told    map[string]Telling `json:"told,omitempty"` // by event: how often it was told lately
	Rules   map[string]Rule    `json:"rules,omitempty"`
	Events  []string           `json:"events,omitempty"` // the ids of its last events, oldest first
}

// Rule is the state of one event's When on one device.
type Rule struct {
	Since  time.Time `json:"since"` // since when it has been true
	Raised bool      `json:"raised,omitempty"`
}

// Incident is one live occurrence of an event. There is at most one per device and event.
type Incident struct {
	ID     string         `json:"id"`
	Device string         `json:"device"`
	Event  string         `json:"event"`
	Level  devices.Level  `json:"level"`
	At     time.Time      `json:"at"`
	Last   time.Time      `json:"last,omitzero"`   // when it was reported last
	Held   bool           `json:"held,omitempty"`  // not told yet: its device tells of danger
	Hushed time.Time      `json:"hushed,omitzero"` // not told yet: held back until then
	Until  time.Time      `json:"until,omitzero"`  // over by itself then; zero: its state or another event ends it
	Count  int            `json:"count"`           // how often it was reported
	Told   bool           `json:"told,omitempty"`  // WeChat's receipt says that it reached somebody
	By     string         `json:"by,omitempty"`    // the member id of who deals with it
	Fields map[string]any `json:"fields,omitempty"`
}

// untold says that nobody has heard of the incident yet.
func (i *Incident) untold() bool { return i.Held || !i.Hushed.IsZero() }

// Entry is one line of the household's timeline.
type Entry struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	What   string    `json:"what"`             // event, ended, notice, receipt, said, answer, command, result, member, device
	Device string    `json:"device,omitempty"` // its address
	Member string    `json:"member,omitempty"` // a member id, never an openid
	Ref    string    `json:"ref,omitempty"`    // the id of the incident, question, command or notification
	Detail string    `json:"detail,omitempty"`
}

// Seen is an input that has been taken: the same one again does nothing.
type Seen struct {
	ID string    `json:"id"` // hashed, since WeChat's ids of events contain the openid
	At time.Time `json:"at"`
}

// The bounds of a household, which keep its document small whatever happens to it.
const (
	maxSeen      = 300
	maxEvents    = 256 // no less than the broker lets be unacknowledged, or a device that sends all again is new
	maxQuestions = 40
	maxCommands  = 64
	maxGuests    = 8
	maxOutbox    = 300
	maxReceipts  = 100
	keepReceipt  = time.Hour
	keepSeen     = 20 * time.Minute // longer than a callback may be old and still be accepted
	keepAnswered = 24 * time.Hour   // so that a late tap is told what came of it
)

// New makes an empty household.
func New(id string, w *World) *Household { return &Household{ID: id, world: w} }

// Attach gives a household that was read from the store its world. It must be called before Step.
func (h *Household) Attach(w *World) { h.world = w }

// History returns the timeline entries that were added since the last call.
func (h *Household) History() []Entry {
	e := h.history
	h.history = nil
	return e
}

func (h *Household) next() uint64 {
	h.Seq++
	return h.Seq
}

func (h *Household) log(e Entry) {
	e.Seq = h.next()
	h.history = append(h.history, e)
}

// Member finds a member by openid; nil if there is none.
func (h *Household) Member(openID string) *Member {
	for i := range h.Members {
		if h.Members[i].OpenID == openID {
			return &h.Members[i]
		}
	}
	return nil
}

// short stands for an id where only sameness counts: 64 bits of its hash.
func short(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

func (h *Household) memberByID(id string) *Member {
	for i := range h.Members {
		if h.Members[i].ID == id {
			return &h.Members[i]
		}
	}
	return nil
}

func (h *Household) guestByID(id string) *Guest {
	i := slices.IndexFunc(h.Guests, func(g Guest) bool { return g.ID == id })
	if i < 0 {
		return nil
	}
	return &h.Guests[i]
}

func (h *Household) guest(openID string) *Guest {
	for i := range h.Guests {
		if h.Guests[i].OpenID == openID {
			return &h.Guests[i]
		}
	}
	return nil
}

// Device finds a device by address; nil if there is none.
func (h *Household) Device(address string) *Device {
	for i := range h.Devices {
		if h.Devices[i].Address == address {
			return &h.Devices[i]
		}
	}
	return nil
}

// model is the product of a bound device; nil if its model has been removed from the catalog since, or for no device.
func (h *Household) model(d *Device) *devices.Model {
	if d == nil {
		return nil
	}
	a, err := devices.ParseAddress(d.Address)
	if err != nil {
		return nil
	}
	m, _ := h.world.Models.Model(a.Product)
	return m
}

// seen says whether the input has been taken before, and notes it.
func (h *Household) seen(id string, now time.Time) bool {
	sum := sha256.Sum256([]byte(id))
	key := base64.RawURLEncoding.EncodeToString(sum[:12])
	if slices.ContainsFunc(h.Seen, func(s Seen) bool { return s.ID == key }) {
		return true
	}
	h.Seen = append(h.Seen, Seen{ID: key, At: now})
	return false
}
