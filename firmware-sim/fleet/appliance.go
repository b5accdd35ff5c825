// Package fleet plays appliances: each is made of its model and its registration alone, keeps state, connects to an
// MQTT broker with credentials of its own, reports, and obeys. A Home is a set of them with a page to look at them,
// make things happen and pull their plugs.
//
// Promise: an appliance speaks the native dialect exactly as a well-made real one. A command is done at most once,
// never after its time, and answered before its effect is reported. An event is sent again, with the same id, until the
// gateway itself has confirmed it. A lost connection is made again for as long as the plug is in; what changed meanwhile
// is said then. What is not kept: a restarted simulator begins with new appliances, in the state of their model.
package fleet

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"jiaxin/devices"
)

// The errors of a person's handling; test with errors.Is.
var (
	ErrUnknown   = errors.New("没有这个 there is no such thing")
	ErrUnplugged = errors.New("没有插电 it is not plugged in")
	ErrNotOnline = errors.New("没有连上 it is not connected")
)

const (
	online  = `{"online":true}`
	offline = `{"online":false}`
)

// Options say what an appliance is and where it connects. Model, Registration and Broker are needed.
type Options struct {
	Model        *devices.Model
	Registration devices.Registration
	Broker       string      // tcp://host:port, or tls://host:port
	TLS          *tls.Config // nil: the system's certificate authorities

	Speed     float64       // how much faster than life the samples' steps run; 0: 1
	Retry     time.Duration // the first wait before an unconfirmed event is sent again; 0: 10 s, then doubling to 5 min
	Reconnect time.Duration // the first wait before a lost connection is tried again; 0: 1 s, then doubling to 30 s, all ±50 %

	Logger  *slog.Logger     // nil: discard
	Now     func() time.Time // nil: time.Now; must run at the pace of real time
	Rand    io.Reader        // of boot ids and nonces; nil: crypto/rand
	Changed func()           // called after every change that Snapshot shows; must not block; nil: nobody
}

// Appliance is one simulated device. Its methods are safe for concurrent use.
type Appliance struct {
	o      Options
	server *url.URL
	power  sync.Mutex     // held while plugging in or out
	live   sync.WaitGroup // the goroutines of all plugged-in times

	mu      sync.Mutex // guards all below; never held while something is written to the network
	machine *machine
	orders  orders
	events  events
	boot    string
	seq     int
	presses int64              // the button's counter
	link    *link              // nil: not connected
	told    bool               // this connection has heard that we are online
	unplug  context.CancelFunc // nil: it has no power
	powerUp int                // how often it was plugged in
	stopped bool               // for good
	timer   *time.Timer
	deaf    bool
	slow    time.Duration
	waiting int // commands that a slow appliance has not looked at yet
}

// NewAppliance makes an appliance that is not plugged in yet. It fails if the options lack something.
func NewAppliance(o Options) (*Appliance, error) {
	if o.Model == nil {
		return nil, errors.New("an appliance needs a model")
	}
	server, err := parseBroker(o.Broker)
	if err != nil {
		return nil, err
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler)).With("device", o.Registration.Address.String())
	o.Retry = cmp.Or(o.Retry, 10*time.Second)
	o.Reconnect = cmp.Or(o.Reconnect, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = crand.Reader
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	a := &Appliance{o: o, server: server, machine: newMachine(o.Model, o.Speed), events: events{retry: o.Retry}}
	a.machine.freeze(o.Now())
	// The counter must grow from one start to the next, so it begins with the time.
	a.presses = o.Now().Unix()
	a.boot, err = a.nonce()
	return a, err
}

func (a *Appliance) nonce() (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(a.o.Rand, b[:]); err != nil {
		return "", fmt.Errorf("no random bytes: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// Plug gives it power: it connects, and tries again until it can. Plugged in already, or stopped, nothing happens.
func (a *Appliance) Plug() {
	a.power.Lock()
	defer a.power.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unplug != nil || a.stopped {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.unplug = cancel
	a.powerUp++
	a.machine.thaw(a.o.Now())
	a.reschedule()
	a.live.Go(func() { a.stayConnected(ctx) })
	a.o.Changed()
}

// Unplug takes the power away at once: the connection just ends, and the broker publishes the will. Time stands
// still inside until it is plugged in again.
func (a *Appliance) Unplug() { a.powerOff((*link).cut) }

// SwitchOff shuts it down in good order: it says that it is offline and disconnects.
func (a *Appliance) SwitchOff() {
	a.powerOff(func(l *link) { l.leave(a.topic(devices.UpStatus)) })
}

func (a *Appliance) powerOff(end func(*link)) {
	a.power.Lock()
	defer a.power.Unlock()
	a.mu.Lock()
	l, unplug := a.link, a.unplug
	a.link, a.unplug, a.told = nil, nil, false
	a.machine.freeze(a.o.Now())
	a.reschedule()
	a.mu.Unlock()
	if unplug == nil {
		return
	}
	if l != nil {
		end(l)
	}
	unplug()
	a.o.Changed()
}

// Stop shuts it down in good order, for good, and waits until nothing of it runs any more, or ctx ends.
func (a *Appliance) Stop(ctx context.Context) error {
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	a.SwitchOff()
	done := make(chan struct{})
	go func() {
		a.live.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s did not stop in time: %w", a.o.Registration.Address, ctx.Err())
	}
}

// reschedule sets the one timer to the next thing that falls due. a.mu is held.
func (a *Appliance) reschedule() {
	if a.timer != nil {
		a.timer.Stop()
	}
	due := a.machine.next()
	if a.told {
		due = earlier(due, a.events.next())
	}
	if a.unplug == nil || due.IsZero() {
		return
	}
	a.timer = time.AfterFunc(due.Sub(a.o.Now()), a.tick)
}

func (a *Appliance) tick() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unplug == nil {
		return
	}
	outputs := a.machine.advance(a.o.Now())
	a.emit(outputs)
	a.reschedule()
	if len(outputs) > 0 {
		a.o.Changed()
	}
}

func (a *Appliance) topic(sort string) string { return a.o.Registration.Address.Topic(sort) }
