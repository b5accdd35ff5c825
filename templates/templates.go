// Package templates says what a message says: its words in the chat, its WeChat template fields, its category of
// consent. Messages are strict YAML under messages/; forms.yaml lists the few WeChat templates ("forms") that all
// messages share, because an account may have only 25 in use.
//
// Promise: what Load accepted always renders to something that WeChat's field rules accept: every field is
// checked with the longest value that it can get, and cut at the rune where the rule allows no more. What Load does not
// accept it names with file, line and cure.
package templates

import (
	"time"

	"jiaxin/devices"
)

// Category is a kind of message that a person can agree to or not.
type Category string

// The categories.
const (
	Safety  Category = "safety"  // danger to life or home
	Done    Category = "done"    // an appliance has finished, or wants something
	Comfort Category = "comfort" // savings and comfort
	Status  Category = "status"  // an appliance went offline, came back, did what it was told
	Family  Category = "family"  // members and binding
)

// Message is what is said on one occasion.
type Message struct {
	Key      string
	Category Category
	Form     string                  // the WeChat template that carries it outside the message window; "": the chat only
	Fields   map[string]devices.Text // form field key → its words, with {placeholders}
	Text     devices.Text            // the words in the chat, with {placeholders}
}

// Form is one WeChat template of the account, by its logical name; the operator maps it to a template_id.
type Form struct {
	Key    string
	Title  string
	Fields []FormField
}

// FormField is one keyword of a form. Its WeChat type is the name without the digits: thing1, const2, time3.
type FormField struct {
	Key   string
	Label string
}

// Vars fill the placeholders {device} {product} {room} {who} {time} {options} {command} {reason} and {field.<name>}.
type Vars struct {
	Device  string    // the name the household knows it by, 客厅空调
	Product string    // 空调
	Room    string    // 客厅, may be empty
	Who     string    // the person it speaks of, 妈妈
	At      time.Time // when it happened, in the household's own zone
	Options string    // the possible answers, "关掉 / 不用"
	Command string    // what was asked for
	Reason  string    // why something did not work
	Fields  map[string]any
}

// Card is a rendered template message.
type Card struct {
	Form   string
	Title  string
	Fields []CardField
}

// CardField is one line of a card.
type CardField struct {
	Key   string
	Label string
	Value string
}
