package fleet

import (
	"maps"
	"time"

	"jiaxin/devices"
)

// Scene makes the sample with this id happen, as Snapshot lists them. ErrUnplugged: it has no power.
func (a *Appliance) Scene(id string) error {
	sample, err := a.machine.scene(id) // reads the model only
	if err != nil {
		return err
	}
	return a.handle(func(now time.Time) []output { return a.machine.happen(sample, now) })
}

// Set is a hand on the appliance that changes writable properties.
func (a *Appliance) Set(values map[string]any) error {
	if err := a.o.Model.CheckSet(values); err != nil {
		return err
	}
	return a.handle(func(now time.Time) []output { return a.machine.set(values, now) })
}

// Do is a hand on the appliance that starts an action.
func (a *Appliance) Do(action string, with map[string]any) error {
	if err := a.o.Model.CheckDo(action, with); err != nil {
		return err
	}
	return a.handle(func(now time.Time) []output { return a.machine.do(action, with, now) })
}

func (a *Appliance) handle(change func(now time.Time) []output) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unplug == nil {
		return ErrUnplugged
	}
	a.emit(change(a.o.Now()))
	a.reschedule()
	a.o.Changed()
	return nil
}

// PressButton presses its binding key: {"nonce","counter"} on up/button, the counter growing from press to press
// and from start to start. ErrUnplugged, or ErrNotOnline: nobody would hear it.
func (a *Appliance) PressButton() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unplug == nil {
		return ErrUnplugged
	}
	if a.link == nil {
		return ErrNotOnline
	}
	nonce, err := a.nonce()
	if err != nil {
		return err
	}
	a.presses++
	a.send(devices.UpButton, map[string]any{"nonce": nonce, "counter": a.presses}, nil)
	return nil
}

// Deaf makes it ignore commands, without any reply, until it is set to false.
func (a *Appliance) Deaf(deaf bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deaf = deaf
	a.o.Changed()
}

// Slow makes it look at each command only this long after it came; 0: at once. A command that has expired by then is
// refused.
func (a *Appliance) Slow(wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.slow = max(wait, 0)
	a.o.Changed()
}

// Snapshot is what can be seen of an appliance at one moment; it is the JSON of the panel.
type Snapshot struct {
	Key        string             `json:"key"` // what the panel calls it: its device id, or its client id where two share that
	Product    string             `json:"product"`
	Device     string             `json:"device"`
	Name       devices.Text       `json:"name"`      // what the installer called it, else the product's name
	Plugged    bool               `json:"plugged"`   // it has power
	Connected  bool               `json:"connected"` // the broker let it in
	Online     bool               `json:"online"`    // and it has said {"online":true}
	Deaf       bool               `json:"deaf"`
	Slow       float64            `json:"slow"`    // seconds
	Waiting    int                `json:"waiting"` // events and reports that the gateway has not confirmed
	Claim      devices.Claim      `json:"claim"`
	Properties []PropertySnapshot `json:"properties"`
	Scenes     []Scene            `json:"scenes"`
	Drawing    string             `json:"drawing,omitempty"` // where its drawing is, on the panel's host
	Label      string             `json:"label,omitempty"`   // where the label's picture is, on the panel's host; "": it has none
}

// PropertySnapshot is one property with its value and the words for it.
type PropertySnapshot struct {
	Key   string       `json:"key"`
	Name  devices.Text `json:"name"`
	Value any          `json:"value"`
	Told  devices.Text `json:"told"`
}

// Scene is a thing that can be made to happen.
type Scene struct {
	ID   string       `json:"id"`
	Name devices.Text `json:"name"`
}

// Snapshot returns the present state.
func (a *Appliance) Snapshot() Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.o.Registration
	return Snapshot{
		Key: r.Address.Device, Product: r.Address.Product, Device: r.Address.Device, Name: a.name(),
		Plugged: a.unplug != nil, Connected: a.link != nil, Online: a.told, Deaf: a.deaf, Slow: a.slow.Seconds(),
		Waiting: len(a.events.queue) + a.reports(), Claim: a.o.Model.Claim,
		Properties: a.properties(), Scenes: a.machine.scenes(),
	}
}

func (a *Appliance) name() devices.Text {
	if a.o.Registration.Name != "" {
		return devices.Text{"zh": a.o.Registration.Name, "en": a.o.Model.Name.In("en")}
	}
	return maps.Clone(a.o.Model.Name)
}

func (a *Appliance) properties() []PropertySnapshot {
	var out []PropertySnapshot
	for i := range a.o.Model.Properties {
		p := &a.o.Model.Properties[i]
		v := a.machine.props[p.Key]
		out = append(out, PropertySnapshot{Key: p.Key, Name: p.Name, Value: v, Told: told(p, v)})
	}
	return out
}

// told puts a value into words: as the model tells it, else its name, else itself with its unit.
func told(p *devices.Property, v any) devices.Text {
	out := devices.Text{}
	for _, lang := range []string{"zh", "en"} {
		out[lang] = p.Say(v, lang)
		if named, ok := p.Value(v); ok && named.Told.In(lang) != "" {
			out[lang] = named.Told.In(lang)
		}
	}
	return out
}
