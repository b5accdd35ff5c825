package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

// gate stands between the writer and the disk. A transaction waits before it for a token of begin, and after it for one
// of finish; a nil channel lets it through. It ends with fault, if that is set: before it is on disk, or with late after.
type gate struct {
	begin, finish chan struct{}
	fault         error
	late          bool
	transactions  int
}

func (g *gate) wrap(next updater) updater {
	return func(fn func(*bbolt.Tx) error) error {
		if g.begin != nil {
			<-g.begin
		}
		g.transactions++
		err := next(func(tx *bbolt.Tx) error {
			if err := fn(tx); err != nil || g.late {
				return err
			}
			return g.fault
		})
		if g.finish != nil {
			<-g.finish
		}
		return errors.Join(err, g.fault)
	}
}

func openGated(t *testing.T, g *gate) *Store {
	t.Helper()
	return openWith(t, Options{wrap: g.wrap})
}

func openWith(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "jiaxin.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// later commits in the background; the error comes on the channel.
func later(ctx context.Context, s *Store, lane string, w store.Write) <-chan error {
	end := make(chan error, 1)
	go func() {
		_, err := s.Commit(ctx, lane, w)
		end <- err
	}()
	synctest.Wait()
	return end
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got the error %v, want %v", err, want)
	}
}

func wantsNot(t *testing.T, err, not error) {
	t.Helper()
	if errors.Is(err, not) {
		t.Fatalf("got the error %v, must not be %v", err, not)
	}
}

func put(expect store.Rev, data string) store.Write {
	return store.Write{Key: "doc", Expect: expect, Data: []byte(data)}
}

func TestOneTransactionForAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{begin: make(chan struct{})}
		s := openGated(t, g)
		first := later(t.Context(), s, "hh/0", put(0, "x"))
		waiting := []<-chan error{
			later(t.Context(), s, "hh/1", put(0, "made")),
			later(t.Context(), s, "hh/1", put(0, "made again")),
			later(t.Context(), s, "hh/2", put(0, "made")),
			later(t.Context(), s, "hh/1", put(store.AnyRev, "changed")),
		}
		close(g.begin)
		must(t, <-first)
		for i, want := range []error{nil, store.ErrConflict, nil, nil} {
			wants(t, <-waiting[i], want)
		}
		if g.transactions != 2 {
			t.Fatalf("%d transactions, want one for the first and one for the rest", g.transactions)
		}
		doc, err := s.Get(t.Context(), "hh/1", "doc")
		if err != nil || string(doc.Data) != "changed" {
			t.Fatalf("%q, %v", doc.Data, err)
		}
	})
}

func TestContextEndsWhileTheDiskIsStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{begin: make(chan struct{})}
		s := openGated(t, g)
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		inFlight := later(soon, s, "hh/0", put(0, "x"))
		for i := range maxQueue {
			go s.Commit(soon, fmt.Sprintf("hh/q%d", i), put(0, "x"))
		}
		synctest.Wait()
		noPlace := later(soon, s, "hh/late", put(0, "x"))

		err := <-inFlight
		wants(t, err, store.ErrUnknown)
		wants(t, err, context.DeadlineExceeded)
		err = <-noPlace
		wants(t, err, context.DeadlineExceeded)
		wantsNot(t, err, store.ErrUnknown) // it never had a place

		close(g.begin)
		must(t, s.writer.submit(t.Context(), &job{check: nothing, apply: nothing}))
		_, err = s.Get(t.Context(), "hh/0", "doc") // it happened after all
		must(t, err)
		_, err = s.Get(t.Context(), "hh/late", "doc")
		wants(t, err, store.ErrNotFound)
	})
}

func nothing(*tables) error { return nil }

func TestReadsReturnOnlyWhatIsDurable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{finish: make(chan struct{}, 1)}
		s := openGated(t, g)
		g.finish <- struct{}{}
		_, err := s.Commit(t.Context(), "hh/1", put(0, "old"))
		must(t, err)

		end := later(t.Context(), s, "hh/1", put(store.AnyRev, "new")) // written, and its last sync still runs
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = s.Get(soon, "hh/1", "doc")
		wants(t, err, context.DeadlineExceeded)

		read := make(chan string)
		go func() {
			doc, _ := s.Get(t.Context(), "hh/1", "doc")
			read <- string(doc.Data)
		}()
		synctest.Wait()
		g.finish <- struct{}{}
		must(t, <-end)
		if got := <-read; got != "new" {
			t.Fatalf("read %q", got)
		}
	})
}

func TestReadsDoNotQueueBehindCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		s := openGated(t, g)
		_, err := s.Commit(t.Context(), "hh/1", put(0, "old"))
		must(t, err)
		g.begin = make(chan struct{})
		end := later(t.Context(), s, "hh/1", put(store.AnyRev, "new"))
		doc, err := s.Get(t.Context(), "hh/1", "doc")
		if err != nil || string(doc.Data) != "old" {
			t.Fatalf("%q, %v", doc.Data, err)
		}
		close(g.begin)
		must(t, <-end)
	})
}

func TestCloseLetsWaitingCommitsFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{begin: make(chan struct{})}
		s := openGated(t, g)
		a := later(t.Context(), s, "hh/1", put(0, "x"))
		b := later(t.Context(), s, "hh/2", put(0, "x"))
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		wants(t, <-later(t.Context(), s, "hh/3", put(0, "x")), store.ErrClosed)
		close(g.begin)
		must(t, <-a)
		must(t, <-b)
		must(t, <-closed)
	})
}

func TestFullDiskFailsOnlyThoseCommits(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{
		&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC},
		&fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT},
		errors.New("file resize error: truncate x: no space left on device"),
	} {
		g := &gate{}
		s := openGated(t, g)
		_, err := s.Commit(t.Context(), "hh/1", put(0, "old"))
		must(t, err)
		g.fault = fault
		_, err = s.Commit(t.Context(), "hh/1", put(store.AnyRev, "new"))
		wants(t, err, fault)
		wantsNot(t, err, store.ErrUnknown)
		g.fault = nil
		doc, err := s.Get(t.Context(), "hh/1", "doc")
		if err != nil || string(doc.Data) != "old" {
			t.Fatalf("%q, %v", doc.Data, err)
		}
		_, err = s.Commit(t.Context(), "hh/1", put(doc.Rev, "new"))
		must(t, err)
	}
}

func TestFailedDiskEndsTheStore(t *testing.T) {
	t.Parallel()
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	tests := []struct {
		name string
		gate gate
	}{
		{"a sync that failed", gate{fault: syscall.EIO}},
		{"a sync that found no room", gate{fault: syscall.ENOSPC}},
		{"a write that failed", gate{fault: &fs.PathError{Op: "write", Path: "x", Err: syscall.EIO}}},
		{"a sync that failed after the commit was written", gate{fault: syscall.EIO, late: true}},
		{"no room, and yet the commit is to be seen", gate{fault: full, late: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { failedDisk(t, tt.gate) })
		})
	}
}

func failedDisk(t *testing.T, fault gate) {
	g := &gate{}
	s := openWith(t, Options{wrap: g.wrap, Registerer: prometheus.NewRegistry()})
	_, err := s.Commit(t.Context(), "hh/1", put(0, "old"))
	must(t, err)
	awake := make(chan error)
	go func() { awake <- s.Wakes(t.Context(), func(context.Context, store.Doc) error { return nil }) }()
	synctest.Wait()

	g.fault, g.late = fault.fault, fault.late
	_, err = s.Commit(t.Context(), "hh/1", put(store.AnyRev, "new"))
	wants(t, err, store.ErrUnknown)
	wants(t, err, fault.fault)
	wants(t, <-awake, fault.fault)

	g.fault = nil
	_, err = s.Commit(t.Context(), "hh/2", put(0, "x"))
	wants(t, err, fault.fault)
	wantsNot(t, err, store.ErrUnknown)
	doc, err := s.Get(t.Context(), "hh/1", "doc")
	if fault.late {
		wants(t, err, fault.fault) // nobody knows whether "new" is on disk
	} else if err != nil || string(doc.Data) != "old" {
		t.Fatalf("%q, %v", doc.Data, err)
	}
	if testutil.ToFloat64(s.metrics.failed) != 1 {
		t.Error("the metric does not tell")
	}
	must(t, s.Close())
}

func TestPanicWhileWritingEndsTheStore(t *testing.T) {
	t.Parallel()
	s := openWith(t, Options{})
	err := s.writer.submit(t.Context(), &job{check: nothing, apply: func(*tables) error { panic("a damaged page") }})
	wants(t, err, store.ErrUnknown)
	_, err = s.Commit(t.Context(), "hh/1", put(0, "x"))
	wants(t, err, store.ErrCorrupt)
	must(t, s.Close())
}

func TestLingerIsATenthOfASlowCommit(t *testing.T) {
	t.Parallel()
	for mean, want := range map[time.Duration]time.Duration{
		0: 0, 400 * time.Microsecond: 0, 10 * time.Millisecond: time.Millisecond, time.Second: 100 * time.Millisecond,
	} {
		if got := (&writer{mean: mean}).linger(); got != want {
			t.Errorf("a commit takes %v: waits %v, want %v", mean, got, want)
		}
	}
}

func TestSlowDiskGathersCompany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		s := openGated(t, g)
		s.writer.mean = 100 * time.Millisecond
		one := later(t.Context(), s, "hh/1", put(0, "x"))
		time.Sleep(5 * time.Millisecond) // by the bubble's clock
		two := later(t.Context(), s, "hh/2", put(0, "x"))
		must(t, <-one)
		must(t, <-two)
		if g.transactions != 1 {
			t.Fatalf("%d transactions for two that came within the tenth of a commit", g.transactions)
		}
	})
}

func TestRefusedCommits(t *testing.T) {
	t.Parallel()
	s := openWith(t, Options{})
	long := make([]byte, maxName+1)
	for i, try := range []struct {
		lane   string
		writes []store.Write
	}{
		{"", []store.Write{put(0, "x")}},
		{"hh\x001", []store.Write{put(0, "x")}},
		{string(long), []store.Write{put(0, "x")}},
		{"hh/1", []store.Write{{Data: []byte("x")}}},
		{"hh/1", []store.Write{put(0, "x"), put(0, "y")}},
		{"hh/1", []store.Write{{Key: "doc", Data: []byte("x"), TTL: -1}}},
		{"hh/1", []store.Write{{Key: "doc", Data: make([]byte, maxCommit+1)}}},
	} {
		if _, err := s.Commit(t.Context(), try.lane, try.writes...); err == nil {
			t.Errorf("commit %d was taken", i)
		}
	}
	docs, err := s.Scan(t.Context(), "", store.Doc{}, 1)
	if err != nil || len(docs) != 0 {
		t.Fatalf("something was written: %v, %v", docs, err)
	}
}
