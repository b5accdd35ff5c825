package devices

import "jiaxin/devices/strictyaml"

func (r reader) events(n *strictyaml.Node) (out []Event) {
	r.problems.Each(n, func(f strictyaml.Field) { out = append(out, r.event(f)) })
	return out
}

func (r reader) event(f strictyaml.Field) Event {
	e := Event{Key: f.Name}
	r.problems.Keys(f.Value, keys{
		"name":     func(n *strictyaml.Node) { e.Name = r.text(n) },
		"when":     func(n *strictyaml.Node) { e.When = r.problems.Text(n) },
		"for":      func(n *strictyaml.Node) { e.For = r.problems.Duration(n) },
		"fields":   func(n *strictyaml.Node) { e.Fields = r.properties(n) },
		"resolves": func(n *strictyaml.Node) { e.Resolves = r.problems.Text(n) },
		"level": func(n *strictyaml.Node) {
			e.Level = Level(r.problems.OneOf(n, "info", "suggestion", "warning", "critical"))
		},
		"message": func(n *strictyaml.Node) { e.Message = r.problems.Text(n) },
		"cleared": func(n *strictyaml.Node) { e.Cleared = r.problems.Text(n) },
		"ask":     func(n *strictyaml.Node) { e.Ask = r.options(n) },
		"expires": func(n *strictyaml.Node) { e.Expires = r.problems.Duration(n) },
	})
	return e
}

func (r reader) options(n *strictyaml.Node) (out []Option) {
	for _, item := range r.problems.Items(n) {
		var o Option
		r.problems.Keys(item, keys{
			"say":  func(n *strictyaml.Node) { o.Say = r.words(n) },
			"set":  func(n *strictyaml.Node) { o.Set = r.values(n) },
			"do":   func(n *strictyaml.Node) { o.Do = r.problems.Text(n) },
			"with": func(n *strictyaml.Node) { o.With = r.values(n) },
			"ack":  func(n *strictyaml.Node) { o.Ack = r.problems.Bool(n) },
		})
		out = append(out, o)
	}
	return out
}

func (r reader) samples(n *strictyaml.Node) (out []Sample) {
	for _, item := range r.problems.Items(n) {
		out = append(out, r.sample(item))
	}
	return out
}

func (r reader) sample(n *strictyaml.Node) Sample {
	var s Sample
	r.problems.Keys(n, keys{
		"name":    func(n *strictyaml.Node) { s.Name = r.text(n) },
		"report":  func(n *strictyaml.Node) { s.Report = r.values(n) },
		"given":   func(n *strictyaml.Node) { s.Given = r.values(n) },
		"event":   func(n *strictyaml.Node) { s.Event = r.problems.Text(n) },
		"fields":  func(n *strictyaml.Node) { s.Fields = r.values(n) },
		"raises":  func(n *strictyaml.Node) { s.Raises = r.phrases(n) },
		"say":     func(n *strictyaml.Node) { s.Say = r.problems.Text(n) },
		"set":     func(n *strictyaml.Node) { s.Set = r.values(n) },
		"do":      func(n *strictyaml.Node) { s.Do = r.problems.Text(n) },
		"with":    func(n *strictyaml.Node) { s.With = r.values(n) },
		"command": func(n *strictyaml.Node) { s.Command = r.problems.Bool(n) },
		"then":    func(n *strictyaml.Node) { s.Then = r.steps(n) },
	})
	return s
}

func (r reader) steps(n *strictyaml.Node) (out []Step) {
	for _, item := range r.problems.Items(n) {
		var s Step
		r.problems.Keys(item, keys{
			"after":  func(n *strictyaml.Node) { s.After = r.problems.Duration(n) },
			"report": func(n *strictyaml.Node) { s.Report = r.values(n) },
			"event":  func(n *strictyaml.Node) { s.Event = r.problems.Text(n) },
		})
		out = append(out, s)
	}
	return out
}
