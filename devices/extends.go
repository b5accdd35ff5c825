package devices

import (
	"slices"
	"strings"

	"jiaxin/devices/strictyaml"
)

// How `extends` merges, key by key:
//   - maps merge: what the product says wins, what it does not say is inherited;
//   - words (aliases, say, up, down, query and an enum's values) add up: the product's own come first, so that its
//     first word is the one that we say ourselves;
//   - samples add up, the inherited ones first;
//   - any other list, and any single value, is replaced.
//
// `without: [properties.swing, events.nobody_home]` takes inherited things away first, and with a property, command or
// event also the inherited samples that mention it. `model`, `extends`, `without` and `abstract` are never inherited.
func extend(base *build, own *strictyaml.Node, problems *strictyaml.Problems) *strictyaml.Node {
	if base == nil {
		if at := own.Get("without"); at != nil {
			problems.Add(at, "without an `extends` there is nothing to leave out: delete this")
		}
		return own
	}
	tree := base.tree
	for _, key := range []string{"model", "extends", "without", "abstract"} {
		tree = remove(tree, []string{key})
	}
	if at := own.Get("without"); at != nil {
		for _, item := range problems.Items(at) {
			tree = leaveOut(tree, item, problems)
		}
	}
	return merge(tree, own, nil)
}

func leaveOut(tree, item *strictyaml.Node, problems *strictyaml.Problems) *strictyaml.Node {
	path := strings.Split(problems.Text(item), ".")
	parent := tree.At(path[:len(path)-1]...)
	if tree.At(path...) == parent {
		problems.Add(item, "the base has no %s: delete this", item.Value)
		return tree
	}
	tree = remove(tree, path)
	if len(path) == 2 {
		tree = removeSamples(tree, path[0], path[1])
	}
	return tree
}

// remove returns the tree without what the path names; the given tree is shared and stays as it is.
func remove(n *strictyaml.Node, path []string) *strictyaml.Node {
	copied := *n
	copied.Fields = nil
	for _, f := range n.Fields {
		switch {
		case f.Name != path[0]:
			copied.Fields = append(copied.Fields, f)
		case len(path) > 1:
			f.Value = remove(f.Value, path[1:])
			copied.Fields = append(copied.Fields, f)
		}
	}
	return &copied
}

func removeSamples(tree *strictyaml.Node, section, key string) *strictyaml.Node {
	samples := tree.Get("samples")
	if samples == nil {
		return tree
	}
	kept := *samples
	kept.Items = slices.DeleteFunc(slices.Clone(samples.Items), func(s *strictyaml.Node) bool {
		return mentions(s, section, key)
	})
	copied := *tree
	copied.Fields = slices.Clone(tree.Fields)
	for i := range copied.Fields {
		if copied.Fields[i].Name == "samples" {
			copied.Fields[i].Value = &kept
		}
	}
	return &copied
}

// mentionedIn says where a sample, or a step of it, names things of a section.
func mentionedIn(section string) (maps, words []string) {
	switch section {
	case "properties":
		return []string{"report", "given", "set"}, nil
	case "events":
		return nil, []string{"event", "raises"}
	case "commands":
		return nil, []string{"do"}
	}
	return nil, nil
}

func mentions(sample *strictyaml.Node, section, key string) bool {
	maps, words := mentionedIn(section)
	for _, m := range maps {
		if at := sample.Get(m); at != nil && at.Get(key) != nil {
			return true
		}
	}
	for _, w := range words {
		if at := sample.Get(w); at != nil && (at.Value == key || hasItem(at, key)) {
			return true
		}
	}
	steps := sample.Get("then")
	return steps != nil && slices.ContainsFunc(steps.Items, func(step *strictyaml.Node) bool {
		return mentions(step, section, key)
	})
}

func hasItem(list *strictyaml.Node, value any) bool {
	return slices.ContainsFunc(list.Items, func(n *strictyaml.Node) bool { return n.Value == value })
}

func merge(base, own *strictyaml.Node, path []string) *strictyaml.Node {
	switch {
	case base.Kind == strictyaml.Map && own.Kind == strictyaml.Map:
		return mergeMaps(base, own, path)
	case base.Kind == strictyaml.List && own.Kind == strictyaml.List && areWords(path):
		return joinLists(own, own.Items, base.Items)
	case base.Kind == strictyaml.List && own.Kind == strictyaml.List && slices.Equal(path, []string{"samples"}):
		return joinLists(own, base.Items, own.Items)
	}
	return own
}

// areWords: a list under a language, or under a value in its short form.
func areWords(path []string) bool {
	n := len(path)
	return n > 0 && isLanguage(path[n-1]) || n > 1 && path[n-2] == "values"
}

func joinLists(own *strictyaml.Node, first, second []*strictyaml.Node) *strictyaml.Node {
	joined := *own
	joined.Items = slices.Clone(first)
	for _, item := range second {
		if item.Value == nil || !hasItem(&joined, item.Value) {
			joined.Items = append(joined.Items, item)
		}
	}
	return &joined
}

func mergeMaps(base, own *strictyaml.Node, path []string) *strictyaml.Node {
	merged := *own
	merged.Fields = nil
	for _, f := range base.Fields {
		if o := slices.IndexFunc(own.Fields, func(g strictyaml.Field) bool { return g.Name == f.Name }); o >= 0 {
			f.Key = own.Fields[o].Key
			f.Value = merge(f.Value, own.Fields[o].Value, append(slices.Clone(path), f.Name))
		}
		merged.Fields = append(merged.Fields, f)
	}
	for _, f := range own.Fields {
		if base.Get(f.Name) == nil {
			merged.Fields = append(merged.Fields, f)
		}
	}
	return &merged
}
