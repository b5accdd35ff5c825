package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jiaxin/bridge/store"
)

func roundTrip(t *testing.T, open Open) {
	f := newFixture(t, open)
	due := f.clock.Now().Add(90 * time.Minute)
	data := []byte("空调 26°C \x00\xff")
	revs := f.commit("hh/1", store.Write{Key: "doc", Data: data, Due: due}, store.Write{Key: "t/1", Data: []byte{}})
	data[0] = 'X' // the caller's again

	doc := f.get("hh/1", "doc")
	if doc.Lane != "hh/1" || doc.Key != "doc" || doc.Rev != revs[0] || doc.Rev == 0 || !doc.Due.Equal(due) {
		t.Fatalf("got %+v, want revision %d, due %v", doc, revs[0], due)
	}
	f.holds("hh/1", "doc", "空调 26°C \x00\xff")
	doc.Data[0] = 'Y' // ours
	f.holds("hh/1", "doc", "空调 26°C \x00\xff")

	empty := f.get("hh/1", "t/1")
	if empty.Data == nil || len(empty.Data) != 0 || !empty.Due.IsZero() {
		t.Fatalf("an empty document came back as %+v", empty)
	}
	f.absent("hh/1", "other")
	f.absent("hh/", "1doc")
}

func oddities(t *testing.T, open Open) {
	f := newFixture(t, open)
	big := bytes.Repeat([]byte("家信"), 200_000)
	f.put("hh/大", "k 键", string(big))
	f.holds("hh/大", "k 键", string(big))

	revs, err := f.Commit(f.ctx, "hh/1")
	if err != nil || len(revs) != 0 {
		t.Fatalf("a commit of nothing gave %v, %v", revs, err)
	}
	// A moment between two milliseconds must not come early.
	due := f.clock.Now().Add(time.Second + 300*time.Microsecond)
	f.commit("hh/1", store.Write{Key: "doc", Data: []byte("x"), Due: due})
	if got := f.get("hh/1", "doc").Due; got.Before(due) || got.Sub(due) > time.Millisecond {
		t.Fatalf("due at %v became %v", due, got)
	}
}

func expectDecides(t *testing.T, open Open) {
	const stale = store.Rev(1 << 40)
	tests := []struct {
		name    string
		there   bool
		expect  func(now store.Rev) store.Rev
		allowed bool
	}{
		{"made anew", false, func(store.Rev) store.Rev { return 0 }, true},
		{"made twice", true, func(store.Rev) store.Rev { return 0 }, false},
		{"as it was read", true, func(now store.Rev) store.Rev { return now }, true},
		{"changed since", true, func(store.Rev) store.Rev { return stale }, false},
		{"removed since", false, func(store.Rev) store.Rev { return stale }, false},
		{"over anything", true, func(store.Rev) store.Rev { return store.AnyRev }, true},
		{"over nothing", false, func(store.Rev) store.Rev { return store.AnyRev }, true},
	}
	f := newFixture(t, open)
	for i, tt := range tests {
		for _, remove := range []bool{false, true} {
			key := fmt.Sprintf("%d-%t", i, remove)
			w := store.Write{Key: key, Data: []byte("new")}
			if remove {
				w.Data = nil
			}
			var now store.Rev
			if tt.there {
				now = f.put("hh/1", key, "old")
			}
			w.Expect = tt.expect(now)
			f.decided(tt.name, tt.allowed, tt.there, w)
		}
	}
}

// decided commits w and checks the answer and what is there afterwards.
func (f *fixture) decided(name string, allowed, there bool, w store.Write) {
	f.t.Helper()
	revs, err := f.Commit(f.ctx, "hh/1", w)
	removal := w.Data == nil
	switch {
	case !allowed:
		if !errors.Is(err, store.ErrConflict) {
			f.t.Fatalf("%s (removal %t): got %v, want a conflict", name, removal, err)
		}
		if there {
			f.holds("hh/1", w.Key, "old")
		} else {
			f.absent("hh/1", w.Key)
		}
	case err != nil || len(revs) != 1 || (revs[0] == 0) != removal:
		f.t.Fatalf("%s (removal %t): got revisions %v and %v", name, removal, revs, err)
	case removal:
		f.absent("hh/1", w.Key)
	default:
		f.holds("hh/1", w.Key, "new")
	}
}

func allOrNone(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.put("hh/1", "doc", "old")
	_, err := f.Commit(f.ctx, "hh/1",
		store.Write{Key: "a", Data: []byte("new")},
		store.Write{Key: "doc", Expect: 0, Data: []byte("new")},
		store.Write{Key: "b", Data: []byte("new"), Due: f.clock.Now()})
	f.wants(err, store.ErrConflict)
	f.absent("hh/1", "a")
	f.absent("hh/1", "b")
	f.holds("hh/1", "doc", "old")
}

// conflictIsolation lets many race for one key. Those commits may well share a transaction.
func conflictIsolation(t *testing.T, open Open) {
	f := newFixture(t, open)
	const n = 200
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			own := strconv.Itoa(i)
			_, err := f.Commit(f.ctx, "hh/1",
				store.Write{Key: "own/" + own, Data: []byte(own)}, store.Write{Key: "prize", Data: []byte(own)})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := f.Commit(f.ctx, fmt.Sprintf("hh/by/%d", i), store.Write{Key: "doc", Data: []byte("x")}); err != nil {
				t.Errorf("a commit of another lane failed: %v", err)
			}
		})
	}
	all.Wait()
	winner := string(f.get("hh/1", "prize").Data)
	docs, err := f.Scan(f.ctx, "hh/1", store.Doc{}, n)
	f.must(err)
	if won.Load() != 1 || len(docs) != 2 || docs[0].Key != "own/"+winner {
		t.Fatalf("%d commits won, and left %v, the prize to %s", won.Load(), names(docs), winner)
	}
}

func freshRevisions(t *testing.T, open Open) {
	f := newFixture(t, open)
	seen := make(map[store.Rev]bool)
	for i := range 6 {
		rev := f.put("hh/1", "doc", "same")
		if rev == 0 || rev == store.AnyRev || seen[rev] {
			t.Fatalf("revision %d came again", rev)
		}
		seen[rev] = true
		if i%2 == 1 {
			f.commit("hh/1", store.Write{Key: "doc", Expect: rev})
		}
		if i == 3 {
			f.reopen()
		}
	}
}

// seenWhole reads while two documents are changed together.
func seenWhole(t *testing.T, open Open) {
	f := newFixture(t, open)
	writing, stop := context.WithCancel(f.ctx)
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; writing.Err() == nil; i++ {
			data := []byte(strconv.Itoa(i))
			_, err := f.Commit(f.ctx, "hh/1", store.Write{Key: "a", Expect: store.AnyRev, Data: data},
				store.Write{Key: "b", Expect: store.AnyRev, Data: data})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 300 {
		docs, err := f.Scan(f.ctx, "hh/1", store.Doc{}, 2)
		if err != nil || len(docs) == 2 && !bytes.Equal(docs[0].Data, docs[1].Data) || len(docs) == 1 {
			t.Errorf("a commit was seen in part: %+v, %v", docs, err)
			break
		}
	}
	stop()
	writer.Wait()
}

func durable(t *testing.T, open Open) {
	f := newFixture(t, open)
	due := f.clock.Now().Add(time.Hour)
	rev := f.commit("hh/1", store.Write{Key: "doc", Data: []byte("kept"), Due: due})[0]
	gone := f.put("hh/1", "gone", "x")
	f.commit("hh/1", store.Write{Key: "gone", Expect: gone})
	f.reopen()
	f.absent("hh/1", "gone")
	doc := f.get("hh/1", "doc")
	if doc.Rev != rev || string(doc.Data) != "kept" || !doc.Due.Equal(due) {
		t.Fatalf("after opening again: %+v", doc)
	}
	f.commit("hh/1", store.Write{Key: "doc", Expect: rev, Data: []byte("changed")})
	f.holds("hh/1", "doc", "changed")
}

// thousandWriters lets each count up a counter that it shares with others, reading again after a conflict.
func thousandWriters(t *testing.T, open Open) {
	f := newFixture(t, open)
	const writers, counters = 1000, 100
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for done := false; !done; {
				var err error
				if done, err = f.countUp(fmt.Sprintf("hh/%d", i%counters)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for i := range counters {
		f.holds(fmt.Sprintf("hh/%d", i), "n", strconv.Itoa(writers/counters))
	}
}

func (f *fixture) countUp(lane string) (done bool, err error) {
	doc, err := f.Get(f.ctx, lane, "n")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	n, _ := strconv.Atoi(string(doc.Data))
	_, err = f.Commit(f.ctx, lane, store.Write{Key: "n", Expect: doc.Rev, Data: []byte(strconv.Itoa(n + 1))})
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

func endedContext(t *testing.T, open Open) {
	f := newFixture(t, open)
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	_, err := f.Commit(ended, "hh/1", store.Write{Key: "doc", Data: []byte("x")})
	f.wants(err, context.Canceled)
	_, err = f.Get(ended, "hh/1", "doc")
	f.wants(err, context.Canceled)
	_, err = f.Scan(ended, "hh/1", store.Doc{}, 1)
	f.wants(err, context.Canceled)
	f.put("hh/1", "doc", "works on")
}

func closedStore(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.must(f.Close())
	f.must(f.Close())
	_, err := f.Commit(f.ctx, "hh/1", store.Write{Key: "doc", Data: []byte("x")})
	f.wants(err, store.ErrClosed)
	_, err = f.Get(f.ctx, "hh/1", "doc")
	f.wants(err, store.ErrClosed)
	_, err = f.Scan(f.ctx, "hh/1", store.Doc{}, 1)
	f.wants(err, store.ErrClosed)
	f.must(f.Wakes(f.ctx, func(context.Context, store.Doc) error { return nil }))
}
