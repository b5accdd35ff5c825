package home

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"jiaxin/bridge/understand"
	"jiaxin/devices"
)

// The longest name that a person can have, and what the timeline keeps of their words, in characters.
const (
	maxName = 12
	maxSaid = 300
)

// Said is what a person wrote in the chat, or the menu choice that they tapped.
type Said struct {
	From   string
	ID     string
	Text   string
	Choice string // the Choice.ID that was tapped; "": they wrote
}

func (in Said) apply(h *Household, now time.Time) {
	if h.seen(in.ID, now) {
		return
	}
	if g := h.guest(in.From); g != nil {
		g.Window.spoke(now)
		h.answerGuest(g, "join_pending", now)
		return
	}
	m := h.enter(in.From, now)
	if m == nil {
		return
	}
	m.Window.spoke(now)
	h.log(Entry{At: now, What: "said", Member: m.ID, Detail: clip(in.Text)})
	if in.Choice != "" {
		h.tapped(m, in.Choice, now)
		return
	}
	h.hear(m, in.Text, now)
}

// tapped takes a menu's choice. One that is not known any more is too old: its words alone could mean something else now.
func (h *Household) tapped(m *Member, choice string, now time.Time) {
	if q, opt := h.question(choice); q != nil {
		h.answer(m, q, opt, now)
		return
	}
	h.reply(m, "question_expired", h.vars(nil, m.Lang, now), now)
}

// clip keeps the timeline's lines short.
func clip(s string) string {
	if r := []rune(s); len(r) > maxSaid {
		return string(r[:maxSaid]) + "…"
	}
	return s
}

// hear finds out what the words mean: an answer, a name, a command or a question of their own; else it says so.
func (h *Household) hear(m *Member, text string, now time.Time) {
	found := h.answers(m.OpenID, text)
	switch {
	case len(found) == 1:
		h.answer(m, found[0].q, found[0].opt, now)
	case len(found) > 1:
		h.which(m, found, now)
	case h.named(m, text, now):
	default:
		h.interpret(m, text, now)
	}
}

// named takes "我是妈妈" as the person's name.
func (h *Household) named(m *Member, text string, now time.Time) bool {
	name, ok := understand.Name(text)
	if !ok || utf8.RuneCountInString(name) > maxName {
		return false
	}
	m.Name = name
	v := h.vars(nil, m.Lang, now)
	v.Who = name
	h.reply(m, "named", v, now)
	return true
}

func (h *Household) interpret(m *Member, text string, now time.Time) {
	r := understand.Read(h.view(), text)
	h.log(Entry{At: now, What: "understood", Member: m.ID, Detail: string(r.Kind) + ": " + r.Why})
	switch r.Kind {
	case understand.Act:
		h.order(m, h.Device(r.Device), Command{Set: r.Set, Do: r.Do, With: r.With}, false, now)
	case understand.Ask:
		h.askDevice(m, r, now)
	case understand.Answer:
		h.tellState(m, h.Device(r.Device), r.Query, now)
	default:
		h.notUnderstood(m, text, now)
	}
}

// notUnderstood says what is known of words that ask for nothing by themselves: what is waited for, or that they come
// too late; else, how to say things.
func (h *Household) notUnderstood(m *Member, text string, now time.Time) {
	pending, late := h.pending(m.OpenID), h.late(m.OpenID, text, now)
	switch {
	case pending != nil:
		v := h.vars(h.Device(pending.Device), m.Lang, now)
		v.Options, _ = h.menu(pending, m.Lang)
		h.reply(m, "confirm_pending", v, now)
	case late != nil:
		h.stale(m, late, now)
	case h.danger(""):
		h.reply(m, "help_danger", h.vars(nil, m.Lang, now), now)
	default:
		h.help(m, now)
	}
}

// pending is the confirmation that the person has been asked for and has not given yet.
func (h *Household) pending(openID string) *Question {
	for i := range h.Questions {
		if q := &h.Questions[i]; q.open() && q.Kind == AskConfirm && slices.Contains(q.Asked, openID) {
			return q
		}
	}
	return nil
}

// lateFor is how long after a question its words still count as an answer to it that comes too late.
const lateFor = time.Hour

// late finds the newest question put to the person which the words would have answered, had it still been open.
func (h *Household) late(openID, text string, now time.Time) *Question {
	for i := len(h.Questions) - 1; i >= 0; i-- {
		q := &h.Questions[i]
		if !q.open() && q.Kind == AskEvent && now.Sub(q.At) < lateFor && slices.Contains(q.Asked, openID) && q.option(text) >= 0 {
			return q
		}
	}
	return nil
}

// view is the home as its words are understood.
func (h *Household) view() understand.Home {
	var v understand.Home
	for i := range h.Devices {
		if m := h.model(&h.Devices[i]); m != nil {
			v.Devices = append(v.Devices, understand.Device{ID: h.Devices[i].Address, Name: h.Devices[i].Name, Model: m})
		}
	}
	return v
}

// askDevice asks which of several devices was meant.
func (h *Household) askDevice(m *Member, r understand.Result, now time.Time) {
	var opts []Option
	for _, address := range r.Choices {
		name := h.Device(address).Name
		opts = append(opts, Option{
			Label: devices.Text{"zh": name, "en": name}, Say: devices.Words{"zh": {name}},
			Device: address, Set: r.Set, Do: r.Do, With: r.With,
		})
	}
	h.askBack(m, Question{Kind: AskWhich, Message: "which_device", Options: opts}, now)
}

// tellState answers from what the device last reported, and says how old that is when it is away.
func (h *Household) tellState(m *Member, d *Device, property string, now time.Time) {
	v := h.vars(d, m.Lang, now)
	value, known := d.Props[property]
	if !known {
		h.reply(m, "state_unknown", v, now)
		return
	}
	v.Command = state(h.model(d), property, value, m.Lang)
	key := "state"
	if !d.Online {
		key, v.At = "state_offline", d.Heard.In(h.world.Zone)
	}
	h.reply(m, key, v, now)
}

// state is a reported value in words: 已关, 目标温度26度.
func state(m *devices.Model, property string, value any, lang string) string {
	p, ok := m.Property(property)
	if !ok {
		return ""
	}
	if v, ok := p.Value(value); ok && p.Kind == devices.Switch {
		return cmp.Or(v.Told.In(lang), p.Say(value, lang)) // what cannot be set has no word for its setting: 没有泄漏
	}
	if lang == "en" {
		return p.Name.In(lang) + ": " + p.Say(value, lang)
	}
	return p.Name.In(lang) + p.Say(value, lang)
}

// help says honestly that a sentence was not understood, and what this home understands.
func (h *Household) help(m *Member, now time.Time) {
	key, v := "help_no_device", h.vars(nil, m.Lang, now)
	if examples := understand.Examples(h.view(), m.Lang, 3); len(examples) > 0 {
		key, v.Options = "help", strings.Join(examples, map[bool]string{true: ", ", false: "、"}[m.Lang == "en"])
	}
	h.reply(m, key, v, now)
}

// SentMedia is something other than words: a voice, a photo, a sticker.
type SentMedia struct {
	From  string
	ID    string
	Media Media // Kind "voice" or "photo"; "": something that we do not keep
}

func (in SentMedia) apply(h *Household, now time.Time) {
	if h.seen(in.ID, now) || h.guest(in.From) != nil {
		return
	}
	m := h.enter(in.From, now)
	if m == nil {
		return
	}
	m.Window.spoke(now)
	key := "only_words"
	if in.Media.Kind != "" {
		media := in.Media
		h.file(Effect{ID: h.effectID(), Kind: Fetch, OpenID: m.OpenID, Member: m.ID, Media: &media, At: now, Until: now.Add(keepUndelivered)})
		key = in.Media.Kind + "_kept"
	}
	h.log(Entry{At: now, What: "said", Member: m.ID, Detail: "[" + in.Media.Kind + "]"})
	h.reply(m, key, h.vars(nil, m.Lang, now), now)
}

// Followed is a person who follows the account, or opens its menu, without a label's code.
type Followed struct {
	From string
	ID   string
	Used bool // they came by a label's code that has been used up or is too old
}

func (in Followed) apply(h *Household, now time.Time) {
	if h.seen(in.ID, now) || h.guest(in.From) != nil {
		return
	}
	m := h.enter(in.From, now)
	if m == nil {
		return
	}
	m.Window.tapped(now)
	key := "welcome"
	if in.Used {
		key = "code_used"
	}
	h.reply(m, key, h.vars(nil, m.Lang, now), now)
}
