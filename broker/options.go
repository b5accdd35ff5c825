package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Options set up an Embedded broker. Handler and Authenticator are required; zero values take the defaults named.
type Options struct {
	Listen        string        // TCP address, default "127.0.0.1:1883"
	Listener      net.Listener  // if set, used instead of Listen: TLS, a WebSocket listener, a systemd socket
	Handler       Handler       //
	Authenticator Authenticator //
	Logger        *slog.Logger  // nil: nothing is logged

	MaxConnections           int           // at once, default 10 000
	MaxConnectionsPerAddress int           // devices at once from one IPv4 address or IPv6 /64, default 1 024; negative: no limit
	MaxPendingPerAddress     int           // not yet authenticated, from one address likewise, default 64; negative: no limit
	MaxPacketBytes           int           // of any packet, default 64 KiB; a CONNECT has at most 4 KiB
	FirstPacket              time.Duration // from accept to the whole CONNECT and its authentication, default 10 s
	WriteDeadline            time.Duration // how long a device may read nothing while there is something for it, default 5 s
	KeepaliveMin             time.Duration // whole seconds, default 30 s
	KeepaliveMax             time.Duration // whole seconds, at most 12 h, default 900 s

	Window      int // publishes per client that are not yet acknowledged, default 256; beyond it reading stops
	WindowBytes int // the same in bytes, default 1 MiB
	QueueBytes  int // the same over all clients, default 64 MiB
}

// maxConnect bounds the CONNECT packet: a client id, a user name, a password and a small will fit many times.
const maxConnect = 4 << 10

// maxKeepalive is where 1.5 times the keep-alive would overflow the 16 bits that mochi computes it in.
const maxKeepalive = 12 * time.Hour

// withDefaults fills the zero values in and refuses what cannot work.
func (o Options) withDefaults() (Options, error) {
	o.Listen = or(o.Listen, "127.0.0.1:1883")
	o.Logger = or(o.Logger, slog.New(slog.DiscardHandler))
	o.MaxConnections = or(o.MaxConnections, 10_000)
	o.MaxConnectionsPerAddress = or(o.MaxConnectionsPerAddress, 1024)
	o.MaxPendingPerAddress = or(o.MaxPendingPerAddress, 64)
	o.MaxPacketBytes = or(o.MaxPacketBytes, 64<<10)
	o.FirstPacket = or(o.FirstPacket, 10*time.Second)
	o.WriteDeadline = or(o.WriteDeadline, 5*time.Second)
	o.KeepaliveMin = or(o.KeepaliveMin, 30*time.Second)
	o.KeepaliveMax = or(o.KeepaliveMax, 900*time.Second)
	o.Window = or(o.Window, 256)
	o.WindowBytes = or(o.WindowBytes, 1<<20)
	o.QueueBytes = or(o.QueueBytes, 64<<20)
	return o, o.check()
}

func (o Options) check() error {
	if o.Handler == nil || o.Authenticator == nil {
		return errors.New("broker: Options need a Handler and an Authenticator")
	}
	if o.KeepaliveMin < time.Second || o.KeepaliveMax < o.KeepaliveMin || o.KeepaliveMax > maxKeepalive {
		return fmt.Errorf("broker: keep-alive limits %v to %v: give 1s ≤ min ≤ max ≤ %v", o.KeepaliveMin, o.KeepaliveMax, maxKeepalive)
	}
	if o.Window < 1 || o.Window > 65535 {
		return fmt.Errorf("broker: Window %d: give 1 to 65535", o.Window)
	}
	if o.MaxConnections < 1 || o.FirstPacket < 0 || o.WriteDeadline < 0 {
		return errors.New("broker: MaxConnections, FirstPacket and WriteDeadline cannot be negative")
	}
	if o.MaxPacketBytes < maxConnect || o.WindowBytes < 1 || o.QueueBytes < o.MaxPacketBytes+messageOverhead {
		return fmt.Errorf("broker: MaxPacketBytes %d, QueueBytes %d: give at least %d, and room for one packet in the queue",
			o.MaxPacketBytes, o.QueueBytes, maxConnect)
	}
	return nil
}

// or returns v, or def when v is the zero value.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
