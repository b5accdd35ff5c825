package broker

import (
	"net"
	"net/netip"
	"sync"
)

// door counts who is inside, and lets no more in than there is room for.
type door struct {
	total, perAddress int

	mu      sync.Mutex
	shut    bool
	inside  map[*conn]netip.Prefix
	from    map[netip.Prefix]int
	serving sync.WaitGroup // one for each inside
}

func newDoor(o Options) *door {
	return &door{
		total: o.MaxConnections, perAddress: o.MaxConnectionsPerAddress,
		inside: map[*conn]netip.Prefix{}, from: map[netip.Prefix]int{},
	}
}

// enter lets the connection in, or returns the reason why not.
func (d *door) enter(c *conn) (refused string) {
	from := origin(c.RemoteAddr())
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut || len(d.inside) >= d.total {
		return refusedConnections
	}
	if d.perAddress >= 0 && d.from[from] >= d.perAddress {
		return refusedAddress
	}
	d.inside[c] = from
	d.from[from]++
	d.serving.Add(1)
	return ""
}

func (d *door) leave(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := d.inside[c]
	delete(d.inside, c)
	if d.from[from]--; d.from[from] == 0 {
		delete(d.from, from)
	}
	d.serving.Done()
}

// close lets nobody in any more and does to everyone inside.
func (d *door) close(do func(*conn)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for c := range d.inside {
		do(c)
	}
}

// origin is who a connection is counted for: the IPv4 address, or the IPv6 /64, of which one household or host
// has many addresses.
func origin(a net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil { // not an IP connection: all of them count as one
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // cannot fail: bits fits the address
	return p
}
