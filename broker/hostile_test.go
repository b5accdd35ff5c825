package broker_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jiaxin/broker"
	"jiaxin/broker/brokertest"
)

func TestAStrangerWhoFallsSilentIsShownOutAtTheDeadline(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"nothing": "", "one byte": "\x10", "half a header": "\x10\xff", "half a CONNECT": "\x10\x20\x00\x04MQTT\x04",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, broker.Options{Handler: handlerFunc(keep), FirstPacket: 100 * time.Millisecond})
			began := time.Now()
			closed(t, stranger(t, b, says))
			if d := time.Since(began); d < 90*time.Millisecond {
				t.Errorf("closed after %v already: not by the deadline", d)
			}
			eventually(t, "the refusal is counted", func() bool { return metric(t, b, "refused_total", "first_packet") == 1 })
		})
	}
}

func TestAStrangerWhoDoesNotBeginWithAConnectIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Handler: handlerFunc(keep), FirstPacket: time.Hour})
	for name, says := range map[string]string{
		"a web browser": "GET / HTTP/1.1\r\n\r\n", "TLS": "\x16\x03\x01\x02\x00\x01", "a PUBLISH": "\x30\x05\x00\x01ahi", "a PINGREQ": "\xc0\x00",
		"a CONNECT with flags": "\x1f\x10", "a CONNECT of 5 KiB": "\x10\x80\x28", "a CONNECT of 256 MiB": "\x10\xff\xff\xff\x7f",
	} {
		t.Run(name, func(t *testing.T) { closed(t, stranger(t, b, says)) })
	}
}

// Not parallel: it measures the memory of the whole process.
func TestPacketsThatClaimToBeHugeTakeNoMemory(t *testing.T) {
	b := start(t, broker.Options{Handler: handlerFunc(keep)})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 20 {
		closed(t, stranger(t, b, "\x10\xff\xff\xff\x7f"))
		c := device(t, b, fmt.Sprint("d", i))
		if err := c.Send([]byte("\x32\xff\xff\xff\x7f")); err != nil {
			t.Fatal(err)
		}
		if err := c.WaitClosed(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 8 {
		t.Errorf("40 claims of 256 MiB had %d MiB allocated", mib)
	}
}

// Not parallel: it measures the memory of the whole process.
func TestASilentSocketCostsAtMostEightKiB(t *testing.T) {
	b := start(t, broker.Options{Handler: handlerFunc(keep), FirstPacket: time.Minute, MaxPendingPerAddress: -1})
	const n = 1000
	conns := make([]net.Conn, 0, n)
	before := inUse()
	for range n {
		conns = append(conns, stranger(t, b, "\x10"))
	}
	eventually(t, "all are being served", func() bool { return metric(t, b, "connections", "") == n })
	served := inUse() - before
	// The other ends of the sockets live in this process, too; they are measured as the same number of idle pairs.
	ours := clientSide(t, n)
	perSocket := (served - ours) / n
	t.Logf("%d silent sockets: %d B each (heap and stacks; with the test's own ends %d B)", n, perSocket, served/n)
	if perSocket > 8<<10 {
		t.Errorf("a silent socket costs %d B", perSocket)
	}
	for _, c := range conns {
		_ = c.Close()
	}
}

// inUse is what the process uses in heap and stacks.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// clientSide is what n client ends of sockets cost; their server ends stay in the kernel's queue or cost the same.
func clientSide(t *testing.T, n int) int64 {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conns := make([]net.Conn, 0, n)
	before := inUse()
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	used := inUse() - before
	for _, c := range conns {
		_ = c.Close()
	}
	return used
}

func TestAPacketThatPanicsTheDecoderEndsOnlyItsOwnConnection(t *testing.T) {
	t.Parallel()
	h := brokertest.NewRecorder().Keeping()
	b := start(t, broker.Options{Handler: h})
	bystander := device(t, b, "bystander")
	for i := range 10 {
		c := dial(t, b, brokertest.Connect{ID: "crasher", Version: 5})
		if err := c.Send([]byte{0x82, 6, 0, 1, 0, 0, 1, 'a'}); err != nil { // a SUBSCRIBE whose options byte is missing
			t.Fatal(err)
		}
		if err := c.WaitClosed(); err != nil {
			t.Fatal(err)
		}
		h.Presence(t, "crasher", true, false)
		if got := metric(t, b, "panics_total", ""); got != float64(i+1) {
			t.Fatalf("%v panics were counted, want %d", got, i+1)
		}
	}
	acked(t, bystander, "bystander")
}

func TestAHandlerThatPanicsLosesNothing(t *testing.T) {
	t.Parallel()
	var once sync.Once
	b := start(t, broker.Options{Handler: handlerFunc(func(m broker.Message, done func(error)) {
		if m.Topic == brokertest.Up("ac") {
			once.Do(func() { panic("a bug") })
		}
		done(nil)
	})})
	c := device(t, b, "ac")
	if err := c.PublishAcked(brokertest.Up("ac"), nil); err == nil {
		t.Fatal("acknowledged what the handler did not keep")
	}
	acked(t, device(t, b, "ac"), "ac")
	if got := metric(t, b, "queued_bytes", ""); got != 0 {
		t.Errorf("%v bytes are still counted as queued", got)
	}
}

func TestGarbageEndsOnlyItsOwnConnection(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Handler: handlerFunc(keep), FirstPacket: time.Second})
	bystander := device(t, b, "bystander")
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		junk := make([]byte, 1+rnd.IntN(200))
		for k := range junk {
			junk[k] = byte(rnd.Uint32())
		}
		if i%2 == 0 {
			_ = stranger(t, b, string(junk)).Close()
			continue
		}
		c := dial(t, b, brokertest.Connect{ID: fmt.Sprint("g", i), Version: byte(4 + i/2%2)})
		_ = c.Send(junk) // the broker may have closed already
		_ = c.Close()
	}
	acked(t, bystander, "bystander")
	eventually(t, "only the bystander is left", func() bool { return metric(t, b, "connections", "") == 1 })
	acked(t, bystander, "bystander")
}

func TestADeviceThatDoesNotReadDelaysNobody(t *testing.T) {
	t.Parallel()
	h := brokertest.NewRecorder().Keeping()
	b := start(t, broker.Options{Handler: h, WriteDeadline: 200 * time.Millisecond})
	deaf, other := device(t, b, "deaf"), device(t, b, "other")
	if _, err := deaf.Subscribe(brokertest.Down("deaf")); err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 32<<10)
	worst := time.Duration(0)
	for sent := 0; ; sent++ {
		began := time.Now()
		err := b.Publish(t.Context(), "deaf", brokertest.Down("deaf"), big)
		acked(t, other, "other")
		worst = max(worst, time.Since(began))
		if errors.Is(err, broker.ErrOffline) {
			t.Logf("cut off after %d MiB; the slowest publish and acknowledgement beside it took %v", sent>>5, worst)
			break
		}
		if err != nil || sent > 10_000 {
			t.Fatalf("after %d messages: %v", sent, err)
		}
	}
	h.Presence(t, "deaf", true, false)
	if worst > 2*time.Second {
		t.Errorf("another device was delayed for %v", worst)
	}
}

func TestADeviceMayNotRetainNorUseQoS2NorSpeakAsTheBroker(t *testing.T) {
	t.Parallel()
	both := grants{broker.Grant{ID: "ac", Publish: []string{"t"}, Subscribe: []string{"t"}}}
	for _, version := range []byte{4, 5} {
		b := start(t, broker.Options{Handler: handlerFunc(keep), Authenticator: both})
		send := func(topic string, flags byte) *brokertest.Client {
			c := dial(t, b, brokertest.Connect{ID: "ac", Version: version})
			if err := errors.Join(c.PublishAs(topic, []byte("x"), flags, 7), c.Flush()); err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := send("t", 1|2)
		if id, code, err := c.WaitAck(); err != nil || id != 7 || code != 0 {
			t.Errorf("a retained publish is to be taken as any other: id %d, code %#x, error %v", id, code, err)
		}
		if _, err := c.Subscribe("t"); err != nil {
			t.Fatal(err)
		}
		if err := c.Ping(); err != nil {
			t.Errorf("something was retained: %v", err)
		}
		expelled(t, send("t", 4), version, 0x9b)
		expelled(t, send("$SYS/broker/uptime", 2), version, 0x90)
		expelled(t, send("$share/g/t", 2), version, 0x90)
		expelled(t, send("+", 2), version, 0x82)
		for reason, want := range map[string]float64{"retain": 1, "qos2": 1, "topic": 2, "malformed": 1} {
			eventually(t, reason+" is counted", func() bool { return metric(t, b, "refused_total", reason) == want })
		}
	}
}

// expelled waits for the connection to end, under MQTT 5 with a DISCONNECT that says why.
func expelled(t *testing.T, c *brokertest.Client, version, code byte) {
	t.Helper()
	p, err := c.Next()
	if version == 5 && (err != nil || p.Type != brokertest.Disconnect || p.Body[0] != code) {
		t.Errorf("got %+v, %v, want DISCONNECT with %#x", p, err, code)
	}
	if version != 5 && err == nil {
		t.Errorf("got a packet of type %d", p.Type)
	}
	if err := c.WaitClosed(); err != nil {
		t.Error(err)
	}
}

// grants gives everyone the same Grant.
type grants struct{ broker.Grant }

func TestALogNeverHasAPasswordOrAPayload(t *testing.T) {
	t.Parallel()
	var log logged
	b := start(t, broker.Options{
		Handler: handlerFunc(func(m broker.Message, done func(error)) {
			if m.QoS == 1 {
				done(errors.New("the disk is full"))
			}
		}),
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	secret, payload := "hunter2", "nobody is home"
	_, err := brokertest.Dial(b.Addr(), "ac", "ac", secret)
	if err == nil {
		t.Fatal("connected")
	}
	twice := device(t, b, "twice")
	_ = twice.Send(brokertest.ConnectPacket(brokertest.Connect{ID: "twice", Username: "twice", Password: secret}))
	for _, topic := range []string{brokertest.Up("ac"), "d/foreign", "$SYS/x", "bad/+"} {
		c := device(t, b, "ac")
		_, _ = c.Publish(topic, []byte(payload), 1)
		if topic != "d/foreign" {
			_ = c.WaitClosed()
		}
	}
	_ = twice.WaitClosed()
	eventually(t, "the refusals are logged", func() bool { return strings.Contains(log.String(), "disk is full") })
	for _, word := range []string{secret, payload, brokertest.Password} {
		asNumbers := strings.Trim(fmt.Sprint([]byte(word)), "[]")
		if strings.Contains(log.String(), word) || strings.Contains(log.String(), asNumbers) {
			t.Errorf("the log has %q:\n%s", word, log.String())
		}
	}
	if !strings.Contains(log.String(), `client=ac`) || !strings.Contains(log.String(), "topic=d/foreign") {
		t.Errorf("the log does not say who did what:\n%s", log.String())
	}
}

// starved is a listener of a process that has no file descriptors left for a while.
type starved struct {
	net.Listener
	mu    sync.Mutex
	fails int
}

func (s *starved) Accept() (net.Conn, error) {
	s.mu.Lock()
	failing := s.fails > 0
	s.fails--
	s.mu.Unlock()
	if failing {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestAcceptingGoesOnAfterTheFileDescriptorsRanOut(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b := start(t, broker.Options{Handler: handlerFunc(keep), Listener: &starved{Listener: l, fails: 5}})
	acked(t, device(t, b, "ac"), "ac")
	if d := time.Since(began); d < 155*time.Millisecond { // 5 + 10 + 20 + 40 + 80 ms
		t.Errorf("after %v already: it does not back off", d)
	}
}

func TestADeadDeviceIsNoticedByItsKeepalive(t *testing.T) {
	t.Parallel()
	h := brokertest.NewRecorder().Keeping()
	b := start(t, broker.Options{Handler: h, KeepaliveMin: time.Second, KeepaliveMax: 2 * time.Second})
	for id, keepalive := range map[string]uint16{"asked for one second": 1, "asked for a day": 43691, "asked for none": 0} {
		dial(t, b, brokertest.Connect{ID: id, Keepalive: keepalive})
		defer h.Presence(t, id, true, false)
	}
}
