package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

func TestNewFileIsPrivateAndAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(filepath.Join(dir, "jiaxin.db"), Options{})
	must(t, err)
	must(t, s.Close())
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("there are %v", files)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	must(t, Check(filepath.Join(dir, "jiaxin.db")))
}

// TestManyMakeTheFile lets several make the same store at once: one gets it, and it is the one at that path.
func TestManyMakeTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jiaxin.db")
	got := make(chan *Store, 8)
	var all sync.WaitGroup
	for range cap(got) {
		all.Go(func() {
			s, err := Open(path, Options{})
			if err == nil {
				got <- s
			} else if !strings.Contains(err.Error(), "another jiaxin is using") {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(got) != 1 {
		t.Fatalf("%d have it open", len(got))
	}
	s := <-got
	_, err := s.Commit(t.Context(), "hh/1", put(0, "x"))
	must(t, err)
	must(t, s.Close())
	s, err = Open(path, Options{})
	must(t, err)
	defer s.Close()
	_, err = s.Get(t.Context(), "hh/1", "doc")
	must(t, err)
}

func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		make    func(path string) error
		says    string
		corrupt bool
	}{
		{"empty", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "empty file", false},
		{"a folder", func(p string) error { return os.Mkdir(p, 0o700) }, "cannot open store", false},
		{"no bbolt", func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("家信"), 9000), 0o600) }, "restore a backup", true},
		{"cut short", func(p string) error { return remade(p, func([]byte) []byte { return make([]byte, 5) }) }, "restore a backup", true},
		{"another's bbolt", func(p string) error {
			return edited(p, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucketMeta)) })
		}, "not a Jiaxin store", false},
		{"a table missing", func(p string) error {
			return edited(p, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucketDue)) })
		}, `"due" is missing`, true},
		{"newer", func(p string) error { return edited(p, newerSchema) }, "newer Jiaxin (layout 2, this one knows 1)", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "jiaxin.db")
			must(t, tt.make(path))
			s, err := Open(path, Options{})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), path) || errors.Is(err, store.ErrCorrupt) != tt.corrupt {
				t.Fatalf("it says: %v", err)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no", "folder", "x.db"), Options{}); err == nil {
		t.Fatal("a store in no folder was opened")
	}
}

// edited makes a store and changes it with bbolt.
func edited(path string, fn func(*bbolt.Tx) error) error {
	if err := create(path); err != nil {
		return err
	}
	db, err := openBolt(path, &bbolt.Options{})
	if err != nil {
		return err
	}
	return errors.Join(db.Update(fn), db.Close())
}

// remade makes a store and rewrites its bytes.
func remade(path string, fn func([]byte) []byte) error {
	if err := create(path); err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, fn(data), 0o600)
}

func newerSchema(tx *bbolt.Tx) error {
	return tx.Bucket([]byte(bucketMeta)).Put([]byte("schema"), binary.BigEndian.AppendUint64(nil, schema+1))
}

func TestSecondProcessIsTurnedAway(t *testing.T) {
	t.Parallel()
	s := openWith(t, Options{})
	_, err := Open(s.path, Options{})
	if err == nil || !strings.Contains(err.Error(), "another jiaxin is using "+s.path) {
		t.Fatalf("it says: %v", err)
	}
}

func TestSnapshotWhileCommitsGoOn(t *testing.T) {
	t.Parallel()
	s := openWith(t, Options{})
	for i := range 50 {
		_, err := s.Commit(t.Context(), fmt.Sprintf("hh/%d", i), put(0, "before"))
		must(t, err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	f, err := os.Create(copied)
	must(t, err)
	n, err := s.WriteTo(&meddler{t: t, s: s, f: f})
	must(t, err)
	must(t, f.Close())
	if info, err := os.Stat(copied); err != nil || info.Size() != n {
		t.Fatalf("wrote %d bytes of %v, %v", n, info.Size(), err)
	}
	must(t, Check(copied))
	c, err := Open(copied, Options{})
	must(t, err)
	defer c.Close()
	for i := range 50 {
		doc, err := c.Get(t.Context(), fmt.Sprintf("hh/%d", i), "doc")
		if err != nil || string(doc.Data) != "before" {
			t.Fatalf("the copy holds %q, %v", doc.Data, err)
		}
	}
}

// meddler commits while a snapshot is written through it.
type meddler struct {
	t *testing.T
	s *Store
	f *os.File
}

func (m *meddler) Write(p []byte) (int, error) {
	for i := range 5 {
		if _, err := m.s.Commit(m.t.Context(), fmt.Sprintf("hh/%d", i), put(store.AnyRev, strings.Repeat("after", 5000))); err != nil {
			m.t.Error(err)
		}
	}
	return m.f.Write(p)
}

func TestMetricsComeAndGoWithTheStore(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	s := openWith(t, Options{Registerer: r})
	if _, err := Open(filepath.Join(t.TempDir(), "other.db"), Options{Registerer: r}); err == nil {
		t.Fatal("two stores share their metrics")
	}
	_, err := s.Commit(t.Context(), "hh/1", put(0, "x"))
	must(t, err)
	families, err := r.Gather()
	if err != nil || len(families) < 5 {
		t.Fatalf("gathered %d families, %v", len(families), err)
	}
	must(t, s.Close())
	if families, err = r.Gather(); err != nil || len(families) != 0 {
		t.Fatalf("%d families stay, %v", len(families), err)
	}
}
