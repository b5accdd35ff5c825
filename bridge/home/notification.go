package home

import (
	"jiaxin/devices"
	"jiaxin/templates"
)

// Notification is one message on its way to one person. Via says which form is meant now; one for the chat may carry its
// card too, for when the chat turns out to be closed.
type Notification struct {
	ID    string         `json:"id"` // stable over every repetition: the channel's guard against duplicates
	To    string         `json:"to"` // the person's openid
	Via   Via            `json:"via"`
	Level devices.Level  `json:"level"`
	Card  templates.Card `json:"card,omitzero"`  // zero Form: cannot go as a card
	Text  string         `json:"text,omitempty"` // the words in the chat
	Menu  []Choice       `json:"menu,omitempty"` // what can be tapped beneath Text
	URL   string         `json:"url,omitempty"`  // the page that a tap on the card opens
}

// Choice is one tappable answer. Its ID comes back as Inbound.MenuID.
type Choice struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

// Via is the way that a notification takes.
type Via string

// The ways. A card is a WeChat template message: always possible for a follower, short fixed words.
// Chat is a custom message: free words and a menu, only inside the person's message window.
const (
	Card Via = "card"
	Chat Via = "chat"
)

// Outcome is how a delivery attempt ended.
type Outcome string

// The outcomes. Each says what to do next, whatever channel and errcode it came from.
const (
	Accepted Outcome = "accepted" // the channel took it; a receipt may follow
	Retry    Outcome = "retry"    // busy, down or unknown outcome: the same notification again later
	Closed   Outcome = "closed"   // the message window is closed or used up: another way
	Gone     Outcome = "gone"     // the person does not follow, or has blocked us
	Refused  Outcome = "refused"  // this message will never be accepted as it is (field, template)
	Paused   Outcome = "paused"   // the account cannot send now (quota, secret, IP): later, and tell the operator
)
