package understand

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/width"

	"jiaxin/devices"
)

//go:embed forms.yaml
var formsYAML []byte

// forms are the sentence forms of forms.yaml.
type forms struct {
	Order       []string // do an action, or switch
	Value       []string // set a named value
	Number      []string // set the number that is meant without a name
	NamedNumber []string `yaml:"named_number"`
	Query       []string // ask for a property
	Free        []string // an action with words of one's own
	Units       []string // that may stand behind a number
	Name        []string // the person's own name
}

var load = sync.OnceValue(func() (f forms) {
	if err := yaml.UnmarshalWithOptions(formsYAML, &f, yaml.Strict()); err != nil {
		panic("the embedded forms.yaml is broken: " + err.Error())
	}
	return f
})

// Normal is a sentence as it is compared: narrow, lower case, without punctuation, white space and polite particles
// at its end. Between figures what is dropped leaves a mark, so that 2.5 never becomes 25.
func Normal(s string) string {
	runes := []rune(strings.ToLower(width.Fold.String(s)))
	var out []rune
	for i, r := range runes {
		switch {
		case !ignored(r):
			out = append(out, r)
		case isSign(r) && i+1 < len(runes) && isFigure(runes[i+1]):
			out = append(out, separator)
		case len(out) > 0 && isFigure(out[len(out)-1]) && i+1 < len(runes) && isFigure(runes[i+1]):
			out = append(out, separator)
		}
	}
	return withoutTail(string(out))
}

// separator stands in no phrase.
const separator = '\uFFFF'

func ignored(r rune) bool {
	return unicode.IsPunct(r) || unicode.IsSpace(r) || unicode.IsControl(r) || unicode.IsSymbol(r) && r < 0x2000 || r == '\u2212' || r == separator
}

func isSign(r rune) bool { return strings.ContainsRune("+-\u2212", r) }

func isFigure(r rune) bool {
	return strings.ContainsRune("0123456789零一二三四五六七八九十百", r)
}

// withoutTail cuts polite particles. 啦 is none of them: 空调开啦 tells that it is on.
func withoutTail(s string) string {
	for _, tail := range []string{"吧", "哦", "呀", "谢谢", "please"} {
		if t := strings.TrimSuffix(s, tail); t != "" {
			s = t
		}
	}
	return s
}

// Name reads "我是妈妈" as a person saying their name.
func Name(text string) (string, bool) {
	said := strings.TrimSpace(text)
	for _, f := range load().Name {
		before, _, _ := strings.Cut(f, "{n}")
		if len(said) < len(before) || !strings.EqualFold(said[:len(before)], before) {
			continue
		}
		name := strings.TrimFunc(said[len(before):], func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSpace(r) })
		if isName(name) {
			return name, true
		}
	}
	return "", false
}

// isName says whether the words can be a name, and not a remark that begins like one, such as 我是说关灯.
func isName(s string) bool {
	if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "谁吗呢么") {
		return false
	}
	for _, verb := range []string{"说", "问", "想", "要", "在", "不", "来", "去", "你", "他", "她", "把", "让", "怕"} {
		if strings.HasPrefix(s, verb) {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// readings are the ways to take the sentence as being about this device. A device that is named as its kind is called
// can be told from others of the kind by nobody, so its name counts as the kind's.
func readings(d Device, said string) []reading {
	names := []string{Normal(d.Name)}
	for _, n := range kindNames(d.Model) {
		if n = Normal(n); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	var found []reading
	for _, name := range names {
		if name != "" && strings.Contains(said, name) {
			found = append(found, ranked(1, read(d, name, said))...)
		}
	}
	return append(found, ranked(2, slices.Concat(read(d, "", said), bare(d, said)))...)
}

func ranked(rank int, results []Result) []reading {
	var found []reading
	for _, r := range results {
		found = append(found, reading{Result: r, rank: rank})
	}
	return found
}

// bare finds out whether the sentence is nothing but a word for one of the device's values. That alone means nothing, but
// it shows that another device's action of the same word may not be what was meant.
func bare(d Device, said string) []Result {
	for _, p := range d.Model.Properties {
		for _, v := range p.Values {
			if p.Writable && matches([]string{"{w}"}, "", "", v.Say, said) {
				return []Result{{Kind: NotMine, Device: d.ID, Why: "a value of " + p.Key + " without its device"}}
			}
		}
	}
	return nil
}

// kindNames are what one calls a device by what it is.
func kindNames(m *devices.Model) []string {
	var names []string
	for _, n := range m.Name {
		names = append(names, n)
	}
	for _, a := range m.Aliases {
		names = append(names, a...)
	}
	return names
}

func read(d Device, name, said string) []Result {
	var found []Result
	for _, p := range d.Model.Properties {
		found = append(found, readProperty(d, p, name, said)...)
	}
	for _, a := range d.Model.Commands {
		if with, ok := readAction(a, name, said); ok {
			found = append(found, Result{Kind: Act, Device: d.ID, Do: a.Key, With: with, Why: "do " + a.Key})
		}
	}
	return found
}

// readAction understands an action by its words; one that needs a text, such as a title, only with the first of its
// words and what follows it.
func readAction(a devices.Action, name, said string) (with map[string]any, ok bool) {
	if len(a.With) == 0 {
		return nil, matches(load().Order, name, "", a.Say, said) || name == "" && matches([]string{"{w}"}, "", "", a.Say, said)
	}
	if len(a.With) > 1 || a.With[0].Kind != devices.String || name == "" {
		return nil, false
	}
	for lang := range a.Say {
		for _, f := range load().Free {
			text, ok := rest(fill(f, name, "", Normal(a.Say.First(lang))), "{t}", said)
			if ok && a.With[0].Check(text) == nil {
				return map[string]any{a.With[0].Key: text}, true
			}
		}
	}
	return nil, false
}

func readProperty(d Device, p devices.Property, name, said string) []Result {
	var found []Result
	for _, v := range p.Values {
		forms := load().Value
		if p.Kind == devices.Switch {
			forms = load().Order
		}
		if p.Writable && matches(forms, name, p.Name["zh"], v.Say, said) {
			found = append(found, set(d, p, v.Value))
		}
	}
	if n, ok := readNumber(p, name, said); ok {
		found = append(found, set(d, p, n))
	}
	if name != "" && matches(load().Query, name, "", p.Query, said) {
		found = append(found, Result{Kind: Answer, Device: d.ID, Query: p.Key, Why: "asks for " + p.Key})
	}
	return found
}

func set(d Device, p devices.Property, v any) Result {
	return Result{Kind: Act, Device: d.ID, Set: map[string]any{p.Key: v}, Why: fmt.Sprintf("set %s to %v", p.Key, v)}
}

// readNumber understands a number for a property that is named, or is the one meant without a name. What the property
// cannot take is not understood.
func readNumber(p devices.Property, name, said string) (float64, bool) {
	if !p.Writable || p.Kind != devices.Number {
		return 0, false
	}
	var filled []string
	for _, f := range load().NamedNumber {
		for _, property := range p.Name {
			filled = append(filled, fill(f, name, Normal(property), ""))
		}
	}
	for _, f := range load().Number {
		if p.Default && name != "" {
			filled = append(filled, fill(f, name, "", ""))
		}
	}
	for _, f := range filled {
		if words, ok := rest(f, "{n}", said); ok {
			if n, ok := numeral(withoutUnit(words)); ok && p.Check(n) == nil && p.CheckRange(n) == nil {
				return n, true
			}
		}
	}
	return 0, false
}

func withoutUnit(s string) string {
	for _, u := range load().Units {
		if t, ok := strings.CutSuffix(s, u); ok {
			return t
		}
	}
	return s
}

// fill puts a form's fixed words in place. Without a device only the forms that name a property are left.
func fill(form, name, property, word string) string {
	if name == "" && (strings.Contains(form, "{d}") || property == "" && form != "{w}") {
		return ""
	}
	if property == "" && strings.Contains(form, "{p}") {
		return ""
	}
	for _, place := range [][2]string{{"{d}", name}, {"{p}", property}, {"{w}", word}} {
		form = strings.Replace(form, place[0], place[1], 1) // the words are normal: they have no braces
	}
	return form
}

// matches says whether the sentence is one of the forms with this name and one of these words.
func matches(forms []string, name, property string, words devices.Words, said string) bool {
	property = Normal(property)
	for _, phrases := range words {
		for _, w := range phrases {
			if w = Normal(w); w != "" && strings.Contains(said, w) && matchesWord(forms, name, property, w, said) {
				return true
			}
		}
	}
	return false
}

func matchesWord(forms []string, name, property, word, said string) bool {
	return slices.ContainsFunc(forms, func(f string) bool { return fill(f, name, property, word) == said })
}

// rest is what stands in the form's open place.
func rest(form, place, said string) (string, bool) {
	before, after, ok := strings.Cut(form, place)
	if !ok || len(said) <= len(before)+len(after) {
		return "", false
	}
	return said[len(before) : len(said)-len(after)], strings.HasPrefix(said, before) && strings.HasSuffix(said, after)
}

// Examples are up to n sentences that this home understands, the first of each device.
func Examples(h Home, lang string, n int) []string {
	var out []string
	for _, d := range h.Devices {
		if s := example(d, lang); s != "" && len(out) < n {
			out = append(out, s)
		}
	}
	return out
}

func example(d Device, lang string) string {
	for _, p := range d.Model.Properties {
		if p.Writable && p.Kind == devices.Switch {
			for _, v := range p.Values {
				if v.Value == false && v.Say.First(lang) != "" {
					return join(v.Say.First(lang), d.Name, lang)
				}
			}
		}
	}
	for _, a := range d.Model.Commands {
		if len(a.With) == 0 && a.Say.First(lang) != "" {
			return a.Say.First(lang)
		}
	}
	return ""
}

func join(verb, name, lang string) string {
	if lang == "en" {
		return verb + " " + name
	}
	return verb + name
}
