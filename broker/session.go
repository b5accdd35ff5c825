package broker

import (
	"slices"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// session is one connection of an authenticated client: what it may do, and the publishes it waits for
// acknowledgement of, in their order.
type session struct {
	conn     *conn
	meter    *metrics
	queue    *budget
	window   int // receipts
	maxBytes int // bytes of receipts

	// Set by the reader before the session enters the registry, constant from then on.
	client *mochi.Client
	grant  Grant

	deadline time.Time     // of its authentication
	refused  bool          // counted already; the reader only
	ended    chan struct{} // closed when the reader has finished
	reported bool          // guarded by the registry: the Handler was told that the client is online

	room chan struct{} // signalled, cap 1, when receipts were taken off; the reader waits on it

	mu       sync.Mutex
	receipts []*receipt // unacknowledged publishes, oldest first
	bytes    int        // of receipts
	broken   bool       // one of them could not be kept: no acknowledgement from there on
	scratch  []byte
	topics   []string // subscribed
}

// receipt is one publish between its arrival and its acknowledgement.
type receipt struct {
	id      uint16 // packet id, 0 for QoS 0
	code    byte   // MQTT 5 reason of the PUBACK, 0 for success
	size    int
	settled bool
	lost    bool
}

func newSession(c *conn, b *Embedded) *session {
	return &session{
		conn: c, meter: b.meter, queue: b.queue, window: b.o.Window, maxBytes: b.o.WindowBytes,
		ended: make(chan struct{}), room: make(chan struct{}, 1),
	}
}

// mayPublish returns the Grant's own copy of the topic.
func (s *session) mayPublish(topic string) (string, bool) {
	i := slices.Index(s.grant.Publish, topic)
	if i < 0 {
		return "", false
	}
	return s.grant.Publish[i], true
}

// admit puts the receipt at the end of the window, waiting for room there. False: the connection is over.
func (s *session) admit(r *receipt) bool {
	for !s.tryAdmit(r) {
		select {
		case <-s.room:
		case <-s.conn.over:
			return false
		}
	}
	return true
}

func (s *session) tryAdmit(r *receipt) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := len(s.receipts) >= s.window || s.bytes+r.size > s.maxBytes
	if full && len(s.receipts) > 0 {
		return false
	}
	s.receipts = append(s.receipts, r)
	s.bytes += r.size
	return true
}

// settle notes that the Handler is done with the receipt, and acknowledges as far as that allows. It reports
// whether this was the first bad news of the session.
func (s *session) settle(r *receipt, err error) (failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.settled {
		return false
	}
	r.settled, r.lost = true, err != nil
	s.queue.give(r.size)
	s.meter.queued.Sub(float64(r.size))
	failed = r.lost && !s.broken
	s.broken = s.broken || r.lost
	s.acknowledge()
	return failed
}

// acknowledge writes the PUBACKs of the settled receipts at the head of the window; mu is held, so that they go out
// in order (writing does not wait).
func (s *session) acknowledge() {
	n, acks := 0, 0
	s.scratch = s.scratch[:0]
	for _, r := range s.receipts {
		if !r.settled || r.lost {
			break
		}
		n++
		s.bytes -= r.size
		if r.id != 0 {
			acks++
			s.scratch = appendPuback(s.scratch, r.id, r.code)
		}
	}
	if n == 0 && !s.broken {
		return
	}
	s.receipts = slices.Delete(s.receipts, 0, n)
	if acks > 0 {
		if _, err := s.conn.Write(s.scratch); err == nil { // else the connection is over and the device sends again
			s.meter.acks.Add(float64(acks))
		}
	}
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// appendPuback encodes a PUBACK for both protocol versions: without a reason it is the same (MQTT 5 §3.4.2.1).
func appendPuback(b []byte, id uint16, code byte) []byte {
	if code == 0 {
		return append(b, 0x40, 2, byte(id>>8), byte(id))
	}
	return append(b, 0x40, 3, byte(id>>8), byte(id), code)
}

// drain waits until every receipt is acknowledged, or one cannot be, or stop is closed. Only after the reader ended.
func (s *session) drain(stop <-chan struct{}) {
	for !s.settledAll() {
		select {
		case <-s.room:
		case <-stop:
			return
		}
	}
}

func (s *session) settledAll() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.receipts) == 0 || s.broken
}

func (s *session) subscribe(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.topics, topic) {
		s.topics = append(s.topics, topic)
	}
}

func (s *session) unsubscribe(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topics = slices.DeleteFunc(s.topics, func(t string) bool { return t == topic })
}

func (s *session) subscribed(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.topics, topic)
}
