package templates

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"jiaxin/devices"
)

// maxValue is the longest value of a placeholder in the chat, in characters.
const maxValue = 200

// Text renders a message's words for the chat; lang is as in devices.Text. "" if there is no such message. A placeholder's value becomes
// one line of at most 200 characters and is never read for placeholders again.
func (s *Set) Text(key, lang string, v Vars) string {
	m, ok := s.messages[key]
	if !ok {
		return ""
	}
	return expand(m.Text.In(lang), func(name string) string { return chatValue(v.value(name, lang)) })
}

// Card renders a message's template form. It fails if there is no such message or it has no form, if At is zero where a
// field shows the time, and where a number field's {field.…} is not a number: then only the chat can tell.
func (s *Set) Card(key, lang string, v Vars) (Card, error) {
	m, ok := s.messages[key]
	if !ok {
		return Card{}, fmt.Errorf("there is no message %q", key)
	}
	form, ok := s.form(m.Form)
	if !ok {
		return Card{}, fmt.Errorf("the message %q is for the chat only: it has no form", key)
	}
	card := Card{Form: form.Key, Title: form.Title}
	for _, f := range form.Fields {
		value, err := renderField(fieldKind(f.Key), m.Fields[f.Key].In(lang), lang, v)
		if err != nil {
			return Card{}, fmt.Errorf("message %s, field %s: %w", key, f.Key, err)
		}
		card.Fields = append(card.Fields, CardField{Key: f.Key, Label: f.Label, Value: value})
	}
	return card, nil
}

func (s *Set) form(key string) (Form, bool) {
	for _, f := range s.forms {
		if f.Key == key {
			return f, true
		}
	}
	return Form{}, false
}

func renderField(kind, words, lang string, v Vars) (string, error) {
	switch kind {
	case timeField, dateField:
		if v.At.IsZero() {
			return "", errors.New("the time is missing")
		}
		return v.At.Format(map[string]string{timeField: cardTime, dateField: cardDate}[kind]), nil
	case thing, shortThing, characterString:
		value := fit(kind, words, lang, v)
		return value, checkValue(kind, value)
	}
	value := expand(words, func(name string) string { return v.value(name, lang) })
	return value, checkValue(kind, value)
}

// fit fills in placeholders and cuts them, the longest first and never the fixed words, until the whole has the length that
// the type allows.
func fit(kind, words, lang string, v Vars) string {
	names := devices.Placeholders(words)
	values := make([]string, len(names))
	caps := make([]int, len(names))
	for i, name := range names {
		values[i] = fieldValue(kind, name, lang, v)
		caps[i] = min(units(values[i]), limit(kind))
	}
	room := limit(kind) - units(literal(words))
	for sum(caps) > room {
		caps[slices.Index(caps, slices.Max(caps))]--
	}
	i := -1
	return expand(words, func(string) string {
		i++
		return cut(values[i], caps[i])
	})
}

// fieldValue is a placeholder's value as the type can show it; what cannot be shown at all is replaced.
func fieldValue(kind, name, lang string, v Vars) string {
	value := plain(v.value(name, lang))
	if value == "" && name == "device" {
		value = plain(v.Product) // its name was all emoji
	}
	if kind == characterString {
		return strings.Map(visibleASCII, value)
	}
	if value == "" {
		return instead(name, lang)
	}
	return value
}

func visibleASCII(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

func sum(ns []int) (total int) {
	for _, n := range ns {
		total += n
	}
	return total
}

// expand replaces each {name} once.
func expand(words string, value func(name string) string) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(words, "{")
		name, after, closed := strings.Cut(rest, "}")
		out.WriteString(before)
		if !ok || !closed {
			out.WriteString(words[len(before):])
			return out.String()
		}
		out.WriteString(value(name))
		words = after
	}
}

// literal is what is left of words without their placeholders.
func literal(words string) string { return expand(words, func(string) string { return "" }) }

// chatValue is a value as the chat can show it: one line, without characters that turn the reading direction around, and
// without the brackets with which WeChat would make a link of it.
func chatValue(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		case r == '<' || r == '>':
			return r + '＜' - '<'
		}
		return r
	}, s)
	return cut(strings.Join(strings.Fields(s), " "), maxValue)
}

// placeholders are the names that Vars fill, besides {field.<name>}.
func placeholders() []string {
	return []string{"device", "product", "room", "who", "time", "options", "command", "reason"}
}

// value is what a placeholder stands for; never empty.
func (v Vars) value(name, lang string) string {
	out := map[string]string{
		"device": v.Device, "product": v.Product, "room": v.Room, "who": v.Who, "options": v.Options,
		"command": v.Command, "reason": v.Reason,
	}[name]
	if field, ok := strings.CutPrefix(name, "field."); ok {
		out = sayField(v.Fields[field], lang)
	}
	if name == "time" && !v.At.IsZero() {
		out = chatTime(v.At, lang)
	}
	if name == "device" && strings.TrimSpace(out) == "" {
		out = v.Product
	}
	if strings.TrimSpace(out) == "" {
		return instead(name, lang)
	}
	return out
}

func sayField(v any, lang string) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		if lang == "en" {
			return map[bool]string{true: "yes", false: "no"}[v]
		}
		return map[bool]string{true: "是", false: "否"}[v]
	}
	return ""
}

// instead is said where nothing is known.
func instead(name, lang string) string {
	words := map[string][2]string{
		"device": {"家电", "appliance"}, "product": {"家电", "appliance"}, "room": {"家里", "home"},
		"who": {"家人", "somebody"}, "time": {"刚才", "just now"}, "options": {"请打开查看", "please open"},
		"command": {"照办", "do it"}, "reason": {"原因不明", "no reason given"},
	}
	w, ok := words[name]
	switch {
	case !ok && lang == "en":
		return "unknown"
	case !ok:
		return "未知"
	case lang == "en":
		return w[1]
	}
	return w[0]
}
