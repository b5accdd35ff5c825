package h5

import (
	"net"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// The label page asks WeChat for a code each time, and of those an account has 100,000 a day.
const (
	perSecond    = 1
	burst        = 20
	maxStrangers = 10000
)

// limit slows down whoever opens label pages faster than a person can scan. It remembers a bounded number of addresses;
// when it is full it forgets them all, which costs an attacker nothing but lets nobody in for longer than a moment.
type limit struct {
	mu sync.Mutex
	of map[string]*rate.Limiter
}

func newLimit() *limit { return &limit{of: map[string]*rate.Limiter{}} }

func (l *limit) allow(r *http.Request) bool {
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.of) >= maxStrangers {
		clear(l.of)
	}
	if l.of[from] == nil {
		l.of[from] = rate.NewLimiter(perSecond, burst)
	}
	return l.of[from].Allow()
}
