package h5

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
)

func (l *limit) lets(remote string) bool {
	r := httptest.NewRequest(http.MethodGet, "/b/X", nil)
	r.RemoteAddr = remote
	return l.allow(r)
}

// An IPv6 host has 2⁶⁴ addresses of its own.
func TestWhoChangesAddressesIsStillOnePerson(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address string
		let     int
	}{
		"ports":               {"192.0.2.7:%d", burst},
		"addresses of a /64":  {"[2001:db8:1:2::%x]:443", burst},
		"interfaces":          {"[fe80::1%%eth%d]:443", burst},
		"IPv4 spelled as v6":  {"[::ffff:192.0.2.7]:%d", burst},
		"what is no address":  {"@%d", burst},
		"/64s, as neighbours": {"[2001:db8:1:%x::1]:443", 2 * burst},
	} {
		synctest.Test(t, func(t *testing.T) { // in which no time passes
			l, let := newLimit(), 0
			for i := range 2 * burst {
				if l.lets(fmt.Sprintf(c.address, i+1)) {
					let++
				}
			}
			if let != c.let {
				t.Errorf("changing %s: %d were let in, want %d", name, let, c.let)
			}
		})
	}
}

func TestStrangersCostBoundedMemoryAndFreeNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimit()
		guessers := make([]string, 100)
		for g := range guessers {
			guessers[g] = fmt.Sprintf("192.0.2.%d:1", g)
			for range burst {
				l.lets(guessers[g])
			}
		}
		for i := range maxStrangers {
			l.lets(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256))
		}
		if len(l.of) > maxStrangers {
			t.Errorf("remembers %d", len(l.of))
		}
		let := 0
		for _, g := range guessers {
			if l.lets(g) {
				let++
			}
		}
		if let > len(guessers)/2 {
			t.Errorf("%d of %d guessers were forgotten for 100 strangers", let, len(guessers))
		}
	})
}
