package bolt

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

const (
	maxAwake   = 64               // documents that one Wakes hands out at the same time
	maxSleep   = time.Second      // so that a clock that was set is noticed
	minBackoff = time.Second      // before a document that failed is handed out again
	maxBackoff = 60 * time.Second // and at most, after it failed again and again
)

// alarms is what all Wakes of a store share: one lane is handed out to one of them at a time.
type alarms struct {
	rung  broadcast // a commit set an alarm that is due before anyone would look
	mu    sync.Mutex
	busy  map[string]bool    // lanes
	tried map[string]attempt // documents that failed, by name
}

// attempt remembers a document that was handed out in vain.
type attempt struct {
	rev   store.Rev // that it has now: another one begins anew
	wait  time.Duration
	until time.Time
}

// wake is a due entry that is being handed out.
type wake struct {
	name string
	lane string
	at   stamp
	rev  store.Rev
}

// Wakes implements store.Store. It hands out up to 64 documents at once, those of one lane one after the other.
// A document whose fn fails, or that is still the same after it, comes again after 1 s, 2 s, 4 s … 60 s; a commit
// that changes it begins anew, and one that comes while fn runs waits at most 1 s. When Wakes returns, no fn is running.
func (s *Store) Wakes(ctx context.Context, fn func(context.Context, store.Doc) error) error {
	var running sync.WaitGroup
	defer running.Wait()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	finished := make(chan struct{}, maxAwake)
	for free := maxAwake; ; {
		rung := s.alarms.rung.next() // before looking, so that nothing falls between
		due, sleep, err := s.claim(ctx, free)
		if err != nil {
			return s.end(ctx, err)
		}
		for _, w := range due {
			free--
			running.Go(func() {
				s.hand(inner, w, fn)
				finished <- struct{}{}
			})
		}
		n, err := s.sleep(ctx, sleep, rung, finished)
		if err != nil {
			return s.end(ctx, err)
		}
		free += n
	}
}

var errEnded = errors.New("ended")

// sleep returns when it is time to look again, or with an error when never; one more place may be free then.
func (s *Store) sleep(ctx context.Context, d time.Duration, rung, finished <-chan struct{}) (free int, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, nil
	case <-rung:
		return 0, nil
	case <-finished:
		return 1, nil
	case <-ctx.Done():
		return 0, errEnded
	case <-s.closing:
		return 0, errEnded
	case <-s.writer.stopped:
		return 0, s.writer.gone()
	}
}

// end is what Wakes returns: nothing went wrong if it was asked to stop.
func (s *Store) end(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, errEnded) || errors.Is(err, store.ErrClosed) {
		return nil
	}
	return err
}

// claim takes up to n due entries of idle lanes, and says how long to sleep if nothing happens before.
func (s *Store) claim(ctx context.Context, n int) (due []wake, sleep time.Duration, err error) {
	err = s.view(ctx, func(t *tables) error {
		s.alarms.mu.Lock()
		defer s.alarms.mu.Unlock()
		due, sleep = s.alarms.claim(t, n, s.damage.found)
		return nil
	})
	if err != nil {
		s.release(due)
	}
	return due, sleep, err
}

func (s *Store) release(due []wake) {
	s.alarms.mu.Lock()
	defer s.alarms.mu.Unlock()
	for _, w := range due {
		delete(s.alarms.busy, w.lane)
	}
}

func (a *alarms) claim(t *tables, n int, damaged func([]byte)) (due []wake, sleep time.Duration) {
	a.forget(t.now)
	sleep = maxSleep
	for k, v := range passedEntries(t.due, t.now) {
		if len(due) == n {
			return due, sleep
		}
		e, err := parseEntry(k, v)
		if err != nil {
			damaged(k)
			continue
		}
		w := wake{name: string(e.name), at: e.at, rev: e.rev}
		w.lane, _ = splitName(e.name)
		if wait := a.tried[w.name].left(e.rev, t.now); wait > 0 {
			sleep = min(sleep, wait)
		} else if a.take(w.lane) {
			due = append(due, w)
		}
	}
	return due, min(sleep, untilNext(t))
}

// untilNext is the time to the first alarm that is not due yet, at most maxSleep.
func untilNext(t *tables) time.Duration {
	key, _ := t.due.Cursor().Seek(entryKey(stampAfter(t.now), nil))
	if len(key) < 8 {
		return maxSleep
	}
	return min(maxSleep, entryAt(key).time().Sub(t.now))
}

func (a *alarms) take(lane string) bool {
	if a.busy[lane] {
		return false
	}
	if a.busy == nil {
		a.busy, a.tried = make(map[string]bool), make(map[string]attempt)
	}
	a.busy[lane] = true
	return true
}

// left is how long the document must still wait at this revision. A clock that was set back does not prolong it.
func (at attempt) left(rev store.Rev, now time.Time) time.Duration {
	left := at.until.Sub(now)
	if at.rev != rev || left > maxBackoff {
		return 0
	}
	return left
}

// forget drops attempts that nobody came back to, because the document was changed or removed.
func (a *alarms) forget(now time.Time) {
	for name, at := range a.tried {
		if since := now.Sub(at.until); since > maxBackoff || since < -2*maxBackoff {
			delete(a.tried, name)
		}
	}
}

// hand gives one document to fn and notes how it went. If Wakes was told to end meanwhile, it notes nothing: the
// next Wakes begins with this document at once.
func (s *Store) hand(ctx context.Context, w wake, fn func(context.Context, store.Doc) error) {
	doc, err := s.awake(ctx, w)
	if err == nil {
		err = fn(ctx, doc)
		s.metrics.woken(err)
	}
	switch {
	case ctx.Err() != nil:
		s.release([]wake{w})
	case err == nil || errors.Is(err, errMoved):
		s.handed(w, false)
	default:
		s.handed(w, true)
		if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrClosed) { // of which others tell
			s.log.Warn("an alarm was not handled and comes again", "document", label([]byte(w.name)), "error", err)
		}
	}
}

// errMoved says that a due entry is no longer what it was when it was claimed.
var errMoved = errors.New("the alarm was moved meanwhile")

// awake reads the document of a due entry, now that its lane is taken.
func (s *Store) awake(ctx context.Context, w wake) (store.Doc, error) {
	var doc store.Doc
	leftover := false
	err := s.view(ctx, func(t *tables) (err error) {
		if !indexed(t.due, w.at, []byte(w.name), w.rev) {
			return errMoved
		}
		if leftover, err = t.leftover(w); leftover || err != nil {
			return err
		}
		doc, err = t.doc([]byte(w.name))
		return err
	})
	if errors.Is(err, store.ErrCorrupt) {
		s.damage.found([]byte(w.name))
	}
	if leftover {
		return store.Doc{}, s.drop(ctx, w)
	}
	return doc, err
}

// leftover says whether a due entry is not its document's, which only damage can bring about.
func (t *tables) leftover(w wake) (bool, error) {
	r, ok, err := t.record([]byte(w.name))
	return err == nil && (!ok || r.rev != w.rev), err
}

// drop removes a leftover.
func (s *Store) drop(ctx context.Context, w wake) error {
	err := s.writer.submit(ctx, &job{
		check: func(*tables) error { return nil },
		apply: func(t *tables) error {
			if leftover, err := t.leftover(w); err != nil || !leftover {
				return nil
			}
			return t.due.Delete(entryKey(w.at, []byte(w.name)))
		},
	})
	if err != nil {
		return err
	}
	return errMoved
}

// handed gives the lane back, and remembers the document if it has to wait.
func (s *Store) handed(w wake, failed bool) {
	rev := s.revision(w)
	a := &s.alarms
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.busy, w.lane)
	last := a.tried[w.name]
	delete(a.tried, w.name)
	if !failed && rev != w.rev {
		return
	}
	wait := minBackoff // also if it was changed: nobody knows whether by fn, or by a new alarm that must not wait long
	if rev == w.rev && last.rev == w.rev {
		wait = min(2*last.wait, maxBackoff)
	}
	a.tried[w.name] = attempt{rev: rev, wait: wait, until: s.now().Add(wait)}
}

// revision is the document's now; that of the alarm if it cannot be read, and 0 if it is gone.
func (s *Store) revision(w wake) store.Rev {
	rev := w.rev
	_ = s.read(context.Background(), func(tx *bbolt.Tx) error { // an error would only repeat what awake met
		r, _, err := tablesOf(tx, s.now()).record([]byte(w.name))
		if err == nil {
			rev = r.rev
		}
		return nil
	})
	return rev
}
