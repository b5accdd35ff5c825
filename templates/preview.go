package templates

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"jiaxin/devices"
)

// Consts lists, by "<form>.<field>", the words that the operator submits to WeChat when applying for the templates:
// a const field is refused unless it holds one of them. Both languages are in it.
func (s *Set) Consts() map[string][]string {
	out := map[string][]string{}
	for _, key := range sortedKeys(s.messages) {
		m := s.messages[key]
		for _, field := range sortedKeys(m.Fields) {
			if fieldKind(field) != fixed {
				continue
			}
			name := m.Form + "." + field
			for _, lang := range languagesOf(m.Fields[field]) {
				if words := m.Fields[field][lang]; !slices.Contains(out[name], words) {
					out[name] = append(out[name], words)
				}
			}
		}
	}
	return out
}

// Preview writes every message as people will see it, as a card and in the chat, in Chinese and English.
func (s *Set) Preview(w io.Writer) error {
	for _, key := range sortedKeys(s.messages) {
		m := s.messages[key]
		if _, err := fmt.Fprintf(w, "%s (%s, %s)\n", key, m.Category, carrier(m)); err != nil {
			return err
		}
		for _, lang := range []string{"zh", "en"} {
			if err := s.previewOne(w, m, lang); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Set) previewOne(w io.Writer, m *Message, lang string) error {
	v := s.example(m.Key, lang)
	lines := []string{"  " + lang + " chat  " + s.Text(m.Key, lang, v)}
	if len(s.events[m.Key]) > 0 && v.Options != "" {
		lines = append(lines, "           ["+v.Options+"]")
	}
	if m.Form != "" {
		card, err := s.Card(m.Key, lang, v)
		if err != nil {
			return err
		}
		lines = append(lines, "     card  "+card.Title)
		for _, f := range card.Fields {
			lines = append(lines, "           "+f.Label+": "+f.Value)
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n")+"\n")
	return err
}

func carrier(m *Message) string {
	if m.Form == "" {
		return "chat only"
	}
	return "form " + m.Form
}

// example is an occasion for a message, taken from the first event that it tells.
func (s *Set) example(key, lang string) Vars {
	v := Vars{
		Device: "客厅空调", Product: "空调", Room: "客厅", Who: "妈妈", Command: "已关", Reason: "没有回应",
		Options: "好的 / 不用", At: time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC),
	}
	if lang == "en" {
		v.Device, v.Product, v.Room, v.Who = "Living-room AC", "air conditioner", "Living room", "Mum"
		v.Command, v.Reason, v.Options = "turned off", "it does not answer", "yes / no"
	}
	if key == "command_failed" {
		v.Command = map[string]string{"zh": "关掉", "en": "turn off"}[lang]
	}
	if uses := s.events[key]; len(uses) > 0 {
		v.ofEvent(uses[0], lang)
	}
	return v
}

func (v *Vars) ofEvent(use eventUse, lang string) {
	v.Product = use.model.Name.In(lang)
	v.Device = v.Room + map[string]string{"zh": "", "en": " "}[lang] + v.Product
	v.Options, v.Fields = "", map[string]any{}
	for _, p := range slices.Concat(use.model.Properties, use.event.Fields) {
		v.Fields[p.Key] = p.Start()
	}
	if use.key == "message" {
		v.Options = labels(use.event.Ask, lang)
	}
}

func labels(options []devices.Option, lang string) string {
	var out []string
	for _, o := range options {
		out = append(out, o.Say.First(lang))
	}
	return strings.Join(out, " / ")
}
