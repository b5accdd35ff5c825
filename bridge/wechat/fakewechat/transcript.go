package fakewechat

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

const (
	exchangesKept = 2000
	exchangeBytes = 8 << 10 // of each body
)

// Exchange is one request and its answer, with secrets masked.
type Exchange struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"` // api: the gateway called WeChat; callback: WeChat called the gateway
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Query    string    `json:"query,omitempty"`
	Request  string    `json:"request,omitempty"` // of a callback: the XML before encryption
	Status   int       `json:"status"`            // 0: no answer came
	Response string    `json:"response,omitempty"`
	Note     string    `json:"note,omitempty"` // what went wrong, or which fault struck
}

func (s *Server) recordCall(c *call, status int, response []byte, note string) {
	request := c.body
	if c.r.URL.Path == "/cgi-bin/media/upload" {
		request = []byte("(multipart)")
	}
	s.record(Exchange{
		Kind: "api", Method: c.r.Method, Path: c.r.URL.Path, Query: maskQuery(c.query), Note: note,
		Request: maskBody(request), Status: status, Response: maskBody(response),
	})
}

// recordCallback notes a call to the gateway, and what was wrong with it or its answer.
func (s *Server) recordCallback(a attempt, err error) {
	x := Exchange{
		Kind: "callback", Method: a.method, Path: a.path, Status: a.status,
		Request: maskBody(a.plain), Response: maskBody(a.reply),
	}
	if err != nil {
		x.Note = err.Error()
	}
	s.record(x)
}

func (s *Server) record(x Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges++
	x.Seq, x.At = s.exchanges, s.now()
	s.traffic = append(s.traffic, x)
	if extra := len(s.traffic) - exchangesKept; extra > 0 {
		s.traffic = slices.Delete(s.traffic, 0, extra)
	}
	s.changed()
}

// transcript returns what happened after the exchange numbered after. s.mu is held.
func (s *Server) transcript(after int64) []Exchange {
	list := []Exchange{}
	for _, x := range s.traffic {
		if x.Seq > after {
			list = append(list, x)
		}
	}
	return list
}

func maskQuery(q url.Values) string {
	q = maps.Clone(q)
	for _, name := range []string{"access_token", "secret", "code"} {
		if q.Has(name) {
			q.Set(name, "***")
		}
	}
	return q.Encode()
}

// maskBody hides secrets in JSON and cuts what is long.
func maskBody(body []byte) string {
	secret := regexp.MustCompile(`("(?:secret|access_token|refresh_token)"\s*:\s*)"[^"]*"`)
	cut := secret.ReplaceAll(body, []byte(`$1"***"`))
	if len(cut) > exchangeBytes {
		cut = cut[:exchangeBytes]
	}
	if !utf8.Valid(cut) {
		return string([]rune(string(cut)))
	}
	return string(cut)
}
