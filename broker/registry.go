package broker

import (
	"hash/maphash"
	"sync"
)

// registry knows the one live session of each client, and has presence reported in the order of what happened.
type registry struct {
	mu   sync.RWMutex
	live map[string]*session

	// A client's presence is changed and reported under one of these, so that a report cannot overtake another.
	// They are apart from mu: the Handler may well publish to the client from inside the report.
	order [64]sync.Mutex
	seed  maphash.Seed
}

func newRegistry() *registry {
	return &registry{live: map[string]*session{}, seed: maphash.MakeSeed()}
}

func (g *registry) orderOf(id string) *sync.Mutex {
	return &g.order[maphash.String(g.seed, id)%uint64(len(g.order))]
}

func (g *registry) get(id string) *session {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.live[id]
}

// enter makes s its client's session and returns the one it takes over from, if any.
func (g *registry) enter(s *session) (prior *session) {
	o := g.orderOf(s.grant.ID)
	o.Lock()
	defer o.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if prior = g.live[s.grant.ID]; prior != nil {
		s.reported = prior.reported
	}
	g.live[s.grant.ID] = s
	return prior
}

// arrive reports the client online, unless it has been taken over already.
func (g *registry) arrive(s *session, report func()) {
	o := g.orderOf(s.grant.ID)
	o.Lock()
	defer o.Unlock()
	if g.get(s.grant.ID) == s {
		s.reported = true
		report()
	}
}

// leave ends s. It reports the client offline if s was its session and the client had been reported online.
func (g *registry) leave(s *session, report func()) {
	o := g.orderOf(s.grant.ID)
	o.Lock()
	defer o.Unlock()
	if g.remove(s) && s.reported {
		report()
	}
}

func (g *registry) remove(s *session) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.live[s.grant.ID] != s {
		return false
	}
	delete(g.live, s.grant.ID)
	return true
}
