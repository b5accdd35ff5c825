package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

const (
	maxQueue = 4096
	maxBatch = 4096     // jobs in one transaction
	maxBytes = 32 << 20 // and their bytes, unless one job alone has more
	// Below this commit time waiting for company costs more than it gives: a timer is not that exact.
	fastDisk = 2 * time.Millisecond
)

// job is one piece of work for the writer. check may refuse it and must change nothing; an error of apply undoes
// the whole batch.
type job struct {
	check, apply func(*tables) error
	size         int   // bytes to be written, about
	due          stamp // the earliest alarm that it sets
	done         chan error
}

// writer is the only goroutine that writes: it takes all the jobs that wait into one transaction, so that they
// share its two syncs. The slower the disk, the more of them.
type writer struct {
	s         *Store
	update    updater
	queue     chan *job
	stopped   chan struct{} // closed when it will answer no more
	failure   error         // why, unless closed; read it after stopped
	stuck     bool          // bbolt broke down in the middle; read it after stopped
	durableID atomic.Int64  // the last transaction that is on disk for certain
	advanced  broadcast     // durableID grew
	mean      time.Duration // moving average of the time of a transaction
}

func newWriter(s *Store, o Options) *writer {
	w := &writer{s: s, update: s.db.Update, queue: make(chan *job, maxQueue), stopped: make(chan struct{})}
	if o.wrap != nil {
		w.update = o.wrap(w.update)
	}
	w.durableID.Store(int64(w.onDisk()))
	return w
}

// submit queues a job and waits for its end.
func (w *writer) submit(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-w.s.closing:
		return store.ErrClosed
	default:
	}
	j.done = make(chan error, 1)
	select {
	case w.queue <- j:
		return w.wait(ctx, j)
	case <-w.s.closing:
		return store.ErrClosed
	case <-w.stopped:
		return w.gone()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) wait(ctx context.Context, j *job) error {
	left := func() error { return fmt.Errorf("%w: %w", store.ErrUnknown, ctx.Err()) }
	select {
	case err := <-j.done:
		return err
	case <-w.stopped:
		left = w.gone // the writer never took it
	case <-ctx.Done():
	}
	select { // an answer that is there already counts
	case err := <-j.done:
		return err
	default:
		return left()
	}
}

// gone says why the writer is; only after stopped.
func (w *writer) gone() error {
	if w.failure != nil {
		return w.failure
	}
	return store.ErrClosed
}

// durable waits until transaction id is on disk.
func (w *writer) durable(ctx context.Context, id int) error {
	for {
		if w.durableID.Load() >= int64(id) {
			return nil
		}
		advanced := w.advanced.next()
		if w.durableID.Load() >= int64(id) {
			return nil
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.stopped:
			if w.durableID.Load() < int64(id) {
				return w.gone()
			}
		}
	}
}

func (w *writer) run() {
	defer close(w.stopped)
	batch := make([]*job, 0, maxBatch)
	for w.failure == nil {
		first := w.next()
		if first == nil {
			return
		}
		batch = w.gather(append(batch[:0], first))
		w.commit(batch)
		clear(batch)
	}
}

// next waits for a job; nil when the store is closed and nothing waits.
func (w *writer) next() *job {
	select {
	case j := <-w.queue:
		return j
	case <-w.s.closing:
	}
	select {
	case j := <-w.queue:
		return j
	default:
		return nil
	}
}

// gather takes the jobs that wait, and on a slow disk those of the next moment.
func (w *writer) gather(batch []*job) []*job {
	size := batch[0].size
	var patience <-chan time.Time
	if d := w.linger(); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		patience = timer.C
	}
	for len(batch) < maxBatch && size < maxBytes {
		j := w.more(patience)
		if j == nil {
			break
		}
		batch, size = append(batch, j), size+j.size
	}
	return batch
}

func (w *writer) more(patience <-chan time.Time) *job {
	select {
	case j := <-w.queue:
		return j
	default:
	}
	if patience == nil {
		return nil
	}
	select {
	case j := <-w.queue:
		return j
	case <-patience:
		return nil
	case <-w.s.closing:
		return nil
	}
}

// linger is a tenth of what a transaction takes.
func (w *writer) linger() time.Duration {
	if w.mean < fastDisk {
		return 0
	}
	return w.mean / 10
}

// commit does the batch in one transaction and answers.
func (w *writer) commit(batch []*job) {
	begun := time.Now()
	refused, id, err := w.transact(batch)
	took := time.Since(begun)
	w.mean += (took - w.mean) / 8
	w.s.metrics.transaction(len(batch), took)
	if err == nil {
		w.durableID.Store(int64(id))
		w.advanced.send()
		w.ring(batch, refused)
	}
	for i, j := range batch {
		if err != nil {
			j.done <- err
		} else {
			j.done <- refused[i]
		}
	}
}

// transact returns which jobs were refused, and the transaction's id; or the error of them all, in which case the refusals
// mean nothing, as they may have rested on what was undone.
func (w *writer) transact(batch []*job) (refused []error, id int, err error) {
	refused = make([]error, len(batch))
	var undone error
	err = guarded(func() error {
		return w.update(func(tx *bbolt.Tx) error {
			id = tx.ID()
			undone = w.applyAll(tablesOf(tx, w.s.now()), batch, refused)
			return undone
		})
	})
	switch {
	case err == nil || undone != nil:
		return refused, id, err
	case isFull(err) && w.onDisk() < id:
		return refused, id, fmt.Errorf("the disk of store %s is full, nothing was written, make room: %w", w.s.path, err)
	}
	return refused, id, w.fail(err)
}

func (w *writer) applyAll(t *tables, batch []*job, refused []error) error {
	for i, j := range batch {
		if refused[i] = j.check(t); refused[i] != nil {
			continue
		}
		if err := j.apply(t); err != nil {
			return fmt.Errorf("store %s: nothing was written: %w", w.s.path, err)
		}
	}
	return nil
}

// fail ends the writer, and returns the answer for those whose commit was under way.
func (w *writer) fail(err error) error {
	w.failure = fmt.Errorf("store %s failed and takes nothing more, restart the gateway, "+
		"and replace the disk if it happens again: %w", w.s.path, err)
	w.stuck = errors.Is(err, store.ErrCorrupt) // a panic
	w.s.metrics.failed.Set(1)
	if w.stuck {
		w.s.log.Error("the store broke down while writing", "stack", string(debug.Stack()))
	}
	return fmt.Errorf("%w: %w", store.ErrUnknown, w.failure)
}

// onDisk is the id of the transaction that a reader would see now, or the highest number if that cannot be told.
func (w *writer) onDisk() (id int) {
	err := guarded(func() error {
		return w.s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil })
	})
	if err != nil {
		return int(^uint(0) >> 1)
	}
	return id
}

// ring tells Wakes of alarms that are due before it would look again by itself.
func (w *writer) ring(batch []*job, refused []error) {
	soon := w.s.now().Add(maxSleep)
	for i, j := range batch {
		if refused[i] == nil && j.due.passed(soon) {
			w.s.alarms.rung.send()
			return
		}
	}
}

// isFull tells a write that found no room from a disk that failed. A sync's error is never "full": with delayed
// allocation data is lost by then. bbolt flattens the error of growing the file to text.
func isFull(err error) bool {
	if strings.HasPrefix(err.Error(), "file resize error: ") {
		return true
	}
	var perr *fs.PathError
	if !errors.As(err, &perr) || perr.Op != "write" {
		return false
	}
	return errors.Is(perr.Err, syscall.ENOSPC) || errors.Is(perr.Err, syscall.EDQUOT) || errors.Is(perr.Err, syscall.EFBIG)
}
