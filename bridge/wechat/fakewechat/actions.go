package fakewechat

import (
	"net/http"
	"time"
)

// The controls that a person on a phone page has too.

func (s *Server) doFollow(p *person, _ *order) error   { return s.follow(p, nil) }
func (s *Server) doUnfollow(p *person, _ *order) error { return s.unfollow(p) }
func (s *Server) doText(p *person, o *order) error     { return s.say(p, o.Text, "") }

func (s *Server) doRead(p *person, _ *order) error {
	if p.unread() > 0 {
		p.Read = p.LastID
		s.touch(p)
	}
	return nil
}

func (s *Server) doClose(p *person, _ *order) error {
	if p.page != nil {
		p.page = nil
		s.touch(p)
	}
	return nil
}

func (s *Server) doScan(r *http.Request) (any, error) {
	if !isMultipart(r) {
		o, p, err := s.order(r)
		if err != nil {
			return nil, err
		}
		return s.scan(r.Context(), p, o.Text)
	}
	u, p, err := s.upload(r)
	if err != nil {
		return nil, err
	}
	_, data, err := u.file("image")
	if err != nil {
		return nil, err
	}
	return s.scanPicture(r.Context(), p, data)
}

func (s *Server) doOpen(r *http.Request) (any, error) {
	o, p, err := s.order(r)
	if err != nil {
		return nil, err
	}
	address, err := s.addressOf(p, o)
	if err != nil {
		return nil, err
	}
	return s.open(r.Context(), p, address)
}

func (s *Server) addressOf(p *person, o *order) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case o.URL != "":
		return o.URL, nil
	case o.Message != 0:
		return p.cardURL(o.Message)
	case p.page != nil:
		return p.page.URL, nil
	}
	return "", refuse(http.StatusBadRequest, "say which url or message; no page is open")
}

func (s *Server) doPress(r *http.Request) (any, error) {
	o, p, err := s.order(r)
	switch {
	case err != nil:
		return nil, err
	case o.Image != nil:
		return s.pressPage(r.Context(), p, *o.Image)
	}
	return s.pressMessage(r.Context(), p, o.Message)
}

func (s *Server) doSubmit(r *http.Request) (any, error) {
	o, p, err := s.order(r)
	if err != nil {
		return nil, err
	}
	return s.submit(r.Context(), p, o.Form, o.Fields, o.Button)
}

func (s *Server) doVoice(r *http.Request) (any, error) {
	u, p, err := s.upload(r)
	if err != nil {
		return nil, err
	}
	_, narrow, err := u.file("audio")
	if err != nil {
		return nil, err
	}
	_, wide, err := u.file("audio16k")
	if err != nil {
		return nil, err
	}
	return s.onPhone(p, func() error { return s.sendVoice(p, narrow, wide, u.number("seconds")) })
}

func (s *Server) doPhoto(r *http.Request) (any, error) {
	u, p, err := s.upload(r)
	if err != nil {
		return nil, err
	}
	name, data, err := u.file("image")
	if err != nil {
		return nil, err
	}
	return s.onPhone(p, func() error { return s.sendPhoto(p, name, data) })
}

// doTap answers with the page that the tap opened, or else with the phone.
func (s *Server) doTap(r *http.Request) (any, error) {
	o, p, err := s.order(r)
	if err != nil {
		return nil, err
	}
	var address string
	answer, err := s.onPhone(p, func() (err error) {
		address, err = s.tap(p, o)
		return err
	})
	if err != nil || address == "" {
		return answer, err
	}
	return s.open(r.Context(), p, address)
}

// tap returns the address that the tap opens, if any. s.mu is held.
func (s *Server) tap(p *person, o *order) (address string, err error) {
	switch {
	case o.Option != "":
		return "", s.tapOption(p, o.Message, o.Option)
	case o.Menu != "":
		return s.tapMenu(p, o.Menu)
	}
	return p.cardURL(o.Message)
}

// showPhone answers at once, or with after and wait as soon as the phone has changed or the wait is over.
func (s *Server) showPhone(r *http.Request) (any, error) {
	p, err := s.user(r.FormValue("user"))
	if err != nil {
		return nil, err
	}
	after, wait, err := waiting(r)
	if err != nil {
		return nil, err
	}
	var answer any
	s.await(r.Context(), wait, func() bool {
		answer = encoded(s.phone(p))
		return p.Seq > after
	})
	return answer, nil
}

// userEntry is one line of the list of users.
type userEntry struct {
	User
	Seq    int64 `json:"seq"`
	Unread int   `json:"unread"`
}

func (s *Server) listUsers(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []userEntry{}
	for _, p := range s.state.People {
		list = append(list, userEntry{p.User, p.Seq, p.unread()})
	}
	return list, nil
}

func (s *Server) newUser(r *http.Request) (any, error) {
	var u User
	if err := readJSON(r, &u); err != nil {
		return nil, err
	}
	if u.Key == "" && u.OpenID == "" {
		return nil, refuse(http.StatusBadRequest, "a new user needs a key")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.findPerson(u.Key, u.OpenID, u.Name); known {
		return nil, refuse(http.StatusConflict, "there is such a user already")
	}
	p := s.addPerson(u)
	s.touch(p)
	return encoded(s.phone(p)), nil
}

func (s *Server) showClock(*http.Request) (any, error) {
	return map[string]time.Time{"now": s.now()}, nil
}

func (s *Server) doClock(r *http.Request) (any, error) {
	var o order
	if err := readJSON(r, &o); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(o.Advance)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "advance is a time such as 49h or 90s")
	}
	if err := s.pass(d); err != nil {
		return nil, err
	}
	return s.showClock(r)
}
