package templates

import (
	"embed"
	"errors"
	"io/fs"
	"path"
	"slices"

	"jiaxin/devices"
	"jiaxin/devices/strictyaml"
)

//go:embed forms.yaml messages
var standard embed.FS

// Standard returns the forms and messages that come with Jiaxin.
func Standard() fs.FS { return standard }

// Set holds all messages and forms. It never changes after Load and is safe for concurrent use.
type Set struct {
	forms    []Form // in the order of their keys
	messages map[string]*Message
	events   map[string][]eventUse // message key → the events that it tells
}

// eventUse is an event that names a message.
type eventUse struct {
	model *devices.Model
	event *devices.Event
	key   string // "message" or "cleared"
}

// Message returns a message by its key.
func (s *Set) Message(key string) (*Message, bool) {
	m, ok := s.messages[key]
	return m, ok
}

// Forms returns the WeChat templates that the account needs, in the order of their keys.
func (s *Set) Forms() []Form { return slices.Clone(s.forms) }

// Load reads forms.yaml and messages/*.yaml of each file system, the standard one first, then a maker's folder, whose
// forms and messages replace those of the same key. The error joins every mistake that was found, each a
// *strictyaml.Problem with file, line, column and cure; there is no Set then.
func Load(catalog *devices.Catalog, fsys ...fs.FS) (*Set, error) {
	l := loader{
		set:      &Set{messages: map[string]*Message{}, events: map[string][]eventUse{}},
		forms:    map[string]placed[Form]{},
		messages: map[string]placed[*Message]{},
	}
	for _, f := range fsys {
		l.readAll(f)
	}
	l.fill()
	l.lint(catalog)
	if err := l.problems.Err(); err != nil {
		return nil, err
	}
	return l.set, nil
}

type loader struct {
	set      *Set
	forms    map[string]placed[Form]
	messages map[string]placed[*Message]
	problems strictyaml.Problems
}

// placed is something with the place that it was read from.
type placed[T any] struct {
	thing T
	at    *strictyaml.Node
}

func (l *loader) readAll(fsys fs.FS) {
	l.readFile(fsys, "forms.yaml", l.readForm, map[string]int{})
	names, err := fs.ReadDir(fsys, "messages")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.problems.Add(top("messages"), "this folder cannot be read: %v", err)
	}
	seen := map[string]int{}
	for _, entry := range names {
		name := path.Join("messages", entry.Name())
		switch path.Ext(name) {
		case ".yaml":
			l.readFile(fsys, name, l.readMessage, seen)
		case ".yml":
			l.problems.Add(top(name), "messages are read from .yaml files: rename this one")
		}
	}
}

func top(file string) *strictyaml.Node { return &strictyaml.Node{File: file, Line: 1, Col: 1} }

// readFile reads a file of named things. The same name twice in one file system is a mistake; in a later one it replaces.
func (l *loader) readFile(fsys fs.FS, name string, read func(strictyaml.Field), seen map[string]int) {
	data, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.problems.Add(top(name), "this file cannot be read: %v", err)
		return
	}
	tree := strictyaml.Parse(name, data, &l.problems)
	if tree == nil {
		return
	}
	l.problems.Each(tree, func(f strictyaml.Field) {
		if seen[f.Name]++; seen[f.Name] > 1 {
			l.problems.Add(f.Key, "%s is in another file of this folder already: keep one", f.Name)
			return
		}
		read(f)
	})
}

func (l *loader) readForm(f strictyaml.Field) {
	form := Form{Key: f.Name}
	l.problems.Keys(f.Value, map[string]func(*strictyaml.Node){
		"title": func(n *strictyaml.Node) { form.Title = l.problems.Text(n) },
		"fields": func(n *strictyaml.Node) {
			l.problems.Each(n, func(f strictyaml.Field) {
				form.Fields = append(form.Fields, FormField{Key: f.Name, Label: l.problems.Text(f.Value)})
			})
		},
	})
	l.forms[f.Name] = placed[Form]{form, f.Value}
}

func (l *loader) readMessage(f strictyaml.Field) {
	m := &Message{Key: f.Name, Fields: map[string]devices.Text{}}
	l.problems.Keys(f.Value, map[string]func(*strictyaml.Node){
		"category": func(n *strictyaml.Node) {
			m.Category = Category(l.problems.OneOf(n, "safety", "done", "comfort", "status", "family"))
		},
		"form": func(n *strictyaml.Node) { m.Form = l.problems.Text(n) },
		"fields": func(n *strictyaml.Node) {
			l.problems.Each(n, func(f strictyaml.Field) { m.Fields[f.Name] = l.text(f.Value) })
		},
		"text": func(n *strictyaml.Node) { m.Text = l.text(n) },
	})
	l.messages[f.Name] = placed[*Message]{m, f.Value}
}

// text reads {zh: …, en: …}; or one text for all languages, which must be nothing but placeholders.
func (l *loader) text(n *strictyaml.Node) devices.Text {
	if n.Kind == strictyaml.Text {
		s := l.problems.Text(n)
		if hasWords(s) {
			l.problems.Add(n, "these words need their languages: write {zh: …, en: …}")
		}
		return devices.Text{"zh": s, "en": s}
	}
	out := devices.Text{}
	l.problems.Each(n, func(f strictyaml.Field) {
		if !slices.Contains(devices.Languages(), f.Name) {
			l.problems.Add(f.Key, "unknown language %q%s", f.Name, strictyaml.Suggest(f.Name, devices.Languages()))
		}
		out[f.Name] = l.problems.Text(f.Value)
	})
	for _, lang := range []string{"zh", "en"} {
		if _, ok := out[lang]; !ok && n.Kind == strictyaml.Map {
			l.problems.Add(n, "the words in %q are missing: add them", lang)
		}
	}
	return out
}

// fill puts what was read into the set, in the order of the keys.
func (l *loader) fill() {
	for _, key := range sortedKeys(l.forms) {
		l.set.forms = append(l.set.forms, l.forms[key].thing)
	}
	for key, m := range l.messages {
		l.set.messages[key] = m.thing
	}
}
