package home

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"jiaxin/devices"
	"jiaxin/templates"
)

// notice is something that one person shall hear.
type notice struct {
	message  string
	device   *Device
	incident *Incident
	question *Question
	who      *Member
	level    devices.Level
	chatOnly bool
}

// notify tells a member something that they did not ask for: as a card, which always arrives, and, if it asks
// something and their message window is open, also in the chat, where the answers can be tapped.
func (h *Household) notify(to *Member, n notice, now time.Time) {
	v := h.vars(n.device, to.Lang, now)
	if n.incident != nil {
		v.At, v.Fields = n.incident.At.In(h.world.Zone), fields(n.device, n.incident)
	}
	if n.who != nil {
		v.Who = n.who.Name
	}
	var menu []Choice
	if n.question != nil {
		v.Options, menu = h.menu(n.question, to.Lang)
	}
	if !n.chatOnly {
		h.send(Notification{To: to.OpenID, Via: Card, Level: n.level, Card: h.card(n.message, to.Lang, v)}, n.incident, now)
	}
	if (len(menu) > 0 || n.chatOnly) && to.Window.take(now) {
		text := h.world.Words.Text(n.message, to.Lang, v)
		h.send(Notification{To: to.OpenID, Via: Chat, Level: n.level, Text: text, Menu: menu}, n.incident, now)
	}
}

// fields are what a message may quote: what the device reports, and over it what came with the event.
func fields(d *Device, inc *Incident) map[string]any {
	all := map[string]any{}
	if d != nil {
		maps.Copy(all, d.Props)
	}
	maps.Copy(all, inc.Fields)
	return all
}

// reply answers what a person has just said or done: in the chat if it is open, else as a card if there is one.
func (h *Household) reply(to *Member, message string, v templates.Vars, now time.Time) {
	h.answerTo(to.OpenID, to.Lang, &to.Window, message, v, now)
}

func (h *Household) answerTo(openID, lang string, w *Window, message string, v templates.Vars, now time.Time) {
	n := Notification{To: openID, Via: Chat, Level: devices.Info, Text: h.world.Words.Text(message, lang, v), Card: h.card(message, lang, v)}
	if !w.take(now) {
		n.Via, n.Text = Card, ""
	}
	h.send(n, nil, now)
}

// card is the message's template form; the zero Card if it has none.
func (h *Household) card(message, lang string, v templates.Vars) templates.Card {
	m, ok := h.world.Words.Message(message)
	if !ok || m.Form == "" {
		return templates.Card{}
	}
	c, err := h.world.Words.Card(message, lang, v)
	if err != nil { // cannot be: Load has checked every message
		h.log(Entry{At: v.At, What: "notice", Detail: fmt.Sprintf("no card for %s: %v", message, err)})
	}
	return c
}

// send files a notification in the outbox. One that could only go as a card, and has none, is noted and not sent.
func (h *Household) send(n Notification, inc *Incident, now time.Time) {
	id := strconv.FormatUint(h.next(), 10)
	n.ID = h.ID + "-" + id
	entry := Entry{At: now, What: "notice", Ref: n.ID, Detail: string(n.Via) + ": " + n.words()}
	if m := h.Member(n.To); m != nil {
		entry.Member = m.ID
	}
	if n.Via == Card && n.Card.Form == "" {
		entry.Detail = "not told: the chat is closed, and there is no card for it"
		h.log(entry)
		return
	}
	h.log(entry)
	e := Effect{ID: "e" + id, Kind: Deliver, Note: &n, At: now, Until: now.Add(keepUndelivered)}
	if inc != nil {
		e.Incident = inc.ID
	}
	h.file(e)
}

// words are what the person reads.
func (n *Notification) words() string {
	if n.Via == Chat {
		return n.Text
	}
	var values []string
	for _, f := range n.Card.Fields {
		values = append(values, f.Value)
	}
	return strings.Join(values, " · ")
}

// vars are the words that every message can use.
func (h *Household) vars(d *Device, lang string, now time.Time) templates.Vars {
	v := templates.Vars{At: now.In(h.world.Zone)}
	if d == nil {
		return v
	}
	v.Device = d.Name
	if m := h.model(d); m != nil {
		v.Product = m.Name.In(lang)
	}
	return v
}

// menu is the question's options as words, "关掉 / 不用", and as tappable choices.
func (h *Household) menu(q *Question, lang string) (string, []Choice) {
	var labels []string
	var choices []Choice
	for i, o := range q.Options {
		l := o.Label.In(lang)
		labels = append(labels, l)
		choices = append(choices, Choice{ID: h.choice(q, i), Label: l})
	}
	return strings.Join(labels, " / "), choices
}
