package bolt

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

// BenchmarkCommit compares, in one run on one disk, the group-committing writer with one bbolt transaction per
// commit, for a document of 300 bytes.
func BenchmarkCommit(b *testing.B) {
	data := []byte(strings.Repeat("x", 300))
	for _, committers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("grouped/%d", committers), func(b *testing.B) {
			s := openBench(b)
			spread(b, committers, func(lane string) error {
				_, err := s.Commit(context.Background(), lane, store.Write{Key: "doc", Expect: store.AnyRev, Data: data})
				return err
			})
		})
		b.Run(fmt.Sprintf("alone/%d", committers), func(b *testing.B) {
			s := openBench(b)
			spread(b, committers, func(lane string) error {
				return s.db.Update(func(tx *bbolt.Tx) error {
					return tx.Bucket([]byte(bucketDocs)).Put([]byte(lane), data)
				})
			})
		})
	}
}

func openBench(b *testing.B) *Store {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "jiaxin.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// spread shares b.N calls among so many goroutines.
func spread(b *testing.B, committers int, commit func(lane string) error) {
	b.ResetTimer()
	var next atomic.Int64
	var all sync.WaitGroup
	for range committers {
		all.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := commit(fmt.Sprintf("hh/%04d", i%5000)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkGet reads one of 5000 documents, with and without commits going on.
func BenchmarkGet(b *testing.B) {
	for _, busy := range []bool{false, true} {
		b.Run(fmt.Sprintf("busy=%t", busy), func(b *testing.B) {
			s := openBench(b)
			fill(b, s, 5000)
			ctx, cancel := context.WithCancel(context.Background())
			var writer sync.WaitGroup
			if busy {
				writer.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						_, _ = s.Commit(ctx, fmt.Sprintf("hh/%07d", i%5000), put(store.AnyRev, "x"))
					}
				})
			}
			b.ResetTimer()
			for i := range b.N {
				if _, err := s.Get(ctx, fmt.Sprintf("hh/%07d", i%5000), "doc"); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			writer.Wait()
		})
	}
}

func fill(b *testing.B, s *Store, rows int) {
	b.Helper()
	data := []byte(strings.Repeat("x", 300))
	for i := 0; i < rows; i += 1000 {
		err := s.writer.submit(context.Background(), &job{check: nothing, apply: func(t *tables) error {
			for n := i; n < min(i+1000, rows); n++ {
				c, err := newCommit(fmt.Sprintf("hh/%07d", n), []store.Write{{Key: "doc", Data: data, Due: t.now.AddDate(1, 0, 0)}}, t.now)
				if err != nil {
					return err
				}
				if err := c.apply(t); err != nil {
					return err
				}
			}
			return nil
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a store of a million documents, each with an alarm, as after a restart.
func BenchmarkOpen(b *testing.B) {
	s := openBench(b)
	fill(b, s, 1_000_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for _, check := range []bool{false, true} {
		b.Run(fmt.Sprintf("check=%t", check), func(b *testing.B) {
			for b.Loop() {
				openOnce(b, s.path, check)
			}
		})
	}
}

func openOnce(b *testing.B, path string, check bool) {
	b.Helper()
	if check {
		if err := Check(path); err != nil {
			b.Fatal(err)
		}
		return
	}
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	s.Close()
}
