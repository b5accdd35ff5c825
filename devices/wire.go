package devices

import "time"

// This file is the native MQTT dialect (docs/protocol.md): topics and payloads, and nothing else.

// Address names one device of one product.
type Address struct {
	Product string // "<maker>/<model>", as in Model.ID
	Device  string // unique inside the product: letters, digits, "_" and "-", 1 to 64 of them
}

// The last two parts of a topic, with which a message's sort is named.
const (
	UpProperty  = "up/property"
	UpEvent     = "up/event"
	UpReply     = "up/reply"
	UpStatus    = "up/status"
	UpButton    = "up/button"
	DownCommand = "down/command"
	DownReply   = "down/reply"
)

// Event, Reply, Status and Command are the payloads; properties are a plain JSON object of values.
type (
	// EventReport is published to up/event. The same ID from the same device is the same event.
	EventReport struct {
		ID     string         `json:"id"`
		Event  string         `json:"event"`
		At     time.Time      `json:"at"`
		Fields map[string]any `json:"fields,omitempty"`
	}
	// Reply answers a Command (on up/reply) or an EventReport (on down/reply). Code 0 means done (or kept);
	// a device uses 1 for refused by its state, 2 for not understood, 3 for expired on arrival.
	Reply struct {
		ID      string `json:"id"`
		Code    int    `json:"code"`
		Message string `json:"message,omitempty"`
	}
	// Status is published to up/status, and is the only allowed will.
	Status struct {
		Online bool `json:"online"`
	}
	// Command is sent to down/command; it either sets properties or does an action.
	Command struct {
		ID      string         `json:"id"`
		Set     map[string]any `json:"set,omitempty"`
		Do      string         `json:"do,omitempty"`
		With    map[string]any `json:"with,omitempty"`
		Expires time.Time      `json:"expires"`
	}
)
