// Package store is the contract between Jiaxin and whatever keeps its documents.
//
// Promise: a Commit that returned nil survives kill -9 and power loss, and is seen whole or not at all.
// A Commit that failed changed nothing, except with ErrUnknown, where the caller must read again to know.
// A document whose bytes were damaged at rest is never served: reading it gives ErrCorrupt.
//
// Everything about one home lives in one lane, and a lane has one writer at a time in practice; Expect makes
// that safe when it is not so. The engines are the sub-packages; storetest is the suite that each must pass.
package store

import (
	"context"
	"errors"
	"time"
)

// Rev is a document's revision. 0 means "does not exist"; a stored document's revision is never 0, and every
// commit of a document gives it a new one.
type Rev uint64

// Doc is one stored document.
type Doc struct {
	Lane string // whose it is, such as "hh/3f2a" or "dev/standard/ac/ac-01"
	Key  string // which one inside the lane, such as "doc" or "t/000000000000002a"
	Rev  Rev
	Data []byte    // owned by the caller
	Due  time.Time // when Wakes hands it out; zero: never
}

// Write puts, or with nil Data removes, one document of the lane being committed.
type Write struct {
	Key    string
	Expect Rev // the revision that must be there now: 0 = must not exist, AnyRev = do not care
	Data   []byte
	Due    time.Time     // zero: the document has no alarm. Kept to the millisecond.
	TTL    time.Duration // 0: kept for ever; else removed some time after it has passed
}

// AnyRev as Write.Expect commits over whatever is there, or is not there.
const AnyRev = Rev(1<<64 - 1)

// The errors of a store; test with errors.Is.
var (
	ErrNotFound = errors.New("no such document")
	ErrConflict = errors.New("the document changed since it was read")
	ErrCorrupt  = errors.New("the document is damaged on disk")
	// ErrUnknown: the commit may or may not have happened (a connection died, or ctx ended while it was under
	// way, say). Read again.
	ErrUnknown = errors.New("the outcome of the commit is unknown")
	ErrClosed  = errors.New("the store is closed")
)

// Store keeps documents. All methods are safe for concurrent use.
type Store interface {
	// Get returns one document or ErrNotFound. It may be stale: Commit decides.
	Get(ctx context.Context, lane, key string) (Doc, error)
	// Commit applies all writes or none and returns their new revisions in order (0 for a removal).
	// It is durable when the error is nil. ErrConflict: one Expect did not hold, nothing was written. ErrCorrupt: a
	// document to be replaced is damaged; nothing was written, AnyRev would. A commit names a key at most once.
	// Lanes and keys have 1 to 512 bytes, none of them NUL.
	Commit(ctx context.Context, lane string, writes ...Write) ([]Rev, error)
	// Wakes calls fn for every document whose Due has passed, at least once for each Due that was committed,
	// until ctx ends or the store is closed (nil) or can go on no more (the error). If fn fails, or leaves the
	// document with the same revision, it is called again later, not at once. Documents of different lanes may
	// be handed out concurrently; one document is never handed out twice at the same time.
	Wakes(ctx context.Context, fn func(context.Context, Doc) error) error
	// Scan returns up to n documents whose lane starts with prefix, ordered by (lane, key), after the document
	// named by after (zero Doc: from the beginning; it need not exist any more). Fewer than n: there are no more.
	// Expired documents are not returned, and damaged ones are passed over.
	Scan(ctx context.Context, prefix string, after Doc, n int) ([]Doc, error)
	// Close lets the commits that already wait finish; afterwards everything gives ErrClosed. It may be called twice.
	Close() error
}
