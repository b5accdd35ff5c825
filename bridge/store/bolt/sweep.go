package bolt

import (
	"context"
	"errors"
	"time"

	"jiaxin/bridge/store"
)

const (
	sweepEvery = 10 * time.Second
	sweepBatch = 256 // documents removed in one transaction, so that it delays nobody
)

// sweepUntilClosed removes what has expired, for as long as the store is open.
func (s *Store) sweepUntilClosed() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-s.writer.stopped:
			return
		case <-tick.C:
			s.sweepAll()
		}
	}
}

func (s *Store) sweepAll() {
	for {
		n, err := s.sweep()
		if err != nil {
			if !errors.Is(err, store.ErrClosed) {
				s.log.Warn("expired documents could not be removed; tried again soon", "error", err)
			}
			return
		}
		if n < sweepBatch {
			return
		}
	}
}

// sweep removes up to sweepBatch expired documents and says how many index entries it took.
func (s *Store) sweep() (n int, err error) {
	ctx := context.Background()
	idle := true
	err = s.view(ctx, func(t *tables) error {
		for range passedEntries(t.ttl, t.now) {
			idle = false
			break
		}
		return nil
	})
	if err != nil || idle {
		return 0, err
	}
	err = s.writer.submit(ctx, &job{
		check: func(*tables) error { return nil },
		apply: func(t *tables) (err error) {
			n, err = t.sweep(sweepBatch)
			return err
		},
	})
	if err == nil {
		s.metrics.expired.Add(float64(n))
	}
	return n, err
}

func (t *tables) sweep(limit int) (int, error) {
	var keys [][]byte // first, as a cursor does not stand changes under it
	var entries []entry
	for k, v := range passedEntries(t.ttl, t.now) {
		if len(keys) == limit {
			break
		}
		key := append([]byte{}, k...)
		e, err := parseEntry(key, v)
		if err != nil {
			e = entry{} // damaged: only the entry goes
		}
		keys, entries = append(keys, key), append(entries, e)
	}
	for i, e := range entries {
		if err := t.expire(e); err != nil {
			return 0, err
		}
		if err := t.ttl.Delete(keys[i]); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// expire removes the document of a ttl entry, also a damaged one, but not one that was written anew since.
func (t *tables) expire(e entry) error {
	if e.name == nil {
		return nil
	}
	r, ok, err := t.record(e.name)
	if !ok || err == nil && r.rev != e.rev {
		return nil
	}
	return t.remove(e.name, r)
}
