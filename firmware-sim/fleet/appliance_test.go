package fleet

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"

	"jiaxin/devices"
)

// pot1 is the address of the appliance that newHouse's appliance plugs in.
var pot1 = devices.Address{Product: "test/pot", Device: "pot1"}

func soon() time.Time { return time.Now().Add(time.Minute) }

// watch makes an appliance tell of its changes; until waits for one after which the state is as wanted.
func watch(changes chan struct{}) func(*Options) {
	return func(o *Options) {
		o.Changed = func() {
			select {
			case changes <- struct{}{}:
			default:
			}
		}
	}
}

func until(t *testing.T, a *Appliance, changes chan struct{}, what string, ok func(Snapshot) bool) {
	t.Helper()
	timeout := time.After(patience)
	for !ok(a.Snapshot()) {
		select {
		case <-changes:
		case <-timeout:
			t.Fatalf("it never came to this: %s; it is %+v", what, a.Snapshot())
		}
	}
}

func TestApplianceIntroducesItself(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, err := NewAppliance(Options{Model: testModel(t, "test/pot"), Registration: registration("test/pot", "pot1"), Broker: h.broker()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop(t.Context())
	a.Plug()
	got := h.sequence(2)
	want := []said{
		{"pot1", devices.UpStatus, `{"online":true}`},
		{"pot1", devices.UpProperty, `{"dish":"","heat":30,"left":0,"phase":"idle","power":false}`},
	}
	if got[0] != want[0] || got[1] != want[1] {
		t.Errorf("it says %v", got)
	}
	if s := a.Snapshot(); !s.Plugged || !s.Connected || !s.Online {
		t.Errorf("it shows %+v", s)
	}
}

func TestApplianceAnswersAndThenReports(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.appliance()
	h.tell(pot1, devices.DownCommand, devices.Command{ID: "c1", Set: map[string]any{"power": true, "heat": 70}, Expires: soon()})
	got := h.sequence(2)
	if got[0] != (said{"pot1", devices.UpReply, `{"id":"c1","code":0}`}) ||
		got[1] != (said{"pot1", devices.UpProperty, `{"heat":70,"power":true}`}) {
		t.Errorf("it says %v", got)
	}
}

func TestApplianceObeysInTheOrderOfItsCommands(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.appliance()
	for i := range 50 {
		h.tell(pot1, devices.DownCommand, devices.Command{ID: "c", Set: map[string]any{"heat": i}, Expires: soon()})
	}
	h.tell(pot1, devices.DownCommand, devices.Command{ID: "last", Do: "stop", Expires: soon()})
	if got := h.next(devices.UpReply).payload; got != `{"id":"c","code":0}` {
		t.Error(got)
	}
	if got := h.next(devices.UpProperty).payload; got != `{"heat":0}` {
		t.Errorf("the first of the same id is not what was done: %s", got)
	}
	for range 49 {
		if got := h.next(devices.UpReply).payload; got != `{"id":"c","code":0}` {
			t.Error(got)
		}
	}
	if got := h.next(devices.UpReply).payload; got != `{"id":"last","code":0}` {
		t.Errorf("the last is answered with %s", got)
	}
}

func TestApplianceRefusesWhatIsLate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.appliance()
	h.tell(pot1, devices.DownCommand, devices.Command{ID: "c1", Set: map[string]any{"power": true}, Expires: time.Now().Add(-time.Second)})
	var r devices.Reply
	if err := json.Unmarshal([]byte(h.next(devices.UpReply).payload), &r); err != nil || r.Code != 3 || r.Message == "" {
		t.Errorf("it replies %+v", r)
	}
}

func TestDeafApplianceDoesNotAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	changes := make(chan struct{}, 1)
	a := h.appliance(watch(changes))
	a.Deaf(true)
	h.tell(pot1, devices.DownCommand, devices.Command{ID: "unheard", Set: map[string]any{"power": true}, Expires: soon()})
	// The gateway's receipt is heard even so, and since messages come in order it proves that the command has been passed over.
	if err := a.Scene("3"); err != nil {
		t.Fatal(err)
	}
	until(t, a, changes, "the event is confirmed", func(s Snapshot) bool { return s.Waiting == 0 })
	a.Deaf(false)
	h.tell(pot1, devices.DownCommand, devices.Command{ID: "heard", Do: "ring", Expires: soon()})
	if got := h.next(devices.UpReply).payload; got != `{"id":"heard","code":0}` {
		t.Errorf("it replies %s", got)
	}
}

func TestSlowApplianceLooksAtTheClockWhenItActs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.appliance()
	a.Slow(50 * time.Millisecond)
	h.tell(pot1, devices.DownCommand, devices.Command{ID: "c1", Do: "ring", Expires: time.Now().Add(20 * time.Millisecond)})
	if got := h.next(devices.UpReply).payload; !strings.Contains(got, `"code":3`) {
		t.Errorf("it replies %s", got)
	}
	h.tell(pot1, devices.DownCommand, devices.Command{ID: "c2", Do: "ring", Expires: soon()})
	if got := h.next(devices.UpReply).payload; got != `{"id":"c2","code":0}` {
		t.Errorf("it replies %s", got)
	}
}

func eventID(t *testing.T, s said) string {
	t.Helper()
	var e devices.EventReport
	if err := json.Unmarshal([]byte(s.payload), &e); err != nil || e.ID == "" || e.At.IsZero() {
		t.Fatalf("not an event: %s", s.payload)
	}
	return e.ID
}

func TestEventIsRepeatedUntilTheGatewayHasIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	changes := make(chan struct{}, 1)
	a := h.appliance(watch(changes), func(o *Options) { o.Retry = 10 * time.Millisecond })
	h.keepEvents(false)
	if err := a.Scene("2"); err != nil {
		t.Fatal(err)
	}
	first := h.next(devices.UpEvent)
	for range 3 {
		if again := h.next(devices.UpEvent); again != first {
			t.Errorf("first %s, then %s", first.payload, again.payload)
		}
	}
	if n := a.Snapshot().Waiting; n != 1 {
		t.Errorf("%d events wait", n)
	}
	h.keepEvents(true)
	until(t, a, changes, "no event waits", func(s Snapshot) bool { return s.Waiting == 0 })
}

func TestEventOutlivesItsConnection(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	changes := make(chan struct{}, 1)
	a := h.appliance(watch(changes), func(o *Options) { o.Retry = time.Hour })
	h.keepEvents(false)
	if err := a.Scene("2"); err != nil {
		t.Fatal(err)
	}
	id := eventID(t, h.next(devices.UpEvent))
	h.keepEvents(true)
	client, ok := h.server.Clients.Get(pot1.ClientID())
	if !ok {
		t.Fatal("it is not connected")
	}
	client.Stop(errors.New("the gateway falls over"))
	if again := eventID(t, h.next(devices.UpEvent)); again != id {
		t.Errorf("first %s, then %s", id, again)
	}
	until(t, a, changes, "no event waits", func(s Snapshot) bool { return s.Waiting == 0 })
}

func TestPowerCutIsToldByTheWill(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.appliance()
	a.Unplug()
	if got := h.next(devices.UpStatus).payload; got != `{"online":false}` {
		t.Errorf("the will says %s", got)
	}
	if s := a.Snapshot(); s.Plugged || s.Connected || s.Online {
		t.Errorf("it shows %+v", s)
	}
	if err := errors.Join(a.Scene("3"), a.PressButton()); !errors.Is(err, ErrUnplugged) {
		t.Errorf("without power: %v", err)
	}
	a.Plug()
	if got := h.next(devices.UpStatus).payload; got != `{"online":true}` {
		t.Errorf("with power again it says %s", got)
	}
	h.next(devices.UpProperty)
}

func TestSwitchingOffIsSaidOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.appliance()
	a.SwitchOff()
	a.Plug()
	for _, want := range []string{`{"online":false}`, `{"online":true}`} {
		if got := h.next(devices.UpStatus).payload; got != want {
			t.Errorf("it says %s, want %s", got, want)
		}
	}
}

func TestBindingKeyCountsUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.appliance()
	type press struct {
		Nonce   string
		Counter int64
	}
	var presses []press
	for range 2 {
		if err := a.PressButton(); err != nil {
			t.Fatal(err)
		}
		var p press
		if err := json.Unmarshal([]byte(h.next(devices.UpButton).payload), &p); err != nil {
			t.Fatal(err)
		}
		presses = append(presses, p)
	}
	if presses[1].Counter <= presses[0].Counter || presses[0].Nonce == presses[1].Nonce || len(presses[0].Nonce) < 16 {
		t.Errorf("pressed twice: %+v", presses)
	}
}

// secondLog is a log that tells once its second line is there.
type secondLog struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines int
	there chan struct{}
}

func (l *secondLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines++; l.lines == 2 {
		close(l.there)
	}
	return l.text.Write(p)
}

func TestWrongPasswordIsTriedAgainAndNeverLogged(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	log := &secondLog{there: make(chan struct{})}
	reg := registration("test/pot", "pot1")
	reg.Password = "not-the-right-one"
	a, err := NewAppliance(Options{
		Model: testModel(t, "test/pot"), Registration: reg, Broker: h.broker(),
		Reconnect: time.Millisecond, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Plug()
	select {
	case <-log.there:
	case <-time.After(patience):
		t.Fatal("it does not try again")
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if text := log.text.String(); strings.Contains(text, reg.Password) || !strings.Contains(text, "not connected") {
		t.Errorf("the log says %s", text)
	}
}

func TestApplianceSpeaksTLS(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(nil) // for its certificate
	defer certified.Close()
	h := newHouse(t)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secured := listeners.NewNet("tls", tls.NewListener(plain, &tls.Config{Certificates: certified.TLS.Certificates}))
	if err := h.server.AddListener(secured); err != nil {
		t.Fatal(err)
	}
	go secured.Serve(h.server.EstablishConnection)
	h.appliance(func(o *Options) {
		o.Broker = "tls://" + plain.Addr().String()
		o.TLS = certified.Client().Transport.(*http.Transport).TLSClientConfig
	})
}

func TestStopEndsInTime(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	a, err := NewAppliance(Options{
		Model: testModel(t, "test/pot"), Registration: registration("test/pot", "pot1"),
		Broker: "tcp://" + silent.Addr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Plug()
	if _, err := silent.Accept(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestBrokerAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"tcp://127.0.0.1:1883":   "127.0.0.1:1883",
		"mqtt://gateway.local":   "gateway.local:1883",
		"tls://gateway.local":    "gateway.local:8883",
		"mqtts://[::1]:8884":     "[::1]:8884",
		"127.0.0.1:1883":         "",
		"http://127.0.0.1:1883":  "",
		"tcp://:1883":            "",
		"tcp://user:pw@host:183": "",
		"":                       "",
	} {
		u, err := parseBroker(address)
		if want == "" && err == nil || want != "" && (err != nil || u.Host != want) {
			t.Errorf("%s: %v, %v", address, u, err)
		}
	}
	if _, err := parseBroker("tcp://user:secret@host"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}
