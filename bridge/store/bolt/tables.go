package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"jiaxin/bridge/store"
)

// The buckets of the file.
const (
	bucketMeta = "meta"
	bucketDocs = "docs"
	bucketDue  = "due"
	bucketTTL  = "ttl"
)

// tables is one transaction's view of the file, at one moment of the clock.
type tables struct {
	docs, due, ttl *bbolt.Bucket
	now            time.Time
}

func tablesOf(tx *bbolt.Tx, now time.Time) *tables {
	return &tables{
		docs: tx.Bucket([]byte(bucketDocs)),
		due:  tx.Bucket([]byte(bucketDue)),
		ttl:  tx.Bucket([]byte(bucketTTL)),
		now:  now,
	}
}

// record finds a document, even an expired one; ok tells whether there is any.
func (t *tables) record(name []byte) (r record, ok bool, err error) {
	raw := t.docs.Get(name)
	if raw == nil {
		return record{}, false, nil
	}
	r, err = parse(name, raw)
	return r, true, err
}

// doc returns a copy of a document that has not expired.
func (t *tables) doc(name []byte) (store.Doc, error) {
	r, ok, err := t.record(name)
	if err != nil {
		return store.Doc{}, err
	}
	if !ok || r.expires.passed(t.now) {
		return store.Doc{}, store.ErrNotFound
	}
	return r.doc(name), nil
}

func (r record) doc(name []byte) store.Doc {
	lane, key := splitName(name)
	data := append([]byte{}, r.data...) // never nil: nil would mean "removed" when it is written again
	return store.Doc{Lane: lane, Key: key, Rev: r.rev, Data: data, Due: r.due.time()}
}

// scan is Store.Scan inside a transaction; damaged is told of what it passes over.
func (t *tables) scan(prefix string, after store.Doc, n int, damaged func([]byte)) ([]store.Doc, error) {
	if strings.IndexByte(prefix, 0) >= 0 {
		return nil, errors.New("a lane's prefix must be without NUL")
	}
	var docs []store.Doc
	for name, raw := range t.from(prefix, after) {
		if len(docs) >= n {
			break
		}
		r, err := parse(name, raw)
		if err != nil {
			damaged(name)
		} else if !r.expires.passed(t.now) {
			docs = append(docs, r.doc(name))
		}
	}
	return docs, nil
}

// from walks the records whose lane has the prefix, beginning after a document.
func (t *tables) from(prefix string, after store.Doc) iter.Seq2[[]byte, []byte] {
	start := []byte(prefix)
	last := []byte(after.Lane + "\x00" + after.Key)
	if bytes.Compare(last, start) > 0 {
		start = last
	}
	return func(yield func(_, _ []byte) bool) {
		c := t.docs.Cursor()
		for name, raw := c.Seek(start); bytes.HasPrefix(name, []byte(prefix)); name, raw = c.Next() {
			if name == nil || !bytes.Equal(name, last) && !yield(name, raw) {
				return
			}
		}
	}
}

// put stores a sealed record and its index entries in place of old.
func (t *tables) put(name, rec []byte, old, r record) error {
	if err := t.unindex(name, old); err != nil {
		return err
	}
	if err := index(t.due, r.due, name, r.rev); err != nil {
		return err
	}
	if err := index(t.ttl, r.expires, name, r.rev); err != nil {
		return err
	}
	return t.docs.Put(name, rec)
}

// remove removes a document and the index entries that old tells of.
func (t *tables) remove(name []byte, old record) error {
	if err := t.unindex(name, old); err != nil {
		return err
	}
	return t.docs.Delete(name)
}

func (t *tables) unindex(name []byte, old record) error {
	if old.due != 0 {
		if err := t.due.Delete(entryKey(old.due, name)); err != nil {
			return err
		}
	}
	if old.expires != 0 {
		return t.ttl.Delete(entryKey(old.expires, name))
	}
	return nil
}

func index(b *bbolt.Bucket, at stamp, name []byte, rev store.Rev) error {
	if at == 0 {
		return nil
	}
	key := entryKey(at, name)
	return b.Put(key, entryValue(key, rev))
}

// passedEntries walks an index up to now.
func passedEntries(b *bbolt.Bucket, now time.Time) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		limit := entryKey(stampAfter(now), nil)
		c := b.Cursor()
		for k, v := c.First(); k != nil && bytes.Compare(k, limit) < 0; k, v = c.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}

// guarded runs fn and turns a panic, and a fault on the mapped file, into store.ErrCorrupt: bbolt trusts the pages
// that it reads, and a damaged one leads it anywhere.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", store.ErrCorrupt, r)
		}
	}()
	return fn()
}
