package bolt

import (
	"errors"
	"fmt"
	"time"

	"jiaxin/bridge/store"
)

const maxCommit = 32 << 20 // bytes of a commit's data

// commit is one Commit on its way to the disk. Everything that needs no revision is done before it queues, so that
// the writer does little for each, and the caller's Data is free again even if the caller leaves early.
type commit struct {
	entries []change
	revs    []store.Rev
	size    int
	due     stamp // the earliest of its writes
}

// change is one write of a commit.
type change struct {
	name         []byte
	expect       store.Rev
	due, expires stamp
	rec          []byte // nil: remove
	crc          uint32 // of rec so far
	old          record // what check found there
}

func newCommit(lane string, writes []store.Write, now time.Time) (*commit, error) {
	c := &commit{entries: make([]change, len(writes)), revs: make([]store.Rev, len(writes))}
	for i, w := range writes {
		ch, err := newChange(lane, w, now)
		if err != nil {
			return nil, err
		}
		c.entries[i] = ch
		c.size += len(ch.name) + len(ch.rec)
		if ch.due != 0 && (c.due == 0 || ch.due < c.due) {
			c.due = ch.due
		}
	}
	if c.size > maxCommit {
		return nil, fmt.Errorf("a commit of %d bytes is larger than %d", c.size, maxCommit)
	}
	return c, distinct(writes)
}

func newChange(lane string, w store.Write, now time.Time) (change, error) {
	name, err := joinName(lane, w.Key)
	if err != nil {
		return change{}, err
	}
	if w.TTL < 0 {
		return change{}, fmt.Errorf("a TTL of %v is negative", w.TTL)
	}
	ch := change{name: name, expect: w.Expect}
	if w.Data == nil {
		return ch, nil
	}
	ch.due = stampOf(w.Due)
	if w.TTL > 0 {
		ch.expires = stampOf(now.Add(w.TTL))
	}
	ch.rec, ch.crc = newRecord(name, ch.due, ch.expires, w.Data)
	return ch, nil
}

// distinct refuses two writes of one document: which Expect would the second mean?
func distinct(writes []store.Write) error {
	if len(writes) < 2 {
		return nil
	}
	seen := make(map[string]bool, len(writes))
	for _, w := range writes {
		if seen[w.Key] {
			return errors.New("a commit names the same key twice")
		}
		seen[w.Key] = true
	}
	return nil
}

// check finds what each write would replace, and refuses the commit if one Expect does not hold.
func (c *commit) check(t *tables) error {
	for i := range c.entries {
		if err := c.entries[i].check(t); err != nil {
			return err
		}
	}
	return nil
}

func (ch *change) check(t *tables) error {
	old, ok, err := t.record(ch.name)
	if err != nil && ch.expect != store.AnyRev {
		return err
	}
	ch.old = old
	there := old.rev
	if !ok || old.expires.passed(t.now) {
		there = 0
	}
	if ch.expect != store.AnyRev && ch.expect != there {
		return store.ErrConflict
	}
	return nil
}

// apply writes what check let pass.
func (c *commit) apply(t *tables) error {
	for i := range c.entries {
		rev, err := c.entries[i].apply(t)
		if err != nil {
			return err
		}
		c.revs[i] = rev
	}
	return nil
}

func (ch *change) apply(t *tables) (store.Rev, error) {
	if ch.rec == nil {
		return 0, t.remove(ch.name, ch.old)
	}
	seq, err := t.docs.NextSequence()
	if err != nil {
		return 0, err
	}
	rev := store.Rev(seq)
	seal(ch.rec, ch.crc, rev)
	return rev, t.put(ch.name, ch.rec, ch.old, record{rev: rev, due: ch.due, expires: ch.expires})
}
