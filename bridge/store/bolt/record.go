package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"jiaxin/bridge/store"
)

// The layout of a document's record; see the package comment.
const (
	recFormat  = 1
	recCRC     = 1
	recRev     = 5
	recDue     = 13
	recExpires = 21
	recData    = 29
)

// The layout of an index entry's value.
const (
	entryCRC = 8
	entryLen = 12
)

const maxName = 512 // bytes of a lane, and of a key

// stamp is a moment to the millisecond that sorts as its big-endian bytes; 0 is never.
type stamp uint64

// stampOf rounds up, so that nothing happens before its time.
func stampOf(t time.Time) stamp {
	if t.IsZero() {
		return 0
	}
	return stamp(uint64(t.Add(time.Millisecond-1).UnixMilli()) ^ 1<<63)
}

// stampAfter is the first one that has not passed.
func stampAfter(now time.Time) stamp { return stamp(uint64(now.UnixMilli()+1) ^ 1<<63) }

func (s stamp) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(uint64(s) ^ 1<<63)).UTC()
}

// passed says whether the moment is not after now.
func (s stamp) passed(now time.Time) bool { return s != 0 && !s.time().After(now) }

// joinName makes the key of docs. NUL sorts before everything, so the order of names is the order of (lane, key).
func joinName(lane, key string) ([]byte, error) {
	for _, part := range [...]string{lane, key} {
		if part == "" || len(part) > maxName || strings.IndexByte(part, 0) >= 0 {
			return nil, fmt.Errorf("a lane and a key must have 1 to %d bytes without NUL", maxName)
		}
	}
	return append(append(append(make([]byte, 0, len(lane)+1+len(key)), lane...), 0), key...), nil
}

func splitName(name []byte) (lane, key string) {
	l, k, _ := bytes.Cut(name, []byte{0})
	return string(l), string(k)
}

// label names a document in a log without the person's id that its lane may hold: only the sort of lane is legible.
func label(name []byte) string {
	lane, _ := splitName(name)
	sort, _, _ := strings.Cut(lane, "/")
	return fmt.Sprintf("%.16q/#%08x", sort, checksum(0, name))
}

// checksum continues a CRC-32C over the parts.
func checksum(crc uint32, parts ...[]byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	for _, p := range parts {
		crc = crc32.Update(crc, table, p)
	}
	return crc
}

// newRecord lays out a record that still lacks its revision, and returns it with the checksum so far.
func newRecord(name []byte, due, expires stamp, data []byte) ([]byte, uint32) {
	rec := make([]byte, recData+len(data))
	rec[0] = recFormat
	binary.BigEndian.PutUint64(rec[recDue:], uint64(due))
	binary.BigEndian.PutUint64(rec[recExpires:], uint64(expires))
	copy(rec[recData:], data)
	return rec, checksum(0, name, rec[:recCRC], rec[recDue:])
}

// seal puts in the revision and the finished checksum. The revision comes last, so that the writer has only that to add.
func seal(rec []byte, crc uint32, rev store.Rev) {
	binary.BigEndian.PutUint64(rec[recRev:], uint64(rev))
	binary.BigEndian.PutUint32(rec[recCRC:], checksum(crc, rec[recRev:recDue]))
}

// record is a decoded document; data still points into the file.
type record struct {
	rev          store.Rev
	due, expires stamp
	data         []byte
}

var errFormat = errors.New("this version does not know the record's format")

// parse decodes a record or says store.ErrCorrupt.
func parse(name, rec []byte) (record, error) {
	if len(rec) < recData {
		return record{}, store.ErrCorrupt
	}
	sum := checksum(0, name, rec[:recCRC], rec[recDue:], rec[recRev:recDue])
	if sum != binary.BigEndian.Uint32(rec[recCRC:]) {
		return record{}, store.ErrCorrupt
	}
	if rec[0] != recFormat {
		return record{}, errFormat
	}
	return record{
		rev:     store.Rev(binary.BigEndian.Uint64(rec[recRev:])),
		due:     recordDue(rec),
		expires: stamp(binary.BigEndian.Uint64(rec[recExpires:])),
		data:    rec[recData:],
	}, nil
}

// recordDue reads only the due stamp, without proof that the record is sound.
func recordDue(rec []byte) stamp {
	if len(rec) < recData {
		return 0
	}
	return stamp(binary.BigEndian.Uint64(rec[recDue:]))
}

// entryKey is the key of an index entry; an index walks in its order.
func entryKey(at stamp, name []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(name)), uint64(at)), name...)
}

func entryValue(key []byte, rev store.Rev) []byte {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, entryLen), uint64(rev))
	return binary.BigEndian.AppendUint32(v, checksum(0, key, v))
}

// entryAt is the moment of an index entry's key of at least 8 bytes.
func entryAt(key []byte) stamp { return stamp(binary.BigEndian.Uint64(key)) }

// entry is a decoded index entry.
type entry struct {
	at   stamp
	name []byte // points into the file
	rev  store.Rev
}

// parseEntry decodes an index entry or says store.ErrCorrupt.
func parseEntry(key, value []byte) (entry, error) {
	if len(key) < 8 || len(value) != entryLen ||
		checksum(0, key, value[:entryCRC]) != binary.BigEndian.Uint32(value[entryCRC:]) {
		return entry{}, store.ErrCorrupt
	}
	return entry{
		at:   entryAt(key),
		name: key[8:],
		rev:  store.Rev(binary.BigEndian.Uint64(value)),
	}, nil
}
