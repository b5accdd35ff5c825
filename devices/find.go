package devices

import "jiaxin/devices/strictyaml"

// Place says where in the model's files something is written down, such as Place("events", "gas_leak", "message"), or else
// the nearest thing above it: for problems that only others can find. The model must come from Load.
func (m *Model) Place(path ...string) *strictyaml.Node { return m.tree.At(path...) }

// Property returns the property with the key.
func (m *Model) Property(key string) (*Property, bool) { return findProperty(m.Properties, key) }

// Action returns the command with the key.
func (m *Model) Action(key string) (*Action, bool) {
	for i := range m.Commands {
		if m.Commands[i].Key == key {
			return &m.Commands[i], true
		}
	}
	return nil, false
}

// Event returns the event with the key.
func (m *Model) Event(key string) (*Event, bool) {
	for i := range m.Events {
		if m.Events[i].Key == key {
			return &m.Events[i], true
		}
	}
	return nil, false
}

// Value returns what the model says of one value of a switch or an enum.
func (p *Property) Value(v any) (*Value, bool) {
	for i := range p.Values {
		if p.Values[i].Value == v {
			return &p.Values[i], true
		}
	}
	return nil, false
}

// Start is the value that a simulated device begins with.
func (p *Property) Start() any {
	switch {
	case p.Initial != nil:
		return p.Initial
	case p.Kind == Number:
		return p.Min
	case p.Kind == Enum && len(p.Values) > 0:
		return p.Values[0].Value
	}
	return p.zero()
}

func findProperty(in []Property, key string) (*Property, bool) {
	for i := range in {
		if in[i].Key == key {
			return &in[i], true
		}
	}
	return nil, false
}

func (m *Model) propertyKeys() []string { return propertyKeys(m.Properties) }

func propertyKeys(in []Property) (out []string) {
	for _, p := range in {
		out = append(out, p.Key)
	}
	return out
}

func (m *Model) actionKeys() (out []string) {
	for _, a := range m.Commands {
		out = append(out, a.Key)
	}
	return out
}

func (m *Model) eventKeys() (out []string) {
	for _, e := range m.Events {
		out = append(out, e.Key)
	}
	return out
}

func (p *Property) valueKeys() (out []string) {
	for _, v := range p.Values {
		if s, ok := v.Value.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
