package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

// openDamaged makes a store of three documents that are due, damages it with bbolt, and opens it. It logs to the buffer.
func openDamaged(t *testing.T, damage func(*tables) error) (*Store, *bytes.Buffer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jiaxin.db")
	s, err := Open(path, Options{})
	must(t, err)
	for _, lane := range []string{"hh/1", "user/oSecret", "hh/3"} {
		_, err := s.Commit(t.Context(), lane, store.Write{Key: "doc", Data: []byte("of " + lane), Due: time.UnixMilli(1000)})
		must(t, err)
	}
	must(t, s.db.Update(func(tx *bbolt.Tx) error { return damage(tablesOf(tx, time.Now())) }))
	must(t, s.Close())
	log := &bytes.Buffer{}
	s, err = Open(path, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s, log
}

// flipRecord flips a bit of the document of the person in the middle.
func flipRecord(bit int) func(*tables) error {
	return func(t *tables) error {
		name, _ := joinName("user/oSecret", "doc")
		raw := bytes.Clone(t.docs.Get(name))
		raw[bit/8] ^= 1 << (bit % 8)
		return t.docs.Put(name, raw)
	}
}

func TestAnyFlippedBitOfARecordIsFound(t *testing.T) {
	t.Parallel()
	name, err := joinName("hh/1", "doc")
	must(t, err)
	rec, crc := newRecord(name, stampOf(time.UnixMilli(1)), stampOf(time.UnixMilli(2)), []byte("空调"))
	seal(rec, crc, 7)
	r, err := parse(name, rec)
	if err != nil || r.rev != 7 || string(r.data) != "空调" || !r.due.time().Equal(time.UnixMilli(1)) {
		t.Fatalf("%+v, %v", r, err)
	}
	for bit := range len(rec) * 8 {
		bad := bytes.Clone(rec)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := parse(name, bad); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
	for n := range rec {
		if _, err := parse(name, rec[:n]); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := parse([]byte("hh/2\x00doc"), rec); !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("under another name: %v", err)
	}
}

func TestDamagedDocumentIsNotServed(t *testing.T) {
	t.Parallel()
	for _, bit := range []int{0, 13, 60, recDue*8 + 63, recExpires*8 + 5, recData*8 + 3} {
		s, log := openDamaged(t, flipRecord(bit))
		for range 2 {
			_, err := s.Get(t.Context(), "user/oSecret", "doc")
			wants(t, err, store.ErrCorrupt)
			docs, err := s.Scan(t.Context(), "", store.Doc{}, 10)
			if err != nil || len(docs) != 2 || docs[0].Lane != "hh/1" || docs[1].Lane != "hh/3" {
				t.Fatalf("scanned %v, %v", docs, err)
			}
		}
		_, err := s.Commit(t.Context(), "user/oSecret", put(2, "x"))
		wants(t, err, store.ErrCorrupt)
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || strings.Contains(log.String(), "oSecret") {
			t.Fatalf("it should be told once, without the person's id:\n%s", log)
		}
		if n := testutil.ToFloat64(s.metrics.damaged); n != 1 {
			t.Fatalf("%v are counted", n)
		}
	}
}

func TestDamagedDocumentCanBeOverwrittenOrRemoved(t *testing.T) {
	t.Parallel()
	s, _ := openDamaged(t, flipRecord(recData*8))
	_, err := s.Commit(t.Context(), "user/oSecret", put(store.AnyRev, "anew"))
	must(t, err)
	doc, err := s.Get(t.Context(), "user/oSecret", "doc")
	if err != nil || string(doc.Data) != "anew" {
		t.Fatalf("%q, %v", doc.Data, err)
	}
	s, _ = openDamaged(t, flipRecord(recData*8))
	_, err = s.Commit(t.Context(), "user/oSecret", store.Write{Key: "doc", Expect: store.AnyRev})
	must(t, err)
	_, err = s.Get(t.Context(), "user/oSecret", "doc")
	wants(t, err, store.ErrNotFound)
}

// TestDamageDoesNotStopOtherAlarms hands out alarms beside a damaged document, a damaged entry, and an entry that was
// left behind when a damaged document was overwritten.
func TestDamageDoesNotStopOtherAlarms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := openDamaged(t, flipRecord(recData*8))
		_, err := s.Commit(t.Context(), "hh/left", store.Write{Key: "doc", Data: []byte("x"), Due: time.UnixMilli(500)})
		must(t, err)
		must(t, s.writer.submit(t.Context(), &job{check: nothing, apply: leaveBehind}))

		var mu sync.Mutex
		rang := make(map[string]int)
		done := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			done <- s.Wakes(ctx, func(ctx context.Context, d store.Doc) error {
				mu.Lock()
				rang[d.Lane]++
				mu.Unlock()
				_, err := s.Commit(ctx, d.Lane, store.Write{Key: d.Key, Expect: d.Rev, Data: d.Data})
				return err
			})
		}()
		time.Sleep(10 * time.Minute) // by the bubble's clock
		cancel()
		must(t, <-done)
		if len(rang) != 2 || rang["hh/1"] != 1 || rang["hh/3"] != 1 {
			t.Fatalf("alarms rang: %v", rang)
		}
		if n := entries(t, s); n[1] != 2 {
			t.Fatalf("%d due entries stay, want the damaged document's and the damaged one", n[1])
		}
	})
}

// leaveBehind makes the due entry of hh/left a leftover, and one that is damaged.
func leaveBehind(t *tables) error {
	name, _ := joinName("hh/left", "doc")
	rec, crc := newRecord(name, 0, 0, []byte("anew"))
	seal(rec, crc, 1<<30)
	return errors.Join(t.docs.Put(name, rec), t.due.Put(entryKey(1, name), []byte("damaged")))
}

func TestOpenMendsTheAlarms(t *testing.T) {
	t.Parallel()
	key := func(lane string) []byte {
		name, _ := joinName(lane, "doc")
		return entryKey(stampOf(time.UnixMilli(1000)), name)
	}
	s, log := openDamaged(t, func(tb *tables) error {
		far := key("hh/1")
		far[0] ^= 0x40 // rings in a far future
		return errors.Join(tb.due.Put(far, tb.due.Get(key("hh/1"))), tb.due.Delete(key("hh/1")),
			tb.due.Delete(key("user/oSecret")))
	})
	if !strings.Contains(log.String(), "missing=2 damaged=1") {
		t.Fatalf("it says:\n%s", log)
	}
	if n := entries(t, s); n[1] != 3 {
		t.Fatalf("there are %d alarms", n[1])
	}
	must(t, s.db.View(checkAll))
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	one, _ := joinName("hh/1", "doc")
	at := stampOf(time.UnixMilli(1000))
	tests := []struct {
		name   string
		damage func(*tables) error
		says   string
	}{
		{"nothing", nothing, ""},
		{"a record", flipRecord(recData * 8), `document "user"/#`},
		{"a missing entry", func(t *tables) error { return t.due.Delete(entryKey(at, one)) }, `document "hh"/#`},
		{"a leftover", func(t *tables) error { return index(t.ttl, at, one, 1) }, "a ttl entry of"},
		{"a damaged entry", func(t *tables) error { return t.ttl.Put(entryKey(at, one), []byte("x")) }, "a ttl entry: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := openDamaged(t, nothing)
			must(t, s.db.Update(func(tx *bbolt.Tx) error { return tt.damage(tablesOf(tx, time.Now())) }))
			must(t, s.Close())
			err := Check(s.path)
			if tt.says == "" {
				must(t, err)
				return
			}
			wants(t, err, store.ErrCorrupt)
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "oSecret") {
				t.Fatalf("it says: %v", err)
			}
		})
	}
}

func TestCheckInChild(t *testing.T) {
	t.Parallel()
	good, _ := openDamaged(t, nothing)
	err := CheckInChild(t.Context(), childArgs(good.path))
	wantsNot(t, err, store.ErrCorrupt)
	if err == nil || !strings.HasPrefix(err.Error(), "another jiaxin is using") {
		t.Errorf("of a store in use it says: %v", err)
	}
	must(t, good.Close())
	must(t, CheckInChild(t.Context(), childArgs(good.path)))

	bad, _ := openDamaged(t, flipRecord(recData*8))
	must(t, bad.Close())
	err = CheckInChild(t.Context(), childArgs(bad.path))
	wants(t, err, store.ErrCorrupt)
	if !strings.Contains(err.Error(), "1 findings") {
		t.Errorf("it says: %v", err)
	}
	for _, crash := range []string{"kill -SEGV $$", "echo goroutine 1; exit 2"} {
		err := CheckInChild(t.Context(), []string{"sh", "-c", crash})
		wants(t, err, store.ErrCorrupt)
		if strings.Contains(err.Error(), "goroutine") {
			t.Errorf("a stack is shown to the operator: %v", err)
		}
	}
	err = CheckInChild(t.Context(), childArgs(emptyFile(t)))
	if err == nil || !strings.Contains(err.Error(), "is an empty file") || errors.Is(err, store.ErrCorrupt) {
		t.Errorf("of an empty file it says: %v", err)
	}
	if err := CheckInChild(t.Context(), []string{"/no/such/program"}); err == nil || errors.Is(err, store.ErrCorrupt) {
		t.Errorf("of no program it says: %v", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wants(t, CheckInChild(soon, []string{"sleep", "60"}), context.DeadlineExceeded)
}

func emptyFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "jiaxin.db")
	must(t, os.WriteFile(path, nil, 0o600))
	return path
}

// childArgs is this test binary as a program that checks a store.
func childArgs(path string) []string {
	return append(append([]string{"env"}, childEnv(modeCheck, path)...), os.Args[0])
}

const flipDocs = 200

func flipData(i int) string { return strings.Repeat(fmt.Sprintf("家信 %d ", i), 1+i%40) }

// TestFlippedBitsAreNeverServed flips one bit anywhere in the file, and reads. What is served is right; what is not there
// any more, or crashes the reader, Check finds.
func TestFlippedBitsAreNeverServed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "flip.db")
	makeFlipFile(t, path)
	flips, crashes := campaign(80, 5000), 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(campaign(1, 30))*time.Minute)
	defer cancel()
	for from := 0; from < flips; {
		out, err := childCommand(ctx, modeFlip, fmt.Sprintf("%s,%d,%d", path, from, flips)).CombinedOutput()
		if err == nil {
			break
		}
		last := lastTry(out)
		if strings.Contains(string(out), "wrong") || last < from {
			t.Fatalf("flip %d: %v: %.2000s", last, err, out)
		}
		if strings.Contains(string(out), "bloated") {
			from = last + 1
			continue
		}
		if last > from { // what an earlier flip left running may have crashed it: this one again, alone
			from = last
			continue
		}
		crashes, from = crashes+1, last+1
		if err := CheckInChild(ctx, childArgs(flippedFile(path, last))); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("flip %d crashed the reader, and the check says %v: %.2000s", last, err, out)
		}
	}
	t.Logf("%d flips, %d of them crashed the reader", flips, crashes)
}

func makeFlipFile(t *testing.T, path string) {
	t.Helper()
	s := openWith(t, Options{})
	for i := range flipDocs {
		_, err := s.Commit(t.Context(), fmt.Sprintf("hh/%03d", i), put(0, flipData(i)))
		must(t, err)
	}
	f, err := os.Create(path)
	must(t, err)
	_, err = s.WriteTo(f)
	must(t, errors.Join(err, f.Close()))
}

func lastTry(out []byte) int {
	last := -1
	for line := range strings.Lines(string(out)) {
		fmt.Sscanf(line, "try %d", &last)
	}
	return last
}

// flipChild tries the flips of "path,from,to".
func flipChild(arg string) int {
	path, span, _ := strings.Cut(arg, ",")
	var from, to int
	fmt.Sscanf(span, "%d,%d", &from, &to)
	whole, err := os.ReadFile(path)
	for i := from; i < to && err == nil; i++ {
		say("try %d", i)
		bad := bytes.Clone(whole)
		bit := rand.New(rand.NewPCG(uint64(i), 2)).IntN(len(bad) * 8)
		bad[bit/8] ^= 1 << (bit % 8)
		file := flippedFile(path, i) // a new one each, as a reader that panicked keeps its lock
		if err = os.WriteFile(file, bad, 0o600); err == nil {
			err = flipHolds(file)
		}
		os.Remove(file)
		if errors.Is(err, errBloated) { // the check found it, and has left a glutton behind
			say("bloated")
			return 1
		}
	}
	if err != nil {
		say("wrong: %v", err)
		return 1
	}
	return 0
}

func flippedFile(path string, i int) string { return fmt.Sprintf("%s.%d", path, i) }

// flipHolds reads everything and fails if something is served wrongly, or is amiss and the check had not found it.
func flipHolds(path string) error {
	checked := Check(path)
	if errors.Is(checked, errBloated) {
		return checked
	}
	amiss, err := flipServed(path)
	if err == nil && amiss != nil && !errors.Is(checked, store.ErrCorrupt) {
		err = fmt.Errorf("the check says %v, and there is amiss: %w", checked, amiss)
	}
	return err
}

func flipServed(path string) (amiss, wrong error) {
	s, err := Open(path, Options{noSync: true})
	if err != nil {
		return err, nil
	}
	defer s.Close()
	for i := range flipDocs {
		doc, err := s.Get(context.Background(), fmt.Sprintf("hh/%03d", i), "doc")
		if err != nil {
			amiss = err
		} else if string(doc.Data) != flipData(i) {
			return nil, fmt.Errorf("document %d was served as %q", i, doc.Data)
		}
	}
	return amiss, nil
}
