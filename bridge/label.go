package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"jiaxin/bridge/store"
	"jiaxin/devices"
)

// labelDoc says whose label a code is, in the lane "label/<hash of the code>".
type labelDoc struct {
	Device string `json:"device"`
}

// ticketDoc is one showing of a label's page: the scene of the QR code that it draws. It serves one person, once.
type ticketDoc struct {
	Device string `json:"device"`
	By     string `json:"by,omitempty"` // hash of the openid of who used it
}

const (
	scenePrefix = "b_"
	ticketFor   = 10 * time.Minute
)

// ErrUnknownLabel: no device has this label.
var ErrUnknownLabel = errors.New("no appliance has this label")

func labelLane(hash string) string { return "label/" + hash }

func ticketLane(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return "ticket/" + hex.EncodeToString(sum[:])
}

// Offer is what a label's page shows.
type Offer struct {
	Product devices.Text  // what kind of appliance it is
	Follow  string        // content of the QR code to recognise: it follows the account and claims the device
	For     time.Duration // how long that code is good
	Press   bool          // the appliance's button must be pressed as well
}

// Offer prepares the claim of the device whose label was scanned: WeChat makes a code for one person and ten minutes.
// ErrUnknownLabel says that there is no such label.
func (b *Bridge) Offer(ctx context.Context, code string) (Offer, error) {
	device, err := b.labelled(ctx, code)
	if err != nil {
		return Offer{}, err
	}
	a, err := devices.ParseAddress(device)
	if err != nil {
		return Offer{}, err
	}
	model, ok := b.World.Models.Model(a.Product)
	if !ok {
		return Offer{}, ErrUnknownLabel
	}
	follow, err := b.followCode(ctx, device)
	return Offer{Product: model.Name, Follow: follow, For: ticketFor, Press: model.Claim == devices.ClaimButton}, err
}

// labelled finds the device that has this label now; one whose label was replaced has the old one no more.
func (b *Bridge) labelled(ctx context.Context, code string) (string, error) {
	code, err := devices.ParseLabelCode(code)
	if err != nil {
		return "", ErrUnknownLabel
	}
	var label labelDoc
	var d deviceDoc
	hash := devices.HashLabelCode(code)
	if _, err = b.get(ctx, labelLane(hash), &label); err == nil {
		_, err = b.get(ctx, deviceLane(label.Device), &d)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && d.Label != hash {
		return "", ErrUnknownLabel
	}
	return label.Device, err
}

func (b *Bridge) followCode(ctx context.Context, device string) (string, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(b.Rand, raw); err != nil {
		return "", err
	}
	ticket := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
	if err := b.put(ctx, ticketLane(ticket), 0, ticketFor, ticketDoc{Device: device}); err != nil {
		return "", err
	}
	return b.Account.FollowCode(ctx, scenePrefix+ticket, ticketFor)
}

// redeem turns a scene into the device whose label it stands for: "" if it stands for none. used: it did once, but
// somebody has used it or its time is over. The same person may redeem it again, since WeChat repeats itself.
func (b *Bridge) redeem(ctx context.Context, scene, openID string) (device string, used bool, err error) {
	ticket, ok := strings.CutPrefix(scene, scenePrefix)
	if !ok {
		return "", false, nil
	}
	sum := sha256.Sum256([]byte(openID))
	by := hex.EncodeToString(sum[:])
	for {
		var t ticketDoc
		rev, err := b.get(ctx, ticketLane(ticket), &t)
		switch {
		case errors.Is(err, store.ErrNotFound) || t.By != "" && t.By != by:
			return "", true, nil
		case err != nil:
			return "", false, err
		case t.By == by:
			return t.Device, false, nil
		}
		err = b.put(ctx, ticketLane(ticket), rev, ticketFor, ticketDoc{Device: t.Device, By: by})
		if !errors.Is(err, store.ErrConflict) { // else somebody was faster: perhaps WeChat, repeating itself
			return t.Device, false, err
		}
	}
}
