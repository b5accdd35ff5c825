package strictyaml

import (
	"slices"
	"time"
)

// Keys reads a map whose keys are known: each key present is handed to its reader; any other key is a problem.
func (p *Problems) Keys(n *Node, readers map[string]func(*Node)) {
	if !p.is(n, Map) {
		return
	}
	for _, f := range n.Fields {
		if read, ok := readers[f.Name]; ok {
			read(f.Value)
			continue
		}
		p.Add(f.Key, "unknown key %q%s", f.Name, Suggest(f.Name, sortedKeys(readers)))
	}
}

func sortedKeys(m map[string]func(*Node)) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Each reads a map whose keys are names that the file chooses, in order.
func (p *Problems) Each(n *Node, read func(f Field)) {
	if !p.is(n, Map) {
		return
	}
	for _, f := range n.Fields {
		read(f)
	}
}

// Items returns a list's items.
func (p *Problems) Items(n *Node) []*Node {
	if !p.is(n, List) {
		return nil
	}
	return n.Items
}

// Text returns a text that is not empty.
func (p *Problems) Text(n *Node) string {
	if !p.is(n, Text) {
		return ""
	}
	s := n.Value.(string)
	if s == "" {
		p.Add(n, "this text is empty: write it, or leave the key out")
	}
	return s
}

// Number returns a number.
func (p *Problems) Number(n *Node) float64 {
	if !p.is(n, Number) {
		return 0
	}
	return n.Value.(float64)
}

// Bool returns true or false.
func (p *Problems) Bool(n *Node) bool {
	return p.is(n, Bool) && n.Value.(bool)
}

// Scalar returns a text, number or bool as string, float64 or bool.
func (p *Problems) Scalar(n *Node) any {
	if n.Value == nil && n.Kind != Broken {
		p.Add(n, "this must be a text, a number, true or false, not %s", n.Kind)
	}
	return n.Value
}

// Duration returns a time span written as 90s, 10m or 2h; it is never negative.
func (p *Problems) Duration(n *Node) time.Duration {
	s, _ := n.Value.(string)
	d, err := time.ParseDuration(s)
	if n.Kind == Broken {
		return 0
	}
	if err != nil || d < 0 {
		p.Add(n, "this must be a time span such as 90s, 10m or 2h")
		return 0
	}
	return d
}

// OneOf returns a text that must be one of the known words.
func (p *Problems) OneOf(n *Node, known ...string) string {
	s := p.Text(n)
	if s != "" && !slices.Contains(known, s) {
		p.Add(n, "unknown word %q%s", s, Suggest(s, known))
	}
	return s
}

func (p *Problems) is(n *Node, want Kind) bool {
	if n.Kind == want || n.Kind == Broken {
		return n.Kind == want
	}
	cure := ""
	if want == Text && n.Value != nil {
		cure = ": put it in quotes"
	}
	p.Add(n, "this must be %s, not %s%s", want, n.Kind, cure)
	return false
}
