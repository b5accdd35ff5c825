package broker

import (
	"errors"
	"net"
	"sync"
	"time"
)

var errSlowReader = errors.New("the client does not read")

// keepBuffer is the largest write buffer that an idle connection holds on to.
const keepBuffer = 1 << 10

// conn is a client's connection as the protocol sees it. Its writes never wait: they are gathered and written
// by a goroutine that exists only while there is something to write, within a deadline and a bound beyond
// which the connection fails. Close only ends the reading; finish, called by the one who serves the connection, writes
// out what is left and closes.
type conn struct {
	net.Conn               // the raw connection
	meter    *metrics      //
	patience time.Duration // per write
	bound    int           // bytes waiting to be written

	first   []byte   // the CONNECT, already read; used by the reader only
	session *session // set by the reader, before it hands the connection to the protocol

	over    chan struct{}  // closed once reading is to end
	writers sync.WaitGroup // the writing goroutine, 0 or 1

	mu       sync.Mutex
	ended    bool // over is closed
	finished bool // no more writes
	writing  bool
	out      []byte // gathered
	spare    []byte // the other buffer
}

func newConn(raw net.Conn, meter *metrics, o Options) *conn {
	return &conn{Conn: raw, meter: meter, patience: o.WriteDeadline, bound: 4 * o.MaxPacketBytes, over: make(chan struct{})}
}

// Read gives the CONNECT once more, then what comes from the client.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	if c.first = c.first[n:]; len(c.first) == 0 {
		c.first = nil
	}
	return n, nil
}

// Write gathers p to be written soon. It fails, and with it the connection, when too much waits already.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return 0, net.ErrClosed
	}
	if len(c.out)+len(p) > c.bound {
		c.meter.dropped.Inc()
		c.fail()
		return 0, errSlowReader
	}
	c.out = append(c.out, p...)
	if !c.writing {
		c.writing = true
		c.writers.Go(c.write)
	}
	return len(p), nil
}

// write writes until nothing is left.
func (c *conn) write() {
	for {
		p := c.take()
		if p == nil {
			return
		}
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.patience)) // if it fails, so does the write
		if _, err := c.Conn.Write(p); err != nil {
			c.giveUp()
		}
	}
}

// take returns what is to be written, nil (and ends the writing) when there is nothing.
func (c *conn) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 {
		c.writing = false
		return nil
	}
	p := c.out
	c.out, c.spare = c.spare[:0], nil
	if cap(p) <= keepBuffer {
		c.spare = p
	}
	return p
}

func (c *conn) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.finished {
		c.meter.dropped.Inc()
	}
	c.fail()
}

// fail drops the connection at once; mu is held.
func (c *conn) fail() {
	c.finished, c.out = true, nil
	c.end()
	_ = c.Conn.Close() // nothing can be done about a failing close
}

// end ends the reading; mu is held.
func (c *conn) end() {
	if !c.ended {
		c.ended = true
		close(c.over)
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // wakes the reader; fails only if the connection is closed
	}
}

// Close ends the reading. What was written still goes out.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end()
	return nil
}

// drop closes without writing out.
func (c *conn) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail()
}

// finish writes out what is left, waiting at most the write deadline, and closes.
func (c *conn) finish() {
	c.mu.Lock()
	c.finished = true
	c.end()
	c.mu.Unlock()
	c.writers.Wait()
	_ = c.Conn.Close()
}

// SetDeadline sets the deadline of reading: the keep-alive. Writes have their own.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}
