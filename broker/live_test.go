package broker_test

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jiaxin/broker"
	"jiaxin/broker/brokertest"
)

// metric returns the value of the broker's metric, with the label's value if it has one.
func metric(t *testing.T, b *broker.Embedded, name, label string) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(b.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "jiaxin_broker_"+name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// eventually waits until ok holds; it looks again whenever something else may run, for at most ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in 10 s: %s", what)
		}
	}
}

func dial(t testing.TB, b *broker.Embedded, c brokertest.Connect) *brokertest.Client {
	t.Helper()
	c.Username, c.Password = c.ID, brokertest.Password
	cl, err := brokertest.DialWith(b.Addr(), c)
	if err != nil {
		t.Fatalf("%s cannot connect: %v", c.ID, err)
	}
	t.Cleanup(func() { _ = cl.Close() })
	return cl
}

func device(t testing.TB, b *broker.Embedded, id string) *brokertest.Client {
	t.Helper()
	return dial(t, b, brokertest.Connect{ID: id})
}

// stranger connects and says this.
func stranger(t testing.TB, b *broker.Embedded, says string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Write([]byte(says)); err != nil {
		t.Fatal(err)
	}
	return c
}

// closed waits until the broker has closed the connection.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	cl := brokertest.NewClient(c, brokertest.Connect{})
	if err := cl.WaitClosed(); err != nil {
		t.Fatal(err)
	}
}

func acked(t *testing.T, c *brokertest.Client, id string) {
	t.Helper()
	if err := c.PublishAcked(brokertest.Up(id), []byte("alive")); err != nil {
		t.Fatalf("%s is disturbed: %v", id, err)
	}
}

// logged is a log that a test can read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// handlerFunc is a Handler made of a function.
type handlerFunc func(broker.Message, func(error))

func (f handlerFunc) Handle(m broker.Message, done func(error)) { f(m, done) }

// keep keeps everything.
func keep(_ broker.Message, done func(error)) { done(nil) }
