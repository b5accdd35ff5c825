// Package broker is the MQTT edge: it moves bytes between devices and a Handler and knows nothing of homes.
//
// Promise: a QoS 1 publish is acknowledged only after the Handler said that it is kept; if the Handler could not
// keep it, there is no PUBACK and the connection is closed, so that the device sends it again. A device reaches
// only the topics that its Grant lists, literally. A malformed packet ends only its own connection.
//
// Embedded is the broker inside the process. It serves MQTT 3.1.1 and 5 (github.com/mochi-mqtt/server does the
// protocol), and keeps no sessions: every connection starts clean, whatever it asked for. What it does where the
// protocol leaves a choice, or where a device asks for what is not on offer:
//
//   - A publish to a topic outside the Grant is acknowledged and dropped (MQTT 5: PUBACK 0x87). MQTT 3.1.1 has no
//     negative acknowledgement, and closing would make a device repeat the same publish for ever. A topic that
//     starts with "$" or has a wildcard ends the connection.
//   - QoS 2 is not on offer: such a publish ends the connection (MQTT 5: DISCONNECT 0x9B, and CONNACK says so before).
//   - The retain flag of a publish is ignored and nothing is ever retained: an alarm is not lost to a wrong flag.
//   - A will is accepted only for the Grant's status topic, unretained and with QoS 0 or 1; anything else refuses
//     the connection. Its content is ignored, for presence comes from the connection. So does a device's own
//     publish to its status topic: it is acknowledged, and goes no further.
//   - A subscription outside the Grant gets a failure code, any other gets QoS 0: commands are confirmed by the
//     device's own reply, never by a PUBACK.
//   - The keep-alive is held between Options.KeepaliveMin and KeepaliveMax. MQTT 5 clients are told; a 3.1.1 client that
//     asked for less is only given more time, and one that asked for none must say something within 1.5 × KeepaliveMax.
//   - A second connection of a client ends the first (both proved the same credential) without the client counting
//     as offline in between. It is answered once the first one's reader has finished, so that order is kept.
//
// On failure: a panic while serving a connection ends that connection, and is logged and counted. When accepting fails
// (no file descriptors, say) it is tried again ever more slowly, up to once a second. A client that does not
// read is cut off after Options.WriteDeadline and delays nobody meanwhile. When the Handler falls behind, the broker stops
// reading from the devices that fill their window, and TCP makes them wait.
package broker

import (
	"context"
	"errors"
)

// ErrOffline says that the device is not connected, or not subscribed to the topic, at this moment.
var ErrOffline = errors.New("the device is not online")

// Message is one publish from an authenticated device, or the broker's own word about its presence.
type Message struct {
	Client  string // the Grant's ID
	Topic   string // one of the Grant's topics
	Payload []byte // owned by the receiver
	QoS     byte   // 0 or 1
}

// Handler takes what devices publish.
type Handler interface {
	// Handle must not block for long. It takes the message and calls done exactly once, from any goroutine, maybe
	// before it returns: done(nil) once the message is durable (or needs no durability), done(err) when it could not
	// be kept. Messages of one client arrive in the order they were published; their done may come in any order
	// (the broker acknowledges in order). A done that never comes keeps its place in the client's window for ever.
	// A Handle that panics counts as done with an error.
	Handle(m Message, done func(error))
}

// Grant is what a device that proved its identity may do. Topics are exact: no wildcards.
type Grant struct {
	ID        string   // equal to the MQTT client id
	Publish   []string // topics it may publish to
	Subscribe []string // topics it may subscribe to
	// Status is the topic of its presence. It is the only topic allowed for a will. The broker itself reports
	// presence there, as {"online":true} once connected and {"online":false} once gone, whether the device
	// says so or not. The broker's own Stop is not a device's absence, and is not reported. Empty: no presence.
	Status string
}

// Authenticator checks a device's credential. It must take about the same time for right and wrong ones.
type Authenticator interface {
	// Authenticate returns the Grant, or an error for the log (never containing the password); the client only
	// learns "not authorized". ctx ends when the time for the first packet is over.
	Authenticate(ctx context.Context, clientID, username string, password []byte) (Grant, error)
}

// Publisher sends to one device.
type Publisher interface {
	// Publish sends at QoS 0 to the client if it is connected right now and subscribed to the topic, else ErrOffline.
	// nil means "written towards the device", no more: only the device's own reply ends a command. It never waits
	// for the device to read.
	Publish(ctx context.Context, client, topic string, payload []byte) error
}
