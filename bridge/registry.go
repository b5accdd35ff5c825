package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/broker"
	"jiaxin/devices"
)

// deviceDoc is a device's ownership record, in the lane "dev/<address>".
type deviceDoc struct {
	Username  string    `json:"username"`
	Secret    string    `json:"secret"` // hash of its password
	Label     string    `json:"label"`  // hash of its label's code
	Name      string    `json:"name,omitempty"`
	Household string    `json:"household,omitempty"`
	Epoch     uint64    `json:"epoch"`              // raised whenever it becomes free: all earlier rights end
	Counter   uint64    `json:"counter,omitempty"`  // of the last press of its button
	Pressed   time.Time `json:"pressed,omitzero"`   // when that was
	Waiting   string    `json:"waiting,omitempty"`  // the household that waits for a press
	Contested time.Time `json:"contested,omitzero"` // several homes wait for a press: until then it binds it to none
	Until     time.Time `json:"until,omitzero"`     // and how long
}

// pressFor is how long a press of the button allows a claim.
const pressFor = 2 * time.Minute

func deviceLane(address string) string { return "dev/" + address }

// get reads a document into v and returns its revision; ErrNotFound leaves v alone.
func (b *Bridge) get(ctx context.Context, lane string, v any) (store.Rev, error) {
	doc, err := b.Store.Get(ctx, lane, docKey)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(doc.Data, v); err != nil {
		sort, _, _ := strings.Cut(lane, "/") // the rest may be an openid
		return 0, fmt.Errorf("unreadable document in %s/…: %w", sort, err)
	}
	return doc.Rev, nil
}

func (b *Bridge) put(ctx context.Context, lane string, rev store.Rev, ttl time.Duration, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = b.Store.Commit(ctx, lane, store.Write{Key: docKey, Expect: rev, Data: data, TTL: ttl})
	return err
}

// change reads a device's record, lets fn change it, and commits; it starts over if somebody else was faster.
// fn says whether there is anything to commit.
func (b *Bridge) change(ctx context.Context, address string, fn func(*deviceDoc) bool) error {
	for {
		var d deviceDoc
		rev, err := b.get(ctx, deviceLane(address), &d)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if !fn(&d) {
			return nil
		}
		if err = b.put(ctx, deviceLane(address), rev, 0, d); !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUnknown) {
			return err
		}
	}
}

// Register makes devices known: their credential, label and name. Known ones keep their household; a changed
// credential or label replaces the old one.
func (b *Bridge) Register(ctx context.Context, devs []devices.Registration) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(256)
	for _, r := range devs {
		g.Go(func() error {
			if err := b.register(ctx, r); err != nil {
				return fmt.Errorf("register %s: %w", r.Address, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (b *Bridge) register(ctx context.Context, r devices.Registration) error {
	if _, ok := b.World.Models.Model(r.Address.Product); !ok {
		return fmt.Errorf("there is no model %q; add its YAML file to the models folder", r.Address.Product)
	}
	code, err := r.LabelCode()
	if err != nil {
		return err
	}
	label, secret := devices.HashLabelCode(code), devices.HashSecret([]byte(r.Password))
	err = b.change(ctx, r.Address.ClientID(), func(d *deviceDoc) bool {
		changed := d.Username != r.Username || d.Secret != secret || d.Label != label || d.Name != r.Name
		d.Username, d.Secret, d.Label, d.Name = r.Username, secret, label, r.Name
		return changed
	})
	if err != nil {
		return err
	}
	var known labelDoc
	if _, err := b.get(ctx, labelLane(label), &known); err == nil && known.Device == r.Address.ClientID() {
		return nil
	}
	return b.put(ctx, labelLane(label), store.AnyRev, 0, labelDoc{Device: r.Address.ClientID()})
}

// errCredential is all that a log needs to know of a refused device.
var errCredential = errors.New("unknown device or wrong credential")

// Authenticate implements broker.Authenticator: the client id is the device's address, username and password are
// what it was registered with.
func (b *Bridge) Authenticate(ctx context.Context, clientID, username string, password []byte) (broker.Grant, error) {
	var d deviceDoc
	a, err := devices.ParseAddress(clientID)
	if err == nil {
		_, err = b.get(ctx, deviceLane(a.ClientID()), &d)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && a.Device != "" {
		return broker.Grant{}, fmt.Errorf("read device: %w", err)
	}
	right := devices.CheckSecret(d.Secret, password) // also for an unknown one: it takes the same time
	if err != nil || !right || username != d.Username {
		return broker.Grant{}, errCredential
	}
	return grant(a), nil
}

// grant is what a device may do: its own topics, each exactly.
func grant(a devices.Address) broker.Grant {
	return broker.Grant{
		ID: a.ClientID(),
		Publish: []string{
			a.Topic(devices.UpProperty), a.Topic(devices.UpEvent), a.Topic(devices.UpReply), a.Topic(devices.UpStatus), a.Topic(devices.UpButton),
		},
		Subscribe: []string{a.Topic(devices.DownCommand), a.Topic(devices.DownReply)},
		Status:    a.Topic(devices.UpStatus),
	}
}

// claim takes a device for the household, if it is free and, where its model wants that, its button was pressed.
func (b *Bridge) claim(ctx context.Context, household string, e home.Effect) (home.Input, error) {
	var in home.Claimed
	press, now := b.needsPress(e.Device), b.Now()
	err := b.change(ctx, e.Device, func(d *deviceDoc) (changed bool) {
		if d.Household != "" && d.Household != household && b.deserted(ctx, d.Household) {
			d.free()
		}
		in, changed = d.claim(household, press, now)
		return changed
	})
	if err != nil {
		return home.Settled{Effect: e.ID, Again: true}, err
	}
	if in.Effect = e.ID; in.Bound {
		in.Props, in.Online = b.shadow.get(e.Device)
	}
	return in, nil
}

// claim decides about a claim, and says whether the record has changed by it.
func (d *deviceDoc) claim(household string, press bool, now time.Time) (home.Claimed, bool) {
	switch {
	case d.Household == household: // a repetition
		return home.Claimed{Bound: true, Name: d.Name}, false
	case d.Household != "":
		return home.Claimed{Taken: d.Household}, false
	case press && d.Waiting != "" && d.Waiting != household && now.Before(d.Until):
		d.Contested, d.Pressed = now.Add(pressFor), time.Time{}
		return home.Claimed{Contested: true}, true
	case press && !now.Before(d.Pressed.Add(pressFor)):
		d.Waiting, d.Until = household, now.Add(pressFor)
		return home.Claimed{Press: true}, true
	}
	d.Household, d.Pressed, d.Waiting = household, time.Time{}, ""
	return home.Claimed{Bound: true, Name: d.Name}, true
}

func (b *Bridge) needsPress(address string) bool {
	a, err := devices.ParseAddress(address)
	if err != nil {
		return true
	}
	m, ok := b.World.Models.Model(a.Product)
	return !ok || m.Claim == devices.ClaimButton
}

// release makes a device free again.
func (b *Bridge) release(ctx context.Context, household, address string) error {
	return b.change(ctx, address, func(d *deviceDoc) bool {
		if d.Household != household {
			return false
		}
		d.free()
		return true
	})
}

// free ends all rights of before.
func (d *deviceDoc) free() {
	d.Household, d.Waiting, d.Pressed = "", "", time.Time{}
	d.Epoch++
}

// userDoc is a person's index, in the lane "user/<openid>": where they are a member, the latest first.
type userDoc struct {
	Households []string `json:"households"`
}

func userLane(openID string) string { return "user/" + openID }

// index notes whether the person belongs to the household. It looks at the household after the index, so that of two
// that run at once the later one writes what is true.
func (b *Bridge) index(ctx context.Context, openID, household string) error {
	for {
		var u userDoc
		rev, err := b.get(ctx, userLane(openID), &u)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		who, err := b.residents(ctx, household)
		if err != nil {
			return err
		}
		belongs := who.member(openID) || who.guest(openID)
		if rev == 0 && !belongs {
			return nil
		}
		u.move(household, belongs)
		if len(u.Households) == 0 {
			_, err = b.Store.Commit(ctx, userLane(openID), store.Write{Key: docKey, Expect: rev})
		} else {
			err = b.put(ctx, userLane(openID), rev, 0, u)
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUnknown) {
			return err
		}
	}
}

func (u *userDoc) move(household string, member bool) {
	rest := u.Households[:0:0]
	if member {
		rest = append(rest, household)
	}
	for _, h := range u.Households {
		if h != household {
			rest = append(rest, h)
		}
	}
	u.Households = rest
}
