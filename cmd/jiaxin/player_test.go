package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/rogpeppe/go-internal/testscript"

	"jiaxin/devices"
)

// player is an appliance that the story plays itself, with an ordinary MQTT client.
type player struct {
	client  paho.Client
	address devices.Address
	told    chan devices.Command
	kept    chan devices.Reply
	lost    chan error
	last    devices.Command
	acked   int // events of the storm that were acknowledged
}

// mqttWord plays an appliance:
//
//	mqtt connect DEVICE [password=…]   as devices.csv says; [!] it is turned away
//	mqtt publish SORT JSON             to d/…/SORT at QoS 1, and wait for the PUBACK; [!] the connection ends instead
//	mqtt publish d/… JSON              to any topic
//	mqtt bytes SORT N                  N bytes that are no JSON
//	mqtt kept ID CODE                  the gateway's own receipt of an event
//	mqtt command K=V…                  the next command sets this
//	mqtt reply CODE [MESSAGE]          answer it
//	mqtt storm SIGNAL                  publish events as fast as it goes, and end the gateway in the middle of them
//	mqtt survived WHO                  what WHO's stopped gateway knows of the storm
//	mqtt untold                        no command has come
//	mqtt leave
func mqttWord(w *world, _ *testscript.TestScript, neg bool, args []string) error {
	if err := want(args, 1, "mqtt connect|publish|bytes|kept|command|reply|leave …"); err != nil {
		return err
	}
	switch {
	case args[0] == "connect":
		return w.connect(neg, args[1:])
	case w.mqtt == nil:
		return errors.New("mqtt connect comes first")
	case args[0] == "publish":
		return w.mqtt.publish(neg, args[1], []byte(args[2]))
	case args[0] == "bytes":
		n, err := strconv.Atoi(args[2])
		return errors.Join(err, w.mqtt.publish(neg, args[1], []byte(strings.Repeat("\xff", n))))
	case args[0] == "kept":
		return w.mqtt.receipt(args[1], args[2])
	case args[0] == "command":
		return w.mqtt.command(values(args[1:]))
	case args[0] == "reply":
		return w.mqtt.reply(args[1], strings.Join(args[2:], " "))
	case args[0] == "storm":
		return w.storm(args[1])
	case args[0] == "survived":
		return w.survived(args[1])
	case args[0] == "untold":
		return w.mqtt.untold()
	case args[0] == "leave":
		w.mqtt.leave()
		return nil
	}
	return fmt.Errorf("what is mqtt %s?", args[0])
}

func (w *world) connect(neg bool, args []string) error {
	r, err := w.registration(args[0])
	if err != nil {
		return err
	}
	for _, arg := range args[1:] {
		if password, is := strings.CutPrefix(arg, "password="); is {
			r.Password = password
		}
	}
	p := &player{address: r.Address, told: make(chan devices.Command, 16), kept: make(chan devices.Reply, 16), lost: make(chan error, 1)}
	o := paho.NewClientOptions().AddBroker("tcp://" + w.broker).SetClientID(r.Address.ClientID()).SetUsername(r.Username).
		SetPassword(r.Password).SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectionLostHandler(func(_ paho.Client, err error) { p.lost <- err })
	p.client = paho.NewClient(o)
	err = done(p.client.Connect())
	if neg {
		if err == nil {
			p.client.Disconnect(0)
			return errors.New("it was let in")
		}
		return nil
	}
	if err != nil {
		return err
	}
	w.mqtt = p
	return p.listen()
}

func (p *player) listen() error {
	command := p.client.Subscribe(p.address.Topic(devices.DownCommand), 1, func(_ paho.Client, m paho.Message) {
		var c devices.Command
		if json.Unmarshal(m.Payload(), &c) == nil {
			offer(p.told, c)
		}
	})
	reply := p.client.Subscribe(p.address.Topic(devices.DownReply), 1, func(_ paho.Client, m paho.Message) {
		var r devices.Reply
		if json.Unmarshal(m.Payload(), &r) == nil {
			offer(p.kept, r)
		}
	})
	return errors.Join(done(command), done(reply))
}

// offer never keeps the client waiting: what the story does not look at is dropped.
func offer[T any](to chan T, v T) {
	select {
	case to <- v:
	default:
	}
}

func done(t paho.Token) error {
	if !t.WaitTimeout(patience) {
		return errors.New("the broker does not answer")
	}
	return t.Error()
}

func (p *player) publish(neg bool, topic string, payload []byte) error {
	if !strings.HasPrefix(topic, "d/") {
		topic = p.address.Topic(topic)
	}
	t := p.client.Publish(topic, 1, false, payload)
	if !neg {
		return done(t)
	}
	select {
	case <-p.lost:
		return nil
	case <-time.After(patience):
		return errors.New("the connection goes on")
	}
}

func (p *player) receipt(id, code string) error {
	for {
		select {
		case r := <-p.kept:
			if r.ID == id && strconv.Itoa(r.Code) == code {
				return nil
			}
		case <-time.After(patience):
			return fmt.Errorf("no receipt of %s with code %s", id, code)
		}
	}
}

func (p *player) command(set map[string]any) error {
	select {
	case p.last = <-p.told:
	case <-time.After(patience):
		return errors.New("no command came")
	}
	if fmt.Sprint(p.last.Set) != fmt.Sprint(set) {
		return fmt.Errorf("it was told to %v %s", p.last.Set, p.last.Do)
	}
	return nil
}

func (p *player) reply(code, message string) error {
	n, err := strconv.Atoi(code)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(devices.Reply{ID: p.last.ID, Code: n, Message: message})
	return errors.Join(err, p.publish(false, devices.UpReply, payload))
}

func (p *player) leave() { p.client.Disconnect(0) }

// untold publishes something and waits for its PUBACK, which comes after everything that the broker sent before.
func (p *player) untold() error {
	if err := p.publish(false, devices.UpProperty, []byte("{}")); err != nil {
		return err
	}
	if len(p.told) > 0 {
		return fmt.Errorf("it was told to %v", (<-p.told).Set)
	}
	return nil
}

// answerWord reads the command that a client has printed.
func answerWord(_ *world, ts *testscript.TestScript, _ bool, _ []string) error {
	var c devices.Command
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &c); err != nil {
		return err
	}
	reply, err := json.Marshal(devices.Reply{ID: c.ID})
	ts.Setenv("ANSWER", string(reply))
	return err
}

const (
	stormWidth  = 100 // events under way at the same time
	stormBefore = 200 // acknowledgements before the gateway is ended
)

// storm publishes events of one kind, each with an id of its own, and ends the gateway amid them.
func (w *world) storm(signal string) error {
	var acked atomic.Int64
	var storm sync.WaitGroup
	enough := make(chan struct{})
	for lane := range stormWidth {
		storm.Go(func() {
			for i := 0; w.mqtt.publish(false, devices.UpEvent, fmt.Appendf(nil, `{"id":"%d-%d","event":"gas_leak"}`, lane, i)) == nil; i++ {
				if acked.Add(1) == stormBefore {
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(patience):
		return errors.New("the gateway acknowledges too little")
	}
	err := gatewayWord(w, nil, false, []string{signal})
	storm.Wait()
	w.mqtt.acked = int(acked.Load())
	return err
}

// survived compares what was acknowledged with what is on the disk: the incident counts its events.
func (w *world) survived(who string) error {
	h, err := w.readHome(who)
	if err != nil {
		return err
	}
	count := 0
	for _, i := range h.Incidents {
		count += i.Count
	}
	if most := w.mqtt.acked + stormWidth; count < w.mqtt.acked || count > most {
		return fmt.Errorf("%d events are kept; %d were acknowledged, and at most %d sent", count, w.mqtt.acked, most)
	}
	return nil
}
