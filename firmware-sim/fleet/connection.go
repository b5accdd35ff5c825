package fleet

import (
	"context"
	"math/rand/v2"
	"time"

	"jiaxin/devices"
)

// stayConnected makes one connection after another until the power goes.
func (a *Appliance) stayConnected(ctx context.Context) {
	wait := a.o.Reconnect
	for ctx.Err() == nil {
		began := a.o.Now()
		if err := a.connection(ctx); err != nil && ctx.Err() == nil {
			a.o.Logger.Warn("not connected", "error", err, "broker", a.server.Redacted())
		}
		if a.o.Now().Sub(began) > time.Minute {
			wait = a.o.Reconnect
		}
		sleep(ctx, time.Duration(float64(wait)*(0.5+rand.Float64())))
		wait = min(2*wait, max(30*time.Second, a.o.Reconnect))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// connection is one connection's life. It returns when it has ended, with an error if it never came to be.
func (a *Appliance) connection(ctx context.Context) error {
	l, err := open(ctx, a.o, a.server, a.hear)
	if err != nil {
		return err
	}
	defer l.wait()
	defer l.cut()
	if !a.take(ctx, l) {
		return nil
	}
	defer a.lose(l)
	if err := l.subscribe(a.topic(devices.DownCommand), a.topic(devices.DownReply)); err != nil {
		return err
	}
	a.greet(l)
	<-l.lost
	return nil
}

// take makes the link the appliance's own, unless the power went meanwhile.
func (a *Appliance) take(ctx context.Context, l *link) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ctx.Err() != nil || a.unplug == nil {
		return false
	}
	a.link = l
	a.o.Changed()
	return true
}

func (a *Appliance) lose(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.link == l {
		a.link, a.told = nil, false
		a.o.Logger.Info("connection lost")
		a.o.Changed()
	}
}

// greet begins a connection: online, the whole state, and every event that is not confirmed yet.
func (a *Appliance) greet(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.link != l {
		return
	}
	a.told = true
	l.send(message{topic: a.topic(devices.UpStatus), payload: []byte(online)})
	a.emit([]output{{props: a.machine.props}})
	a.events.renew()
	a.sendEvents()
	a.o.Logger.Info("connected", "broker", a.server.Redacted())
	a.o.Changed()
}

// hear takes what the gateway sends.
func (a *Appliance) hear(topic string, payload []byte) {
	switch topic {
	case a.topic(devices.DownCommand):
		c, err := readCommand(payload)
		if err != nil {
			a.o.Logger.Warn("a command was not understood", "error", err)
			return
		}
		a.command(c)
	case a.topic(devices.DownReply):
		a.receipt(payload)
	}
}

// receipt is the gateway's last word on an event: kept, or, with a code, refused for good, so that it is not sent again.
func (a *Appliance) receipt(payload []byte) {
	r, err := devices.DecodeReply(payload)
	if err != nil {
		a.o.Logger.Warn("a receipt was not understood", "error", err)
		return
	}
	if r.Code != 0 {
		a.o.Logger.Warn("the gateway refused an event for good", "event", r.ID, "code", r.Code, "message", r.Message)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events.kept(r.ID)
	a.reschedule()
	a.o.Changed()
}

// maxWaiting bounds the commands that a slow appliance has before it.
const maxWaiting = 64

// command obeys now, later if it is slow, or never if it is deaf.
func (a *Appliance) command(c devices.Command) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.deaf || a.waiting >= maxWaiting:
		a.o.Logger.Info("a command was ignored", "command", c.ID, "deaf", a.deaf)
	case a.slow > 0:
		a.waiting++
		now := a.powerUp
		time.AfterFunc(a.slow, func() { a.afterAll(c, now) })
	default:
		a.obey(c)
	}
}

// afterAll obeys a command at last, unless the power was off in between.
func (a *Appliance) afterAll(c devices.Command, powerUp int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting--
	if a.unplug != nil && a.powerUp == powerUp {
		a.obey(c)
	}
}

// obey answers first and reports afterwards. a.mu is held.
func (a *Appliance) obey(c devices.Command) {
	reply, outputs := a.orders.obey(a.machine, c, a.o.Now())
	a.o.Logger.Info("command", "command", c.ID, "code", reply.Code)
	a.send(devices.UpReply, reply, nil)
	a.emit(outputs)
	a.reschedule()
	a.o.Changed()
}
