package home

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"jiaxin/devices"
)

// Command is what a person told a device to do, until its end is known.
type Command struct {
	ID      string         `json:"id"`
	Device  string         `json:"device"`
	Set     map[string]any `json:"set,omitempty"`
	Do      string         `json:"do,omitempty"`
	With    map[string]any `json:"with,omitempty"`
	Then    map[string]any `json:"then,omitempty"` // the reported state that proves it has happened
	By      string         `json:"by,omitempty"`   // openid of who asked for it; "": they have left
	Hazard  bool           `json:"hazard,omitempty"`
	Late    bool           `json:"late,omitempty"` // the device answered when it had been given up
	State   CommandState   `json:"state"`
	At      time.Time      `json:"at"`
	Resend  time.Time      `json:"resend,omitzero"` // when it goes out again if nothing came back; zero: it does not
	Expires time.Time      `json:"expires"`
}

// CommandState is how far a command has come.
type CommandState string

// The states of a command. Only the device's own words move it on, never our having sent it.
const (
	Sent     CommandState = "sent"
	Acked    CommandState = "acked"    // the device said yes, its state does not show it yet
	Verified CommandState = "verified" // and its reported state shows it
	Rejected CommandState = "rejected" // the device said no
	Silent   CommandState = "silent"   // nothing came back in time: the outcome is unknown
	Unseen   CommandState = "unseen"   // it said yes, but its state has not shown it
	Unsent   CommandState = "unsent"   // it went offline just before, and the command is not repeated
)

func (s CommandState) final() bool { return s != Sent && s != Acked }

// The times of a command. A device drops one that reaches it expired.
const (
	commandFor = 15 * time.Second
	resendIn   = 3 * time.Second
	safeFor    = time.Minute      // the safe direction is tried for longer, and while the device is away
	hazardFor  = 10 * time.Second // the hazardous one for less, and once
	lateReply  = 10 * time.Minute // a reply that comes later than that is not reported as a correction
)

// command carries out an option that a person chose, or a sentence they said, after the questions that it needs.
func (h *Household) command(by *Member, q Question, o Option, now time.Time) {
	address := q.Device
	if o.Device != "" {
		address = o.Device
	}
	d := h.Device(address)
	if d == nil {
		h.reply(by, "device_gone", h.vars(nil, by.Lang, now), now)
		return
	}
	h.order(by, d, Command{Set: o.Set, Do: o.Do, With: o.With}, q.Kind == AskConfirm, now)
}

// order sends a command to a device. A hazardous one is first put to the person who gave it, by name and action.
func (h *Household) order(by *Member, d *Device, c Command, confirmed bool, now time.Time) {
	m := h.model(d)
	if m == nil {
		h.reply(by, "device_gone", h.vars(d, by.Lang, now), now)
		return
	}
	wire := devices.Command{Set: c.Set, Do: c.Do, With: c.With}
	hazard, safe := m.Hazardous(wire), m.SafeDirection(wire)
	switch {
	case hazard && h.danger(""):
		h.reply(by, "hazard_in_danger", h.vars(d, by.Lang, now), now)
	case hazard && !confirmed:
		h.confirm(by, d, c, now)
	case !d.Online && !safe:
		h.reply(by, "device_offline", h.vars(d, by.Lang, now), now)
	default:
		c.Hazard = hazard
		h.start(by, d, m, c, safe, now)
	}
}

// confirm asks the person who gave a hazardous command, and only them, to say it out in full.
func (h *Household) confirm(by *Member, d *Device, c Command, now time.Time) {
	m, wire := h.model(d), devices.Command{Set: c.Set, Do: c.Do, With: c.With}
	yes := devices.Words{"zh": {"确认" + m.Asked(wire, "zh")}, "en": {"confirm " + m.Asked(wire, "en")}}
	h.askBack(by, Question{Kind: AskConfirm, Device: d.Address, Message: "confirm_hazard", InFull: true, Options: []Option{
		{Label: label(yes), Say: yes, Set: c.Set, Do: c.Do, With: c.With},
		{Label: devices.Text{"zh": "不用", "en": "no"}, Say: devices.Words{"zh": {"不用", "不", "取消"}, "en": {"no", "cancel"}}},
	}}, now)
}

func (h *Household) start(by *Member, d *Device, m *devices.Model, c Command, safe bool, now time.Time) {
	c.ID = h.ID + "-" + strconv.FormatUint(h.next(), 10)
	c.Device, c.By, c.At, c.State = d.Address, by.OpenID, now, Sent
	c.Then = maps.Clone(c.Set)
	if a, ok := m.Action(c.Do); ok {
		c.Then = a.Then
	}
	c.schedule(safe, now)
	h.supersede(&c)
	h.Commands = append(h.Commands, c)
	h.log(Entry{At: now, What: "command", Device: c.Device, Member: by.ID, Ref: c.ID, Detail: describe(c)})
	h.publish(&c, now)
	if !d.Online { // the safe direction is worth waiting for, and saying so
		h.reply(by, "device_offline_trying", h.vars(d, by.Lang, now), now)
	}
}

// schedule says until when the command is worth doing, and when it goes out again.
func (c *Command) schedule(safe bool, now time.Time) {
	c.Expires = now.Add(commandFor)
	switch {
	case c.Hazard:
		c.Expires = now.Add(hazardFor)
	case safe:
		c.Expires, c.Resend = now.Add(safeFor), now.Add(resendIn)
	case c.Do == "": // setting a value twice is setting it once
		c.Resend = now.Add(resendIn)
	}
}

// supersede stops the repetition of earlier commands that set what this one sets: the last word counts.
func (h *Household) supersede(by *Command) {
	for i := range h.Commands {
		c := &h.Commands[i]
		if c.Device != by.Device || c.Resend.IsZero() || !overlap(c.Then, by.Then) {
			continue
		}
		c.Resend = time.Time{}
		h.Outbox = slices.DeleteFunc(h.Outbox, func(e Effect) bool {
			return e.Kind == Publish && e.Command.ID == c.ID && e.Leased.IsZero()
		})
	}
}

func overlap(a, b map[string]any) bool {
	for k := range a {
		if _, ok := b[k]; ok {
			return true
		}
	}
	return false
}

func describe(c Command) string {
	if c.Do != "" {
		return fmt.Sprintf("do %s %v", c.Do, c.With)
	}
	return fmt.Sprintf("set %v", c.Set)
}

// publish files the sending of a command. It leaves the outbox at once when performed, whatever came of it: only the
// device's reply counts, and the command's own clock repeats it.
func (h *Household) publish(c *Command, now time.Time) {
	h.file(Effect{ID: "e" + strconv.FormatUint(h.next(), 10), Kind: Publish, Device: c.Device, Once: c.Hazard, At: now, Until: c.Expires, Command: &devices.Command{
		ID: c.ID, Set: c.Set, Do: c.Do, With: c.With, Expires: c.Expires,
	}})
}

// due is when the command needs attention next.
func (c *Command) due() time.Time {
	switch {
	case c.State.final():
		return c.Expires.Add(lateReply)
	case c.State == Sent && !c.Resend.IsZero() && c.Resend.Before(c.Expires):
		return c.Resend
	}
	return c.Expires
}

func (h *Household) dueCommands(now time.Time) {
	for i := range h.Commands {
		c := &h.Commands[i]
		switch {
		case c.State.final():
		case !now.Before(c.Expires):
			h.expire(c, now)
		case c.State == Sent && !c.Resend.IsZero() && !now.Before(c.Resend):
			c.Resend = now.Add(resendIn)
			h.publish(c, now)
		}
	}
}

func (h *Household) expire(c *Command, now time.Time) {
	if c.State == Acked {
		h.finish(c, Unseen, "", now)
		return
	}
	h.finish(c, Silent, "", now)
}

// resend sends the commands that wait for a device as soon as it is back.
func (h *Household) resend(d *Device, now time.Time) {
	for i := range h.Commands {
		if c := &h.Commands[i]; c.Device == d.Address && c.State == Sent && !c.Resend.IsZero() {
			c.Resend = now.Add(resendIn)
			h.publish(c, now)
		}
	}
}

// Published says that a command was written towards its device, or, with Offline, that it certainly was not.
type Published struct {
	Effect  string
	Offline bool
}

func (in Published) apply(h *Household, now time.Time) {
	e := h.effect(in.Effect)
	if e == nil {
		return
	}
	id := e.Command.ID
	h.settle(in.Effect)
	if in.Offline {
		h.unsent(id, now)
	}
}

// unsent ends a command that did not go out and is not repeated.
func (h *Household) unsent(id string, now time.Time) {
	for i := range h.Commands {
		if c := &h.Commands[i]; c.ID == id && c.State == Sent && c.Resend.IsZero() {
			h.finish(c, Unsent, "", now)
		}
	}
}

// Replied is a device's own answer to a command.
type Replied struct {
	Device string
	Reply  devices.Reply
}

func (in Replied) apply(h *Household, now time.Time) {
	d := h.Device(in.Device)
	if d == nil {
		return
	}
	h.heard(d, now)
	for i := range h.Commands {
		c := &h.Commands[i]
		if c.ID != in.Reply.ID || c.Device != in.Device {
			continue
		}
		switch {
		case c.State != Sent && c.State != Silent: // a repetition
		case in.Reply.Code != 0:
			h.finish(c, Rejected, in.Reply.Message, now)
		default:
			c.acked(now)
			h.verify(d, now)
		}
		return
	}
}

// acked notes the device's yes. A late one gets some time for its state to show it.
func (c *Command) acked(now time.Time) {
	if c.State == Silent {
		c.Late, c.Expires = true, now.Add(commandFor)
	}
	c.State = Acked
}

// verify ends the commands that the device has said yes to and whose result its state shows, if need be as a correction.
func (h *Household) verify(d *Device, now time.Time) {
	for i := range h.Commands {
		if c := &h.Commands[i]; c.Device == d.Address && (c.State == Acked || c.State == Unseen) && shows(d.Props, c.Then) {
			h.finish(c, Verified, "", now)
		}
	}
}

// shows says whether all wanted values are reported.
func shows(props, then map[string]any) bool {
	for k, want := range then {
		if !equal(props[k], want) {
			return false
		}
	}
	return true
}

// equal compares reported with wanted values; numbers may be of different Go types.
func equal(a, b any) bool {
	x, ok := number(a)
	y, ok2 := number(b)
	if ok && ok2 {
		return x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	r := reflect.ValueOf(v)
	switch {
	case r.CanFloat():
		return r.Float(), true
	case r.CanInt():
		return float64(r.Int()), true
	case r.CanUint():
		return float64(r.Uint()), true
	}
	return 0, false
}

// finish ends a command and tells who gave it.
func (h *Household) finish(c *Command, s CommandState, reason string, now time.Time) {
	late := c.Late || c.State == Unseen
	c.State = s
	h.log(Entry{At: now, What: "result", Device: c.Device, Ref: c.ID, Detail: strings.TrimSpace(string(s) + " " + clip(reason))})
	by, d := h.Member(c.By), h.Device(c.Device)
	m := h.model(d)
	if by == nil || m == nil {
		return
	}
	v := h.vars(d, by.Lang, now)
	v.Command = m.Told(devices.Command{Set: c.Set, Do: c.Do, With: c.With}, by.Lang)
	v.Reason = plain(reason)
	h.reply(by, resultMessage(s, late, v.Reason), v, now)
}

// maxReason is how much of a device's own words a person is shown, in characters.
const maxReason = 40

// plain shortens a device's own words, and leaves them out if they lead anywhere: they come from outside.
func plain(reason string) string {
	if strings.Contains(reason, "://") || strings.Contains(reason, "www.") || strings.Contains(reason, "【") {
		return ""
	}
	if r := []rune(reason); len(r) > maxReason {
		return string(r[:maxReason]) + "…"
	}
	return reason
}

func resultMessage(s CommandState, late bool, reason string) string {
	switch {
	case s == Verified && late:
		return "command_done_late"
	case s == Verified:
		return "command_done"
	case s == Rejected && reason != "":
		return "command_refused_because"
	case s == Rejected:
		return "command_refused"
	case s == Unseen:
		return "command_unseen"
	case s == Unsent:
		return "device_offline"
	}
	return "command_silent"
}
