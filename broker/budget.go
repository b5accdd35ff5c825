package broker

import "sync"

// messageOverhead is what a queued message costs beside its topic and payload, about.
const messageOverhead = 256

// budget is a number of bytes that all clients share.
type budget struct {
	mu      sync.Mutex
	free    int
	enough  int // free bytes for which the waiting are woken; waking them all for every message would be a storm
	waiting bool
	freed   chan struct{} // closed when enough bytes came back while someone waited
}

func newBudget(n int) *budget { return &budget{free: n, enough: n / 16, freed: make(chan struct{})} }

// take waits for n bytes; false when over came first.
func (b *budget) take(n int, over <-chan struct{}) bool {
	for {
		freed := b.try(n)
		if freed == nil {
			return true
		}
		select {
		case <-freed:
		case <-over:
			return false
		}
	}
}

// try takes n bytes and returns nil, or returns what to wait for.
func (b *budget) try(n int) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free >= n {
		b.free -= n
		return nil
	}
	b.waiting = true
	return b.freed
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	if b.waiting && b.free >= b.enough {
		b.waiting = false
		close(b.freed)
		b.freed = make(chan struct{})
	}
}
