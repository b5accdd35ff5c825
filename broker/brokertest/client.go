package brokertest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The packet types that a Client receives, as in the high four bits of the first byte (MQTT 5 §2.1.2).
const (
	Connack    = 2
	Publish    = 3
	Puback     = 4
	Suback     = 9
	Unsuback   = 11
	Pingresp   = 13
	Disconnect = 14
)

// Connect says how a Client connects.
type Connect struct {
	ID, Username, Password string

	Version   byte          // 4 (MQTT 3.1.1, the default) or 5
	Keepalive uint16        // seconds
	Persist   bool          // ask for a session that outlives the connection
	Will      *Will         //
	Timeout   time.Duration // of every wait for the broker, default 10 s
}

// Will is what the broker is asked to publish when the client is gone.
type Will struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

// Packet is what the broker sent.
type Packet struct {
	Type, Flags byte
	Body        []byte // what follows the fixed header
}

// ErrRefused is the error of a connection that the broker answered with another code than success.
type ErrRefused struct{ Code byte }

func (e ErrRefused) Error() string {
	return fmt.Sprintf("the broker refused the connection with code %#x", e.Code)
}

// Client is a tiny MQTT client for tests and measurements: no goroutine, no retry, no state but the packet id, so
// that every byte is the test's. One goroutine may write (Publish, Queue, Flush, Send …) while another reads
// (Next, WaitAck …). It takes the packets in the order in which they come: WaitAck fails when something else is next.
type Client struct {
	conn    net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	version byte
	timeout time.Duration
	id      uint16
	present bool
}

// Dial connects with MQTT 3.1.1 and a clean session. ErrRefused: the broker said no.
func Dial(addr, id, username, password string) (*Client, error) {
	return DialWith(addr, Connect{ID: id, Username: username, Password: password})
}

// DialWith connects as c says, and waits for the CONNACK.
func DialWith(addr string, c Connect) (*Client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	cl := NewClient(conn, c)
	if err := cl.connect(c); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return cl, nil
}

// NewClient speaks over a connection on which nothing was sent yet; Version and Timeout of c count.
func NewClient(conn net.Conn, c Connect) *Client {
	cl := &Client{conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriter(conn), version: c.Version, timeout: c.Timeout}
	if cl.version == 0 {
		cl.version = 4
	}
	if cl.timeout == 0 {
		cl.timeout = 10 * time.Second
	}
	return cl
}

func (c *Client) connect(o Connect) error {
	if err := c.Send(ConnectPacket(o)); err != nil {
		return err
	}
	p, err := c.NextOf(Connack)
	if err != nil {
		return err
	}
	if len(p.Body) < 2 {
		return errors.New("the broker's CONNACK is too short")
	}
	if p.Body[1] != 0 {
		return ErrRefused{p.Body[1]}
	}
	c.present = p.Body[0]&1 != 0
	return nil
}

// SessionPresent is whether the broker said that it has kept a session for the client.
func (c *Client) SessionPresent() bool { return c.present }

// ConnectPacket is the CONNECT (MQTT 3.1.1 §3.1, MQTT 5 §3.1) as bytes.
func ConnectPacket(o Connect) []byte {
	five := o.Version == 5
	version, flags := byte(4), byte(0xc0) // user name and password
	if five {
		version = 5
	}
	if !o.Persist {
		flags |= 2
	}
	if o.Will != nil {
		flags |= 4 | o.Will.QoS<<3
		if o.Will.Retain {
			flags |= 0x20
		}
	}
	b := append(String(nil, "MQTT"), version, flags)
	b = binary.BigEndian.AppendUint16(b, o.Keepalive)
	b = connectProperties(b, five, o.Persist)
	b = String(b, o.ID)
	if o.Will != nil {
		if five {
			b = append(b, 0)
		}
		b = String(String(b, o.Will.Topic), string(o.Will.Payload))
	}
	return Frame(0x10, String(String(b, o.Username), o.Password))
}

func connectProperties(b []byte, five, persist bool) []byte {
	if !five {
		return b
	}
	if persist {
		return append(b, 5, 0x11, 0, 0, 0x0e, 0x10) // session expiry interval: an hour
	}
	return append(b, 0)
}

// Frame puts the fixed header before a packet's body.
func Frame(first byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...) // MQTT's length is a varint, too
}

// String appends an MQTT string: its length in two bytes, and it.
func String(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// Send writes bytes as they are.
func (c *Client) Send(raw []byte) error {
	if _, err := c.w.Write(raw); err != nil {
		return err
	}
	return c.Flush()
}

// Flush sends what was queued.
func (c *Client) Flush() error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	return c.w.Flush()
}

// Publish sends one message, and returns its packet id (0 for QoS 0) without waiting for an acknowledgement.
func (c *Client) Publish(topic string, payload []byte, qos byte) (uint16, error) {
	id, err := c.Queue(topic, payload, qos)
	if err != nil {
		return 0, err
	}
	return id, c.Flush()
}

// Queue is Publish without sending yet; several queued messages go out together at the next Flush.
func (c *Client) Queue(topic string, payload []byte, qos byte) (uint16, error) {
	id := uint16(0)
	if qos > 0 {
		if c.id++; c.id == 0 {
			c.id = 1
		}
		id = c.id
	}
	return id, c.PublishAs(topic, payload, qos<<1, id)
}

// PublishAs queues a message with the given flags of the fixed header (1 retain, 2 and 4 QoS, 8 duplicate) and packet id.
func (c *Client) PublishAs(topic string, payload []byte, flags byte, id uint16) error {
	n := 2 + len(topic) + len(payload)
	if flags&6 != 0 {
		n += 2
	}
	if c.version == 5 {
		n++
	}
	b := binary.AppendUvarint(append(c.w.AvailableBuffer(), Publish<<4|flags), uint64(n))
	b = String(b, topic)
	if flags&6 != 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	if c.version == 5 {
		b = append(b, 0)
	}
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	_, err := c.w.Write(payload)
	return err
}

// WaitAck waits for a PUBACK and returns its packet id and, with MQTT 5, its reason code.
func (c *Client) WaitAck() (id uint16, code byte, err error) {
	p, err := c.NextOf(Puback)
	if err != nil {
		return 0, 0, err
	}
	if len(p.Body) < 2 {
		return 0, 0, errors.New("the broker's PUBACK is too short")
	}
	if len(p.Body) > 2 {
		code = p.Body[2]
	}
	return binary.BigEndian.Uint16(p.Body), code, nil
}

// PublishAcked sends one message with QoS 1 and waits until it is acknowledged.
func (c *Client) PublishAcked(topic string, payload []byte) error {
	id, err := c.Publish(topic, payload, 1)
	if err != nil {
		return err
	}
	acked, code, err := c.WaitAck()
	if err == nil && (acked != id || code != 0) {
		err = fmt.Errorf("published with packet id %d, acknowledged was %d with code %#x", id, acked, code)
	}
	return err
}

// Subscribe asks for the filters with QoS 1 and returns the code for each: the QoS granted, or 0x80 and above.
func (c *Client) Subscribe(filters ...string) ([]byte, error) {
	c.id++
	b := binary.BigEndian.AppendUint16(nil, c.id)
	if c.version == 5 {
		b = append(b, 0)
	}
	for _, f := range filters {
		b = append(String(b, f), 1)
	}
	return c.ask(Frame(0x82, b), Suback)
}

// Unsubscribe ends subscriptions.
func (c *Client) Unsubscribe(filters ...string) error {
	c.id++
	b := binary.BigEndian.AppendUint16(nil, c.id)
	if c.version == 5 {
		b = append(b, 0)
	}
	for _, f := range filters {
		b = String(b, f)
	}
	_, err := c.ask(Frame(0xa2, b), Unsuback)
	return err
}

// ask sends a request and returns the codes of the answer.
func (c *Client) ask(request []byte, answer byte) ([]byte, error) {
	if err := c.Send(request); err != nil {
		return nil, err
	}
	p, err := c.NextOf(answer)
	if err != nil {
		return nil, err
	}
	return c.afterProperties(p.Body, 2)
}

// afterProperties returns what follows the properties that begin at the offset; MQTT 3.1.1 has none.
func (c *Client) afterProperties(body []byte, at int) ([]byte, error) {
	if len(body) < at {
		return nil, errors.New("the broker's packet is too short")
	}
	if c.version != 5 {
		return body[at:], nil
	}
	n, w := binary.Uvarint(body[at:])
	if w <= 0 || uint64(len(body)-at-w) < n {
		return nil, errors.New("the broker's packet has broken properties")
	}
	return body[at+w+int(n):], nil
}

// Receive waits for a message.
func (c *Client) Receive() (topic string, payload []byte, err error) {
	p, err := c.NextOf(Publish)
	if err != nil {
		return "", nil, err
	}
	at := 2
	if len(p.Body) >= 2 {
		at += int(binary.BigEndian.Uint16(p.Body))
	}
	if p.Flags&6 != 0 {
		return "", nil, fmt.Errorf("the broker sent with QoS %d", p.Flags>>1&3)
	}
	payload, err = c.afterProperties(p.Body, at)
	if err != nil {
		return "", nil, err
	}
	return string(p.Body[2:at]), payload, nil
}

// Ping asks for a sign of life and waits for it. Everything that the broker did for this client before is done then.
func (c *Client) Ping() error {
	if err := c.Send([]byte{0xc0, 0}); err != nil {
		return err
	}
	_, err := c.NextOf(Pingresp)
	return err
}

// NextOf is Next, which must be of that type.
func (c *Client) NextOf(kind byte) (Packet, error) {
	p, err := c.Next()
	if err == nil && p.Type != kind {
		err = fmt.Errorf("waited for a packet of type %d, got %d with % x", kind, p.Type, p.Body)
	}
	return p, err
}

// Next waits for the next packet. An error means that the connection ended, or nothing came in time (net.Error Timeout).
func (c *Client) Next() (Packet, error) {
	if c.r.Buffered() == 0 { // a deadline for every packet would cost more than reading it
		if err := c.conn.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
			return Packet{}, err
		}
	}
	first, err := c.r.ReadByte()
	if err != nil {
		return Packet{}, err
	}
	n, err := binary.ReadUvarint(c.r)
	if err != nil {
		return Packet{}, err
	}
	if n > 1<<20 {
		return Packet{}, fmt.Errorf("the broker claims a packet of %d bytes", n)
	}
	p := Packet{Type: first >> 4, Flags: first & 15, Body: make([]byte, n)}
	_, err = io.ReadFull(c.r, p.Body)
	return p, err
}

// WaitClosed reads until the broker closes the connection; an error means that it did not in time.
func (c *Client) WaitClosed() error {
	for {
		_, err := c.Next()
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			return errors.New("the broker has not closed the connection")
		}
		if err != nil {
			return nil
		}
	}
}

// Buffered is how many received bytes are there to be taken without waiting; 0: Flush before the next wait.
func (c *Client) Buffered() int { return c.r.Buffered() }

// Pump publishes with QoS 1 as long as more says so, keeping up to window publishes unacknowledged, and waits for the
// acknowledgements of all. It is how the benchmarks load a broker.
func (c *Client) Pump(topic string, payload []byte, window int, more func() bool) error {
	flying, done := 0, false
	for {
		for !done && flying < window {
			if done = !more(); done {
				break
			}
			if _, err := c.Queue(topic, payload, 1); err != nil {
				return err
			}
			flying++
		}
		if flying == 0 {
			return nil
		}
		if err := c.takeAck(); err != nil {
			return err
		}
		flying--
	}
}

// takeAck sends what is queued if it would have to wait, and takes one acknowledgement.
func (c *Client) takeAck() error {
	if c.Buffered() == 0 {
		if err := c.Flush(); err != nil {
			return err
		}
	}
	_, code, err := c.WaitAck()
	if err == nil && code != 0 {
		err = fmt.Errorf("acknowledged with code %#x", code)
	}
	return err
}

// Disconnect says goodbye and closes.
func (c *Client) Disconnect() error {
	return errors.Join(c.Send([]byte{0xe0, 0}), c.conn.Close())
}

// Close closes the connection without a word.
func (c *Client) Close() error { return c.conn.Close() }
