package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/broker"
	"jiaxin/devices"
)

const (
	performTime = 20 * time.Second // shorter than the effect's lease
	mediaTTL    = 72 * time.Hour   // as long as WeChat itself would keep it
	mediaMax    = 2 << 20
)

// perform does the effects of one commit, each in a goroutine of its own, and gives their results back. A gateway that
// stops begins no more of them.
func (b *Bridge) perform(household string, effects []home.Effect) {
	if b.stopping() {
		return
	}
	for _, e := range effects {
		b.work.Add(1)
		go func() {
			defer b.work.Done()
			b.queue(household, e)
		}()
	}
}

func (b *Bridge) stopping() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// queue waits for a place to perform the effect in. It does so no longer than the household has leased the effect out,
// which is handed out again then, so that nothing is ever performed twice at the same time.
func (b *Bridge) queue(household string, e home.Effect) {
	ctx, cancel := context.WithTimeout(b.ctx, e.Leased.Sub(b.Now()))
	defer cancel()
	places := b.places(e)
	if places == nil {
		b.performOne(ctx, household, e)
		return
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
		b.performOne(ctx, household, e)
	case <-ctx.Done():
	}
}

// places are the ones that the effect needs: one that calls WeChat may take long, so there are few, and danger has its
// own. What only writes to the store or towards a device is over at once and waits for nothing.
func (b *Bridge) places(e home.Effect) chan struct{} {
	switch {
	case e.Note != nil && e.Note.Level == devices.Critical:
		return b.urgent
	case e.Kind == home.Deliver, e.Kind == home.Profile, e.Kind == home.Fetch:
		return b.usual
	}
	return nil
}

func (b *Bridge) performOne(ctx context.Context, household string, e home.Effect) {
	ctx, cancel := context.WithTimeout(ctx, performTime)
	defer cancel()
	result, err := b.do(ctx, household, e)
	b.metrics.effect(e.Kind, err)
	if err != nil {
		b.Logger.Warn("effect not done", "household", household, "effect", e.Kind, "try", e.Tries, "error", err)
	}
	if err := b.await(household, job{in: result, result: true})(b.ctx); err != nil {
		b.Logger.Error("effect's result not kept", "household", household, "effect", e.Kind, "error", err)
	}
}

// do performs one effect and returns the input that carries its result.
func (b *Bridge) do(ctx context.Context, household string, e home.Effect) (home.Input, error) {
	switch e.Kind {
	case home.Deliver:
		return b.deliver(ctx, e)
	case home.Publish:
		return b.publish(ctx, e)
	case home.Claim:
		return b.claim(ctx, household, e)
	case home.Release:
		return settled(e, b.release(ctx, household, e.Device))
	case home.Enter:
		return settled(e, b.index(ctx, e.OpenID, household))
	case home.Leave:
		return settled(e, b.index(ctx, e.OpenID, household))
	case home.Profile:
		return b.profile(ctx, e)
	case home.Fetch:
		return b.fetch(ctx, household, e)
	case home.Erase:
		return settled(e, b.erase(ctx, household, e.Member))
	case home.Forward:
		return settled(e, b.step(ctx, e.To, home.Scanned{From: e.OpenID, ID: household + e.ID, Device: e.Device}))
	}
	return home.Settled{Effect: e.ID}, fmt.Errorf("unknown effect %q", e.Kind)
}

// settled is the result of an effect that only succeeds or must be tried again.
func settled(e home.Effect, err error) (home.Input, error) {
	return home.Settled{Effect: e.ID, Again: err != nil}, err
}

func (b *Bridge) deliver(ctx context.Context, e home.Effect) (home.Input, error) {
	msgID, err := b.Channel.Deliver(ctx, *e.Note)
	in := home.Delivered{Effect: e.ID, Outcome: home.Accepted, MsgID: msgID}
	if err == nil {
		return in, nil
	}
	in.Outcome = home.Retry
	if d := (*DeliveryError)(nil); errors.As(err, &d) {
		in.Outcome, in.Code, in.After = d.Outcome, d.Code, d.After
	}
	return in, err
}

func (b *Bridge) publish(ctx context.Context, e home.Effect) (home.Input, error) {
	a, err := devices.ParseAddress(e.Device)
	if err != nil {
		return home.Published{Effect: e.ID, Offline: true}, err
	}
	if !b.Now().Before(e.Command.Expires) {
		return home.Published{Effect: e.ID, Offline: true}, nil // never late
	}
	payload, err := json.Marshal(e.Command)
	if err != nil {
		return home.Published{Effect: e.ID, Offline: true}, err
	}
	err = b.Publisher.Publish(ctx, a.ClientID(), a.Topic(devices.DownCommand), payload)
	if errors.Is(err, broker.ErrOffline) {
		return home.Published{Effect: e.ID, Offline: true}, nil
	}
	return home.Published{Effect: e.ID}, err
}

// profile asks WeChat for the person's name; after three failures the home goes on without one.
func (b *Bridge) profile(ctx context.Context, e home.Effect) (home.Input, error) {
	p, err := b.Account.Profile(ctx, e.OpenID)
	if err != nil && e.Tries < 3 {
		return home.Settled{Effect: e.ID, Again: true}, err
	}
	return home.Profiled{Effect: e.ID, Name: p.Name, Lang: p.Language}, err
}

// fetch stores what a person sent before WeChat drops it.
func (b *Bridge) fetch(ctx context.Context, household string, e home.Effect) (home.Input, error) {
	data, mime, err := b.Account.Media(ctx, e.Media.ID, mediaMax)
	if d := (*DeliveryError)(nil); errors.As(err, &d) && d.Outcome == home.Refused {
		return home.Settled{Effect: e.ID}, err
	}
	if err != nil {
		return settled(e, err)
	}
	doc, err := json.Marshal(storedMedia{Kind: e.Media.Kind, Member: e.Member, MIME: mime, Data: data})
	if err != nil {
		return settled(e, err)
	}
	_, err = b.Store.Commit(ctx, "media/"+household, store.Write{Key: e.ID, Expect: store.AnyRev, Data: doc, TTL: mediaTTL})
	return settled(e, err)
}

// storedMedia is a voice or photo as it is kept, for three days.
type storedMedia struct {
	Kind   string `json:"kind"`
	MIME   string `json:"mime"`
	Member string `json:"member"` // whose it is, by member id
	Data   []byte `json:"data"`
}
