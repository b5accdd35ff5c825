// Package understand turns what a person wrote into what they mean.
//
// Promise: it is pure, and it never guesses. A sentence means something only if the whole of it is one of the exact
// phrases that the home's devices have: their names and aliases in the sentence forms of forms.yaml, with the words of their
// models. What fits several devices is asked back; what fits nothing is NotMine. Every Result says why.
package understand

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"jiaxin/devices"
)

// Home is what sentences are understood against.
type Home struct{ Devices []Device }

// Device is one appliance of the home by its name.
type Device struct {
	ID    string
	Name  string
	Model *devices.Model
}

// Kind is what a sentence turned out to be.
type Kind string

// The kinds of result.
const (
	Act     Kind = "act"      // do Set or Do to Device
	Ask     Kind = "ask"      // the same, but which of Choices?
	Answer  Kind = "answer"   // tell the property Query of Device
	NotMine Kind = "not mine" // not understood
)

// Result is the meaning of one sentence.
type Result struct {
	Kind    Kind
	Device  string
	Choices []string // device ids, in the home's order
	Set     map[string]any
	Do      string
	With    map[string]any
	Query   string // property key
	Why     string
}

// maxText is the longest text that is looked at, in bytes. WeChat passes on 2048.
const maxText = 2048

// Read finds the meaning of a sentence. One with a question mark is never an order.
func Read(h Home, text string) Result {
	if len(text) > maxText || !utf8.ValidString(text) {
		return Result{Kind: NotMine, Why: "too long, or no text"}
	}
	said := Normal(text)
	if said == "" {
		return Result{Kind: NotMine, Why: "empty"}
	}
	var found []reading
	for _, d := range h.Devices {
		found = append(found, readings(d, said)...)
	}
	if strings.ContainsAny(text, "?？") {
		found = slices.DeleteFunc(found, func(r reading) bool { return r.Kind == Act })
	}
	return decide(found)
}

// reading is one way to take a sentence as being about one device.
type reading struct {
	Result
	rank int // 1: naming the device or what it is, 2: without that
}

// decide keeps the readings that name their device best, and asks if they are about several devices or things.
func decide(found []reading) Result {
	if len(found) == 0 {
		return Result{Kind: NotMine, Why: "no phrase of this home"}
	}
	best := slices.MinFunc(found, func(a, b reading) int { return cmp.Compare(a.rank, b.rank) }).rank
	found = slices.DeleteFunc(found, func(r reading) bool { return r.rank > best })
	first := found[0].Result
	var ids []string
	for _, r := range found {
		if !same(r.Result, first) {
			return Result{Kind: NotMine, Why: fmt.Sprintf("two meanings: %s / %s", first.Why, r.Why)}
		}
		if !slices.Contains(ids, r.Device) {
			ids = append(ids, r.Device)
		}
	}
	if len(ids) > 1 && first.Kind == Act {
		first.Kind, first.Device, first.Choices = Ask, "", ids
		return first
	}
	if len(ids) > 1 {
		return Result{Kind: NotMine, Why: "asks about several devices"}
	}
	return first
}

// same says whether two readings want the same thing, whichever the device.
func same(a, b Result) bool {
	return a.Kind == b.Kind && a.Do == b.Do && a.Query == b.Query && fmt.Sprint(a.Set, a.With) == fmt.Sprint(b.Set, b.With)
}
