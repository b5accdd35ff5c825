package broker_test

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"jiaxin/broker"
	"jiaxin/broker/brokertest"
)

// BenchmarkPublishAck measures QoS 1 publishes of 120 bytes until their PUBACK: mochi as it comes, whose PUBACK
// promises nothing, beside Embedded with a Handler that keeps everything at once. Broker and publishers share
// the machine's cores. "1x256" is one publisher with 256 publishes in flight.
//
//	go test -run '^$' -bench PublishAck -benchtime 2s -count 3 ./broker
func BenchmarkPublishAck(b *testing.B) {
	for _, server := range []struct {
		name  string
		start func(*testing.B) string
	}{{"bare-mochi", bareMochi}, {"embedded-noop", embeddedNoop}} {
		for _, load := range []struct{ publishers, window int }{{1, 1}, {50, 1}, {500, 1}, {1, 256}, {50, 32}, {500, 8}} {
			b.Run(fmt.Sprintf("%s/%dx%d", server.name, load.publishers, load.window), func(b *testing.B) {
				publishAck(b, server.start(b), load.publishers, load.window)
			})
		}
	}
}

func bareMochi(b *testing.B) string {
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	l := listeners.NewTCP(listeners.Config{ID: "t", Address: "127.0.0.1:0"})
	for _, err := range []error{s.AddHook(new(anyone), nil), s.AddListener(l), s.Serve()} {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() { _ = s.Close() })
	return l.Address()
}

// anyone lets everyone do everything.
type anyone struct{ mochi.HookBase }

func (*anyone) Provides(m byte) bool {
	return m == mochi.OnConnectAuthenticate || m == mochi.OnACLCheck
}

func (*anyone) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*anyone) OnACLCheck(*mochi.Client, string, bool) bool { return true }

func embeddedNoop(b *testing.B) string {
	return start(b, broker.Options{Handler: handlerFunc(keep)}).Addr()
}

func publishAck(b *testing.B, addr string, publishers, window int) {
	clients := make([]*brokertest.Client, publishers)
	for i := range clients {
		id := fmt.Sprint("d", i)
		c, err := brokertest.Dial(addr, id, id, brokertest.Password)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		clients[i] = c
	}
	payload := make([]byte, 120)
	var begun atomic.Int64
	more := func() bool { return begun.Add(1) <= int64(b.N) }
	var all sync.WaitGroup
	b.ResetTimer()
	for i, c := range clients {
		all.Go(func() {
			if err := c.Pump(brokertest.Up(fmt.Sprint("d", i)), payload, window, more); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
