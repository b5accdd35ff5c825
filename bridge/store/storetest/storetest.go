// Package storetest is the suite that every engine of package store must pass: each test is one promise of the
// contract, told through its interface only.
//
// It fails with what was promised and what came instead. It never sleeps: it waits for what must happen, with a deadline,
// and proves that something did not happen by letting something later happen first.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"jiaxin/bridge/store"
)

// Open opens the engine's store at a place: the path of an empty folder at first, and of the same folder when a test opens
// it again after Close. now is the wall clock that Due and TTL go by. Open fails the test if it cannot.
type Open func(t testing.TB, place string, now func() time.Time) store.Store

// deadline is when a test gives up waiting for what must happen.
const deadline = 30 * time.Second

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	tests := []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"a document is read as it was written", roundTrip},
		{"odd names and sizes", oddities},
		{"Expect decides", expectDecides},
		{"all or none", allOrNone},
		{"a conflict is nobody else's", conflictIsolation},
		{"a revision never comes back", freshRevisions},
		{"a commit is seen whole", seenWhole},
		{"a commit outlives the process", durable},
		{"a thousand writers lose nothing", thousandWriters},
		{"an ended context is respected", endedContext},
		{"a closed store says so", closedStore},
		{"Scan pages through a prefix in order", scanPages},
		{"what expired is gone", ttl},
		{"any history matches the model", model},
		{"an alarm rings after its time", alarmRings},
		{"an alarm set now rings at once", alarmRingsAtOnce},
		{"an alarm moved or removed does not ring", alarmMoved},
		{"an alarm unanswered rings again after a restart", alarmSurvives},
		{"a failing alarm waits and others do not", alarmBacksOff},
		{"a document that does not change waits too", alarmUnchanged},
		{"an alarm never rings twice at once", alarmOnce},
		{"alarms of many lanes ring side by side", alarmsSideBySide},
		{"a clock that jumps is noticed", clockJumps},
		{"Wakes ends with its context and with the store", wakesEnds},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, open)
		})
	}
}

// Clock is a wall clock that stands still until it is set.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows an ordinary day.
func NewClock() *Clock {
	return &Clock{now: time.Date(2024, 2, 10, 18, 30, 0, 0, time.UTC)}
}

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add sets the clock forward, or back.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a store under test.
type fixture struct {
	t     testing.TB
	ctx   context.Context
	open  Open
	place string
	clock *Clock
	store.Store
}

func newFixture(t testing.TB, open Open) *fixture {
	t.Helper()
	return newFixtureAt(t, open, t.TempDir())
}

func newFixtureAt(t testing.TB, open Open, place string) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	f := &fixture{t: t, ctx: ctx, open: open, place: place, clock: NewClock()}
	f.Store = open(t, place, f.clock.Now)
	t.Cleanup(func() { f.Close() })
	return f
}

// reopen closes the store and opens it again.
func (f *fixture) reopen() {
	f.t.Helper()
	f.must(f.Close())
	f.Store = f.open(f.t, f.place, f.clock.Now)
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) commit(lane string, writes ...store.Write) []store.Rev {
	f.t.Helper()
	revs, err := f.Commit(f.ctx, lane, writes...)
	f.must(err)
	return revs
}

// put writes one document over whatever is there.
func (f *fixture) put(lane, key, data string) store.Rev {
	f.t.Helper()
	return f.commit(lane, store.Write{Key: key, Expect: store.AnyRev, Data: []byte(data)})[0]
}

func (f *fixture) get(lane, key string) store.Doc {
	f.t.Helper()
	doc, err := f.Get(f.ctx, lane, key)
	f.must(err)
	return doc
}

// wants fails unless the error is the wanted one.
func (f *fixture) wants(err, want error) {
	f.t.Helper()
	if !errors.Is(err, want) {
		f.t.Fatalf("got the error %v, want %v", err, want)
	}
}

func (f *fixture) absent(lane, key string) {
	f.t.Helper()
	if doc, err := f.Get(f.ctx, lane, key); !errors.Is(err, store.ErrNotFound) {
		f.t.Fatalf("%s %s: got %q, %v; want that it is not there", lane, key, doc.Data, err)
	}
}

func (f *fixture) holds(lane, key, data string) {
	f.t.Helper()
	if got := f.get(lane, key); string(got.Data) != data {
		f.t.Fatalf("%s %s holds %q, want %q", lane, key, got.Data, data)
	}
}

// names are the "lane key" of documents.
func names(docs []store.Doc) []string {
	var s []string
	for _, d := range docs {
		s = append(s, fmt.Sprintf("%s %s", d.Lane, d.Key))
	}
	return s
}
