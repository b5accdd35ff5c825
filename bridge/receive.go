package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
)

// Receive takes one callback of WeChat and returns nil once what it means is committed. Repetitions do nothing.
func (b *Bridge) Receive(ctx context.Context, in Inbound) error {
	b.metrics.inbound.WithLabelValues(string(in.Kind)).Inc()
	switch in.Kind {
	case InReceipt:
		return b.everywhere(ctx, in.From, home.Receipt{MsgID: in.MsgID, Status: in.Status})
	case InUnfollow:
		return b.everywhere(ctx, in.From, home.Unfollowed{From: in.From, ID: in.ID})
	case InFollow, InScan:
		return b.scanned(ctx, in)
	}
	household, err := b.addressed(ctx, in)
	if err != nil {
		return err
	}
	return b.step(ctx, household, personal(in))
}

// addressed is the household that a message is for: a tapped answer goes to the one that asked.
func (b *Bridge) addressed(ctx context.Context, in Inbound) (string, error) {
	if asked := home.ChoiceOf(in.MenuID); asked != "" {
		who, err := b.residents(ctx, asked)
		if err != nil || who.member(in.From) {
			return asked, err
		}
	}
	return b.householdOf(ctx, in.From)
}

// personal is the input of what a person sent to their own household.
func personal(in Inbound) home.Input {
	switch in.Kind {
	case InText:
		return home.Said{From: in.From, ID: in.ID, Text: in.Text, Choice: in.MenuID}
	case InClick:
		return home.Followed{From: in.From, ID: in.ID}
	case InVoice:
		return home.SentMedia{From: in.From, ID: in.ID, Media: home.Media{ID: in.MediaID, Kind: "voice", Format: in.Format}}
	case InPhoto:
		return home.SentMedia{From: in.From, ID: in.ID, Media: home.Media{ID: in.MediaID, Kind: "photo"}}
	}
	return home.SentMedia{From: in.From, ID: in.ID}
}

// everywhere steps every household of a person.
func (b *Bridge) everywhere(ctx context.Context, openID string, in home.Input) error {
	var u userDoc
	if _, err := b.get(ctx, userLane(openID), &u); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	lobby, err := b.lobby(ctx, openID)
	if err != nil {
		return err
	}
	u.move(lobby, true)
	var errs []error
	for _, h := range u.Households {
		errs = append(errs, b.step(ctx, h, in))
	}
	return errors.Join(errs...)
}

// householdOf is where a person's words go: the household they joined last, else the one that they wait to join, else one
// of their own to be. The index may be behind: the households decide.
func (b *Bridge) householdOf(ctx context.Context, openID string) (string, error) {
	var u userDoc
	if _, err := b.get(ctx, userLane(openID), &u); err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	waits := ""
	for _, household := range u.Households {
		who, err := b.residents(ctx, household)
		if err != nil || who.member(openID) {
			return household, err
		}
		if waits == "" && who.guest(openID) {
			waits = household
		}
	}
	if waits != "" {
		return waits, nil
	}
	return b.lobby(ctx, openID)
}

// residents are the people of a household, read from its document.
type residents struct {
	Members []resident `json:"members"`
	Guests  []resident `json:"guests"`
}

type resident struct {
	OpenID string `json:"openid"`
}

func (r residents) member(openID string) bool { return slices.Contains(r.Members, resident{openID}) }

func (r residents) guest(openID string) bool { return slices.Contains(r.Guests, resident{openID}) }

func (b *Bridge) residents(ctx context.Context, household string) (who residents, err error) {
	_, err = b.get(ctx, laneOf(household), &who)
	if errors.Is(err, store.ErrNotFound) {
		return residents{}, nil
	}
	return who, err
}

// deserted says whether certainly nobody lives there any more.
func (b *Bridge) deserted(ctx context.Context, household string) bool {
	who, err := b.residents(ctx, household)
	return err == nil && len(who.Members) == 0
}

// lobby is the household that a person has, or would begin, by themselves. Its id follows from the person, so that a
// repeated callback begins no second one; a home which they have left, and others live in, is never theirs again.
func (b *Bridge) lobby(ctx context.Context, openID string) (string, error) {
	for n := 0; ; n++ {
		id := derive(openID, n)
		who, err := b.residents(ctx, id)
		if err != nil || len(who.Members) == 0 || who.member(openID) {
			return id, err
		}
	}
}

func derive(openID string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "household %d of %s", n, openID))
	return "h" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

// scanned takes a follow or a scan. With a label's code it is a claim, or a knock at the home that has the device.
func (b *Bridge) scanned(ctx context.Context, in Inbound) error {
	device, used, err := b.redeem(ctx, in.Scene, in.From)
	if err != nil {
		return err
	}
	own, err := b.householdOf(ctx, in.From)
	if err != nil {
		return err
	}
	if device == "" {
		return b.step(ctx, own, home.Followed{From: in.From, ID: in.ID, Used: used})
	}
	var d deviceDoc
	if _, err := b.get(ctx, deviceLane(device), &d); err != nil {
		return fmt.Errorf("label of a device that is gone: %w", err)
	}
	if d.Household != "" && !b.deserted(ctx, d.Household) {
		own = d.Household
	}
	return b.step(ctx, own, home.Scanned{From: in.From, ID: in.ID, Device: device})
}

// Timeline reads up to n entries of a household's timeline after the one with the number after.
func (b *Bridge) Timeline(ctx context.Context, household string, after uint64, n int) ([]home.Entry, error) {
	lane := laneOf(household)
	docs, err := b.Store.Scan(ctx, lane, store.Doc{Lane: lane, Key: fmt.Sprintf("t/%016x", after)}, n)
	if err != nil {
		return nil, err
	}
	var entries []home.Entry
	for _, d := range docs {
		if d.Lane != lane || d.Key == docKey {
			continue
		}
		var e home.Entry
		if err := json.Unmarshal(d.Data, &e); err != nil {
			return nil, fmt.Errorf("timeline entry %s: %w", d.Key, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
