package home

import "time"

// Window is a person's message window: how many custom messages WeChat lets us send them, and until when.
//
// Source: WeChat's service account documentation of customer messages: 5 within 48 hours of a message that the
// person sent, 3 within a minute of a follow, a scan or a tap on the account's menu.
type Window struct {
	MessageUntil time.Time `json:"message_until,omitzero"`
	MessageLeft  int       `json:"message_left,omitempty"`
	TapUntil     time.Time `json:"tap_until,omitzero"`
	TapLeft      int       `json:"tap_left,omitempty"`
}

// margin is kept from a window's end, because the message still has to travel.
const margin = 5 * time.Second

// spoke opens the window that a message opens.
func (w *Window) spoke(now time.Time) {
	w.MessageUntil, w.MessageLeft = now.Add(48*time.Hour-margin), 5
}

// tapped opens the short window of a follow, a scan or a menu tap.
func (w *Window) tapped(now time.Time) { w.TapUntil, w.TapLeft = now.Add(time.Minute-margin), 3 }

// shut notes that WeChat says the window is closed or used up, whatever we counted.
func (w *Window) shut() { *w = Window{} }

// take uses up one message, from the window that closes first; false if there is none.
func (w *Window) take(now time.Time) bool {
	switch {
	case w.TapLeft > 0 && now.Before(w.TapUntil):
		w.TapLeft--
	case w.MessageLeft > 0 && now.Before(w.MessageUntil):
		w.MessageLeft--
	default:
		return false
	}
	return true
}
