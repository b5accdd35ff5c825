package fakewechat

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxUpload = maxMedia + 2*maxVoice + maxJSON // bytes of one control call
	longest   = time.Minute                     // that a call waits for a change
)

// Control is one line of the table of control calls, as GET /_fake/ serves it.
type Control struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Takes  string `json:"takes"`
	Does   string `json:"does"`
	handle func(*Server, *http.Request) (any, error)
}

// controls is the table. The package comment carries the same one.
func controls() []Control {
	const get, post = http.MethodGet, http.MethodPost
	return []Control{
		{get, "/_fake/{$}", "", "this table", (*Server).listControls},
		{get, "/_fake/users", "", "everybody, with unread counts", (*Server).listUsers},
		{post, "/_fake/users", "key, name, openid, remark, following", "add a person", (*Server).newUser},
		{get, "/_fake/phone", "?user= &after=<seq> &wait=20s", "what a phone shows; with after and wait: once it differs", (*Server).showPhone},
		{post, "/_fake/follow", "user", "follow the account", onPhone((*Server).doFollow)},
		{post, "/_fake/unfollow", "user", "unfollow it; the chat disappears", onPhone((*Server).doUnfollow)},
		{post, "/_fake/scan", "multipart user, image; or user, text", "scan a picture of a QR code, really decoded, or its text", (*Server).doScan},
		{post, "/_fake/open", "user, and url, message or nothing", "open an address, a card's page, or the open page again", (*Server).doOpen},
		{post, "/_fake/close", "user", "close the open page", onPhone((*Server).doClose)},
		{post, "/_fake/press", "user, and image or message", "press a picture of the open page or the chat for long, and scan it", (*Server).doPress},
		{post, "/_fake/submit", "user, form, fields, button", "fill a form of the open page and send it", (*Server).doSubmit},
		{post, "/_fake/text", "user, text", "write to the account", onPhone((*Server).doText)},
		{post, "/_fake/voice", "multipart user, audio, audio16k, seconds", "speak to the account", (*Server).doVoice},
		{post, "/_fake/photo", "multipart user, image", "send a photo", (*Server).doPhoto},
		{post, "/_fake/tap", "user, and option (message), menu, or message", "tap an option of a menu message, a button of the menu bar, or a card", (*Server).doTap},
		{post, "/_fake/read", "user", "look at the chat: nothing is unread", onPhone((*Server).doRead)},
		{get, "/_fake/clock", "", "the time in this WeChat", (*Server).showClock},
		{post, "/_fake/clock", "advance", "let time pass, such as 49h", (*Server).doClock},
		{get, "/_fake/fault", "", "the faults that wait", (*Server).listFaults},
		{post, "/_fake/fault", "kind, api, times, errcode, status, delay, receipt; or clear", "let something go wrong", (*Server).doFault},
		{post, "/_fake/killtokens", "", "make all access tokens invalid (40001)", (*Server).doKillTokens},
		{post, "/_fake/verify", "", "check the callback URL with a signed GET, as the console does", (*Server).doVerify},
		{get, "/_fake/idle", "?wait=20s", "once no callback and no receipt is on its way", (*Server).showIdle},
		{get, "/_fake/transcript", "?after=<seq> &wait=20s", "all traffic both ways, secrets masked", (*Server).showTranscript},
		{get, "/_fake/quota", "", "calls of today by API", (*Server).showQuota},
		{post, "/_fake/reset", "", "start over with the users and templates of the start; the clock stays", (*Server).doReset},
	}
}

func (s *Server) controlRoutes(mux *http.ServeMux) {
	for _, c := range controls() {
		mux.Handle(c.Method+" "+c.Path, s.guard(func(w http.ResponseWriter, r *http.Request) error {
			r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
			answer, err := c.handle(s, r)
			if err == nil {
				writeJSON(w, http.StatusOK, answer)
			}
			return err
		}))
	}
	mux.Handle("GET /_fake/events", s.guard(s.streamEvents))
	mux.Handle("GET /_fake/view", s.guard(s.showView))
	mux.Handle("GET /_fake/asset", s.guard(s.showAsset))
	mux.Handle("GET /_fake/picture/{id}", s.guard(func(w http.ResponseWriter, r *http.Request) error {
		s.picture(w, r)
		return nil
	}))
	s.pageRoutes(mux)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(encodeJSON(v))
}

// guard lets a control call through unless a page of another origin makes it, and writes errors.
func (s *Server) guard(next func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.sameOrigin(r)
		if err == nil {
			err = next(w, r)
		}
		if err != nil {
			writeRefusal(w, err)
		}
	})
}

func writeRefusal(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var known *refusal
	if errors.As(err, &known) {
		status = known.status
	}
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

// order is the JSON of a control call; each call uses some of it.
type order struct {
	User    string             `json:"user"`
	Text    string             `json:"text"`
	URL     string             `json:"url"`
	Message int64              `json:"message"`
	Image   *int               `json:"image"`
	Form    int                `json:"form"`
	Fields  map[string]answers `json:"fields"`
	Button  string             `json:"button"`
	Option  string             `json:"option"`
	Menu    string             `json:"menu"`
	Advance string             `json:"advance"`
}

func readJSON(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "the request is no JSON that this call takes: %v", err)
	}
	return nil
}

func (s *Server) user(name string) (*person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, known := s.findPerson(name)
	if !known {
		return nil, refuse(http.StatusNotFound, "there is no user %q; GET /_fake/users lists them", name)
	}
	return p, nil
}

// order reads a JSON control call and finds its user.
func (s *Server) order(r *http.Request) (*order, *person, error) {
	var o order
	if err := readJSON(r, &o); err != nil {
		return nil, nil, err
	}
	p, err := s.user(o.User)
	return &o, p, err
}

// onPhone makes a control of what a person does on a phone: f runs with s.mu held, and the answer is the phone.
func onPhone(f func(*Server, *person, *order) error) func(*Server, *http.Request) (any, error) {
	return func(s *Server, r *http.Request) (any, error) {
		o, p, err := s.order(r)
		if err != nil {
			return nil, err
		}
		return s.onPhone(p, func() error { return f(s, p, o) })
	}
}

func (s *Server) onPhone(p *person, f func() error) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := f(); err != nil {
		return nil, err
	}
	return encoded(s.phone(p)), nil
}

// encoded fixes an answer while the state is locked.
func encoded(v any) json.RawMessage { return encodeJSON(v) }

// upload is a multipart control call.
type upload struct{ r *http.Request }

func isMultipart(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data")
}

func (s *Server) upload(r *http.Request) (*upload, *person, error) {
	if !isMultipart(r) {
		return nil, nil, refuse(http.StatusUnsupportedMediaType, "send multipart/form-data with the fields user and the file")
	}
	if err := r.ParseMultipartForm(maxUpload); err != nil {
		return nil, nil, refuse(http.StatusBadRequest, "the upload cannot be read: %v", err)
	}
	p, err := s.user(r.FormValue("user"))
	return &upload{r}, p, err
}

// file reads one file; one that is not there is empty.
func (u *upload) file(field string) (name string, data []byte, err error) {
	f, head, err := u.r.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, refuse(http.StatusBadRequest, "the file %s cannot be read: %v", field, err)
	}
	defer f.Close()
	data, err = io.ReadAll(f)
	return cleanName(head.Filename), data, err
}

func (u *upload) number(field string) int {
	n, err := strconv.Atoi(u.r.FormValue(field))
	if err != nil {
		return 0
	}
	return n
}
