package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"jiaxin/bridge/store"
)

const (
	schema      = 1 // of the files that this version writes and reads
	lockTimeout = time.Second
)

// openFile opens the file, made first if need be, and refuses what is not ours to write.
func openFile(path string, o Options) (*bbolt.DB, error) {
	if err := ensure(path); err != nil {
		return nil, err
	}
	db, err := openBolt(path, &bbolt.Options{NoSync: o.noSync})
	if err != nil {
		return nil, err
	}
	if err := guarded(func() error { return db.View(checkSchema) }); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s %w", path, err), db.Close())
	}
	return db, nil
}

// openBolt opens a bbolt file with what all our openings share. It does not sync the freelist: the commits are
// smaller, and opening walks the pages once instead. It maps more than there is, because growing the map waits for every read
// transaction, a backup's too.
func openBolt(path string, o *bbolt.Options) (*bbolt.DB, error) {
	o.Timeout, o.NoStatistics = lockTimeout, true
	o.NoFreelistSync, o.FreelistType = true, bbolt.FreelistMapType
	if math.MaxInt > math.MaxInt32 {
		o.InitialMmapSize = 4 << 30
	}
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, o)
		return err
	})
	return db, explain(path, err)
}

func explain(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bbolterrors.ErrTimeout):
		return fmt.Errorf("another jiaxin is using %s: stop it first, or give this one its own data folder", path)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		err = fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	if errors.Is(err, store.ErrCorrupt) {
		return fmt.Errorf("store %s cannot be read, move it away and restore a backup: %w", path, err)
	}
	return fmt.Errorf("cannot open store %s: %w", path, err)
}

func checkSchema(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(bucketMeta))
	if meta == nil || len(meta.Get([]byte("schema"))) != 8 {
		return errors.New("is not a Jiaxin store: give the path of one, or of no file to begin a new one")
	}
	switch v := binary.BigEndian.Uint64(meta.Get([]byte("schema"))); {
	case v > schema:
		return fmt.Errorf("was written by a newer Jiaxin (layout %d, this one knows %d): "+
			"install that version again, or restore a backup made by this one", v, schema)
	case v < schema:
		return fmt.Errorf("%w: its layout number is %d", store.ErrCorrupt, v)
	}
	for _, name := range []string{bucketDocs, bucketDue, bucketTTL} {
		if tx.Bucket([]byte(name)) == nil {
			return fmt.Errorf("%w: its table %q is missing", store.ErrCorrupt, name)
		}
	}
	return nil
}

// ensure makes an empty store at path if there is no file. A power cut leaves either no file there or a whole
// one: bbolt's own creation does not give that (https://github.com/etcd-io/etcd/issues/16596).
func ensure(path string) error {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return create(path)
	case err != nil:
		return fmt.Errorf("cannot open store: %w", err)
	default:
		return refuseEmpty(path, info)
	}
}

func refuseEmpty(path string, info fs.FileInfo) error {
	if info.Size() > 0 {
		return nil
	}
	return fmt.Errorf("store %s is an empty file, which no store ever is: restore a backup in its place, "+
		"or, if there was nothing in it, remove it to begin a new one", path)
}

func create(path string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("cannot create store %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := initialise(tmp.Name()); err != nil {
		return fmt.Errorf("cannot create store %s: %w", path, err)
	}
	if err := tmp.Sync(); err != nil { // bbolt synced the data; this takes the rest of the inode along
		return fmt.Errorf("cannot create store %s: %w", path, err)
	}
	return publish(tmp.Name(), path)
}

// publish gives the finished file its name. A link, unlike a rename, does not replace what another process
// made meanwhile; only where the file system has no links is it a rename.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp, path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot create store %s: %w", path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot create store %s: %w", path, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("cannot create store %s: %w", path, err)
	}
	return nil
}

func initialise(path string) error {
	db, err := openBolt(path, &bbolt.Options{})
	if err != nil {
		return err
	}
	return errors.Join(db.Update(layOut), db.Close())
}

func layOut(tx *bbolt.Tx) error {
	for _, name := range []string{bucketMeta, bucketDocs, bucketDue, bucketTTL} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return tx.Bucket([]byte(bucketMeta)).Put([]byte("schema"), binary.BigEndian.AppendUint64(nil, schema))
}

// mend puts back due entries that damage took, so that no alarm is lost to a flipped bit in the index, and removes
// damaged ones. A damaged ttl entry is not worth the time: its document stays hidden by its own record.
func (s *Store) mend() error {
	var missing, damaged [][]byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		missing, damaged = tablesOf(tx, s.now()).wrongDue()
		return nil
	})
	if err != nil || len(missing)+len(damaged) == 0 {
		return err
	}
	s.log.Error("the index of alarms was damaged and is mended now; check the disk if it happens again",
		"missing", len(missing), "damaged", len(damaged))
	return s.db.Update(func(tx *bbolt.Tx) error { return tablesOf(tx, s.now()).mendDue(missing, damaged) })
}

// wrongDue returns copies of the names of documents without their due entry, and of the keys of damaged due entries.
func (t *tables) wrongDue() (missing, damaged [][]byte) {
	for name, raw := range t.from("", store.Doc{}) {
		if recordDue(raw) == 0 {
			continue
		}
		if r, err := parse(name, raw); err == nil && !indexed(t.due, r.due, name, r.rev) {
			missing = append(missing, append([]byte{}, name...))
		}
	}
	c := t.due.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if _, err := parseEntry(k, v); err != nil {
			damaged = append(damaged, append([]byte{}, k...))
		}
	}
	return missing, damaged
}

func indexed(b *bbolt.Bucket, at stamp, name []byte, rev store.Rev) bool {
	key := entryKey(at, name)
	e, err := parseEntry(key, b.Get(key))
	return err == nil && e.rev == rev
}

func (t *tables) mendDue(missing, damaged [][]byte) error {
	for _, key := range damaged {
		if err := t.due.Delete(key); err != nil {
			return err
		}
	}
	for _, name := range missing {
		r, _, err := t.record(name)
		if err != nil {
			return err
		}
		if err := index(t.due, r.due, name, r.rev); err != nil {
			return err
		}
	}
	return nil
}
