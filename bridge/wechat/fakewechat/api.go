package fakewechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxJSON  = 1 << 20  // bytes of a JSON request
	maxMedia = 10 << 20 // bytes of an upload: a picture's limit at WeChat
)

// endpoint is one WeChat API as the account sees it.
type endpoint struct {
	path      string
	method    string
	open      bool // needs no access_token
	perDay    int  // 45009 beyond; 0: not counted against a limit
	perMinute int  // 45011 beyond
	handle    func(*Server, *call) (any, error)
}

// endpoints lists every API that the fake answers. The limits are those of a verified account below 100,000 followers
// (https://developers.weixin.qq.com/doc/offiaccount/Message_Management/API_Call_Limits.html).
func endpoints() []endpoint {
	return []endpoint{
		{"/cgi-bin/token", http.MethodGet, true, 2000, 0, (*Server).plainToken},
		{"/cgi-bin/stable_token", http.MethodPost, true, 500000, 10000, (*Server).stableToken},
		{"/cgi-bin/message/template/send", http.MethodPost, false, 100000, 60000, (*Server).templateSend},
		{"/cgi-bin/message/custom/send", http.MethodPost, false, 500000, 60000, (*Server).customSend},
		{"/cgi-bin/template/get_all_private_template", http.MethodGet, false, 0, 0, (*Server).templateList},
		{"/cgi-bin/qrcode/create", http.MethodPost, false, 100000, 10000, (*Server).qrCreate},
		{"/cgi-bin/user/info", http.MethodGet, false, 500000, 0, (*Server).userInfo},
		{"/cgi-bin/media/get", http.MethodGet, false, 200000, 0, (*Server).mediaGet},
		{"/cgi-bin/media/upload", http.MethodPost, false, 100000, 0, (*Server).mediaUpload},
		{"/cgi-bin/menu/create", http.MethodPost, false, 1000, 0, (*Server).menuCreate},
		{"/cgi-bin/menu/get", http.MethodGet, false, 10000, 0, (*Server).menuGet},
		{"/sns/oauth2/access_token", http.MethodGet, true, 0, 0, (*Server).oauthToken},
	}
}

// call is one request to an API, read whole before the state is locked.
type call struct {
	r     *http.Request
	query url.Values
	body  []byte
	now   time.Time
}

// blob is an answer that is not JSON.
type blob struct {
	contentType string
	name        string
	data        []byte
}

type done struct {
	Code int    `json:"errcode"`
	Text string `json:"errmsg"`
}

func ok() done { return done{0, "ok"} }

// serveAPI answers one API request as WeChat does: errors too come with HTTP 200.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMedia+maxJSON))
	c := &call{r, r.URL.Query(), body, s.now()}
	s.hold(r.Context(), s.faultFor("latency", r.URL.Path))
	if f := s.faultFor("http", r.URL.Path); f != nil {
		s.recordCall(c, f.Status, []byte("<html>fault</html>"), "fault: http")
		writeBrokenGateway(w, f.Status)
		return
	}
	answer, err := s.dispatch(c, readErr)
	reset := s.faultFor("reset", r.URL.Path)
	s.answer(w, c, answer, err, reset != nil)
}

// writeBrokenGateway answers as a proxy in front of WeChat does when what is behind it fails: HTML, no JSON.
func writeBrokenGateway(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html><head><title>"+http.StatusText(status)+"</title></head><body>nginx</body></html>")
}

func (s *Server) dispatch(c *call, readErr error) (any, error) {
	e, known := s.apis[c.r.URL.Path]
	switch f := s.faultFor("errcode", c.r.URL.Path); {
	case f != nil:
		return nil, deny(f.Errcode)
	case !known:
		return nil, deny(40066)
	case readErr != nil:
		return nil, deny(45001)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admit(e, c); err != nil {
		return nil, err
	}
	return e.handle(s, c)
}

// admit checks token, method and quota, in WeChat's order. s.mu is held.
func (s *Server) admit(e endpoint, c *call) error {
	if !e.open {
		if err := s.state.Tokens.check(c.query.Get("access_token"), c.now); err != nil {
			return err
		}
	}
	if c.r.Method != e.method {
		return wrongMethod(e.method)
	}
	return s.count(e, c.now)
}

func wrongMethod(want string) error {
	if want == http.MethodGet {
		return deny(43001)
	}
	return deny(43002)
}

func (s *Server) answer(w http.ResponseWriter, c *call, answer any, err error, reset bool) {
	contentType, data := encodeAnswer(c, answer, err)
	if b, binary := answer.(blob); binary && err == nil {
		w.Header().Set("Content-Disposition", `attachment; filename="`+b.name+`"`)
	}
	note := ""
	if reset {
		note = "fault: reset"
	}
	s.recordCall(c, http.StatusOK, printable(contentType, data), note)
	if reset {
		panic(http.ErrAbortHandler) // done, but the caller never hears so
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(data)
}

// printable keeps a transcript free of media bytes.
func printable(contentType string, data []byte) []byte {
	if strings.HasPrefix(contentType, "application/json") || strings.HasPrefix(contentType, "text/") {
		return data
	}
	return []byte("(" + contentType + ")")
}

func encodeAnswer(c *call, answer any, err error) (contentType string, data []byte) {
	var wrong *apiError
	switch b, binary := answer.(blob); {
	case errors.As(err, &wrong):
		answer = &apiError{wrong.Code, wrong.Text + " " + rid(c.now)}
	case err != nil:
		answer = &apiError{-1, errText(-1) + " " + rid(c.now)}
	case binary:
		return b.contentType, b.data
	}
	return "application/json; encoding=utf-8", encodeJSON(answer)
}

// encodeJSON writes Chinese and & as they are, as WeChat does.
func encodeJSON(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // only our own types
	return bytes.TrimSpace(buf.Bytes())
}

// decode reads a JSON request as WeChat does: unknown keys are ignored, \u escapes refused.
func (c *call) decode(v any) error {
	switch {
	case len(bytes.TrimSpace(c.body)) == 0:
		return deny(44002)
	case len(c.body) > maxJSON:
		return deny(45002)
	case bytes.Contains(c.body, []byte(`\u`)):
		return deny(40033)
	case json.Unmarshal(c.body, v) != nil:
		return deny(47001)
	}
	return nil
}
