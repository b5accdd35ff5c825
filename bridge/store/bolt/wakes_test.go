package bolt

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

// In these tests the clock is the bubble's, so that hours pass in no time.

func TestBackoffGrowsToAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openWith(t, Options{})
		_, err := s.Commit(t.Context(), "hh/1", store.Write{Key: "doc", Data: []byte("x"), Due: time.Now()})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var waits []int
		last := time.Now()
		err = s.Wakes(ctx, func(context.Context, store.Doc) error {
			waits, last = append(waits, int(time.Since(last).Seconds())), time.Now()
			if len(waits) == 10 {
				cancel()
			}
			return errors.New("not now")
		})
		must(t, err)
		if want := []int{0, 1, 2, 4, 8, 16, 32, 60, 60, 60}; !slices.Equal(waits, want) {
			t.Fatalf("rang after %v seconds, want %v", waits, want)
		}
	})
}

func TestAlarmRingsOnTheMillisecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openWith(t, Options{})
		late := make(chan time.Duration)
		go s.Wakes(t.Context(), func(ctx context.Context, d store.Doc) error {
			late <- time.Since(d.Due)
			_, err := s.Commit(ctx, d.Lane, store.Write{Key: d.Key, Expect: d.Rev})
			return err
		})
		for _, in := range []time.Duration{0, 300 * time.Millisecond, 700 * time.Millisecond, time.Hour, -time.Minute} {
			synctest.Wait()
			due := time.Now().Add(in)
			_, err := s.Commit(t.Context(), "hh/1", store.Write{Key: "doc", Data: []byte("x"), Due: due})
			must(t, err)
			if got, want := <-late, max(-in, 0); got != want {
				t.Errorf("an alarm in %v rang %v after it, want %v", in, got, want)
			}
		}
		must(t, s.Close())
		synctest.Wait()
	})
}

func TestNewAlarmBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openWith(t, Options{})
		alarm := func() {
			_, err := s.Commit(t.Context(), "hh/1", store.Write{Key: "doc", Expect: store.AnyRev, Data: []byte("x"), Due: time.Now()})
			must(t, err)
		}
		rang := make(chan time.Time, 100)
		go s.Wakes(t.Context(), func(context.Context, store.Doc) error {
			rang <- time.Now()
			return errors.New("not now")
		})
		alarm()
		time.Sleep(10*time.Second + 500*time.Millisecond) // it waits until the 15th now
		before := len(rang)
		alarm()
		synctest.Wait()
		if len(rang) != before+1 {
			t.Fatal("a new alarm waited for the old one's back-off")
		}
		must(t, s.Close())
		synctest.Wait()
	})
}

func TestManyAlarmsAtMost64AtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openWith(t, Options{})
		for i := range 100 {
			lane := "hh/" + string(rune('一'+i))
			_, err := s.Commit(t.Context(), lane, store.Write{Key: "a", Data: []byte("x"), Due: time.Now()},
				store.Write{Key: "b", Data: []byte("x"), Due: time.Now()})
			must(t, err)
		}
		entered, leave := make(chan store.Doc, 1000), make(chan struct{})
		go s.Wakes(t.Context(), func(ctx context.Context, d store.Doc) error {
			entered <- d
			<-leave
			_, err := s.Commit(ctx, d.Lane, store.Write{Key: d.Key, Expect: d.Rev})
			return err
		})
		synctest.Wait()
		if len(entered) != maxAwake {
			t.Fatalf("%d at once, want %d", len(entered), maxAwake)
		}
		lanes := make(map[string]bool)
		for range maxAwake {
			lanes[(<-entered).Lane] = true
		}
		if len(lanes) != maxAwake {
			t.Fatalf("a lane was handed out twice: there are %d", len(lanes))
		}
		close(leave)
		synctest.Wait()
		if len(entered) != 200-maxAwake {
			t.Fatalf("%d more, want each of the 200 documents once", len(entered))
		}
		must(t, s.Close())
		synctest.Wait()
	})
}

func TestSweeperRemovesWhatExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openWith(t, Options{})
		var writes []store.Write
		for i := range 3 * sweepBatch {
			writes = append(writes, store.Write{Key: string(rune('一' + i)), Data: []byte("x"), TTL: time.Minute, Due: time.Now()})
		}
		writes = append(writes, store.Write{Key: "doc", Data: []byte("kept")})
		_, err := s.Commit(t.Context(), "hh/1", writes...)
		must(t, err)
		time.Sleep(50 * time.Second)
		if got := entries(t, s); got != [3]int{3*sweepBatch + 1, 3 * sweepBatch, 3 * sweepBatch} {
			t.Fatalf("before their time there are %v documents, alarms, expiries", got)
		}
		time.Sleep(25 * time.Second)
		if got := entries(t, s); got != [3]int{1, 0, 0} {
			t.Fatalf("after it %v", got)
		}
	})
}

// entries counts what the tables docs, due and ttl hold.
func entries(t *testing.T, s *Store) (n [3]int) {
	t.Helper()
	must(t, s.db.View(func(tx *bbolt.Tx) error {
		for i, name := range []string{bucketDocs, bucketDue, bucketTTL} {
			n[i] = tx.Bucket([]byte(name)).Stats().KeyN
		}
		return nil
	}))
	return n
}
