package fakewechat

import (
	"slices"
	"time"
)

const messagesKept = 500 // of one chat

// The kinds of Message.
const (
	KindText   = "text"   // words from the account
	KindImage  = "image"  // a picture from the account
	KindMenu   = "menu"   // words with options to tap
	KindCard   = "card"   // a template message
	KindNotice = "notice" // grey words by WeChat itself
	KindOwn    = "own"    // what the user sent: Text, Image or Voice
)

// Message is one entry of a chat, as the phone shows it.
type Message struct {
	ID         int64     `json:"id"` // counts up within one phone
	Kind       string    `json:"kind"`
	At         time.Time `json:"at"`
	Title      string    `json:"title,omitempty"`
	Text       string    `json:"text,omitempty"` // of a menu: the words above the options
	Fields     []Field   `json:"fields,omitempty"`
	Options    []Option  `json:"options,omitempty"`
	Tail       string    `json:"tail,omitempty"` // the words below the options
	URL        string    `json:"url,omitempty"`  // what a tap on the card opens
	Image      string    `json:"image,omitempty"`
	Voice      string    `json:"voice,omitempty"` // media id
	Seconds    int       `json:"seconds,omitempty"`
	MsgID      int64     `json:"msgid,omitempty,string"` // as the API or the callback named it
	TemplateID string    `json:"template_id,omitempty"`
}

// Field is one line of a card.
type Field struct {
	Key   string `json:"key"`
	Label string `json:"label"`
	Value string `json:"value"`
}

// Option is one choice of a menu message.
type Option struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// Phone is what one phone shows.
type Phone struct {
	User
	Account  string       `json:"account"`
	Seq      int64        `json:"seq"` // grows with each change; give it back as "after" to wait for the next
	Time     time.Time    `json:"time"`
	Unread   int          `json:"unread"`
	Messages []*Message   `json:"messages"`
	Menu     []MenuButton `json:"menu,omitempty"`
	Page     *Page        `json:"page,omitempty"` // the page open in the in-app browser
	Window   Window       `json:"window"`
}

// Window is how many customer messages the account may still send to this user now.
type Window struct {
	Left  int       `json:"left"`
	Until time.Time `json:"until,omitzero"`
}

// person is one user and the phone. Guarded by Server.mu, but for the browser, which has its own lock.
type person struct {
	User
	Seq      int64      `json:"seq"`
	Since    time.Time  `json:"since,omitzero"` // follower since
	Scene    string     `json:"scene,omitempty"`
	Messages []*Message `json:"messages"`
	LastID   int64      `json:"last_id"`
	Read     int64      `json:"read"` // id of the last message that was seen
	Ledger   ledger     `json:"ledger"`

	browser *browser
	page    *Page
}

// findPerson finds a user by key, openid or name. s.mu is held, or nobody else knows s yet.
func (s *Server) findPerson(names ...string) (*person, bool) {
	for _, p := range s.state.People {
		for _, name := range names {
			if name != "" && (name == p.Key || name == p.OpenID || name == p.Name) {
				p.ready()
				return p, true
			}
		}
	}
	return nil, false
}

// ready gives a phone restored from disk its browser.
func (p *person) ready() {
	if p.browser == nil {
		p.browser = newBrowser()
	}
}

// addPerson adds a user. s.mu is held, or nobody else knows s yet.
func (s *Server) addPerson(u User) *person {
	if u.OpenID == "" {
		u.OpenID = "o" + digest(s.opt.AppID + "/" + u.Key + u.Name)[:27] // 28 characters, as real ones
	}
	if u.Key == "" {
		u.Key = u.OpenID
	}
	p := &person{User: u}
	p.ready()
	if u.Following {
		p.Since = s.now()
	}
	s.state.People = append(s.state.People, p)
	return p
}

// touch notes that a phone shows something else than before. s.mu is held.
func (s *Server) touch(p *person) {
	p.Seq++
	s.changed()
}

// show adds a message to the chat. s.mu is held.
func (s *Server) show(p *person, m *Message) *Message {
	p.LastID++
	m.ID, m.At = p.LastID, s.now()
	p.Messages = append(p.Messages, m)
	if extra := len(p.Messages) - messagesKept; extra > 0 {
		p.Messages = slices.Delete(p.Messages, 0, extra)
	}
	s.touch(p)
	return m
}

func (p *person) unread() int {
	n := 0
	for _, m := range p.Messages {
		if m.ID > p.Read && m.Kind != KindOwn {
			n++
		}
	}
	return n
}

func (p *person) message(id int64) (*Message, bool) {
	i := slices.IndexFunc(p.Messages, func(m *Message) bool { return m.ID == id })
	if i < 0 {
		return nil, false
	}
	return p.Messages[i], true
}

// phone is the picture of p's phone. s.mu is held; the result is the caller's.
func (s *Server) phone(p *person) *Phone {
	v := &Phone{
		User: p.User, Account: s.opt.AccountName, Seq: p.Seq, Time: s.now(), Unread: p.unread(),
		Messages: slices.Clone(p.Messages), Page: p.page, Window: p.Ledger.window(s.now()),
	}
	if v.Messages == nil {
		v.Messages = []*Message{}
	}
	if s.state.Menu != nil && p.Following {
		v.Menu = s.state.Menu.Buttons
	}
	return v
}

func (l *ledger) window(now time.Time) Window {
	var w Window
	for _, a := range []allowance{l.Tap, l.Talk} {
		if now.Before(a.Until) {
			w.Left += a.Left
			w.Until = a.Until
		}
	}
	return w
}
