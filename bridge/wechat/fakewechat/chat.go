package fakewechat

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The things that a person does in the chat. s.mu is held in all of them.

// follow subscribes p, through scene code t when there is one, and tells the gateway.
func (s *Server) follow(p *person, t *ticket) error {
	if p.Following {
		return refuse(http.StatusConflict, "%s follows the account already", p.Name)
	}
	p.Following, p.Since, p.Scene = true, s.now(), ""
	e := s.event(p, "subscribe")
	e.EventKey = text("")
	if t != nil {
		p.Scene = t.Scene
		e.EventKey, e.Ticket = text("qrscene_"+t.Scene), text(t.Ticket)
	}
	p.Ledger.tapped(s.now())
	s.touch(p)
	s.enqueue(p, e, true)
	return nil
}

// unfollow ends everything: WeChat removes the chat from the phone too.
func (s *Server) unfollow(p *person) error {
	if err := following(p); err != nil {
		return err
	}
	p.Following, p.Ledger, p.Messages, p.Read, p.Scene = false, ledger{}, nil, p.LastID, ""
	e := s.event(p, "unsubscribe")
	e.EventKey = text("")
	s.touch(p)
	s.enqueue(p, e, false)
	return nil
}

func following(p *person) error {
	if !p.Following {
		return refuse(http.StatusConflict, "%s does not follow the account; let %s follow it or scan a code first", p.Name, p.Name)
	}
	return nil
}

// scanned is a scan of one of the account's own codes: a follow, or for a follower a SCAN event.
func (s *Server) scanned(p *person, t *ticket) error {
	if !p.Following {
		return s.follow(p, t)
	}
	e := s.event(p, "SCAN")
	e.EventKey, e.Ticket = text(t.Scene), text(t.Ticket)
	p.Ledger.tapped(s.now())
	s.touch(p)
	s.enqueue(p, e, true)
	return nil
}

// say sends words; menuID tells which option of a menu message they came from.
func (s *Server) say(p *person, words, menuID string) error {
	if err := following(p); err != nil {
		return err
	}
	if words == "" || len(words) > maxText {
		return refuse(http.StatusBadRequest, "a message has 1 to %d bytes of text", maxText)
	}
	e := s.message(p, "text")
	e.Content, e.MenuID = text(words), menuID
	s.sendOwn(p, e, &Message{Text: words})
	return nil
}

// sendOwn shows what the user sent, opens the long window, and tells the gateway.
func (s *Server) sendOwn(p *person, e *push, m *Message) {
	m.Kind, m.MsgID = KindOwn, e.MsgID
	p.Read = p.LastID // who writes has seen the chat
	s.show(p, m)
	p.Ledger.talked(s.now())
	s.enqueue(p, e, true)
}

// sendPhoto sends a picture from the album.
func (s *Server) sendPhoto(p *person, name string, data []byte) error {
	if err := following(p); err != nil {
		return err
	}
	kind := sniff(data)
	if !strings.HasPrefix(kind, "image/") || len(data) > maxMedia {
		return refuse(http.StatusBadRequest, "a photo is a picture file of at most %d bytes, and this is %s of %d", maxMedia, kind, len(data))
	}
	m := s.addMedia("image", name, kind, data)
	e := s.message(p, "image")
	e.PicURL, e.MediaID = text(s.publicURL+"/mmbiz_pic/"+m.ID), text(m.ID)
	s.sendOwn(p, e, &Message{Image: m.path()})
	return nil
}

// sendVoice sends a voice message: narrow (AMR, 8 kHz) under MediaId and wide (16 kHz) under MediaId16K, which holds
// the same bytes when no wide recording is given. Recognition is always there and always empty, as since 2023.
func (s *Server) sendVoice(p *person, narrow, wide []byte, seconds int) error {
	if err := following(p); err != nil {
		return err
	}
	if len(narrow) == 0 || len(narrow) > maxVoice || len(wide) > maxVoice {
		return refuse(http.StatusBadRequest, "a voice message is a sound file of 1 to %d bytes", maxVoice)
	}
	if len(wide) == 0 {
		wide = narrow
	}
	a := s.addMedia("voice", "voice.amr", sniff(narrow), narrow)
	b := s.addMedia("voice", "voice16k.amr", sniff(wide), wide)
	e := s.message(p, "voice")
	e.MediaID, e.MediaID16K, e.Format, e.Recognition = text(a.ID), text(b.ID), text("amr"), text("")
	s.sendOwn(p, e, &Message{Voice: a.ID, Seconds: max(1, seconds)})
	return nil
}

// tapOption taps an option of a menu message: the newest that has it, or the one named. Its words go out as a message.
func (s *Server) tapOption(p *person, messageID int64, want string) error {
	for _, m := range slices.Backward(p.Messages) {
		if m.Kind != KindMenu || messageID != 0 && m.ID != messageID {
			continue
		}
		for _, o := range m.Options {
			if o.ID == want || o.Text == want {
				return s.say(p, o.Text, o.ID)
			}
		}
	}
	return refuse(http.StatusNotFound, "no message on this phone has the option %q", want)
}

// tapMenu taps a button of the menu bar, by key or name. It returns the address that a view button opens.
func (s *Server) tapMenu(p *person, want string) (open string, err error) {
	if err := following(p); err != nil {
		return "", err
	}
	b, found := findButton(s.menuButtons(), want)
	if !found {
		return "", refuse(http.StatusNotFound, "the menu bar has no button %q", want)
	}
	name, key := "CLICK", b.Key
	if b.Type == "view" {
		name, key = "VIEW", b.URL
	}
	e := s.event(p, name)
	e.EventKey = text(key)
	if b.Type != "view" {
		p.Ledger.tapped(s.now())
	}
	s.touch(p)
	s.enqueue(p, e, b.Type != "view")
	return b.URL, nil
}

func (s *Server) menuButtons() []MenuButton {
	if s.state.Menu == nil {
		return nil
	}
	return s.state.Menu.Buttons
}

func findButton(buttons []MenuButton, want string) (MenuButton, bool) {
	for _, b := range buttons {
		if len(b.Sub) == 0 && (b.Name == want || want != "" && b.Key == want) {
			return b, true
		}
		if found, ok := findButton(b.Sub, want); ok {
			return found, true
		}
	}
	return MenuButton{}, false
}

// cardURL is what a tap on a card opens.
func (p *person) cardURL(id int64) (string, error) {
	m, known := p.message(id)
	if !known || m.URL == "" {
		return "", refuse(http.StatusNotFound, "message %s has nothing to open", strconv.FormatInt(id, 10))
	}
	return m.URL, nil
}
