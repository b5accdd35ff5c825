package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"jiaxin/devices"
)

const (
	connectWithin = 10 * time.Second
	writeWithin   = 5 * time.Second
	keepAlive     = 60 * time.Second
	goodbyeWithin = 250 * time.Millisecond
	outDepth      = 256 // messages waiting to be written; more means that the connection is stuck
)

// link is one connection to the broker, from CONNECT to its end. Each connection has a paho client of its own with
// paho's reconnecting turned off: what must be said again after a loss is known to the appliance, better than to
// paho's store, which repeats in random order.
type link struct {
	client paho.Client
	out    chan message
	lost   chan struct{} // closed when the connection has ended, whoever ended it
	once   sync.Once
	done   sync.WaitGroup
	ctx    context.Context // ends a dial in progress

	reports int // of the state, sent and not acknowledged yet; guarded by the appliance

	mu   sync.Mutex
	conn net.Conn
}

// message is one publish at QoS 1; acked, if any, is called when its PUBACK has come.
type message struct {
	topic   string
	payload []byte
	acked   func()
}

// open connects and logs in; heard gets what the broker sends, one at a time and in order, and must not block.
func open(ctx context.Context, o Options, server *url.URL, heard func(topic string, payload []byte)) (*link, error) {
	l := &link{out: make(chan message, outDepth), lost: make(chan struct{}), ctx: ctx}
	l.client = paho.NewClient(l.options(o, server, heard))
	token := l.client.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
	}
	if err := errors.Join(ctx.Err(), token.Error()); err != nil {
		l.client.Disconnect(0)
		l.cut()
		return nil, err
	}
	l.done.Go(l.write)
	return l, nil
}

func (l *link) options(o Options, server *url.URL, heard func(string, []byte)) *paho.ClientOptions {
	a := o.Registration.Address
	p := paho.NewClientOptions().SetClientID(a.ClientID()).
		SetUsername(o.Registration.Username).SetPassword(o.Registration.Password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetKeepAlive(keepAlive).SetConnectTimeout(connectWithin).SetWriteTimeout(writeWithin).
		SetTLSConfig(o.TLS).SetCustomOpenConnectionFn(l.dial).
		SetWill(a.Topic(devices.UpStatus), offline, 1, false).
		SetConnectionLostHandler(func(paho.Client, error) { l.end() }).
		// Ordered, because two commands must be done in the order in which they came. That is safe as long as
		// the handler never waits for a token.
		SetOrderMatters(true).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { heard(m.Topic(), m.Payload()) })
	p.Servers = []*url.URL{server}
	return p
}

// dial keeps hold of the connection, so that a power cut can end it without a DISCONNECT.
func (l *link) dial(server *url.URL, o paho.ClientOptions) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, connectWithin)
	defer cancel()
	var d interface {
		DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	} = &net.Dialer{}
	if secure(server) {
		d = &tls.Dialer{Config: o.TLSConfig}
	}
	conn, err := d.DialContext(ctx, "tcp", server.Host)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	return conn, nil
}

// subscribe asks for the topics and fails if the broker refuses one.
func (l *link) subscribe(topics ...string) error {
	want := map[string]byte{}
	for _, t := range topics {
		want[t] = 1
	}
	token := l.client.SubscribeMultiple(want, nil).(*paho.SubscribeToken)
	if !token.WaitTimeout(connectWithin) {
		return errors.New("the broker did not answer the subscription")
	}
	for topic, code := range token.Result() {
		if code > 2 {
			return fmt.Errorf("the broker refused the subscription to %s", topic)
		}
	}
	return token.Error()
}

// send queues a message and never blocks. A connection that does not take its messages any more is ended: the
// next one begins with everything that matters.
func (l *link) send(m message) {
	select {
	case l.out <- m:
	default:
		l.cut()
	}
}

func (l *link) write() {
	for {
		select {
		case <-l.lost:
			return
		case m := <-l.out:
			token := l.client.Publish(m.topic, 1, false, m.payload)
			if m.acked != nil {
				l.done.Go(func() { l.await(token, m.acked) })
			}
		}
	}
}

func (l *link) await(token paho.Token, acked func()) {
	select {
	case <-l.lost: // the token may have been completed by the loss, not by an ack
	case <-token.Done():
		if token.Error() == nil {
			acked()
		}
	}
}

func (l *link) end() { l.once.Do(func() { close(l.lost) }) }

// cut ends the connection as a power cut does: nothing is said, so the broker publishes the will.
func (l *link) cut() {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // it may be closed already
	}
	l.end()
}

// leave says goodbye: it is offline, then a DISCONNECT, on which the broker forgets the will.
func (l *link) leave(statusTopic string) {
	l.client.Publish(statusTopic, 1, false, []byte(offline)).WaitTimeout(goodbyeWithin)
	l.client.Disconnect(uint(goodbyeWithin / time.Millisecond))
	l.cut()
}

// wait returns when the link's own goroutines have ended, after cut or leave.
func (l *link) wait() {
	l.done.Wait()
	l.client.Disconnect(0) // paho frees what is left; after a loss this does nothing
}

func secure(server *url.URL) bool {
	return slices.Contains([]string{"ssl", "tls", "mqtts", "tcps"}, server.Scheme)
}

// parseBroker accepts tcp:// or mqtt:// and, for TLS, ssl://, tls://, tcps:// or mqtts://, with a host and perhaps a port.
func parseBroker(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("the broker's address is not a URL: %w", err)
	}
	plain := u.Scheme == "tcp" || u.Scheme == "mqtt"
	switch {
	case !plain && !secure(u):
		return nil, fmt.Errorf("the broker's address begins with %q; write tcp://host:1883 or, with TLS, tls://host:8883", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("the broker's address has no host; write tcp://host:1883")
	case u.User != nil:
		return nil, errors.New("the broker's address holds a user; credentials come from the registry alone")
	case u.Port() == "" && plain:
		u.Host = net.JoinHostPort(u.Hostname(), "1883")
	case u.Port() == "":
		u.Host = net.JoinHostPort(u.Hostname(), "8883")
	}
	return u, nil
}
