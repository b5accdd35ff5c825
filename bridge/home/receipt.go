package home

import (
	"slices"
	"time"
)

// Awaited is an accepted card whose receipt has not come yet.
type Awaited struct {
	MsgID    string    `json:"msgid"`
	Note     string    `json:"note"`
	Incident string    `json:"incident,omitempty"`
	At       time.Time `json:"at"`
}

// await expects a receipt for a card that was accepted. Chat messages get none.
func (h *Household) await(e *Effect, msgID string, now time.Time) {
	if e.Note.Via == Card && msgID != "" {
		h.Receipts = append(h.Receipts, Awaited{MsgID: msgID, Note: e.Note.ID, Incident: e.Incident, At: now})
	}
}

// Receipt is WeChat's word on whether a card reached the person's WeChat.
type Receipt struct {
	MsgID  string
	Status string // "success", "failed:user block", "failed: system failed"
}

func (in Receipt) apply(h *Household, now time.Time) {
	i := slices.IndexFunc(h.Receipts, func(a Awaited) bool { return a.MsgID == in.MsgID })
	if i < 0 {
		return
	}
	a := h.Receipts[i]
	h.Receipts = slices.Delete(h.Receipts, i, i+1)
	h.log(Entry{At: now, What: "receipt", Ref: a.Note, Detail: in.Status})
	for j := range h.Incidents {
		if inc := &h.Incidents[j]; inc.ID == a.Incident && in.Status == "success" {
			inc.Told = true
		}
	}
}
