package devices

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"jiaxin/devices/strictyaml"
)

// checker says whether a model makes sense, and compiles its rules on the way.
type checker struct {
	model    *Model
	tree     *strictyaml.Node // says where things stand
	problems *strictyaml.Problems
}

func (c *checker) check() {
	if c.tree.Get("name") == nil {
		c.fail("the product has no name: add `name: {zh: …, en: …}`")
	}
	for i := range c.model.Properties {
		c.property(&c.model.Properties[i], "properties", c.model.Properties[i].Key)
	}
	c.defaults()
	for i := range c.model.Commands {
		c.command(&c.model.Commands[i])
	}
	for i := range c.model.Events {
		c.event(&c.model.Events[i])
	}
	if c.model.Hazards() && c.model.Claim != ClaimButton {
		c.failAt([]string{"claim"}, "a product with a hazard is claimed by pressing its button: write `claim: button`")
	}
	c.samples()
}

// fail and failAt report a problem at a path, or at the nearest thing above it that is written down.
func (c *checker) fail(format string, args ...any) { c.failAt(nil, format, args...) }

func (c *checker) failAt(path []string, format string, args ...any) {
	c.problems.Add(c.tree.At(path...), format, args...)
}

func (c *checker) failErr(path []string, err error) {
	if err != nil {
		c.failAt(path, "%v", err)
	}
}

func at(path []string, more ...string) []string { return append(slices.Clone(path), more...) }

// property checks a property, a parameter or a field.
func (c *checker) property(p *Property, path ...string) {
	if p.Key == Online || !isName(p.Key) {
		c.failAt(path, "%q cannot be a property: use a-z, 0-9 and _, a letter first, and no word of the rule language", p.Key)
	}
	if p.Kind == "" {
		c.failAt(path, "%s has no kind: add `kind: switch`, number, enum or text", p.Key)
		return
	}
	c.numbers(p, path)
	c.values(p, path)
	if p.Initial != nil {
		c.failErr(at(path, "initial"), p.CheckRange(p.Initial))
	}
	c.hazards(p, at(path, "hazard"), p.Hazard)
	c.hazards(p, at(path, "safe"), p.Safe)
	for _, v := range p.Safe {
		if slices.Contains(p.Hazard, v) {
			c.failAt(at(path, "safe"), "%v is a hazard already: it cannot be safe too", v)
		}
	}
}

// isName: a key that the rule language reads as a name.
func isName(key string) bool {
	if !validKey(key) || strings.ContainsAny(key, "-") {
		return false
	}
	tree, err := parser.Parse(key)
	if err != nil {
		return false
	}
	_, ok := tree.Node.(*ast.IdentifierNode)
	return ok
}

func (c *checker) numbers(p *Property, path []string) {
	if p.Kind != Number {
		for _, key := range []string{"unit", "min", "max", "step", "up", "down"} {
			if node := c.tree.At(path...).Get(key); node != nil {
				c.problems.Add(node, "%s is for numbers: delete it, or make %s `kind: number`", key, p.Key)
			}
		}
		return
	}
	if p.Min > p.Max {
		c.failAt(at(path, "max"), "max is below min: swap them")
	}
	if p.Step < 0 || p.Min < p.Max && p.Step > p.Max-p.Min {
		c.failAt(at(path, "step"), "step must be above 0 and no more than from min to max")
	}
}

func (c *checker) values(p *Property, path []string) {
	switch {
	case p.Kind == Enum && len(p.Values) == 0:
		c.failAt(path, "%s has no values: add `values: {…}`, or make it `kind: text`", p.Key)
	case p.Kind != Enum && p.Kind != Switch && len(p.Values) > 0:
		c.failAt(at(path, "values"), "values are for switches and enums: delete them")
	}
	said := map[string]any{}
	for _, v := range p.Values {
		where := at(path, "values", fmt.Sprint(v.Value))
		c.value(p, v, where)
		for _, word := range allWords(v.Say) {
			if other, ok := said[word]; ok {
				c.failAt(where, "%q means %v already: one word cannot mean two values", word, other)
			}
			said[word] = v.Value
		}
	}
}

func (c *checker) value(p *Property, v Value, path []string) {
	if s, ok := v.Value.(string); ok && p.Kind == Switch {
		c.failAt(path, "a switch is true or false, not %q", s)
	} else if ok && !validKey(s) {
		c.failAt(path, "%q cannot be a value: use a-z, 0-9, _ and -", s)
	}
	if v.Say == nil && v.Told == nil {
		c.failAt(path, "%v has no words: add them, such as `{say: {zh: […], en: […]}}`", v.Value)
	}
}

func allWords(w Words) (out []string) {
	for _, lang := range Languages() {
		for _, s := range w[lang] {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func (c *checker) hazards(p *Property, path []string, values []any) {
	if len(values) > 0 && !p.Writable {
		c.failAt(path, "%s can only be read, so nothing about it is hazardous or safe: delete this", p.Key)
	}
	if slices.Equal(values, []any{"set"}) && path[len(path)-1] == "hazard" && p.Kind != Enum {
		return
	}
	for i, v := range values {
		c.failErr(at(path, strconv.Itoa(i)), p.CheckRange(v))
	}
}

func (c *checker) defaults() {
	first := ""
	for _, p := range c.model.Properties {
		path := []string{"properties", p.Key, "default"}
		switch {
		case !p.Default:
		case !p.Writable:
			c.failAt(path, "%s cannot be the default: it can only be read", p.Key)
		case first != "":
			c.failAt(path, "%s is the default already: a bare value can only mean one property", first)
		default:
			first = p.Key
		}
	}
}

func (c *checker) command(a *Action) {
	path := []string{"commands", a.Key}
	if !validKey(a.Key) {
		c.failAt(path, "%q cannot be a command: use a-z, 0-9, _ and -", a.Key)
	}
	if len(a.Say) == 0 {
		c.failAt(path, "nobody can ask for %s: add `say: {zh: […], en: […]}`", a.Key)
	}
	if len(a.Told) == 0 {
		c.failAt(path, "nobody can be told that %s is done: add `told: {zh: …, en: …}`", a.Key)
	}
	if a.Hazard && a.Safe {
		c.failAt(at(path, "safe"), "a command cannot be a hazard and safe: delete one")
	}
	for i := range a.With {
		c.property(&a.With[i], "commands", a.Key, "with", a.With[i].Key)
	}
	c.reported(at(path, "then"), a.Then)
	c.placeholders(a)
}

// placeholders: {…} in what we tell must be a parameter.
func (c *checker) placeholders(a *Action) {
	for _, lang := range sortedTextKeys(a.Told) {
		for _, name := range Placeholders(a.Told[lang]) {
			if _, ok := findProperty(a.With, name); !ok {
				path := []string{"commands", a.Key, "told", lang}
				c.failAt(path, "{%s} is no parameter of %s%s", name, a.Key, strictyaml.Suggest(name, propertyKeys(a.With)))
			}
		}
	}
}

func sortedTextKeys(t Text) (out []string) {
	for _, lang := range Languages() {
		if _, ok := t[lang]; ok {
			out = append(out, lang)
		}
	}
	return out
}

// Placeholders lists the {names} in a phrase, in order.
func Placeholders(phrase string) (out []string) {
	for {
		_, after, ok := strings.Cut(phrase, "{")
		name, rest, closed := strings.Cut(after, "}")
		if !ok || !closed {
			return out
		}
		out = append(out, name)
		phrase = rest
	}
}

// reported checks values that a device reports.
func (c *checker) reported(path []string, values map[string]any) {
	for _, key := range sortedKeys(values) {
		p, ok := c.model.Property(key)
		switch {
		case ok:
			c.failErr(at(path, key), p.Check(values[key]))
		case key == Online:
			if _, ok := values[key].(bool); !ok {
				c.failAt(at(path, key), "online is true or false")
			}
		default:
			c.failErr(at(path, key), unknown("property", key, c.model.propertyKeys()))
		}
	}
}

// Bounds of an event's times: a rule that waits longer than a day, or a question that is open longer than a week, is
// a slip of the pen.
const (
	maxFor     = 24 * time.Hour
	maxExpires = 7 * 24 * time.Hour
)

func (c *checker) event(e *Event) {
	path := []string{"events", e.Key}
	if !validKey(e.Key) {
		c.failAt(path, "%q cannot be an event: use a-z, 0-9, _ and -", e.Key)
	}
	if e.Level == "" {
		c.failAt(path, "%s has no level: add `level: info`, suggestion, warning or critical", e.Key)
	}
	if e.Message == "" && e.Resolves == "" {
		c.failAt(path, "%s has no message: add `message:` with a key of templates/messages", e.Key)
	}
	for i := range e.Fields {
		c.property(&e.Fields[i], "events", e.Key, "fields", e.Fields[i].Key)
	}
	c.rule(e, at(path, "when"))
	c.times(e, path)
	c.endings(e, path)
	c.ask(e, path)
}

func (c *checker) rule(e *Event, path []string) {
	if e.When == "" {
		return
	}
	r, err := compileRule(c.model, e.Key, e.When)
	if err == nil {
		c.model.rules = append(c.model.rules, r)
		return
	}
	message, offset := errorPlace(err)
	where := *c.tree.At(path...)
	if where.Plain {
		where.Col += offset
	}
	c.problems.Add(&where, "%s", message)
}

func (c *checker) times(e *Event, path []string) {
	if e.For > 0 && e.When == "" {
		c.failAt(at(path, "for"), "for needs a `when`: without one the device itself says when the event is")
	}
	if e.For > maxFor {
		c.failAt(at(path, "for"), "for is longer than a day")
	}
	if e.Expires > maxExpires {
		c.failAt(at(path, "expires"), "expires is longer than a week")
	}
}

func (c *checker) endings(e *Event, path []string) {
	if e.Resolves == e.Key && e.Key != "" {
		c.failAt(at(path, "resolves"), "an event cannot resolve itself")
	} else if e.Resolves != "" {
		if _, ok := c.model.Event(e.Resolves); !ok {
			c.failErr(at(path, "resolves"), unknown("event", e.Resolves, c.model.eventKeys()))
		}
	}
	if e.Resolves != "" && e.Message != "" {
		c.failAt(at(path, "message"), "the end of %s is told by its `cleared`: take this message away, or people hear it twice", e.Resolves)
	}
	resolved := slices.ContainsFunc(c.model.Events, func(o Event) bool { return o.Resolves == e.Key })
	if e.Cleared != "" && e.When == "" && !resolved {
		c.failAt(at(path, "cleared"), "nothing ends this event: give it a `when`, or another event `resolves: %s`", e.Key)
	}
}

// maxLabel is the longest answer that is offered, in characters: more does not fit a phone's line.
const maxLabel = 20

func (c *checker) ask(e *Event, path []string) {
	said := map[string]bool{}
	acks := false
	for i, o := range e.Ask {
		where := at(path, "ask", strconv.Itoa(i))
		c.option(o, where)
		acks = acks || o.Ack
		for _, word := range allWords(o.Say) {
			if said[word] {
				c.failAt(where, "%q is another answer already: one word cannot mean two", word)
			}
			said[word] = true
		}
	}
	if e.Level == Critical && !acks {
		c.failAt(path, "a critical event goes on until somebody answers: give one `ask` option `ack: true`")
	}
}

func (c *checker) option(o Option, path []string) {
	if len(o.Say) == 0 {
		c.failAt(path, "this answer has no words: add `say: {zh: […], en: […]}`")
	}
	for _, lang := range Languages() {
		if label := []rune(o.Say.First(lang)); len(label) > maxLabel {
			c.failAt(at(path, "say"), "%q is longer than %d characters: put a shorter phrase first", string(label), maxLabel)
		}
	}
	if o.Ack && (o.Do != "" || o.Set != nil) || o.Do != "" && o.Set != nil {
		c.failAt(path, "an answer does one thing: keep one of set, do and ack")
	}
	c.failErr(path, c.model.checkAct(o.Set, o.Do, o.With))
}

// checkAct checks a Set or a Do; neither is fine.
func (m *Model) checkAct(set map[string]any, do string, with map[string]any) error {
	switch {
	case set != nil:
		return m.CheckSet(set)
	case do != "":
		return m.CheckDo(do, with)
	case with != nil:
		return errors.New("with belongs to do: delete it, or say what to do")
	}
	return nil
}
