package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	runtimemetrics "runtime/metrics"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

// The exit codes of the command that CheckInChild runs.
const (
	exitError   = 1
	exitDamaged = 3
)

const (
	maxFindings = 10        // that one error names
	minHeap     = 256 << 20 // bytes that a check may take, besides an eighth of the file; for a million documents it takes 50 MB
)

// Check reads the whole file at path and verifies its structure, every record's CRC and both indexes. Damage is
// store.ErrCorrupt, with the first findings; other errors mean that it could not look. It opens the file read-only and
// needs that no store is open on it. On a badly damaged file it can crash the process or leave a goroutine behind
// that never ends: see CheckInChild.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("cannot open store: %w", err)
	}
	if err := refuseEmpty(path, info); err != nil {
		return err
	}
	db, err := openBolt(path, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	if err := checkBounded(db, uint64(info.Size())); err != nil {
		return fmt.Errorf("store %s: %w", path, err)
	}
	return db.Close()
}

// checkBounded ends when the check takes more memory than one of a sound file can: a flipped bit in the length of
// a page makes bbolt note thousands of millions of pages. What it was doing is then left alone, with the file open.
func checkBounded(db *bbolt.DB, size uint64) error {
	done := make(chan error, 1)
	limit := heap() + minHeap + size/8
	go func() { done <- guarded(func() error { return db.View(checkAll) }) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				err = errors.Join(err, db.Close())
			}
			return err
		case <-tick.C:
			if heap() > limit {
				return errBloated
			}
		}
	}
}

var errBloated = fmt.Errorf("%w: a page claims to be larger than the file", store.ErrCorrupt)

// heap is the memory in use, in bytes.
func heap() uint64 {
	sample := []runtimemetrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	runtimemetrics.Read(sample)
	return sample[0].Value.Uint64()
}

// ExitCode is what the command that CheckInChild runs must exit with after Check returned err.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, store.ErrCorrupt):
		return exitDamaged
	}
	return exitError
}

// CheckInChild runs argv, a command that calls Check, prints its error and exits with ExitCode, and waits for it or the
// end of ctx. It returns store.ErrCorrupt if the command found damage or died of it; a store that is in use, or that
// could not be looked at for another reason, is not damaged, and the error is what the command said of it.
func CheckInChild(ctx context.Context, argv []string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second // do not wait for a grandchild that keeps the pipe
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the check of the store did not finish in time; see whether its disk is slow or failing, and start again: %w", ctx.Err())
	}
	return verdict(err, strings.TrimSpace(said.String()[:min(said.Len(), 4096)]))
}

// verdict says what the end of a child, and its words, mean. The words of one that crashed are a stack of Go's, which
// tells its reader nothing that they could act on.
func verdict(err error, words string) error {
	exit, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case !ran || exit.ExitCode() == exitError && words == "":
		return fmt.Errorf("the check of the store could not be made: %w", err)
	case exit.ExitCode() == exitDamaged:
		return fmt.Errorf("%w: %s", store.ErrCorrupt, words)
	case exit.ExitCode() == exitError:
		return errors.New(words)
	}
	return fmt.Errorf("%w: reading it crashed the check (%w)", store.ErrCorrupt, err)
}

// findings collects what is wrong, at most maxFindings of it in words.
type findings struct {
	n     int
	words []string
}

func (f *findings) add(format string, args ...any) {
	if f.n++; f.n <= maxFindings {
		f.words = append(f.words, fmt.Sprintf(format, args...))
	}
}

func (f *findings) err() error {
	if f.n == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d findings: %s", store.ErrCorrupt, f.n, strings.Join(f.words, "; "))
}

// discreet names keys in bbolt's findings as label does, because a key may hold a person's id.
type discreet struct{}

func (discreet) KeyToString(key []byte) string { return label(key) }
func (discreet) ValueToString([]byte) string   { return "…" }

func checkAll(tx *bbolt.Tx) error {
	var f findings
	for err := range tx.Check(bbolt.WithKVStringer(discreet{})) {
		f.add("%v", err)
	}
	if err := f.err(); err != nil { // do not walk where the structure is not sound
		return err
	}
	if err := checkSchema(tx); err != nil {
		return err
	}
	t := tablesOf(tx, time.Time{})
	t.checkRecords(&f)
	t.checkIndex(&f, "due", t.due, func(r record) stamp { return r.due })
	t.checkIndex(&f, "ttl", t.ttl, func(r record) stamp { return r.expires })
	return f.err()
}

// checkRecords verifies that each record is sound and has its index entries.
func (t *tables) checkRecords(f *findings) {
	for name, raw := range t.from("", store.Doc{}) {
		r, err := parse(name, raw)
		switch {
		case err != nil:
			f.add("document %s: %v", label(name), err)
		case r.due != 0 && !indexed(t.due, r.due, name, r.rev):
			f.add("document %s lacks its due entry", label(name))
		case r.expires != 0 && !indexed(t.ttl, r.expires, name, r.rev):
			f.add("document %s lacks its ttl entry", label(name))
		}
	}
}

// checkIndex verifies that each entry is sound and its document's.
func (t *tables) checkIndex(f *findings, table string, b *bbolt.Bucket, at func(record) stamp) {
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		e, err := parseEntry(k, v)
		if err != nil {
			f.add("a %s entry: %v", table, err)
			continue
		}
		if r, ok, err := t.record(e.name); err == nil && (!ok || r.rev != e.rev || at(r) != e.at) {
			f.add("a %s entry of %s is a leftover", table, label(e.name))
		}
	}
}
