package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"sync"
	"time"

	"jiaxin/devices"
)

// HomeOptions say who lives in a Home. Catalog and Broker are needed; the rest is as in Options.
type HomeOptions struct {
	Catalog       *devices.Catalog
	Registrations []devices.Registration
	Broker        string
	TLS           *tls.Config
	Speed         float64
	Retry         time.Duration
	Reconnect     time.Duration
	Logger        *slog.Logger
	Now           func() time.Time
	Rand          io.Reader
}

// Home is a set of appliances. Its methods are safe for concurrent use.
type Home struct {
	order  []*resident
	byKey  map[string]*resident
	logger *slog.Logger
	feed   *feed
	stop   sync.Once
}

// resident is an appliance with what only the panel knows of it.
type resident struct {
	*Appliance
	key     string
	drawing string
}

// NewHome makes the appliances of a registry, none plugged in yet. The error names each registration that is of an
// unknown product or is there twice.
func NewHome(o HomeOptions) (*Home, error) {
	h := &Home{byKey: map[string]*resident{}, logger: o.Logger, feed: newFeed()}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	shared := shared(o.Registrations)
	var problems []error
	for _, reg := range o.Registrations {
		key := reg.Address.Device
		if shared[key] {
			key = reg.Address.ClientID()
		}
		if err := h.add(o, reg, key); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", reg.Address, err))
		}
	}
	return h, errors.Join(problems...)
}

// shared returns the device ids that more than one product uses.
func shared(registrations []devices.Registration) map[string]bool {
	count, out := map[string]int{}, map[string]bool{}
	for _, reg := range registrations {
		count[reg.Address.Device]++
		out[reg.Address.Device] = count[reg.Address.Device] > 1
	}
	return out
}

func (h *Home) add(o HomeOptions, reg devices.Registration, key string) error {
	model, ok := o.Catalog.Model(reg.Address.Product)
	if !ok {
		return fmt.Errorf("there is no model %q: correct the client id in the registry, or name the folder that holds the model", reg.Address.Product)
	}
	if h.byKey[key] != nil {
		return errors.New("it is registered twice: delete one line")
	}
	a, err := NewAppliance(Options{
		Model: model, Registration: reg, Broker: o.Broker, TLS: o.TLS, Speed: o.Speed, Retry: o.Retry, Reconnect: o.Reconnect,
		Logger: o.Logger, Now: o.Now, Rand: o.Rand, Changed: func() { h.feed.changed(key) },
	})
	if err != nil {
		return err
	}
	r := &resident{Appliance: a, key: key, drawing: drawing(o.Catalog, model)}
	h.order = append(h.order, r)
	h.byKey[key] = r
	return nil
}

// Appliance returns one by its key: its device id, or where two products share that its client id.
func (h *Home) Appliance(key string) (*Appliance, bool) {
	r, ok := h.byKey[key]
	if !ok {
		return nil, false
	}
	return r.Appliance, true
}

// Appliances returns all, in the registry's order.
func (h *Home) Appliances() []*Appliance {
	out := make([]*Appliance, 0, len(h.order))
	for _, r := range h.order {
		out = append(out, r.Appliance)
	}
	return out
}

// Start plugs everything in. Connecting goes on behind it, for as long as it takes.
func (h *Home) Start() {
	for _, r := range h.order {
		r.Plug()
	}
}

// Stop switches everything off in good order, ends the panel's event streams, and waits until nothing runs any
// more or ctx ends; then the error names what is left.
func (h *Home) Stop(ctx context.Context) error {
	h.stop.Do(h.feed.close)
	problems := make([]error, len(h.order))
	var all sync.WaitGroup
	for i, r := range h.order {
		all.Go(func() { problems[i] = r.Stop(ctx) })
	}
	all.Wait()
	return errors.Join(problems...)
}

// snapshot completes an appliance's own with what the panel knows.
func (r *resident) snapshot(base string) Snapshot {
	s := r.Snapshot()
	s.Key = r.key
	s.Drawing = base + "drawings/" + r.drawing
	if r.o.Registration.LabelURL != "" {
		s.Label = base + "label/" + r.key + ".png"
	}
	return s
}

func (h *Home) snapshots(base string) []Snapshot {
	out := make([]Snapshot, 0, len(h.order))
	for _, r := range h.order {
		out = append(out, r.snapshot(base))
	}
	return out
}

// drawing is the panel's picture of a product: of its own name, or of the model that it was made from.
func drawing(catalog *devices.Catalog, m *devices.Model) string {
	for m != nil {
		for _, id := range []string{m.ID, m.Extends} {
			if name := path.Base(id) + ".svg"; drawn(name) {
				return name
			}
		}
		m, _ = catalog.Model(m.Extends) // Load has refused circles
	}
	return "generic.svg"
}
