package devices

import (
	"slices"
	"strconv"

	"jiaxin/devices/strictyaml"
)

// Languages are the ones that words may be given in.
func Languages() []string { return []string{"zh", "en", "zh-TW", "zh-HK"} }

func isLanguage(s string) bool { return slices.Contains(Languages(), s) }

// reader turns a tree into a Model. It tells of unknown keys and wrong types; whether the whole makes sense is the
// checker's part.
type reader struct {
	problems *strictyaml.Problems
}

type keys = map[string]func(*strictyaml.Node)

func (r reader) ignore(*strictyaml.Node) {}

func (r reader) model(id string, n *strictyaml.Node) (m *Model, abstract bool) {
	m = &Model{ID: id, Claim: ClaimScan}
	r.problems.Keys(n, keys{
		"model":      r.ignore,
		"without":    r.ignore,
		"extends":    func(n *strictyaml.Node) { m.Extends, _ = n.Value.(string) },
		"abstract":   func(n *strictyaml.Node) { abstract = r.problems.Bool(n) },
		"name":       func(n *strictyaml.Node) { m.Name = r.text(n) },
		"aliases":    func(n *strictyaml.Node) { m.Aliases = r.words(n) },
		"properties": func(n *strictyaml.Node) { m.Properties = r.properties(n) },
		"commands":   func(n *strictyaml.Node) { m.Commands = r.actions(n) },
		"events":     func(n *strictyaml.Node) { m.Events = r.events(n) },
		"claim":      func(n *strictyaml.Node) { m.Claim = Claim(r.problems.OneOf(n, "scan", "button")) },
		"samples":    func(n *strictyaml.Node) { m.Samples = r.samples(n) },
	})
	return m, abstract
}

// text reads {zh: …, en: …}, or a bare text, which is zh.
func (r reader) text(n *strictyaml.Node) Text {
	if n.Kind == strictyaml.Text {
		return Text{"zh": r.problems.Text(n)}
	}
	out := Text{}
	r.problems.Each(n, func(f strictyaml.Field) {
		r.language(f)
		out[f.Name] = r.problems.Text(f.Value)
	})
	r.wantZh(n, out["zh"] != "")
	return out
}

// words reads {zh: [..], en: [..]}, or a bare list, which is zh.
func (r reader) words(n *strictyaml.Node) Words {
	if n.Kind == strictyaml.List {
		return Words{"zh": r.phrases(n)}
	}
	out := Words{}
	r.problems.Each(n, func(f strictyaml.Field) {
		r.language(f)
		out[f.Name] = r.phrases(f.Value)
	})
	r.wantZh(n, len(out["zh"]) > 0)
	return out
}

func (r reader) phrases(n *strictyaml.Node) (out []string) {
	for _, item := range r.problems.Items(n) {
		if s := r.problems.Text(item); slices.Contains(out, s) {
			r.problems.Add(item, "%q is given twice: delete one", s)
		} else {
			out = append(out, s)
		}
	}
	return out
}

func (r reader) language(f strictyaml.Field) {
	if !isLanguage(f.Name) {
		r.problems.Add(f.Key, "unknown language %q%s", f.Name, strictyaml.Suggest(f.Name, Languages()))
	}
}

func (r reader) wantZh(n *strictyaml.Node, has bool) {
	if n.Kind == strictyaml.Map && !has {
		r.problems.Add(n, "the Chinese is missing: add `zh`")
	}
}

// values reads a map of property values.
func (r reader) values(n *strictyaml.Node) map[string]any {
	out := map[string]any{}
	r.problems.Each(n, func(f strictyaml.Field) { out[f.Name] = r.problems.Scalar(f.Value) })
	return out
}

func (r reader) properties(n *strictyaml.Node) (out []Property) {
	r.problems.Each(n, func(f strictyaml.Field) { out = append(out, r.property(f)) })
	return out
}

func (r reader) property(f strictyaml.Field) Property {
	p := Property{Key: f.Name}
	var values *strictyaml.Node
	r.problems.Keys(f.Value, keys{
		"name":     func(n *strictyaml.Node) { p.Name = r.text(n) },
		"kind":     func(n *strictyaml.Node) { p.Kind = Kind(r.problems.OneOf(n, "switch", "number", "enum", "text")) },
		"unit":     func(n *strictyaml.Node) { p.Unit = r.problems.Text(n) },
		"min":      func(n *strictyaml.Node) { p.Min = r.problems.Number(n) },
		"max":      func(n *strictyaml.Node) { p.Max = r.problems.Number(n) },
		"step":     func(n *strictyaml.Node) { p.Step = r.problems.Number(n) },
		"writable": func(n *strictyaml.Node) { p.Writable = r.problems.Bool(n) },
		"default":  func(n *strictyaml.Node) { p.Default = r.problems.Bool(n) },
		"initial":  func(n *strictyaml.Node) { p.Initial = r.problems.Scalar(n) },
		"values":   func(n *strictyaml.Node) { values = n },
		"up":       func(n *strictyaml.Node) { p.Up = r.words(n) },
		"down":     func(n *strictyaml.Node) { p.Down = r.words(n) },
		"query":    func(n *strictyaml.Node) { p.Query = r.words(n) },
		"hazard":   func(n *strictyaml.Node) { p.Hazard = r.scalars(n) },
		"safe":     func(n *strictyaml.Node) { p.Safe = r.scalars(n) },
	})
	p.Values = r.propertyValues(p, values)
	return p
}

func (r reader) scalars(n *strictyaml.Node) (out []any) {
	if n.Kind == strictyaml.Text {
		return []any{n.Value}
	}
	for _, item := range r.problems.Items(n) {
		out = append(out, r.problems.Scalar(item))
	}
	return out
}

func (r reader) propertyValues(p Property, n *strictyaml.Node) (out []Value) {
	if n != nil {
		r.problems.Each(n, func(f strictyaml.Field) { out = append(out, r.value(p.Kind, f)) })
	}
	if p.Kind == Switch && p.Writable {
		out = withSwitchWords(out)
	}
	return out
}

func (r reader) value(kind Kind, f strictyaml.Field) Value {
	v := Value{Value: f.Name}
	if on, err := strconv.ParseBool(f.Name); err == nil && kind == Switch {
		v.Value = on
	}
	if f.Value.Kind == strictyaml.List {
		v.Say = r.words(f.Value)
		return v
	}
	r.problems.Keys(f.Value, keys{
		"say":  func(n *strictyaml.Node) { v.Say = r.words(n) },
		"told": func(n *strictyaml.Node) { v.Told = r.text(n) },
	})
	return v
}

// withSwitchWords gives a writable switch the everyday words where its model is silent.
func withSwitchWords(given []Value) []Value {
	usual := []Value{
		{
			Value: true, Say: Words{"zh": {"打开", "开启"}, "en": {"turn on", "switch on"}},
			Told: Text{"zh": "已打开", "en": "turned on"},
		},
		{
			Value: false, Say: Words{"zh": {"关掉", "关闭", "关上"}, "en": {"turn off", "switch off"}},
			Told: Text{"zh": "已关闭", "en": "turned off"},
		},
	}
	for _, u := range usual {
		i := slices.IndexFunc(given, func(v Value) bool { return v.Value == u.Value })
		if i < 0 {
			given = append(given, u)
			continue
		}
		if given[i].Say == nil {
			given[i].Say = u.Say
		}
		if given[i].Told == nil {
			given[i].Told = u.Told
		}
	}
	return given
}

func (r reader) actions(n *strictyaml.Node) (out []Action) {
	r.problems.Each(n, func(f strictyaml.Field) {
		a := Action{Key: f.Name}
		r.problems.Keys(f.Value, keys{
			"name":   func(n *strictyaml.Node) { a.Name = r.text(n) },
			"say":    func(n *strictyaml.Node) { a.Say = r.words(n) },
			"with":   func(n *strictyaml.Node) { a.With = r.properties(n) },
			"then":   func(n *strictyaml.Node) { a.Then = r.values(n) },
			"told":   func(n *strictyaml.Node) { a.Told = r.text(n) },
			"hazard": func(n *strictyaml.Node) { a.Hazard = r.problems.Bool(n) },
			"safe":   func(n *strictyaml.Node) { a.Safe = r.problems.Bool(n) },
		})
		out = append(out, a)
	})
	return out
}
