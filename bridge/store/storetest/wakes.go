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

var errNotNow = errors.New("not now")

// waker runs Wakes and lets the test answer each alarm in its own time.
type waker struct {
	f     *fixture
	rings chan ring
	stop  context.CancelFunc
	ended chan error
}

// ring is one alarm being handed out; the test must answer it.
type ring struct {
	store.Doc
	answer chan<- error
}

func (f *fixture) wake() *waker { return f.wakeInto(make(chan ring)) }

func (f *fixture) wakeInto(rings chan ring) *waker {
	ctx, cancel := context.WithCancel(f.ctx)
	w := &waker{f: f, rings: rings, stop: cancel, ended: make(chan error, 1)}
	go func() { w.ended <- f.Wakes(ctx, w.hear) }()
	f.t.Cleanup(cancel)
	return w
}

func (w *waker) hear(ctx context.Context, doc store.Doc) error {
	answer := make(chan error, 1)
	select {
	case w.rings <- ring{doc, answer}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next waits for the next alarm.
func (w *waker) next() ring {
	w.f.t.Helper()
	select {
	case r := <-w.rings:
		return r
	case err := <-w.ended:
		w.f.t.Fatalf("Wakes ended: %v", err)
	case <-w.f.ctx.Done():
		w.f.t.Fatal("no alarm rang in time")
	}
	return ring{}
}

// nextIs waits for the next alarm and wants it to be that lane's.
func (w *waker) nextIs(lane string) ring {
	w.f.t.Helper()
	r := w.next()
	if r.Lane != lane {
		w.f.t.Fatalf("the alarm of %s rang, want %s", r.Lane, lane)
	}
	return r
}

// end stops Wakes and waits for it.
func (w *waker) end() {
	w.f.t.Helper()
	w.stop()
	w.f.must(<-w.ended)
}

// alarm sets a document's alarm, relative to the clock.
func (f *fixture) alarm(lane string, in time.Duration) store.Rev {
	f.t.Helper()
	return f.commit(lane, store.Write{Key: "doc", Expect: store.AnyRev, Data: []byte("x"), Due: f.clock.Now().Add(in)})[0]
}

// settle answers an alarm well: its document has no alarm any more.
func (f *fixture) settle(r ring) {
	f.t.Helper()
	f.commit(r.Lane, store.Write{Key: r.Key, Expect: r.Rev, Data: []byte("settled")})
	r.answer <- nil
}

// fence proves that no alarm but the given lane's newly set one rings first, and settles it.
func (w *waker) fence(lane string) {
	w.f.t.Helper()
	w.f.alarm(lane, 0)
	w.f.settle(w.nextIs(lane))
}

// eventually lets time pass until that lane's alarm rings, which may be noted as failed only a while after its answer.
func (w *waker) eventually(lane string) ring {
	w.f.t.Helper()
	for {
		w.f.clock.Add(time.Minute)
		w.f.alarm("hh/tick", 0)
		r := w.next()
		if r.Lane == lane {
			w.f.settle(w.nextIs("hh/tick"))
			return r
		}
		w.f.settle(r)
	}
}

func alarmRings(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.alarm("hh/later", time.Hour)
	rev := f.alarm("hh/soon", time.Minute)
	w := f.wake()
	w.fence("hh/fence") // nothing is due yet

	f.clock.Add(time.Minute)
	r := w.nextIs("hh/soon")
	if r.Rev != rev || string(r.Data) != "x" || !r.Due.Equal(f.clock.Now()) {
		t.Fatalf("the alarm came with %+v", r.Doc)
	}
	f.settle(r)
	w.fence("hh/fence") // settled is settled

	f.clock.Add(time.Hour)
	f.settle(w.nextIs("hh/later"))
	w.end()
}

func alarmRingsAtOnce(t *testing.T, open Open) {
	f := newFixture(t, open)
	w := f.wake()
	for i := range 20 {
		w.fence(fmt.Sprintf("hh/%d", i%3))
	}
	w.end()
}

func alarmMoved(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.alarm("hh/moved", time.Minute)
	f.alarm("hh/moved", time.Hour)
	f.alarm("hh/cleared", time.Minute)
	f.put("hh/cleared", "doc", "no alarm")
	rev := f.alarm("hh/removed", time.Minute)
	f.commit("hh/removed", store.Write{Key: "doc", Expect: rev})
	f.commit("hh/expired", store.Write{Key: "doc", Data: []byte("x"), Due: f.clock.Now().Add(time.Minute), TTL: time.Minute})

	f.clock.Add(2 * time.Minute)
	w := f.wake()
	w.fence("hh/fence")
	f.clock.Add(time.Hour)
	f.settle(w.nextIs("hh/moved"))
	w.end()
}

func alarmSurvives(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.alarm("hh/1", 0)
	w := f.wake()
	w.nextIs("hh/1") // heard, but never answered
	w.end()
	f.reopen()
	w = f.wake()
	f.settle(w.nextIs("hh/1"))
	w.end()
}

func alarmBacksOff(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.alarm("hh/failing", 0)
	w := f.wake()
	r := w.nextIs("hh/failing")
	for range 3 {
		r.answer <- errNotNow
		w.fence("hh/other") // twice, as the first may have been on its way
		w.fence("hh/other")
		r = w.eventually("hh/failing")
	}
	r.answer <- errNotNow
	f.alarm("hh/failing", 0) // changed by somebody: a new alarm
	f.settle(w.eventually("hh/failing"))
	w.fence("hh/other")
	w.end()
}

func alarmUnchanged(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.alarm("hh/same", 0)
	w := f.wake()
	w.nextIs("hh/same").answer <- nil
	w.fence("hh/other")
	w.fence("hh/other")
	f.settle(w.eventually("hh/same"))
	w.end()
}

// alarmOnce sets an alarm anew while it is being handled, with two Wakes listening.
func alarmOnce(t *testing.T, open Open) {
	f := newFixture(t, open)
	w := f.wake()
	other := f.wakeInto(w.rings)
	f.alarm("hh/1", 0)
	first := w.nextIs("hh/1")
	f.alarm("hh/1", 0)
	w.fence("hh/fence")
	w.fence("hh/fence")
	first.answer <- nil
	f.settle(w.nextIs("hh/1")) // that alarm was committed too
	w.fence("hh/fence")
	w.end()
	other.end()
}

func alarmsSideBySide(t *testing.T, open Open) {
	f := newFixture(t, open)
	const n = 200
	for i := range n {
		f.alarm(fmt.Sprintf("hh/%d", i), 0)
	}
	w := f.wake()
	held := []ring{w.next(), w.next()} // both at the same time
	var settled sync.Map
	for range n - len(held) {
		r := w.next()
		settled.Store(r.Lane, true)
		f.settle(r)
	}
	for _, r := range held {
		if _, twice := settled.LoadOrStore(r.Lane, true); twice {
			t.Fatalf("the alarm of %s rang twice", r.Lane)
		}
		f.settle(r)
	}
	w.fence("hh/fence")
	w.end()
}

func clockJumps(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.alarm("hh/1", 24*time.Hour)
	w := f.wake()
	w.fence("hh/fence")
	f.clock.Add(24 * time.Hour)
	r := w.nextIs("hh/1")
	r.answer <- errNotNow
	w.fence("hh/fence")

	f.clock.Add(-25 * time.Hour) // back before the alarm
	w.fence("hh/fence")
	f.clock.Add(25 * time.Hour)
	f.settle(w.eventually("hh/1"))

	f.clock.Add(-10 * time.Hour)
	w.fence("hh/new") // an alarm by the new time
	w.end()
}

func wakesEnds(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.alarm("hh/1", 0)
	w := f.wake()
	w.nextIs("hh/1") // is being handled, and is not to blame
	w.end()

	w = f.wake()
	w.nextIs("hh/1")
	f.must(f.Close())
	select {
	case err := <-w.ended:
		f.must(err)
	case <-f.ctx.Done():
		t.Fatal("Wakes goes on after Close")
	}
}
