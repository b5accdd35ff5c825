package h5

import (
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// The label page asks WeChat for a code each time, and of those an account has 100,000 a day.
const (
	perSecond    = 1
	burst        = 20
	maxStrangers = 10000
)

// limit slows down whoever opens label pages faster than a person can scan. It remembers a bounded number of origins:
// when it is full, a new one takes the place of an arbitrary other, so that nobody can have all the rest forgotten.
type limit struct {
	mu sync.Mutex
	of map[netip.Prefix]*rate.Limiter
}

func newLimit() *limit { return &limit{of: map[netip.Prefix]*rate.Limiter{}} }

func (l *limit) allow(r *http.Request) bool {
	from := origin(r.RemoteAddr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[from] == nil {
		l.makeRoom()
		l.of[from] = rate.NewLimiter(perSecond, burst)
	}
	return l.of[from].Allow()
}

// makeRoom forgets an arbitrary origin if there is no place for one more; mu is held.
func (l *limit) makeRoom() {
	for someone := range l.of {
		if len(l.of) >= maxStrangers {
			delete(l.of, someone)
		}
		return
	}
}

// origin is who a request is counted for: the IPv4 address, or the IPv6 /64, which one household or host has whole. What
// is no IP address counts as one.
func origin(remote string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // cannot fail: bits fits the address
	return p
}
