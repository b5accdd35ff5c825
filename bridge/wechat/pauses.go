package wechat

import (
	"sync"
	"time"
)

// pauses remembers which APIs are of no use just now, so that ten thousand waiting notifications cost WeChat one
// request and not ten thousand. Its size is that of our list of APIs.
type pauses struct {
	now  func() time.Time
	mu   sync.Mutex
	held map[string]pause
}

type pause struct {
	cause *Error
	until time.Time
}

func newPauses(now func() time.Time) *pauses {
	return &pauses{now: now, held: map[string]pause{}}
}

// hold keeps an API from being called for a time.
func (p *pauses) hold(api string, cause *Error, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[api] = pause{cause, p.now().Add(d)}
}

// check returns why the API is held, with the time that is left, or nil.
func (p *pauses) check(api string) *Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, held := p.held[api]
	left := h.until.Sub(p.now())
	if !held || left <= 0 {
		delete(p.held, api)
		return nil
	}
	again := *h.cause
	again.wait = left
	return &again
}
