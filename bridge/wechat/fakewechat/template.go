package fakewechat

import (
	"slices"
	"strings"
	"time"
)

const sameMessage = 10 * time.Minute // how long a client_msg_id is remembered

// sent remembers the message that a client_msg_id made.
type sent struct {
	MsgID int64     `json:"msgid"`
	At    time.Time `json:"at"`
}

type templateRequest struct {
	ToUser     string `json:"touser"`
	TemplateID string `json:"template_id"`
	URL        string `json:"url"`
	ClientID   string `json:"client_msg_id"`
	Data       map[string]struct {
		Value string `json:"value"`
	} `json:"data"`
}

type templateAnswer struct {
	done
	MsgID int64 `json:"msgid"`
}

// templateSend shows a card on the user's phone and later sends the receipt TEMPLATESENDJOBFINISH. A repeated
// client_msg_id answers with the first message and shows nothing: what WeChat answers then is not documented.
func (s *Server) templateSend(c *call) (any, error) {
	var req templateRequest
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	p, err := s.receiver(req.ToUser)
	if err != nil {
		return nil, err
	}
	fields, t, err := s.fill(&req)
	if err != nil {
		return nil, err
	}
	if id, again := s.already(&req, c.now); again {
		return templateAnswer{ok(), id}, nil
	}
	id := s.nextID()
	s.remember(&req, id, c.now)
	s.deliverCard(p, &req, t, fields, id)
	return templateAnswer{ok(), id}, nil
}

// receiver finds a follower.
func (s *Server) receiver(openID string) (*person, error) {
	for _, p := range s.state.People {
		if p.OpenID == openID && openID != "" {
			if !p.Following {
				return nil, deny(43004)
			}
			return p, nil
		}
	}
	return nil, deny(40003)
}

// fill checks the data against the template. Keys that the template does not have, among them the abolished first and
// remark, are dropped without a word, as are colours.
func (s *Server) fill(req *templateRequest) ([]Field, *Template, error) {
	i := slices.IndexFunc(s.opt.Templates, func(t Template) bool { return t.ID == req.TemplateID })
	if i < 0 {
		return nil, nil, deny(40037)
	}
	t := &s.opt.Templates[i]
	var fields []Field
	for _, f := range t.Fields {
		value := req.Data[f.Key].Value
		if err := t.checkValue(f.Key, value); err != nil {
			return nil, nil, err
		}
		fields = append(fields, Field{f.Key, f.Label, value})
	}
	return fields, t, nil
}

func (s *Server) already(req *templateRequest, now time.Time) (int64, bool) {
	before, known := s.state.Sent[req.ToUser+"\n"+req.ClientID]
	return before.MsgID, known && req.ClientID != "" && now.Sub(before.At) < sameMessage
}

func (s *Server) remember(req *templateRequest, id int64, now time.Time) {
	if req.ClientID == "" {
		return
	}
	for key, old := range s.state.Sent {
		if now.Sub(old.At) >= sameMessage {
			delete(s.state.Sent, key)
		}
	}
	s.state.Sent[req.ToUser+"\n"+req.ClientID] = sent{id, now}
}

// deliverCard shows the card, unless a fault says that it failed on the way, and schedules the receipt.
func (s *Server) deliverCard(p *person, req *templateRequest, t *Template, fields []Field, id int64) {
	status := "success"
	if f := s.takeFault("receipt", ""); f != nil {
		status = f.Receipt
	}
	if !strings.HasPrefix(status, "failed") {
		s.show(p, &Message{Kind: KindCard, Title: t.Title, Fields: fields, URL: req.URL, MsgID: id, TemplateID: t.ID})
	}
	if status == ReceiptNone {
		return
	}
	e := s.event(p, "TEMPLATESENDJOBFINISH")
	e.Status, e.JobID = text(status), id
	s.afterwards(s.opt.ReceiptDelay, func() { s.enqueue(p, e, false) })
}

// afterwards does a thing in a while, unless the server is closed first. f runs with s.mu held; s.mu is held.
func (s *Server) afterwards(d time.Duration, f func()) {
	if s.closed {
		return
	}
	s.due++
	s.work.Go(func() {
		select {
		case <-s.ctx.Done():
		case <-time.After(d):
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		f() // of a closed server, nothing comes
		s.due--
		s.changed()
	})
}

// templateList answers get_all_private_template.
func (s *Server) templateList(*call) (any, error) {
	type entry struct {
		ID       string `json:"template_id"`
		Title    string `json:"title"`
		Primary  string `json:"primary_industry"`
		Deputy   string `json:"deputy_industry"`
		Content  string `json:"content"`
		Example  string `json:"example"`
		Category int    `json:"type"`
	}
	list := []entry{}
	for _, t := range s.opt.Templates {
		list = append(list, entry{ID: t.ID, Title: t.Title, Content: t.content(), Category: 2})
	}
	return map[string]any{"template_list": list}, nil
}

// content is a template as WeChat writes it: "设备：{{thing1.DATA}}", a line a field.
func (t *Template) content() string {
	var b strings.Builder
	for _, f := range t.Fields {
		b.WriteString(f.Label + "：{{" + f.Key + ".DATA}}\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
