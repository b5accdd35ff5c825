package templates

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"jiaxin/devices"
	"jiaxin/devices/strictyaml"
)

// maxForms is how many templates an account may have in use
// (https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html).
const maxForms = 25

// maxWords bounds a message's own words in the chat, in characters, so that with what is filled in it stays below the
// 2048 bytes of a customer message.
const maxWords = 200

// lint says what of the messages would not work, be it at night and once a year.
func (l *loader) lint(catalog *devices.Catalog) {
	keys := sortedKeys(l.forms)
	for i, key := range keys {
		l.lintForm(l.forms[key])
		if i == maxForms {
			l.problems.Add(l.forms[key].at, "there are %d forms, and an account may have %d: let messages share them", len(keys), maxForms)
		}
	}
	for _, m := range catalog.Models() {
		for i := range m.Events {
			l.lintEvent(m, &m.Events[i])
		}
	}
	for _, key := range sortedKeys(l.messages) {
		l.lintMessage(l.messages[key])
	}
}

func (l *loader) lintForm(form placed[Form]) {
	if form.thing.Title == "" {
		l.problems.Add(form.at, "%s has no title: add it as the account's template has it", form.thing.Key)
	}
	if len(form.thing.Fields) == 0 {
		l.problems.Add(form.at, "%s has no fields: add `fields: {thing1: …}`", form.thing.Key)
	}
	for _, f := range form.thing.Fields {
		if err := checkFieldKey(f.Key); err != nil {
			l.problems.Add(form.at.At("fields", f.Key), "%v", err)
		}
	}
}

// lintEvent notes who tells an event, and what is missing for that.
func (l *loader) lintEvent(model *devices.Model, e *devices.Event) {
	for key, message := range map[string]string{"message": e.Message, "cleared": e.Cleared} {
		if message == "" {
			continue
		}
		if _, ok := l.messages[message]; !ok {
			l.problems.Add(model.Place("events", e.Key, key), "there is no message %q%s", message,
				strictyaml.Suggest(message, sortedKeys(l.messages)))
			continue
		}
		l.set.events[message] = append(l.set.events[message], eventUse{model, e, key})
	}
}

func (l *loader) lintMessage(m placed[*Message]) {
	if m.thing.Category == "" {
		l.problems.Add(m.at, "%s has no category: add `category: safety`, done, comfort, status or family", m.thing.Key)
	}
	if len(m.thing.Text) == 0 {
		l.problems.Add(m.at, "%s says nothing in the chat: add `text: {zh: …, en: …}`", m.thing.Key)
	}
	for _, lang := range languagesOf(m.thing.Text) {
		words := m.thing.Text[lang]
		at := m.at.At("text", lang)
		l.lintWords(m, words, at)
		if n := units(words); n > maxWords {
			l.problems.Add(at, "this has %d characters, and %d fit beside what is filled in: shorten it", n, maxWords)
		}
	}
	l.lintFields(m)
}

func (l *loader) lintFields(m placed[*Message]) {
	if m.thing.Form == "" {
		l.lintChatOnly(m)
		return
	}
	form, ok := l.set.form(m.thing.Form)
	if !ok {
		l.problems.Add(m.at.At("form"), "there is no form %q%s", m.thing.Form, strictyaml.Suggest(m.thing.Form, sortedKeys(l.forms)))
		return
	}
	var known []string
	for _, f := range form.Fields {
		known = append(known, f.Key)
		if _, ok := m.thing.Fields[f.Key]; !ok {
			l.problems.Add(m.at.At("fields"), "the form %s needs %s (%s), and WeChat refuses an empty field: add it", form.Key, f.Key, f.Label)
		}
	}
	for _, key := range sortedKeys(m.thing.Fields) {
		if !slices.Contains(known, key) {
			l.problems.Add(m.at.At("fields", key), "the form %s has no %s%s", form.Key, key, strictyaml.Suggest(key, known))
			continue
		}
		l.lintField(m, key)
	}
}

// lintChatOnly: a message without a form can only answer somebody who has just written or tapped.
func (l *loader) lintChatOnly(m placed[*Message]) {
	if len(m.thing.Fields) > 0 {
		l.problems.Add(m.at.At("fields"), "these fields belong to no form: add `form:`, or delete them")
	}
	if uses := l.set.events[m.thing.Key]; len(uses) > 0 {
		l.problems.Add(m.at, "%s tells of %s with this, at any hour, so that it needs a form and fields", uses[0].model.ID, uses[0].event.Key)
	}
}

func (l *loader) lintField(m placed[*Message], key string) {
	for _, lang := range languagesOf(m.thing.Fields[key]) {
		words := m.thing.Fields[key][lang]
		at := m.at.At("fields", key, lang)
		before := len(l.problems.All())
		l.lintWords(m, words, at)
		if len(l.problems.All()) > before || checkFieldKey(key) != nil {
			continue
		}
		if err := lintField(fieldKind(key), words); err != nil {
			l.problems.Add(at, "%v", err)
		}
	}
}

// lintWords: every placeholder is known and will be filled on this occasion.
func (l *loader) lintWords(m placed[*Message], words string, at *strictyaml.Node) {
	if strings.Count(words, "{") != len(devices.Placeholders(words)) || strings.ContainsAny(literal(words), "{}") {
		l.problems.Add(at, "a { has no } or the other way round: write placeholders as {device}")
		return
	}
	for _, name := range devices.Placeholders(words) {
		if field, ok := strings.CutPrefix(name, "field."); ok {
			l.lintFieldName(m, field, at)
		} else if err := checkPlaceholder(name, len(l.set.events[m.thing.Key]) > 0); err != nil {
			l.problems.Add(at, "%v", err)
		}
	}
}

func checkPlaceholder(name string, ofEvent bool) error {
	if !slices.Contains(placeholders(), name) {
		return fmt.Errorf("unknown placeholder {%s}%s", name, strictyaml.Suggest(name, placeholders()))
	}
	if ofEvent && slices.Contains([]string{"who", "command", "reason"}, name) {
		return fmt.Errorf("{%s} is not known when an appliance tells an event: leave it out", name)
	}
	return nil
}

// lintFieldName: {field.x} is a field of every event that the message tells, or a property of its product.
func (l *loader) lintFieldName(m placed[*Message], field string, at *strictyaml.Node) {
	uses := l.set.events[m.thing.Key]
	if len(uses) == 0 {
		l.problems.Add(at, "no event uses this message, so nothing fills {field.%s}", field)
	}
	for _, use := range uses {
		_, property := use.model.Property(field)
		declared := slices.ContainsFunc(use.event.Fields, func(p devices.Property) bool { return p.Key == field })
		if !property && !declared {
			l.problems.Add(at, "%s has neither a property nor, for %s, a field %q", use.model.ID, use.event.Key, field)
			return
		}
	}
}

func languagesOf(t devices.Text) (out []string) {
	for _, lang := range devices.Languages() {
		if _, ok := t[lang]; ok {
			out = append(out, lang)
		}
	}
	return out
}

func hasWords(s string) bool { return strings.ContainsFunc(literal(s), unicode.IsLetter) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
