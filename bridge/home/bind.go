package home

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"jiaxin/devices"
)

// Claiming is a device that a member has scanned and that is not the household's yet.
type Claiming struct {
	Device  string    `json:"device"`
	By      string    `json:"by"`                // openid
	Waiting bool      `json:"waiting,omitempty"` // for the press of its button
	Until   time.Time `json:"until"`
}

// The times of binding.
const (
	claimFor = 2 * time.Minute // also the time in which an appliance's button counts
	joinFor  = 10 * time.Minute
)

// Scanned is a person who scanned the label of a device that is free, or this household's own, or being claimed by it.
type Scanned struct {
	From   string `json:"from"` // openid
	ID     string `json:"id"`
	Device string `json:"device"` // address
}

func (in Scanned) apply(h *Household, now time.Time) {
	if h.seen(in.ID, now) {
		return
	}
	m := h.enter(in.From, now)
	if m == nil {
		h.knock(in, now)
		return
	}
	m.Window.tapped(now)
	if d := h.Device(in.Device); d != nil {
		h.reply(m, "bound_already", h.vars(d, m.Lang, now), now)
		return
	}
	h.Claims = slices.DeleteFunc(h.Claims, func(c Claiming) bool { return c.Device == in.Device })
	h.Claims = append(h.Claims, Claiming{Device: in.Device, By: in.From, Until: now.Add(claimFor)})
	h.claim(in.Device, in.From, now)
}

func (h *Household) claim(device, by string, now time.Time) {
	h.file(Effect{ID: h.effectID(), Kind: Claim, Device: device, OpenID: by, At: now})
}

func (h *Household) effectID() string { return "e" + strconv.FormatUint(h.next(), 10) }

// enter finds the person's membership, or makes them the owner of a home where nobody lives. It is nil for a stranger to a
// home with members: into that one, only an owner lets people.
func (h *Household) enter(openID string, now time.Time) *Member {
	if m := h.Member(openID); m != nil || len(h.Members) > 0 {
		return m
	}
	h.join(Member{OpenID: openID, Role: Owner}, now)
	h.file(Effect{ID: h.effectID(), Kind: Profile, OpenID: openID, At: now})
	return h.Member(openID)
}

// join adds a member and lets the person's index know.
func (h *Household) join(m Member, now time.Time) {
	m.ID = "m" + strconv.FormatUint(h.next(), 10)
	if m.Lang == "" {
		m.Lang = "zh"
	}
	if m.Name == "" {
		m.Name = fmt.Sprintf("家人%d", len(h.Members)+1)
	}
	h.Members = append(h.Members, m)
	h.log(Entry{At: now, What: "member", Member: m.ID, Detail: "joined as " + string(m.Role)})
	h.file(Effect{ID: h.effectID(), Kind: Enter, OpenID: m.OpenID, At: now})
	h.brief(h.Member(m.OpenID), now)
}

// brief tells a new member of the alarms that are going on, which they may answer like everybody else.
func (h *Household) brief(m *Member, now time.Time) {
	for i := range h.Incidents {
		inc := &h.Incidents[i]
		d, e := h.about(inc)
		if e == nil || e.Message == "" || inc.untold() || inc.Level != devices.Critical && inc.Level != devices.Warning {
			continue
		}
		n := notice{message: e.Message, device: d, incident: inc, level: inc.Level}
		for j := range h.Questions {
			if q := &h.Questions[j]; q.open() && q.Incident == inc.ID {
				q.Asked = append(q.Asked, m.OpenID)
				n.question = q
			}
		}
		h.notify(m, n, now)
	}
}

// part lets the person's index forget this household.
func (h *Household) part(openID string, now time.Time) {
	h.file(Effect{ID: h.effectID(), Kind: Leave, OpenID: openID, At: now})
}

// Profiled is what WeChat knows of a person.
type Profiled struct {
	Effect string
	Name   string // "" if it knows no name
	Lang   string
}

func (in Profiled) apply(h *Household, now time.Time) {
	e := h.effect(in.Effect)
	if e == nil {
		return
	}
	openID := e.OpenID
	h.settle(in.Effect)
	if m := h.Member(openID); m != nil {
		fill(&m.Name, in.Name)
		fill(&m.Lang, in.Lang)
	}
	if g := h.guest(openID); g != nil {
		fill(&g.Name, in.Name)
		fill(&g.Lang, in.Lang)
		h.askOwners(g, now)
		v := h.vars(h.Device(g.Device), g.Lang, now)
		v.Who = g.name()
		key := "join_asked"
		if g.Name == "" {
			key = "join_asked_number"
		}
		h.answerTo(g.OpenID, g.Lang, &g.Window, key, v, now)
	}
}

func fill(s *string, v string) {
	if v != "" {
		*s = v
	}
}

// Claimed is the outcome of claiming a device: one of Bound, Taken, Press and Contested.
type Claimed struct {
	Effect    string
	Bound     bool
	Name      string         // Bound: what the installer called it
	Props     map[string]any // Bound: what it reported while it belonged to nobody
	Online    bool
	Taken     string // the household that has it
	Press     bool   // its button must be pressed first
	Contested bool   // another home waits for that too: neither gets it now
}

func (in Claimed) apply(h *Household, now time.Time) {
	e := h.effect(in.Effect)
	if e == nil {
		return
	}
	device, by := e.Device, e.OpenID
	h.settle(in.Effect)
	switch {
	case in.Bound:
		h.bind(device, by, in, now)
	case in.Contested:
		h.dropClaim(device)
		if m := h.Member(by); m != nil {
			h.reply(m, "contested", h.vars(h.unbound(device), m.Lang, now), now)
		}
	case in.Press:
		h.awaitPress(device, by, now)
	case in.Taken != "":
		h.dropClaim(device)
		h.file(Effect{ID: h.effectID(), Kind: Forward, OpenID: by, Device: device, To: in.Taken, At: now})
	}
}

func (h *Household) bind(device, by string, in Claimed, now time.Time) {
	h.dropClaim(device)
	if h.Device(device) != nil { // a repeated effect
		return
	}
	h.Devices = append(h.Devices, Device{Address: device, Online: in.Online, Props: in.Props, Heard: now})
	d := &h.Devices[len(h.Devices)-1]
	d.Name = h.freeName(d, in.Name)
	h.log(Entry{At: now, What: "device", Device: device, Detail: "bound as " + d.Name})
	h.runRules(d, now)
	if m := h.Member(by); m != nil {
		h.reply(m, "bound", h.vars(d, m.Lang, now), now)
	}
}

// freeName is the installer's or the product's name, with a number if the home has one of that name already.
func (h *Household) freeName(d *Device, wanted string) string {
	if wanted == "" {
		if m := h.model(d); m != nil {
			wanted = m.Name.In("zh")
		}
	}
	name := wanted
	for n := 2; slices.ContainsFunc(h.Devices, func(o Device) bool { return o.Name == name }); n++ {
		name = wanted + strconv.Itoa(n)
	}
	return name
}

func (h *Household) awaitPress(device, by string, now time.Time) {
	for i := range h.Claims {
		if c := &h.Claims[i]; c.Device == device && !c.Waiting {
			c.Waiting, c.Until = true, now.Add(claimFor)
			if m := h.Member(by); m != nil {
				h.reply(m, "press_button", h.vars(h.unbound(device), m.Lang, now), now)
			}
		}
	}
}

// unbound is a device that is not the household's yet, by the name of its product.
func (h *Household) unbound(device string) *Device {
	d := &Device{Address: device}
	d.Name = h.freeName(d, "")
	return d
}

func (h *Household) dropClaim(device string) {
	h.Claims = slices.DeleteFunc(h.Claims, func(c Claiming) bool { return c.Device == device })
}

func (h *Household) dueClaims(now time.Time) {
	h.Claims = slices.DeleteFunc(h.Claims, func(c Claiming) bool {
		over := !now.Before(c.Until)
		if m := h.Member(c.By); over && c.Waiting && m != nil {
			h.reply(m, "press_missed", h.vars(h.unbound(c.Device), m.Lang, now), now)
		}
		return over
	})
	h.Guests = slices.DeleteFunc(h.Guests, func(g Guest) bool {
		over := !now.Before(g.Until)
		if over {
			h.answerGuest(&g, "join_lapsed", now)
			h.part(g.OpenID, now)
		}
		return over
	})
}

// Pressed is the button of a device that this household waits for.
type Pressed struct{ Device string }

func (in Pressed) apply(h *Household, now time.Time) {
	for _, c := range h.Claims {
		if c.Device == in.Device && c.Waiting {
			h.claim(c.Device, c.By, now)
		}
	}
}

// knock is a stranger who scanned a device of this household: the owners are asked. A copied label can bring any number
// of strangers; only a few may wait at a time, the others are told to scan again.
func (h *Household) knock(in Scanned, now time.Time) {
	if g := h.guest(in.From); g != nil {
		g.Window.tapped(now)
		h.answerGuest(g, "join_pending", now)
		return
	}
	if h.refused(in.From, now) {
		h.answerTo(in.From, "zh", &Window{TapUntil: now.Add(time.Minute), TapLeft: 1}, "join_refused", h.vars(nil, "zh", now), now)
		return
	}
	g := Guest{ID: "g" + strconv.FormatUint(h.next(), 10), OpenID: in.From, Lang: "zh", Device: in.Device, Until: now.Add(joinFor)}
	g.Window.tapped(now)
	if len(h.Guests) >= maxGuests {
		h.answerGuest(&g, "code_used", now)
		return
	}
	h.Guests = append(h.Guests, g)
	h.log(Entry{At: now, What: "member", Device: in.Device, Detail: "asks to join"})
	h.file(Effect{ID: h.effectID(), Kind: Enter, OpenID: in.From, At: now})
	h.file(Effect{ID: h.effectID(), Kind: Profile, OpenID: in.From, At: now})
}

func (h *Household) answerGuest(g *Guest, message string, now time.Time) {
	h.answerTo(g.OpenID, g.Lang, &g.Window, message, h.vars(h.Device(g.Device), g.Lang, now), now)
}

// keepRefused is how long a person who was not let in is answered without asking anybody again.
const keepRefused = 24 * time.Hour

func (h *Household) refused(openID string, now time.Time) bool {
	return slices.ContainsFunc(h.Refused, func(s Seen) bool { return s.ID == short(openID) && now.Sub(s.At) < keepRefused })
}

// askOwners puts the request of a guest, whose name is known by now, to the owners.
func (h *Household) askOwners(g *Guest, now time.Time) {
	d := h.Device(g.Device)
	who := &Member{Name: g.name()}
	q := h.ask(Question{Kind: AskJoin, Device: g.Device, Who: who.Name, Message: "join_request", Options: []Option{
		{Label: devices.Text{"zh": "同意", "en": "agree"}, Say: devices.Words{"zh": {"同意", "好的", "好", "可以"}, "en": {"agree", "yes", "ok"}}, Guest: g.ID},
		{Label: devices.Text{"zh": "不同意", "en": "refuse"}, Say: devices.Words{"zh": {"不同意", "不", "不行", "不可以"}, "en": {"refuse", "no"}}, Deny: g.ID},
	}}, joinFor, now)
	for i := range h.Members {
		if m := &h.Members[i]; m.Role == Owner {
			q.Asked = append(q.Asked, m.OpenID)
			h.notify(m, notice{message: "join_request", device: d, question: q, who: who, level: devices.Info}, now)
		}
	}
}

// name is what the owners are told of who asks: WeChat names nobody, so that they may have to ask for the number.
func (g *Guest) name() string {
	if g.Name != "" {
		return g.Name
	}
	return strings.TrimPrefix(g.ID, "g") + "号"
}

// admit makes a guest a member.
func (h *Household) admit(by *Member, guest string, now time.Time) {
	g := h.guestByID(guest)
	if g == nil {
		h.reply(by, "question_expired", h.vars(nil, by.Lang, now), now)
		return
	}
	m := Member{OpenID: g.OpenID, Name: g.Name, Lang: g.Lang, Role: Adult, Window: g.Window}
	byID := by.ID
	h.dropGuest(m.OpenID)
	h.join(m, now) // moves the members: by is not to be used any more
	joined := h.Member(m.OpenID)
	v := h.vars(nil, joined.Lang, now)
	v.Who = h.memberByID(byID).Name
	h.reply(joined, "joined_you", v, now)
	v.Who = joined.Name
	h.reply(h.memberByID(byID), "joined_told", v, now)
}

func (h *Household) refuse(by *Member, guest string, now time.Time) {
	if g := h.guestByID(guest); g != nil {
		h.answerGuest(g, "join_refused", now)
		h.Refused = append(h.Refused, Seen{ID: short(g.OpenID), At: now})
		h.part(g.OpenID, now)
		h.dropGuest(g.OpenID)
	}
	h.reply(by, "join_refused_told", h.vars(nil, by.Lang, now), now)
}

func (h *Household) dropGuest(openID string) {
	h.Guests = slices.DeleteFunc(h.Guests, func(g Guest) bool { return g.OpenID == openID })
}

// Unfollowed is a person who left the account: everything about them is erased.
//
// Source: WeChat's documentation of the unsubscribe event, "需要删除该用户的所有信息".
type Unfollowed struct {
	From string
	ID   string
}

func (in Unfollowed) apply(h *Household, now time.Time) {
	if h.seen(in.ID, now) {
		return
	}
	m, g := h.Member(in.From), h.guest(in.From)
	if g != nil {
		h.withdraw(func(q *Question) bool { return q.Kind == AskJoin && q.Options[0].Guest == g.ID })
		h.dropGuest(in.From)
	}
	h.erase(in.From)
	if m != nil || g != nil {
		h.part(in.From, now)
	}
	if m != nil {
		h.log(Entry{At: now, What: "member", Member: m.ID, Detail: "left"})
		h.file(Effect{ID: h.effectID(), Kind: Erase, Member: m.ID, At: now})
		h.Members = slices.DeleteFunc(h.Members, func(o Member) bool { return o.OpenID == in.From })
		h.succeed(now)
	}
}

// erase takes the person's openid out of everything but the memberships.
func (h *Household) erase(openID string) {
	h.Outbox = slices.DeleteFunc(h.Outbox, func(e Effect) bool { return (e.Kind == Deliver && e.Note.To == openID) || e.OpenID == openID })
	h.Claims = slices.DeleteFunc(h.Claims, func(c Claiming) bool { return c.By == openID })
	for i := range h.Questions {
		h.Questions[i].Asked = slices.DeleteFunc(h.Questions[i].Asked, func(o string) bool { return o == openID })
	}
	for i := range h.Commands {
		if h.Commands[i].By == openID {
			h.Commands[i].By = ""
		}
	}
}

// succeed sees to it that a home has an owner, and that an empty one lets its devices go and its guests know.
func (h *Household) succeed(now time.Time) {
	if len(h.Members) > 0 {
		if !slices.ContainsFunc(h.Members, func(m Member) bool { return m.Role == Owner }) {
			h.Members[0].Role = Owner
			h.withdraw(func(q *Question) bool { return q.Kind == AskJoin })
			for i := range h.Guests {
				h.askOwners(&h.Guests[i], now)
			}
		}
		return
	}
	h.Outbox = slices.DeleteFunc(h.Outbox, func(e Effect) bool { return e.Kind == Publish })
	for _, d := range h.Devices {
		h.file(Effect{ID: h.effectID(), Kind: Release, Device: d.Address, At: now})
	}
	for i := range h.Guests {
		h.answerGuest(&h.Guests[i], "join_refused", now)
		h.part(h.Guests[i].OpenID, now)
	}
	h.Devices, h.Guests, h.Incidents, h.Questions, h.Commands = nil, nil, nil, nil, nil
}
