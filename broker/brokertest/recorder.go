package brokertest

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"jiaxin/broker"
)

// Password is every device's in a Fleet.
const Password = "open sesame"

// Up is the topic that a device of a Fleet may publish to, beside its Status.
func Up(id string) string { return "d/" + id + "/up" }

// Down is the topic that a device of a Fleet may subscribe to.
func Down(id string) string { return "d/" + id + "/down" }

// Status is the topic of a Fleet device's presence.
func Status(id string) string { return "d/" + id + "/status" }

// Fleet is an Authenticator: any user name is a device's, and its password is Password.
type Fleet struct{}

// Authenticate implements broker.Authenticator.
func (Fleet) Authenticate(_ context.Context, _, username string, password []byte) (broker.Grant, error) {
	if subtle.ConstantTimeCompare(password, []byte(Password)) != 1 {
		return broker.Grant{}, errors.New("wrong password")
	}
	return broker.Grant{
		ID: username, Publish: []string{Up(username), Status(username)}, Subscribe: []string{Down(username)}, Status: Status(username),
	}, nil
}

// Received is a message, and how to say that it is kept.
type Received struct {
	broker.Message
	Done func(error)
}

// Recorder is a Handler that remembers what it was given.
type Recorder struct {
	keeping bool
	data    chan Received

	mu       sync.Mutex
	presence map[string][]bool
	seen     map[string]int // how many of presence were asked for
	changed  chan struct{}
}

// NewRecorder returns a Handler whose messages wait to be taken by Data, unsettled.
func NewRecorder() *Recorder {
	return &Recorder{
		data: make(chan Received, 4096), presence: map[string][]bool{}, seen: map[string]int{}, changed: make(chan struct{}),
	}
}

// Keeping makes it keep everything at once and remember presence only.
func (r *Recorder) Keeping() *Recorder {
	r.keeping = true
	return r
}

// Handle implements broker.Handler.
func (r *Recorder) Handle(m broker.Message, done func(error)) {
	if m.Topic == Status(m.Client) {
		r.note(m)
		done(nil)
		return
	}
	if r.keeping {
		done(nil)
		return
	}
	r.data <- Received{m, done}
}

func (r *Recorder) note(m broker.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.presence[m.Client] = append(r.presence[m.Client], string(m.Payload) == `{"online":true}`)
	close(r.changed)
	r.changed = make(chan struct{})
}

// Data waits for the next message that is not presence.
func (r *Recorder) Data(t *testing.T) Received {
	t.Helper()
	select {
	case m := <-r.data:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("the message did not arrive in 10 s")
		return Received{}
	}
}

// Presence waits for the next reports about the client, which must be these.
func (r *Recorder) Presence(t *testing.T, client string, want ...bool) {
	t.Helper()
	var got []bool
	r.wait(t, func() bool {
		all := r.presence[client][r.seen[client]:]
		got = slices.Clone(all[:min(len(all), len(want))])
		return len(got) == len(want)
	})
	if !slices.Equal(got, want) {
		t.Fatalf("%s was reported online %v, want %v", client, got, want)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[client] += len(want)
}

// PresenceSoFar are all reports about the client.
func (r *Recorder) PresenceSoFar(client string) []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.presence[client])
}

// WaitOffline waits until the latest report about the client says that it is gone.
func (r *Recorder) WaitOffline(t *testing.T, client string) {
	t.Helper()
	r.wait(t, func() bool {
		all := r.presence[client]
		return len(all) > 0 && !all[len(all)-1]
	})
}

// wait waits until ok, which is called with the lock held.
func (r *Recorder) wait(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		r.mu.Lock()
		good, changed := ok(), r.changed
		r.mu.Unlock()
		if good {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatal("the presence that was waited for was not reported in 10 s")
		}
	}
}
