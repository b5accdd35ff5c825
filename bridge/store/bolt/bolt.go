// Package bolt keeps Jiaxin's documents in one bbolt file on this machine.
//
// Promise: what store.Store promises, for one process on one disk that does what fdatasync(2) says. Reads too
// return only what is durable: they never queue behind commits, but a read that met a commit whose last sync
// is still running waits for that sync.
//
// Failure:
//   - A full disk (ENOSPC, EDQUOT, EFBIG) fails the commits of that batch, changes nothing, and later ones may
//     succeed.
//   - A sync that failed, or any other error of a write, leaves it unknown what the disk holds, because the
//     kernel may have dropped the pages. Those commits get store.ErrUnknown, every later one fails, and Wakes returns the
//     error. The process should exit, check the file (Check) and open it again; nothing is retried in place.
//   - A damaged record is never served: store.ErrCorrupt. Scan and Wakes pass over it, it is counted and logged once,
//     and it can be overwritten or removed with store.AnyRev.
//   - A damaged page can end the process (bbolt reads the file through mmap), so CheckInChild looks first.
//
// The file, schema 1. All integers are big-endian; a stamp is milliseconds since 1970 plus 2^63, 0 for never.
//
//	meta    "schema"                → uint64, the number of this layout
//	docs    lane 0x00 key           → format(1)=1  crc(4)  rev(8)  due stamp(8)  expires stamp(8)  data
//	due     stamp(8) lane 0x00 key  → rev(8) crc(4)     one for each document with a Due; what Wakes walks
//	ttl     stamp(8) lane 0x00 key  → rev(8) crc(4)     one for each document with a TTL; what the sweeper walks
//
// The CRC is CRC-32C (Castagnoli, RFC 3720 appendix B.4). A document's covers its lane, key and everything in the
// record but itself; an index entry's covers its key and revision. Revisions come from the sequence of docs, so
// none is ever used twice, even for a document that was removed and made again. An index entry whose revision
// is not its document's is a leftover of damage; whoever meets it drops it, and Open puts back a missing due entry.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"jiaxin/bridge/store"
)

// Options adjust a store; the zero value is right for production.
type Options struct {
	Logger     *slog.Logger          // nil: silent
	Now        func() time.Time      // the wall clock of Due and TTL; nil: time.Now
	Registerer prometheus.Registerer // where the jiaxin_store_* metrics go until Close; nil: nowhere

	noSync bool                  // a seeded bug for the power-cut test, and its haste: never sync
	wrap   func(updater) updater // lets a test stand between the writer and the disk
}

// updater is the form of bbolt's DB.Update.
type updater func(func(*bbolt.Tx) error) error

// Store is an open file. It implements store.Store.
type Store struct {
	path string
	db   *bbolt.DB
	log  *slog.Logger
	now  func() time.Time

	writer  *writer
	metrics *metrics
	damage  damage
	alarms  alarms

	closing   chan struct{} // closed when Close begins
	closeOnce sync.Once
	closeErr  error
	sweeping  sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open opens the store in the file at path, creating it if there is none. Its errors say what to do; damage is
// store.ErrCorrupt. Run CheckInChild first where a crash on a damaged file would matter.
func Open(path string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	db, err := openFile(path, o)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, db: db, log: o.Logger.With("store", path), now: o.Now,
		closing: make(chan struct{}),
	}
	s.metrics, err = newMetrics(o.Registerer, s)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.damage.report = s.reportDamage
	if err := s.start(o); err != nil {
		s.metrics.unregister()
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// start makes what the file holds durable (a predecessor that was killed may have left it in the page cache
// only), mends the due index, and sets the writer and the sweeper going.
func (s *Store) start(o Options) error {
	if !o.noSync {
		if err := s.db.Sync(); err != nil {
			return fmt.Errorf("cannot sync store %s, the disk may be failing: %w", s.path, err)
		}
	}
	if err := guarded(s.mend); err != nil {
		return fmt.Errorf("store %s: %w", s.path, err)
	}
	s.writer = newWriter(s, o)
	go s.writer.run()
	s.sweeping.Go(s.sweepUntilClosed)
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, lane, key string) (store.Doc, error) {
	name, err := joinName(lane, key)
	if err != nil {
		return store.Doc{}, err
	}
	var doc store.Doc
	err = s.view(ctx, func(t *tables) error {
		doc, err = t.doc(name)
		return err
	})
	if errors.Is(err, store.ErrCorrupt) {
		s.damage.found(name)
	}
	return doc, err
}

// Scan implements store.Store.
func (s *Store) Scan(ctx context.Context, prefix string, after store.Doc, n int) ([]store.Doc, error) {
	var docs []store.Doc
	err := s.view(ctx, func(t *tables) error {
		var err error
		docs, err = t.scan(prefix, after, n, s.damage.found)
		return err
	})
	return docs, err
}

// Commit implements store.Store. While it waits for a place in the queue, the end of ctx means that nothing
// was written. Once it has a place, the end of ctx gives store.ErrUnknown: the writer will do it or is doing it, and a
// stuck disk must not hold the caller.
//
// A lane or key is at most 512 bytes without NUL, a commit at most 32 MiB; a commit must not name a key twice.
func (s *Store) Commit(ctx context.Context, lane string, writes ...store.Write) ([]store.Rev, error) {
	c, err := newCommit(lane, writes, s.now())
	if err != nil || len(writes) == 0 {
		return nil, err
	}
	err = s.writer.submit(ctx, &job{check: c.check, apply: c.apply, size: c.size, due: c.due})
	s.metrics.committed(err)
	if err != nil {
		return nil, err
	}
	return c.revs, nil
}

// WriteTo writes a snapshot of the whole store to w while the store goes on working: a file that Open takes as
// it is. The snapshot holds a read transaction, so space is not reused until it ends: let w be a local file.
func (s *Store) WriteTo(w io.Writer) (int64, error) {
	var n int64
	err := s.read(context.Background(), func(tx *bbolt.Tx) error {
		if err := s.writer.durable(context.Background(), tx.ID()); err != nil {
			return err
		}
		var err error
		n, err = tx.WriteTo(w)
		return err
	})
	return n, err
}

// Close lets the commits that already wait finish, ends Wakes, and closes the file.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.sweeping.Wait()
		<-s.writer.stopped
		s.metrics.unregister()
		if !s.writer.stuck { // else its lock may never be given back; the process ends anyway
			s.closeErr = s.db.Close()
		}
	})
	return s.closeErr
}

// view reads in one transaction and returns once what was read is durable.
func (s *Store) view(ctx context.Context, fn func(*tables) error) error {
	var seen int
	err := s.read(ctx, func(tx *bbolt.Tx) error {
		seen = tx.ID()
		return fn(tablesOf(tx, s.now()))
	})
	if werr := s.writer.durable(ctx, seen); werr != nil {
		return werr
	}
	return err
}

func (s *Store) read(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := guarded(func() error { return s.db.View(fn) })
	if errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

// damage remembers which documents were found damaged, so that each is reported once. It remembers at most
// maxDamage; a file with more than that needs a restore, not more log lines.
type damage struct {
	report func(name []byte)
	mu     sync.Mutex
	seen   map[string]bool
}

const maxDamage = 1024

func (d *damage) found(name []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[string(name)] || len(d.seen) == maxDamage {
		return
	}
	if d.seen == nil {
		d.seen = make(map[string]bool)
	}
	d.seen[string(name)] = true
	d.report(name)
}

func (s *Store) reportDamage(name []byte) {
	s.metrics.damaged.Inc()
	s.log.Error("a stored document is damaged and will not be served; "+
		"restore a backup, and check the disk if it happens again", "document", label(name))
}

// broadcast wakes everybody who waits.
type broadcast struct {
	ch atomic.Pointer[chan struct{}]
}

// next returns a channel that the next send closes.
func (b *broadcast) next() <-chan struct{} {
	for {
		if ch := b.ch.Load(); ch != nil {
			return *ch
		}
		ch := make(chan struct{})
		b.ch.CompareAndSwap(nil, &ch)
	}
}

func (b *broadcast) send() {
	if ch := b.ch.Swap(nil); ch != nil {
		close(*ch)
	}
}
