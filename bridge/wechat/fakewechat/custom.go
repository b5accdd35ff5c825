package fakewechat

import (
	"encoding/json"
	"fmt"
	"time"
)

// The allowance of customer messages
// (https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Service_Center_messages.html).
const (
	talkAllowance = 5 // after the user wrote
	talkWindow    = 48 * time.Hour
	tapAllowance  = 3 // after a follow, a scan or a tap on the menu
	tapWindow     = time.Minute
	maxText       = 2048 // bytes
)

// allowance is how many customer messages may still be sent, until when.
type allowance struct {
	Left  int       `json:"left"`
	Until time.Time `json:"until,omitzero"`
}

// ledger keeps both allowances of a user. The short one is spent first, as it would lapse first.
type ledger struct {
	Talk allowance `json:"talk"`
	Tap  allowance `json:"tap"`
}

func (l *ledger) talked(now time.Time) { l.Talk = allowance{talkAllowance, now.Add(talkWindow)} }
func (l *ledger) tapped(now time.Time) { l.Tap = allowance{tapAllowance, now.Add(tapWindow)} }

func (l *ledger) spend(now time.Time) error {
	open := false
	for _, a := range []*allowance{&l.Tap, &l.Talk} {
		if !now.Before(a.Until) {
			continue
		}
		open = true
		if a.Left > 0 {
			a.Left--
			return nil
		}
	}
	if open {
		return deny(45047)
	}
	return deny(45015)
}

type customRequest struct {
	ToUser  string `json:"touser"`
	MsgType string `json:"msgtype"`
	Text    struct {
		Content string `json:"content"`
	} `json:"text"`
	Image struct {
		MediaID string `json:"media_id"`
	} `json:"image"`
	Menu struct {
		Head string       `json:"head_content"`
		List []menuChoice `json:"list"`
		Tail string       `json:"tail_content"`
	} `json:"msgmenu"`
}

// menuChoice is one option of a msgmenu. Its id is a string in the documentation, and a number in much code.
type menuChoice struct {
	ID      json.RawMessage `json:"id"`
	Content string          `json:"content"`
}

func (m menuChoice) id() string {
	var id string
	if json.Unmarshal(m.ID, &id) == nil {
		return id
	}
	return string(m.ID)
}

func (s *Server) customSend(c *call) (any, error) {
	var req customRequest
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	p, err := s.chatPartner(req.ToUser)
	if err != nil {
		return nil, err
	}
	m, err := s.customMessage(&req)
	if err != nil {
		return nil, err
	}
	if err := p.Ledger.spend(c.now); err != nil {
		return nil, err
	}
	s.show(p, m)
	return ok(), nil
}

// chatPartner finds the user of a customer message. One who left is answered as a closed window, not as 43004.
func (s *Server) chatPartner(openID string) (*person, error) {
	p, err := s.receiver(openID)
	if wrong, is := err.(*apiError); is && wrong.Code == 43004 {
		return nil, deny(45015)
	}
	return p, err
}

func (s *Server) customMessage(req *customRequest) (*Message, error) {
	switch req.MsgType {
	case "text":
		return &Message{Kind: KindText, Text: req.Text.Content}, checkText(req.Text.Content)
	case "image":
		return s.imageMessage(req.Image.MediaID)
	case "msgmenu":
		return menuMessage(req)
	}
	return nil, deny(40008)
}

func checkText(text string) error {
	switch {
	case text == "":
		return deny(44004)
	case len(text) > maxText:
		return deny(45002)
	}
	return nil
}

func (s *Server) imageMessage(mediaID string) (*Message, error) {
	m, known := s.state.Media[mediaID]
	if !known || m.Type != "image" || !s.now().Before(m.Expires) {
		return nil, deny(40007)
	}
	return &Message{Kind: KindImage, Image: m.path()}, nil
}

func menuMessage(req *customRequest) (*Message, error) {
	if len(req.Menu.List) == 0 {
		return nil, deny(44004)
	}
	m := &Message{Kind: KindMenu, Text: req.Menu.Head, Tail: req.Menu.Tail}
	size := len(m.Text) + len(m.Tail)
	for _, choice := range req.Menu.List {
		if choice.Content == "" || choice.id() == "" {
			return nil, deny(47003, fmt.Sprintf("msgmenu.list id %q is incomplete", choice.id()))
		}
		m.Options = append(m.Options, Option{choice.id(), choice.Content})
		size += len(choice.Content)
	}
	if size > maxText {
		return nil, deny(45002)
	}
	return m, nil
}
