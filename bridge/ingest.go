package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/broker"
	"jiaxin/devices"
)

// Handle implements broker.Handler: it takes what a device published to the household that owns it, and calls done
// once it is committed. What cannot be decoded is set aside, counted and acknowledged, because the device would send
// the same again for ever.
func (b *Bridge) Handle(m broker.Message, done func(error)) {
	a, sort, err := devices.ParseTopic(m.Topic)
	if err == nil && a.ClientID() != m.Client {
		err = errors.New("the topic is another device's")
	}
	if err != nil {
		b.setAside(m, "topic", err, done)
		return
	}
	b.metrics.messages.WithLabelValues(sort).Inc()
	model, ok := b.World.Models.Model(a.Product)
	if !ok {
		b.setAside(m, "model", fmt.Errorf("no model %q", a.Product), done)
		return
	}
	b.take(uplink{Message: m, address: a, sort: sort, model: model}, done)
}

// uplink is a message whose topic is understood.
type uplink struct {
	broker.Message
	address devices.Address
	sort    string
	model   *devices.Model
}

func (b *Bridge) take(m uplink, done func(error)) {
	in, receipt, err := decode(m)
	if err != nil {
		if receipt != "" {
			b.receipt(m.address, devices.Reply{ID: receipt, Code: 2, Message: err.Error()})
		}
		b.setAside(m.Message, m.sort, err, done)
		return
	}
	var d struct { // of deviceDoc, because this is read for every message
		Household string `json:"household"`
	}
	_, err = b.get(b.ctx, deviceLane(m.address.ClientID()), &d)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		done(err)
		return
	}
	acknowledge := done
	if receipt != "" {
		acknowledge = func(err error) {
			done(err)
			if err == nil {
				b.receipt(m.address, devices.Reply{ID: receipt})
			}
		}
	}
	b.route(m, d.Household, in, acknowledge)
}

// route gives the input to the household that owns the device. Of a free device only its button matters; what it
// reports is remembered in memory, so that the home which claims it knows its state.
func (b *Bridge) route(m uplink, household string, in home.Input, done func(error)) {
	address := m.address.ClientID()
	switch {
	case m.sort == devices.UpButton:
		go b.pressed(m, done)
	case household != "":
		b.shadow.owned(address, in)
		b.submit(household, job{in: in, volatile: m.QoS == 0 && m.sort == devices.UpProperty, done: done})
	default:
		b.shadow.note(address, in)
		done(nil)
	}
}

// decode turns a message into a household's input; receipt is the id of an event, which gets an answer of its own.
func decode(m uplink) (in home.Input, receipt string, err error) {
	address := m.address.ClientID()
	switch m.sort {
	case devices.UpProperty:
		v, err := devices.DecodeProperties(m.model, m.Payload)
		return home.Properties{Device: address, Values: v}, "", err
	case devices.UpEvent:
		e, err := devices.DecodeEvent(m.model, m.Payload)
		if err != nil {
			e.ID = idOf(m.Payload)
		}
		return home.Happened{Device: address, Report: e}, e.ID, err
	case devices.UpReply:
		r, err := devices.DecodeReply(m.Payload)
		return home.Replied{Device: address, Reply: r}, "", err
	case devices.UpStatus:
		s, err := devices.DecodeStatus(m.Payload)
		return home.Presence{Device: address, Online: s.Online}, "", err
	case devices.UpButton:
		return nil, "", nil
	}
	return nil, "", fmt.Errorf("nothing is taken on %q", m.sort)
}

// idOf is the id of an event that could not be decoded otherwise, so that its device learns not to send it again; "" if it
// has none.
func idOf(payload []byte) string {
	var e struct {
		ID string `json:"id"`
	}
	if len(payload) > devices.MaxPayload || json.Unmarshal(payload, &e) != nil || len(e.ID) > 64 {
		return ""
	}
	return e.ID
}

// receipt tells a device that its event is kept, or why it never will be. It may get lost: the device asks again.
func (b *Bridge) receipt(a devices.Address, r devices.Reply) {
	payload, err := json.Marshal(r)
	if err == nil {
		err = b.Publisher.Publish(b.ctx, a.ClientID(), a.Topic(devices.DownReply), payload)
	}
	if err != nil && !errors.Is(err, broker.ErrOffline) {
		b.Logger.Warn("event receipt not sent", "device", a.ClientID(), "error", err)
	}
}

// pressed notes a press of a device's button. A household that waits for it hears at once. The counter must rise, so
// that a recorded press is worth nothing.
func (b *Bridge) pressed(m uplink, done func(error)) {
	press, err := devices.DecodeButton(m.Payload)
	if err != nil {
		b.setAside(m.Message, m.sort, err, done)
		return
	}
	waiting, now := "", b.Now()
	err = b.change(b.ctx, m.address.ClientID(), func(d *deviceDoc) (risen bool) {
		waiting, risen = d.press(press.Counter, now)
		return risen
	})
	if err == nil && waiting != "" {
		err = b.step(b.ctx, waiting, home.Pressed{Device: m.address.ClientID()})
	}
	done(err)
}

// press notes a press of the button, if its counter has risen, and names the household that waits for it. The press of a
// device that has a home opens nothing.
func (d *deviceDoc) press(counter uint64, now time.Time) (waiting string, risen bool) {
	if counter <= d.Counter {
		return "", false
	}
	d.Counter = counter
	if d.Household != "" {
		return "", true
	}
	if now.Before(d.Contested) { // whose finger it was, nobody can tell
		return "", true
	}
	d.Pressed = now
	if now.Before(d.Until) {
		waiting = d.Waiting
	}
	return waiting, true
}

// The bounds of what is set aside for each device.
const (
	oddKept  = 16
	oddBytes = 4096
	oddFor   = 7 * 24 * time.Hour
	oddSaid  = 10 * time.Second // between two lines in the log of one class
)

// counter spreads set-aside messages over the places that a device has, and keeps them from filling the log.
type counter struct {
	n     atomic.Uint64
	quiet sync.Map // class → *rate.Sometimes
}

// say logs now and then: a device can send nonsense as fast as its line carries it.
func (c *counter) say(class string, line func()) {
	quiet, ok := c.quiet.Load(class)
	if !ok {
		quiet, _ = c.quiet.LoadOrStore(class, &rate.Sometimes{Interval: oddSaid})
	}
	quiet.(*rate.Sometimes).Do(line)
}

// oddDoc is a message that could not be understood, kept for the maker.
type oddDoc struct {
	At      time.Time `json:"at"`
	Topic   string    `json:"topic"`
	Reason  string    `json:"reason"`
	Payload []byte    `json:"payload"`
}

// setAside keeps a message that is not understood. Its class is what is wrong with it, roughly: one of a few, never a
// device's own word. Each class has a line in the log at most every ten seconds; the metric counts them all.
func (b *Bridge) setAside(m broker.Message, class string, reason error, done func(error)) {
	b.metrics.odd.Inc()
	b.odd.say(class, func() {
		b.Logger.Warn("message set aside; more of this class are only counted for a while", "class", class, "device", m.Client, "reason", reason)
	})
	data, err := json.Marshal(oddDoc{At: b.Now(), Topic: m.Topic, Reason: reason.Error(), Payload: m.Payload[:min(len(m.Payload), oddBytes)]})
	if err != nil {
		done(err)
		return
	}
	go func() {
		key := fmt.Sprintf("odd/%02d", b.odd.n.Add(1)%oddKept)
		_, err := b.Store.Commit(b.ctx, "odd/"+m.Client, store.Write{Key: key, Expect: store.AnyRev, Data: data, TTL: oddFor})
		done(err)
	}()
}

// shadow is what free devices have reported since they connected, and which devices are online.
type shadow struct {
	mu sync.Mutex
	of map[string]shade
}

type shade struct {
	props  map[string]any
	online bool
}

func (s *shadow) note(address string, in home.Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.of[address]
	switch in := in.(type) {
	case home.Presence:
		d.online = in.Online
	case home.Properties:
		props := maps.Clone(d.props)
		if props == nil {
			props = map[string]any{}
		}
		maps.Copy(props, in.Values)
		d.props = props
	default:
		return
	}
	s.keep(address, d)
}

// owned notes the presence of a device that belongs to a home, which itself keeps what it reports: after a release the
// next home learns nothing of that.
func (s *shadow) owned(address string, in home.Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.of[address]
	if p, ok := in.(home.Presence); ok {
		d.online = p.Online
	}
	d.props = nil
	s.keep(address, d)
}

func (s *shadow) keep(address string, d shade) {
	if s.of == nil {
		s.of = map[string]shade{}
	}
	s.of[address] = d
	if !d.online && len(d.props) == 0 {
		delete(s.of, address)
	}
}

func (s *shadow) get(address string) (map[string]any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.of[address]
	return maps.Clone(d.props), d.online
}

var (
	_ broker.Handler       = (*Bridge)(nil)
	_ broker.Authenticator = (*Bridge)(nil)
)

// Ready says whether the gateway can keep what it is sent.
func (b *Bridge) Ready(ctx context.Context) error {
	_, err := b.Store.Scan(ctx, "dev/", store.Doc{}, 1)
	return err
}
