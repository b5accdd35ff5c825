package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"
)

// Embedded is the MQTT broker inside the process; see the package comment for what it promises.
type Embedded struct {
	o        Options
	mqtt     *mochi.Server
	meter    *metrics
	journal  *journal
	queue    *budget
	door     *door
	registry *registry

	listener  net.Listener
	accepting chan struct{} // closed when the accept loop has ended
	stop      chan struct{} // closed when Stop begins
	kill      chan struct{} // closed when Stop's time is over
	stopOnce  sync.Once
	killOnce  sync.Once
}

var _ Publisher = (*Embedded)(nil)

// New prepares a broker; it does not listen yet. An error means that the Options cannot work.
func New(o Options) (*Embedded, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Embedded{
		o: o, mqtt: newProtocol(o), meter: newMetrics(), journal: &journal{log: o.Logger},
		queue: newBudget(o.QueueBytes), door: newDoor(o), registry: newRegistry(),
		accepting: make(chan struct{}), stop: make(chan struct{}), kill: make(chan struct{}),
	}
	return b, b.mqtt.AddHook(&hook{b: b}, nil)
}

// newProtocol sets mochi up as a protocol engine only: connections are handed to it one by one, its own listeners
// and housekeeping are not started, and nothing passes through its fan-out. Its log is silenced because it would
// print whole packets, a password among them.
func newProtocol(o Options) *mochi.Server {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumPacketSize = uint32(o.MaxPacketBytes)
	c.MaximumMessageExpiryInterval = 0
	c.MaximumSessionExpiryInterval = 0
	c.MaximumClientWritesPending = 1
	c.MinimumProtocolVersion = 4
	c.ReceiveMaximum = uint16(o.Window)
	c.TopicAliasMaximum = 0
	c.Compatibilities.NoInheritedPropertiesOnAck = true
	return mochi.New(&mochi.Options{
		Capabilities: c, Logger: slog.New(slog.DiscardHandler), SysTopicResendInterval: 24 * 3600,
	})
}

// Start listens and serves until Stop. An error means that the address could not be listened on.
func (b *Embedded) Start() error {
	b.listener = b.o.Listener
	if b.listener == nil {
		l, err := net.Listen("tcp", b.o.Listen)
		if err != nil {
			close(b.accepting)
			return fmt.Errorf("broker: cannot listen on %q; is another broker running there? %w", b.o.Listen, err)
		}
		b.listener = l
	}
	b.o.Logger.Info("mqtt broker listens", "address", b.Addr())
	go b.accept()
	return nil
}

// Addr is the address really listened on, "" before Start.
func (b *Embedded) Addr() string {
	if b.listener == nil {
		return ""
	}
	return b.listener.Addr().String()
}

// Collectors are the broker's metrics, for a prometheus.Registerer.
func (b *Embedded) Collectors() []prometheus.Collector { return b.meter.collectors() }

// Stop accepts and reads no more, waits until what was received is settled by the Handler and acknowledged, and
// closes every connection. When ctx ends first it closes them without waiting, and returns an error: what was not
// acknowledged will be sent again by the devices.
func (b *Embedded) Stop(ctx context.Context) error {
	b.stopOnce.Do(func() { close(b.stop) })
	if b.listener == nil {
		return nil
	}
	_ = b.listener.Close() // fails only if it is closed already
	b.door.close(func(c *conn) { _ = c.Close() })
	quiet := make(chan struct{})
	go func() {
		<-b.accepting
		b.door.serving.Wait()
		close(quiet)
	}()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		b.killOnce.Do(func() { close(b.kill) })
		b.door.close((*conn).drop)
		return fmt.Errorf("broker: stopped before everything received was acknowledged: %w", ctx.Err())
	}
}

func (b *Embedded) stopping() bool {
	select {
	case <-b.stop:
		return true
	default:
		return false
	}
}

// accept accepts until the listener is closed. No error but that ends it: a process that ran out of file descriptors
// has some again when other connections have gone.
func (b *Embedded) accept() {
	defer close(b.accepting)
	var pause time.Duration
	for {
		raw, err := b.listener.Accept()
		if err == nil {
			pause = 0
			b.welcome(raw)
			continue
		}
		if b.stopping() || errors.Is(err, net.ErrClosed) {
			return
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		b.journal.write(slog.LevelWarn, "cannot accept an mqtt connection; trying again", "error", err, "in", pause)
		b.wait(pause)
	}
}

func (b *Embedded) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-b.stop:
	}
}

func (b *Embedded) welcome(raw net.Conn) {
	c := newConn(raw, b.meter, b.o)
	if reason := b.door.enter(c); reason != "" {
		b.refuse(c, reason, "mqtt connection refused: too many are open")
		_ = raw.Close()
		return
	}
	b.meter.connections.Inc()
	go b.serve(c)
}

// serve serves one connection to its end.
func (b *Embedded) serve(c *conn) {
	defer b.door.leave(c)
	defer b.meter.connections.Dec()
	defer c.finish()
	deadline := time.Now().Add(b.o.FirstPacket)
	err := b.greet(c, deadline)
	if !b.door.hear(c) {
		b.refuse(c, refusedPending, "mqtt connection closed: it was silent, and many more wait at its address")
		return
	}
	if err != nil {
		if !b.stopping() {
			b.refuse(c, refusedFirst, "mqtt connection refused", "error", err)
		}
		return
	}
	b.attend(c, deadline)
}

// greet reads the first packet. The deadline holds for writing too, for under TLS the first read is the handshake.
func (b *Embedded) greet(c *conn, deadline time.Time) error {
	if err := c.Conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	first, err := readConnect(c.Conn)
	c.first = first
	return err
}

// attend lets mochi speak the protocol with a client that has sent a CONNECT, and clears up whatever way it ends.
func (b *Embedded) attend(c *conn, deadline time.Time) {
	s := newSession(c, b)
	s.deadline = deadline
	c.session = s
	defer close(s.ended)
	defer b.depart(s)
	defer b.contain("mqtt connection ended by a panic", "remote", c.RemoteAddr().String())
	err := b.mqtt.EstablishConnection("tcp", c)
	b.note(s, err)
}

// note counts and logs why the protocol ended.
func (b *Embedded) note(s *session, err error) {
	var code packets.Code
	if errors.As(err, &code) && code.Code >= packets.ErrUnspecifiedError.Code && !s.refused {
		b.refuse(s.conn, refusedMalformed, "mqtt connection ended by a malformed or forbidden packet", "client", clip(s.grant.ID), "error", err)
	}
	b.o.Logger.Debug("mqtt connection ended", "client", s.grant.ID, "remote", s.conn.RemoteAddr().String(), "error", err)
}

// depart ends a session. Acknowledgements are waited for only when the broker stops; in any other case the client is
// gone or is to go.
func (b *Embedded) depart(s *session) {
	if s.client == nil {
		return
	}
	b.registry.leave(s, func() { b.presence(s, false) })
	b.forget(s)
	if b.stopping() {
		s.drain(b.kill)
		b.sayStopping(s)
	}
}

// sayStopping tells an MQTT 5 client why it is disconnected (§3.14), past mochi, to which the client is closed.
func (b *Embedded) sayStopping(s *session) {
	if s.client.Properties.ProtocolVersion == 5 {
		_, _ = s.conn.Write([]byte{packets.Disconnect << 4, 1, packets.ErrServerShuttingDown.Code}) // or it has gone already
	}
}

// forget removes what mochi still knows of the client, which it leaves behind after a panic or a failed CONNACK.
// The client's next session waits for this one to end, so it cannot be the one that is removed.
func (b *Embedded) forget(s *session) {
	b.mqtt.UnsubscribeClient(s.client)
	b.mqtt.Clients.Delete(s.grant.ID)
}

// contain is deferred: it ends a panic here.
func (b *Embedded) contain(msg string, args ...any) {
	if v := recover(); v != nil {
		b.meter.panics.Inc()
		b.journal.write(slog.LevelError, msg, append(args, "panic", v, "stack", string(debug.Stack()))...)
	}
}

func (b *Embedded) refuse(c *conn, reason, msg string, args ...any) {
	b.meter.refuse(reason)
	b.journal.write(slog.LevelWarn, msg, append([]any{"reason", reason, "remote", c.RemoteAddr().String()}, args...)...)
}

// presence tells the Handler that the client came or went. Nothing is said about the broker's own stop.
func (b *Embedded) presence(s *session, online bool) {
	if s.grant.Status == "" || (!online && b.stopping()) {
		return
	}
	defer b.contain("presence report ended by a panic", "client", s.grant.ID)
	payload := []byte(`{"online":false}`)
	if online {
		payload = []byte(`{"online":true}`)
	}
	b.o.Handler.Handle(Message{Client: s.grant.ID, Topic: s.grant.Status, Payload: payload}, func(error) {})
}

// Publish implements Publisher.
func (b *Embedded) Publish(ctx context.Context, client, topic string, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n := len(topic) + len(payload); n > b.o.MaxPacketBytes {
		return fmt.Errorf("broker: a message of %d bytes is longer than the limit of %d", n, b.o.MaxPacketBytes)
	}
	s := b.registry.get(client)
	if s == nil || !s.subscribed(topic) {
		return ErrOffline
	}
	err := s.client.WritePacket(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: topic, Payload: payload,
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, packets.ErrPacketTooLarge):
		return fmt.Errorf("broker: the device asked for packets of at most %d bytes: %w", s.client.Properties.Props.MaximumPacketSize, err)
	}
	return fmt.Errorf("%w: %w", ErrOffline, err)
}

// sendOff ends a session from our side. MQTT 5 clients learn why; MQTT 3.1.1 has no packet for that.
func (b *Embedded) sendOff(s *session, code packets.Code) {
	if s.client.Properties.ProtocolVersion == 5 {
		_ = b.mqtt.DisconnectClient(s.client, code) // returns the code itself, or that the client has gone already
	}
	s.client.Stop(code)
}
