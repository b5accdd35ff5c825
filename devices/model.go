// Package devices says what an appliance is: what it reports, can be told and may raise (Model, read from YAML by Load), how
// it is named on the wire (Address), what it sends (the Decode functions), and what its maker gives it: a
// credential, a label code and a line of devices.csv.
//
// Promise: a Catalog that Load returned is right as far as data can show: every rule compiles against typed
// properties, every reference exists, every sample was run. What is wrong is told with file, line, column and cure, all of
// it at once, and then there is no Catalog. What a device sends is decoded into the types of its model or refused
// with an error that names the key; nothing is guessed, and no input makes it panic or hold more than 16 KiB.
package devices

import (
	"time"

	"jiaxin/devices/strictyaml"
)

// Text is a phrase per language: "zh" is always there, "en" in everything that we ship; also "zh-TW", "zh-HK".
type Text map[string]string

// In returns the phrase for the language, falling back to zh.
func (t Text) In(lang string) string {
	if s := t[lang]; s != "" {
		return s
	}
	return t["zh"]
}

// Words are several phrases per language, the first being the one that we say ourselves.
type Words map[string][]string

// First returns the first phrase in the language, falling back to zh; "" when there is none.
func (w Words) First(lang string) string {
	if s := w[lang]; len(s) > 0 {
		return s[0]
	}
	if s := w["zh"]; len(s) > 0 {
		return s[0]
	}
	return ""
}

// Kind is what a property's values are.
type Kind string

// The kinds of property. A switch is a JSON bool, a number a JSON number, enum and text are JSON strings.
const (
	Switch Kind = "switch"
	Number Kind = "number"
	Enum   Kind = "enum"
	String Kind = "text"
)

// Level says how much an event matters, and with that how it may reach people.
type Level string

// The levels, least first.
const (
	Info       Level = "info"
	Suggestion Level = "suggestion"
	Warning    Level = "warning"
	Critical   Level = "critical"
)

// Claim is how a device's label may be claimed.
type Claim string

// The claim policies. Products with a hazard must use ClaimButton.
const (
	ClaimScan   Claim = "scan"
	ClaimButton Claim = "button"
)

// Model describes a product completely. It is read from strict YAML by Load and never changes afterwards.
type Model struct {
	ID         string // "<maker>/<model>"
	Extends    string // the model it was merged over, "" if none
	Name       Text
	Aliases    Words
	Properties []Property // in the file's order, inherited ones first
	Commands   []Action
	Events     []Event
	Claim      Claim
	Samples    []Sample

	rules []rule           // the compiled When of Events, by Load
	tree  *strictyaml.Node // the files it came from
}

// Property is one reported, and perhaps settable, value.
type Property struct {
	Key      string
	Name     Text
	Kind     Kind
	Unit     string
	Min, Max float64 // numbers only; Min == Max: unlimited
	Step     float64 // the step of "a bit more"; 0: 1
	Writable bool
	Default  bool    // the property meant by a bare value, as 26度
	Initial  any     // what a simulator starts with; nil: false, Min, the first value, ""
	Values   []Value // switch: on and off; enum: its values in order; else none
	Up, Down Words   // adjectives that mean more and less
	Query    Words   // question endings that ask for it, as 开着吗
	Hazard   []any   // values whose setting is hazardous; the single string "set": all but those in Safe
	Safe     []any   // values whose setting is in the safe direction: retried until done
}

// Value is one named value of a switch or an enum.
type Value struct {
	Value any   // bool for a switch, string for an enum
	Say   Words // how people ask for it: 打开, 开; 制冷
	Told  Text  // how we report it, after the device's name: 已开, 已关
}

// Action is a command that is not the setting of a property: {"do": Key, "with": {...}}.
type Action struct {
	Key    string
	Name   Text
	Say    Words
	With   []Property     // its parameters
	Then   map[string]any // the property values that prove it has happened; may be empty
	Told   Text           // how we report it, after the device's name: 正在烘干; {key} is a parameter's value
	Hazard bool
	Safe   bool // in the safe direction: retried until done
}

// Event is something that a household may want to know.
type Event struct {
	Key  string
	Name Text
	// When, if not empty, is a checked boolean expression over the reported properties (and the virtual "online")
	// that raises the event as it becomes true and has stayed true For this long, and ends it as it becomes false.
	// A device may also publish any event itself.
	When     string
	For      time.Duration
	Fields   []Property // what a device may tell with it; for {field.<key>} in messages
	Resolves string     // the key of the event that this one ends
	Level    Level
	Message  string // the key of the message that tells it; empty with Resolves: the end is told by Cleared
	Cleared  string // the key of the message that tells its end; "": nobody is told
	Ask      []Option
	Expires  time.Duration // how long its question can be answered; 0: 2 hours
}

// Option is one possible answer to an event's question.
type Option struct {
	Say  Words // the first phrase is the menu's label
	Set  map[string]any
	Do   string
	With map[string]any
	Ack  bool // the answer means "I am dealing with it"; neither of the three: nothing is done
}

// Sample is an example of the device's behaviour: a unit test, input of `jiaxin check` and the simulator's script.
// Exactly one of Report, Event, Say and Command is given.
type Sample struct {
	Name    Text           // if given, the simulator offers it as a thing that can be made to happen
	Report  map[string]any // the device reports these properties …
	Given   map[string]any // … having reported these before
	Event   string         // or publishes this event …
	Fields  map[string]any // … with these fields
	Raises  []string       // and these events (and no others) are raised, before their For
	Say     string         // or a person says this to a home with one such device …
	Set     map[string]any // … which means setting this
	Do      string         // … or doing this (also with Command)
	With    map[string]any
	Command bool   // or the device is told Set or Do/With …
	Then    []Step // … after which, or after Event or Report, the device reports these in turn
}

// Step is a report that a simulated device makes a while after something happened.
type Step struct {
	After  time.Duration
	Report map[string]any
	Event  string
}
