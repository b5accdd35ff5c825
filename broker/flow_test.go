package broker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"jiaxin/broker"
	"jiaxin/broker/brokertest"
)

// Authenticate implements broker.Authenticator.
func (g grants) Authenticate(context.Context, string, string, []byte) (broker.Grant, error) {
	return g.Grant, nil
}

// backlog is a Handler that settles only when told, and knows how much it held at most.
type backlog struct {
	mu    sync.Mutex
	dones []func(error)
	most  int
	total int
}

func (b *backlog) Handle(m broker.Message, done func(error)) {
	if m.Topic == brokertest.Status(m.Client) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dones = append(b.dones, done)
	b.total++
	b.most = max(b.most, len(b.dones))
}

// settle keeps the oldest message and returns whether there was one.
func (b *backlog) settle() bool {
	b.mu.Lock()
	if len(b.dones) == 0 {
		b.mu.Unlock()
		return false
	}
	done := b.dones[0]
	b.dones = b.dones[1:]
	b.mu.Unlock()
	done(nil)
	return true
}

func (b *backlog) held() (now, most, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.dones), b.most, b.total
}

func TestADeviceWaitsWhenItsWindowIsFull(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o        broker.Options
		clients  int
		payload  int
		atMost   int
		sendEach int
	}{
		"by count":                {broker.Options{Window: 4}, 1, 10, 4, 50},
		"by bytes":                {broker.Options{WindowBytes: 10_000}, 1, 2000, 4, 50},
		"by the bytes of all":     {broker.Options{QueueBytes: 70_000}, 7, 4000, 16, 30},
		"one larger than allowed": {broker.Options{WindowBytes: 100}, 1, 2000, 1, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &backlog{}
			c.o.Handler = h
			b := start(t, c.o)
			var senders sync.WaitGroup
			for i := range c.clients {
				id := fmt.Sprint("d", i)
				cl := device(t, b, id)
				senders.Go(func() { send(t, cl, id, c.payload, c.sendEach) })
			}
			eventually(t, "the window fills", func() bool { now, _, _ := h.held(); return now == c.atMost })
			all := c.clients * c.sendEach
			eventually(t, "everything arrives", func() bool { h.settle(); now, _, total := h.held(); return now == 0 && total == all })
			senders.Wait()
			if _, most, _ := h.held(); most != c.atMost {
				t.Errorf("the handler held %d at once, want %d", most, c.atMost)
			}
		})
	}
}

// send publishes n messages without waiting, and then waits for their acknowledgements, in order.
func send(t *testing.T, c *brokertest.Client, id string, size, n int) {
	for range n {
		if _, err := c.Queue(brokertest.Up(id), make([]byte, size), 1); err != nil {
			t.Error(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Error(err)
	}
	for i := range n {
		if got, _, err := c.WaitAck(); err != nil || int(got) != i+1 {
			t.Errorf("acknowledgement %d: id %d, error %v", i+1, got, err)
			return
		}
	}
}

func TestAConnectionThatWaitsForItsWindowCanStillBeTakenOver(t *testing.T) {
	t.Parallel()
	h := &backlog{}
	b := start(t, broker.Options{Handler: h, Window: 2, QueueBytes: 70_000})
	stuck := device(t, b, "ac")
	for range 3 {
		if _, err := stuck.Publish(brokertest.Up("ac"), make([]byte, 20_000), 1); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the window fills", func() bool { now, _, _ := h.held(); return now == 2 })
	next := device(t, b, "ac")
	for h.settle() {
	}
	// What the third took of the common queue has been given back, or this one would not fit.
	if _, err := next.Publish(brokertest.Up("ac"), make([]byte, 60_000), 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next connection's publish arrives", h.settle)
	if _, _, err := next.WaitAck(); err != nil {
		t.Fatal(err)
	}
}

// The first connection's reader is still inside the Handler when the second connection comes.
func TestATakeoverCannotOvertakeWhatTheFirstConnectionSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var order []string
	entered, release := make(chan bool, 1), make(chan bool)
	b := start(t, broker.Options{Handler: handlerFunc(func(m broker.Message, done func(error)) {
		if string(m.Payload) == "first" {
			entered <- true
			<-release
		}
		mu.Lock()
		defer mu.Unlock()
		if m.Client == "ac" && m.QoS == 1 {
			order = append(order, string(m.Payload))
		}
		done(nil)
	})})
	for range 20 {
		first := dial(t, b, brokertest.Connect{ID: "ac", Version: 5})
		if _, err := first.Publish(brokertest.Up("ac"), []byte("first"), 1); err != nil {
			t.Fatal(err)
		}
		<-entered
		second := make(chan error)
		go func() {
			c, err := brokertest.Dial(b.Addr(), "ac", "ac", brokertest.Password)
			if err == nil {
				err = c.PublishAcked(brokertest.Up("ac"), []byte("second"))
			}
			second <- err
		}()
		if p, err := first.NextOf(brokertest.Disconnect); err != nil || p.Body[0] != 0x8e {
			t.Fatalf("%+v %v", p, err)
		}
		for i := range 5 { // time enough for the second to overtake, if it could
			acked(t, device(t, b, fmt.Sprint("other", i)), fmt.Sprint("other", i))
		}
		release <- true
		if err := <-second; err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for i, payload := range order {
		if want := [2]string{"first", "second"}[i%2]; payload != want {
			t.Fatalf("message %d is %q, want %q: %v", i, payload, want, order)
		}
	}
}

func TestStopWaitsForWhatWasReceived(t *testing.T) {
	t.Parallel()
	for _, version := range []byte{4, 5} {
		h := brokertest.NewRecorder()
		b := start(t, broker.Options{Handler: h})
		c := dial(t, b, brokertest.Connect{ID: "ac", Version: version})
		quiet := stranger(t, b, "")
		if _, err := c.Publish(brokertest.Up("ac"), nil, 1); err != nil {
			t.Fatal(err)
		}
		m := h.Data(t)
		stopped := make(chan error)
		go func() { stopped <- b.Stop(context.Background()) }()
		closed(t, quiet) // so Stop has begun
		m.Done(nil)
		if id, _, err := c.WaitAck(); err != nil || id != 1 {
			t.Errorf("id %d, error %v", id, err)
		}
		expelled(t, c, version, 0x8b)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if got := h.PresenceSoFar("ac"); len(got) != 1 {
			t.Errorf("presence %v: the broker's own stop is not a device's absence", got)
		}
		if _, err := brokertest.Dial(b.Addr(), "ac", "ac", brokertest.Password); err == nil {
			t.Error("accepted after Stop")
		}
	}
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	h := brokertest.NewRecorder()
	b := start(t, broker.Options{Handler: h})
	c := device(t, b, "ac")
	if _, err := c.Publish(brokertest.Up("ac"), nil, 1); err != nil {
		t.Fatal(err)
	}
	m := h.Data(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := c.WaitClosed(); err != nil {
		t.Error(err)
	}
	m.Done(nil) // too late, and harmless
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMQTT5ClientsAreToldWhatIsOnOffer(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Handler: handlerFunc(keep)})
	conn := stranger(t, b, string(brokertest.ConnectPacket(brokertest.Connect{
		ID: "ac", Username: "ac", Password: brokertest.Password, Version: 5, Keepalive: 5, Persist: true,
	})))
	p, err := brokertest.NewClient(conn, brokertest.Connect{Version: 5}).NextOf(brokertest.Connack)
	if err != nil || p.Body[0] != 0 || p.Body[1] != 0 {
		t.Fatalf("%+v %v", p, err)
	}
	forever := stranger(t, b, string(brokertest.ConnectPacket(brokertest.Connect{
		ID: "forever", Username: "forever", Password: brokertest.Password, Version: 5,
	})))
	q, err := brokertest.NewClient(forever, brokertest.Connect{Version: 5}).NextOf(brokertest.Connack)
	if err != nil || !bytes.Contains(q.Body, []byte{0x13, 900 >> 8, 900 & 0xff}) {
		t.Errorf("%+v %v: a client without keep-alive is to be given 900 s", q, err)
	}
	for what, property := range map[string][]byte{
		"session expiry 0": {0x11, 0, 0, 0, 0}, "receive maximum 256": {0x21, 1, 0}, "maximum QoS 1": {0x24, 1}, "no retain": {0x25, 0},
		"maximum packet 64 KiB": binary.BigEndian.AppendUint32([]byte{0x27}, 65536), "no wildcards": {0x28, 0},
		"no subscription ids": {0x29, 0}, "no shared subscriptions": {0x2a, 0}, "keep-alive 30": {0x13, 0, 30},
	} {
		if !bytes.Contains(p.Body, property) {
			t.Errorf("CONNACK % x does not say: %s", p.Body, what)
		}
	}
}

func TestPublishRefusesWhatTheDeviceCannotTake(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Handler: handlerFunc(keep)})
	c := device(t, b, "ac")
	if _, err := c.Subscribe(brokertest.Down("ac")); err != nil {
		t.Fatal(err)
	}
	err := b.Publish(t.Context(), "ac", brokertest.Down("ac"), make([]byte, 64<<10))
	if err == nil || errors.Is(err, broker.ErrOffline) {
		t.Errorf("got %v", err)
	}
	if err := c.Ping(); err != nil {
		t.Errorf("the connection suffered: %v", err)
	}
}

func TestOptionsThatCannotWorkAreNamed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*broker.Options){
		"no handler":          func(o *broker.Options) { o.Handler = nil },
		"no authenticator":    func(o *broker.Options) { o.Authenticator = nil },
		"keep-alive reversed": func(o *broker.Options) { o.KeepaliveMin, o.KeepaliveMax = time.Minute, time.Second },
		"keep-alive overflow": func(o *broker.Options) { o.KeepaliveMax = 13 * time.Hour },
		"negative window":     func(o *broker.Options) { o.Window = -1 },
		"queue below packet":  func(o *broker.Options) { o.QueueBytes = 1000 },
		"no connections":      func(o *broker.Options) { o.MaxConnections = -1 },
	} {
		o := broker.Options{Handler: handlerFunc(keep), Authenticator: brokertest.Fleet{}}
		change(&o)
		if _, err := broker.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAnAddressInUseIsSaidPlainly(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Handler: handlerFunc(keep)})
	second, err := broker.New(broker.Options{Listen: b.Addr(), Handler: handlerFunc(keep), Authenticator: brokertest.Fleet{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err == nil || !bytes.Contains([]byte(err.Error()), []byte(b.Addr())) {
		t.Errorf("got %v", err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnOrdinaryClientLibraryWorks(t *testing.T) {
	t.Parallel()
	h := brokertest.NewRecorder()
	b := start(t, broker.Options{Handler: h})
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://"+b.Addr()).SetClientID("ac").SetUsername("ac").
		SetPassword(brokertest.Password).SetWill(brokertest.Status("ac"), `{"online":false}`, 1, false))
	finish := func(token paho.Token) {
		t.Helper()
		if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatalf("not done in 10 s, or failed: %v", token.Error())
		}
	}
	finish(c.Connect())
	commands := make(chan string, 1)
	finish(c.Subscribe(brokertest.Down("ac"), 1, func(_ paho.Client, m paho.Message) { commands <- string(m.Payload()) }))
	event := c.Publish(brokertest.Up("ac"), 1, false, "it leaks")
	m := h.Data(t)
	if event.WaitTimeout(0) {
		t.Error("complete before the event was kept")
	}
	m.Done(nil)
	finish(event)
	if err := b.Publish(t.Context(), "ac", brokertest.Down("ac"), []byte("shut the valve")); err != nil {
		t.Fatal(err)
	}
	if got := <-commands; got != "shut the valve" {
		t.Errorf("got %q", got)
	}
	c.Disconnect(0)
	h.Presence(t, "ac", true, false)
}
