package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/silenceper/wechat/v2/util"

	"jiaxin/bridge/home"
)

// request is one API call.
type request struct {
	api     string     // the path behind /cgi-bin/
	query   url.Values // besides the access token
	body    any        // sent as JSON; nil: a GET
	person  string     // the openid that no error may show; "": none
	urgent  bool       // tries even while the API is paused
	raw     bool       // the answer is a file, or a JSON error
	limit   int64      // bytes of the answer; 0: answerLimit
	timeout time.Duration
}

// call performs a request and decodes its JSON answer into out, unless out is nil. Its error is an *Error.
func (c *Client) call(ctx context.Context, r request, out any) error {
	body, err := c.perform(ctx, r)
	if err != nil {
		return err
	}
	if failure := decode(r.api, body, out); failure != nil {
		return failure
	}
	return nil
}

// perform makes a request with a valid token and returns the answer's body. Its error is an *Error.
func (c *Client) perform(ctx context.Context, r request) ([]byte, error) {
	if held := c.pauses.check(r.api); held != nil && !r.urgent {
		return nil, held
	}
	token, err := c.tokens.get(ctx)
	if err != nil {
		return nil, err
	}
	body, failure := c.attempt(ctx, r, token)
	if failure.staleToken() {
		if token, err = c.tokens.replace(ctx, token); err != nil {
			return nil, err
		}
		body, failure = c.attempt(ctx, r, token)
	}
	if failure != nil {
		c.remember(r.api, token, failure)
		return nil, failure
	}
	return body, nil
}

// remember pauses what the failure says is of no use for now: one API, or, if a fresh token was turned down, all.
func (c *Client) remember(api, token string, failure *Error) {
	class := classOf(failure)
	switch {
	case failure.staleToken():
		if c.tokens.drop(token) {
			c.pauses.hold(tokenAPI, failure, tokenPause)
		}
	case class.Outcome == home.Paused:
		c.pauses.hold(api, failure, class.After)
	}
}

// attempt sends the request once and reads errors out of the answer.
func (c *Client) attempt(ctx context.Context, r request, token string) ([]byte, *Error) {
	timeout := r.timeout
	if timeout == 0 {
		timeout = c.cfg.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	started := time.Now()
	body, err := c.send(ctx, r, token)
	failure := answerError(r, body, err)
	if failure != nil {
		failure.Msg = c.clean(failure.Msg, token, r)
		c.metrics.observe(r.api, failure, time.Since(started))
		return nil, failure
	}
	c.metrics.observe(r.api, nil, time.Since(started))
	return body, nil
}

func (c *Client) send(ctx context.Context, r request, token string) ([]byte, error) {
	query := url.Values{}
	for key, values := range r.query {
		query[key] = values
	}
	if token != "" {
		query.Set("access_token", token)
	}
	if r.limit > 0 {
		ctx = withLimit(ctx, r.limit)
	}
	if r.body == nil {
		return util.HTTPGetContext(ctx, c.url(r.api, query))
	}
	return util.PostJSONContext(ctx, c.url(r.api, query), r.body)
}

// answerError is nil if the answer is a success.
func answerError(r request, body []byte, err error) *Error {
	if err != nil {
		return unknownOutcome(r.api, err)
	}
	if r.raw && !strings.HasPrefix(string(body[:min(len(body), 1)]), "{") {
		return nil
	}
	var refused *util.CommonError
	err = util.DecodeWithCommonError(body, r.api)
	if errors.As(err, &refused) {
		return newError(r.api, refused.ErrCode, refused.ErrMsg)
	}
	if err != nil && !r.raw { // a file may well begin with a brace
		return &Error{API: r.api, Msg: "an answer that is not WeChat's JSON"}
	}
	return nil
}

// decode reads a successful answer.
func decode(api string, body []byte, out any) *Error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return &Error{API: api, Msg: "an answer of an unexpected form"}
	}
	return nil
}

// unknownOutcome turns a failed exchange into an error without the URL, which holds the token.
func unknownOutcome(api string, err error) *Error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	e := &Error{API: api, Msg: err.Error()}
	var tooLong *http.MaxBytesError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.cause, e.Msg = context.DeadlineExceeded, "no answer in time"
	case errors.Is(err, context.Canceled):
		e.cause, e.Msg = context.Canceled, "given up before the answer"
	case errors.As(err, &tooLong):
		e.cause, e.Msg = tooLong, fmt.Sprintf("an answer of more than %d bytes", tooLong.Limit)
	}
	return e
}

// trace matches the request id that WeChat appends to its messages, for its own support staff.
var trace = regexp.MustCompile(`\s*rid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})\s*$`)

func newError(api string, code int64, msg string) *Error {
	e := &Error{API: api, Code: int(code), Msg: msg}
	if m := trace.FindStringSubmatch(msg); m != nil {
		e.Rid, e.Msg = m[1], strings.TrimSuffix(msg, m[0])
	}
	return e
}

// longestMsg bounds what we repeat of a message that somebody else wrote, in runes.
const longestMsg = 200

// clean takes every secret and control character out of a message and bounds its length.
func (c *Client) clean(msg, token string, r request) string {
	var pairs []string
	for _, hidden := range []string{token, string(c.cfg.Secret), string(c.cfg.Token), r.person} {
		if hidden != "" {
			pairs = append(pairs, hidden, redacted, url.QueryEscape(hidden), redacted)
		}
	}
	msg = strings.NewReplacer(pairs...).Replace(msg)
	msg = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, msg)
	if runes := []rune(msg); len(runes) > longestMsg {
		msg = string(runes[:longestMsg]) + "…"
	}
	return msg
}
