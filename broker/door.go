package broker

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// door counts who is inside, and lets no more in than there is room for. Who has not proved to be a device is counted
// apart: strangers take no places away from devices of the same address, which behind a proxy or in a container network
// is everybody's. When an address has more strangers than may wait, the one who has been silent for longest goes, for a
// device speaks at once.
type door struct {
	total, perAddress, pending int

	mu      sync.Mutex
	shut    bool
	inside  map[*conn]*guest
	from    map[netip.Prefix]*origin
	serving sync.WaitGroup // one for each inside
}

// guest is how far a connection has come.
type guest struct {
	from  netip.Prefix
	stage stage
}

type stage int

const (
	silent stage = iota // no CONNECT yet
	spoken              // its CONNECT is being looked at
	proven              // it is a device
	gone                // it has left, or was silent and had to make room
)

// origin is who came from one address and is inside.
type origin struct {
	silent         []*conn // the oldest first
	spoken, proven int
}

func (o *origin) empty() bool { return len(o.silent)+o.spoken+o.proven == 0 }

func newDoor(o Options) *door {
	return &door{
		total: o.MaxConnections, perAddress: o.MaxConnectionsPerAddress, pending: o.MaxPendingPerAddress,
		inside: map[*conn]*guest{}, from: map[netip.Prefix]*origin{},
	}
}

// enter lets the connection in, as a stranger, or returns the reason why not.
func (d *door) enter(c *conn) (refused string) {
	from := originOf(c.RemoteAddr())
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut || len(d.inside) >= d.total {
		return refusedConnections
	}
	o := d.from[from]
	if o == nil {
		o = &origin{}
		d.from[from] = o
	}
	if d.pending >= 0 && len(o.silent)+o.spoken >= d.pending && !d.evict(o) {
		return refusedPending
	}
	o.silent = append(o.silent, c)
	d.inside[c] = &guest{from: from}
	d.serving.Add(1)
	return ""
}

// evict ends the connection that has been silent for longest, if one is silent; d.mu is held.
func (d *door) evict(o *origin) bool {
	if len(o.silent) == 0 {
		return false
	}
	oldest := o.silent[0]
	d.move(oldest, gone)
	oldest.drop()
	return true
}

// hear notes that the connection has sent its first packet, or failed to. False: it had to make room before.
func (d *door) hear(c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside[c].stage == gone {
		return false
	}
	d.move(c, spoken)
	return true
}

// prove makes a device of the connection. False: there are too many of its address.
func (d *door) prove(c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.perAddress >= 0 && d.from[d.inside[c].from].proven >= d.perAddress {
		return false
	}
	d.move(c, proven)
	return true
}

func (d *door) leave(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.move(c, gone)
	from := d.inside[c].from
	delete(d.inside, c)
	if o := d.from[from]; o != nil && o.empty() {
		delete(d.from, from)
	}
	d.serving.Done()
}

// move counts the connection at another stage; d.mu is held.
func (d *door) move(c *conn, to stage) {
	g := d.inside[c]
	o := d.from[g.from] // nil only for who is gone
	switch g.stage {
	case silent:
		o.silent = slices.DeleteFunc(o.silent, func(other *conn) bool { return other == c })
	case spoken:
		o.spoken--
	case proven:
		o.proven--
	}
	switch g.stage = to; to {
	case spoken:
		o.spoken++
	case proven:
		o.proven++
	}
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

// originOf is who a connection is counted for: the IPv4 address, or the IPv6 /64, of which one household or host
// has many addresses.
func originOf(a net.Addr) netip.Prefix {
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
