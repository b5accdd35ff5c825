package fakewechat

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	callbackTries = 3 // "总共重试三次": taken as three calls in all
	maxReply      = 1 << 20
	// Broken is what a user sees when the gateway's answer was no answer.
	Broken = "该公众号提供的服务出现故障，请稍后再试"
)

// lane carries the callbacks of one user, in order.
type lane struct {
	jobs    []job
	running bool
}

// job is one callback. shown: the user sees it when the gateway fails, as after a message of their own.
type job struct {
	p     *person
	e     *push
	shown bool
}

// enqueue sends a callback after those that p already has waiting. s.mu is held.
func (s *Server) enqueue(p *person, e *push, shown bool) {
	if s.closed {
		return
	}
	l, known := s.lanes[p.OpenID]
	if !known {
		l = &lane{}
		s.lanes[p.OpenID] = l
	}
	l.jobs = append(l.jobs, job{p, e, shown})
	if !l.running {
		l.running = true
		s.work.Go(func() { s.drain(l) })
	}
}

func (s *Server) drain(l *lane) {
	for {
		s.mu.Lock()
		if len(l.jobs) == 0 || s.closed {
			l.jobs, l.running = nil, false
			s.changed()
			s.mu.Unlock()
			return
		}
		j := l.jobs[0]
		l.jobs = l.jobs[1:]
		s.mu.Unlock()
		s.deliver(j)
	}
}

// attempt is one call to the gateway and what came of it.
type attempt struct {
	method string
	path   string
	plain  []byte // the request before encryption
	status int    // 0: no answer
	reply  []byte
	err    error
}

// deliver calls the gateway up to three times. A wrong answer is not repeated; a missing one is.
func (s *Server) deliver(j job) {
	body, err := xml.Marshal(j.e)
	if err != nil {
		s.opt.Logger.Error("the fake WeChat could not write a callback", "error", err)
		return
	}
	for range callbackTries {
		a := s.post(j.p.OpenID, body)
		if a.err != nil {
			s.recordCallback(a, a.err)
			continue
		}
		m, err := s.readReply(a.reply, j.p.OpenID)
		s.recordCallback(a, err)
		s.settle(j, m, err != nil)
		return
	}
	s.settle(j, nil, true)
}

// settle shows the gateway's reply, or where WeChat would, that there was none.
func (s *Server) settle(j job, reply *Message, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed && j.shown {
		reply = &Message{Kind: KindNotice, Text: Broken}
	}
	if reply != nil && j.p.Following && !s.closed {
		s.show(j.p, reply)
	}
}

// post makes one signed and encrypted call.
func (s *Server) post(openID string, plain []byte) attempt {
	address, err := s.callbackURL(openID)
	if err != nil {
		return attempt{method: http.MethodPost, plain: plain, err: err}
	}
	query := address.Query()
	sealed := encrypt(s.aesKey, plain, s.opt.AppID)
	query.Set("encrypt_type", "aes")
	query.Set("msg_signature", sign(s.opt.Token, query.Get("timestamp"), query.Get("nonce"), sealed))
	address.RawQuery = query.Encode()
	body, err := xml.Marshal(envelope{To: text(s.originalID()), Encrypt: text(sealed)})
	a := attempt{method: http.MethodPost, path: address.Path, plain: plain, err: err}
	if err == nil {
		s.exchange(&a, address, body)
	}
	return a
}

// callbackURL is the gateway's address with the signature of the URL, which does not cover the body.
func (s *Server) callbackURL(openID string) (*url.URL, error) {
	s.mu.Lock()
	callback := s.callback
	s.mu.Unlock()
	if callback == "" {
		return nil, errors.New("no callback URL is set")
	}
	u, err := url.Parse(callback)
	if err != nil {
		return nil, errors.New("the callback URL cannot be read")
	}
	timestamp, nonce := strconv.FormatInt(s.now().Unix(), 10), strconv.FormatUint(randomNumber(), 10)
	query := u.Query()
	query.Set("signature", sign(s.opt.Token, timestamp, nonce))
	query.Set("timestamp", timestamp)
	query.Set("nonce", nonce)
	if openID != "" {
		query.Set("openid", openID)
	}
	u.RawQuery = query.Encode()
	return u, nil
}

// exchange sends a request to the gateway and reads its answer within CallbackTimeout.
func (s *Server) exchange(a *attempt, address *url.URL, body []byte) {
	if f := s.faultFor("callback", ""); f != nil {
		a.err = errors.New("fault: callback down")
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.opt.CallbackTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, a.method, address.String(), bytes.NewReader(body))
	if err != nil {
		a.err = errors.New("the callback URL cannot be called")
		return
	}
	req.Header.Set("Content-Type", "text/xml")
	req.Header.Set("User-Agent", "Mozilla/4.0")
	a.status, a.reply, a.err = s.roundTrip(req)
}

func (s *Server) roundTrip(req *http.Request) (int, []byte, error) {
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, plainError(err)
	}
	defer res.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the gateway answered HTTP %d", res.StatusCode)
	}
	return res.StatusCode, reply, err
}

// plainError drops the address from a client's error: it carries the signature.
func plainError(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// verify does what the console does when a callback URL is entered: a signed GET whose echostr must come back.
func (s *Server) verify() error {
	address, err := s.callbackURL("")
	if err != nil {
		return refuse(http.StatusConflict, "%v", err)
	}
	echo := strconv.FormatUint(randomNumber(), 10)
	query := address.Query()
	query.Set("echostr", echo)
	address.RawQuery = query.Encode()
	a := attempt{method: http.MethodGet, path: address.Path}
	s.exchange(&a, address, nil)
	s.recordCallback(a, a.err)
	if a.err != nil {
		return refuse(http.StatusBadGateway, "请求URL超时: %v", a.err)
	}
	if strings.TrimSpace(string(a.reply)) != echo {
		return refuse(http.StatusBadGateway, "token验证失败: the gateway did not return echostr; is its token the same?")
	}
	return nil
}
