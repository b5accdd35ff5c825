package home

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/width"

	"jiaxin/bridge/understand"
	"jiaxin/devices"
)

// Question is something that the household was asked. It can be answered once, by someone who was asked, in time.
type Question struct {
	ID       string    `json:"id"` // "q7"
	Kind     Asking    `json:"kind"`
	Device   string    `json:"device,omitempty"`
	Event    string    `json:"event,omitempty"`
	Incident string    `json:"incident,omitempty"`
	Message  string    `json:"message"` // the key of its words
	Options  []Option  `json:"options"`
	InFull   bool      `json:"in_full,omitempty"` // only its words, or a tap, answer it: never a number
	Who      string    `json:"who,omitempty"`     // whom it is about
	Asked    []string  `json:"asked"`             // openids
	At       time.Time `json:"at"`
	Expires  time.Time `json:"expires"`
	Closed   Closing   `json:"closed,omitempty"`
	By       string    `json:"by,omitempty"` // the member id of who answered
}

// Asking is what a question is about.
type Asking string

// The kinds of question.
const (
	AskEvent   Asking = "event"   // what to do about an event
	AskJoin    Asking = "join"    // may this person join
	AskConfirm Asking = "confirm" // really do something hazardous
	AskWhich   Asking = "which"   // which of several was meant
)

// Closing is how a question came to its end.
type Closing string

// The ways for a question to end.
const (
	Answered  Closing = "answered"
	Expired   Closing = "expired"
	Withdrawn Closing = "withdrawn" // its reason has gone
)

// Option is one answer and what it does. At most one of Set/Do, Ack, Guest and Pick is given; none: nothing is done.
type Option struct {
	Label  devices.Text   `json:"label"`
	Say    devices.Words  `json:"say,omitempty"`
	Device string         `json:"device,omitempty"` // if not the question's
	Set    map[string]any `json:"set,omitempty"`
	Do     string         `json:"do,omitempty"`
	With   map[string]any `json:"with,omitempty"`
	Ack    bool           `json:"ack,omitempty"`
	Guest  string         `json:"guest,omitempty"` // the id of the guest who may join
	Deny   string         `json:"deny,omitempty"`  // the id of the guest who may not
	Pick   string         `json:"pick,omitempty"`  // the Choice.ID that was meant
}

func (q *Question) open() bool { return q.Closed == "" }

func eventOptions(e *devices.Event) []Option {
	var opts []Option
	for _, o := range e.Ask {
		opts = append(opts, Option{Label: label(o.Say), Say: o.Say, Set: o.Set, Do: o.Do, With: o.With, Ack: o.Ack})
	}
	return opts
}

// label is the first phrase of each language.
func label(w devices.Words) devices.Text {
	t := devices.Text{}
	for lang := range w {
		t[lang] = w.First(lang)
	}
	return t
}

// ask files a question. The pointer is valid until the next question is filed.
func (h *Household) ask(q Question, for_ time.Duration, now time.Time) *Question {
	q.ID = "q" + strconv.FormatUint(h.next(), 10)
	q.At, q.Expires = now, now.Add(for_)
	h.Questions = append(h.Questions, q)
	return &h.Questions[len(h.Questions)-1]
}

// withdraw closes the questions whose reason has gone.
func (h *Household) withdraw(about func(*Question) bool) {
	for i := range h.Questions {
		if q := &h.Questions[i]; q.open() && about(q) {
			q.Closed = Withdrawn
		}
	}
}

func (h *Household) dueQuestions(now time.Time) {
	for i := range h.Questions {
		q := &h.Questions[i]
		if q.open() && q.InFull && now.Before(q.At) { // the clock was set back: nobody knows how old this is
			q.Closed = Withdrawn
		}
		if q.open() && !now.Before(q.Expires) {
			q.Closed = Expired
			h.log(Entry{At: now, What: "answer", Device: q.Device, Ref: q.ID, Detail: "expired"})
		}
	}
}

// choice is the Choice.ID of an option: "<household>/q7:0", so that a tap reaches the home that asked.
func (h *Household) choice(q *Question, option int) string {
	return h.ID + "/" + q.ID + ":" + strconv.Itoa(option)
}

// ChoiceOf is the household that a Choice.ID comes from, "" if it is none of ours.
func ChoiceOf(choice string) string {
	household, _, ok := strings.Cut(choice, "/")
	if !ok {
		return ""
	}
	return household
}

// question finds the question and option that a menu's choice names.
func (h *Household) question(choice string) (*Question, int) {
	for i := range h.Questions {
		for opt := range h.Questions[i].Options {
			if h.choice(&h.Questions[i], opt) == choice {
				return &h.Questions[i], opt
			}
		}
	}
	return nil, 0
}

// match is an open question that some words answer.
type match struct {
	q   *Question
	opt int
}

// answers lists the open questions put to the person which the words answer, one match a question. Having asked back
// which one was meant, the answer to that comes before all others.
func (h *Household) answers(openID, words string) []match {
	if strings.ContainsAny(words, "?？") { // a question is never an answer
		return nil
	}
	var found, which []match
	for i := range h.Questions {
		q := &h.Questions[i]
		if !q.open() || !slices.Contains(q.Asked, openID) {
			continue
		}
		if opt := q.option(words); opt >= 0 {
			found = append(found, match{q, opt})
			if q.Kind == AskWhich {
				which = found[len(found)-1:]
			}
		}
	}
	if len(which) > 0 {
		return which
	}
	return found
}

// option finds the one answer that the normalised words are, -1 if none or several. A number counts from 1 as the menu
// was listed, but never confirms something hazardous.
func (q *Question) option(words string) int {
	said, as := understand.Normal(words), understand.Normal
	if q.InFull {
		said, as = strictly(words), strictly
	}
	var found []int
	for i := range q.Options {
		if q.Options[i].is(said, as) {
			found = append(found, i)
		}
	}
	if len(found) > 0 {
		return map[bool]int{true: found[0], false: -1}[len(found) == 1]
	}
	if n, err := strconv.Atoi(said); err == nil && !q.InFull && n >= 1 && n <= len(q.Options) {
		return n - 1
	}
	return -1
}

// is says whether the normalised words are one of the option's phrases.
func (o *Option) is(said string, as func(string) string) bool {
	for _, phrases := range o.Say {
		if slices.ContainsFunc(phrases, func(p string) bool { return said != "" && as(p) == said }) {
			return true
		}
	}
	return false
}

// strictly is what was said with nothing taken away but pauses: what is put in full counts only as it was put.
func strictly(words string) string {
	s := strings.ToLower(width.Fold.String(strings.TrimSpace(words)))
	return strings.NewReplacer(" ", "", ",", "", ":", "").Replace(strings.TrimRight(s, "。.!"))
}

// answer does what the option says, or tells honestly that it is too late.
func (h *Household) answer(by *Member, q *Question, opt int, now time.Time) {
	if !slices.Contains(q.Asked, by.OpenID) {
		h.reply(by, "not_asked", h.vars(h.Device(q.Device), by.Lang, now), now)
		return
	}
	if !q.open() {
		h.stale(by, q, now)
		return
	}
	o := q.Options[opt]
	q.Closed, q.By = Answered, by.ID
	h.log(Entry{At: now, What: "answer", Device: q.Device, Member: by.ID, Ref: q.ID, Detail: o.Label["zh"]})
	h.carryOut(by, *q, o, now)
}

func (h *Household) carryOut(by *Member, q Question, o Option, now time.Time) {
	switch {
	case o.Ack:
		h.acknowledge(&q, by, now)
	case len(o.Set) > 0 || o.Do != "":
		h.command(by, q, o, now)
	case o.Guest != "":
		h.admit(by, o.Guest, now)
	case o.Deny != "":
		h.refuse(by, o.Deny, now)
	case o.Pick != "":
		if picked, n := h.question(o.Pick); picked != nil {
			h.answer(by, picked, n, now)
		}
	default:
		h.reply(by, "left_alone", h.vars(h.Device(q.Device), by.Lang, now), now)
	}
}

// stale tells what became of a question that can be answered no more.
func (h *Household) stale(by *Member, q *Question, now time.Time) {
	v := h.vars(h.Device(q.Device), by.Lang, now)
	key := map[Closing]string{Answered: "answered_already", Expired: "question_expired", Withdrawn: "question_over"}[q.Closed]
	if q.By == by.ID {
		key = "answered_by_you"
	}
	if m := h.memberByID(q.By); m != nil {
		v.Who = m.Name
	}
	h.reply(by, key, v, now)
}

// which asks back when the same words answer several open questions.
func (h *Household) which(by *Member, found []match, now time.Time) {
	back := Question{Kind: AskWhich, Message: "which_question"}
	for _, f := range found {
		name := f.q.Who
		if d := h.Device(f.q.Device); d != nil && name == "" {
			name = d.Name
		}
		label, say := devices.Text{}, devices.Words{}
		if !f.q.InFull {
			say["zh"] = []string{name}
		}
		for lang, words := range f.q.Options[f.opt].Label {
			label[lang] = strings.TrimPrefix(name+":"+words, ":")
			say[lang] = append(say[lang], label[lang])
		}
		back.InFull = back.InFull || f.q.InFull
		back.Options = append(back.Options, Option{Label: label, Say: say, Pick: h.choice(f.q, f.opt)})
	}
	h.askBack(by, back, now)
}

// askBack puts a short-lived question to one person in the chat. Asked again which one they mean, only the latest counts.
func (h *Household) askBack(to *Member, q Question, now time.Time) {
	h.withdraw(func(o *Question) bool { // the last one counts
		return o.Kind == q.Kind && (q.Kind == AskWhich || o.Device == q.Device) && slices.Equal(o.Asked, []string{to.OpenID})
	})
	q.Asked = []string{to.OpenID}
	filed := h.ask(q, askBackFor, now)
	h.notify(to, notice{message: q.Message, device: h.Device(q.Device), question: filed, level: devices.Info, chatOnly: true}, now)
}

// askBackFor is how long a question that only the asker of something can answer stays open.
const askBackFor = 2 * time.Minute
