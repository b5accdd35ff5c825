package fleet

import (
	"fmt"
	"testing"
	"time"
)

func TestEventStaysUntilBothReceiptsAreThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		receipts func(*events)
		left     int
	}{
		"none":                 {func(*events) {}, 1},
		"the broker's alone":   {func(e *events) { e.acked("1") }, 1},
		"the gateway's alone":  {func(e *events) { e.kept("1") }, 1},
		"another event's":      {func(e *events) { e.acked("2"); e.kept("2") }, 1},
		"both":                 {func(e *events) { e.acked("1"); e.kept("1") }, 0},
		"both, turned round":   {func(e *events) { e.kept("1"); e.acked("1") }, 0},
		"the broker's, twice":  {func(e *events) { e.acked("1"); e.acked("1") }, 1},
		"both, and once again": {func(e *events) { e.acked("1"); e.kept("1"); e.kept("1") }, 0},
	} {
		e := events{retry: time.Second}
		e.add(&pending{id: "1"})
		c.receipts(&e)
		if len(e.queue) != c.left {
			t.Errorf("%s: %d left, want %d", name, len(e.queue), c.left)
		}
	}
}

func TestEventIsSentAgainAtGrowingIntervals(t *testing.T) {
	t.Parallel()
	e := events{retry: 10 * time.Second}
	e.add(&pending{id: "1"})
	now, waits := morning, []time.Duration{}
	for range 8 {
		if len(e.due(now)) != 1 || len(e.due(now)) != 0 {
			t.Fatalf("at %s it is not due just once", now)
		}
		waits = append(waits, e.next().Sub(now))
		now = e.next()
	}
	if got := fmt.Sprint(waits); got != "[10s 20s 40s 1m20s 2m40s 5m0s 5m0s 5m0s]" {
		t.Error(got)
	}
	e.renew()
	if len(e.due(now)) != 1 {
		t.Error("a new connection does not begin with it")
	}
}

func TestFullQueueDropsTheOldestThatIsNotCritical(t *testing.T) {
	t.Parallel()
	var e events
	e.add(&pending{id: "gas", critical: true})
	for i := range maxEvents - 1 {
		e.add(&pending{id: fmt.Sprint(i)})
	}
	if dropped := e.add(&pending{id: "more"}); dropped == nil || dropped.id != "0" || len(e.queue) != maxEvents {
		t.Errorf("%+v was dropped", dropped)
	}
	if e.queue[0].id != "gas" {
		t.Error("the alarm is gone")
	}
}

func TestQueueFullOfAlarmsStaysBounded(t *testing.T) {
	t.Parallel()
	var e events
	for i := range 3 * maxEvents {
		e.add(&pending{id: fmt.Sprint(i), critical: true})
	}
	if len(e.queue) != maxEvents {
		t.Errorf("it holds %d", len(e.queue))
	}
}
