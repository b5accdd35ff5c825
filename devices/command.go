package devices

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"jiaxin/devices/strictyaml"
)

// MaxText is the longest text value of a property, in bytes.
const MaxText = 1024

// maxNumber bounds what a device may report; every integer below it is exact in a float64.
const maxNumber = 1 << 53

// Check says whether v can be this property's value: a bool for a switch, a finite float64 for a number, a known
// value for an enum, a text without control characters and at most MaxText long. It does not look at Min and Max:
// what a device measures is what it is.
func (p *Property) Check(v any) error {
	switch p.Kind {
	case Switch:
		if _, ok := v.(bool); ok {
			return nil
		}
	case Number:
		if f, ok := v.(float64); ok {
			return checkNumber(p.Key, f)
		}
	case Enum:
		if s, ok := v.(string); ok {
			return p.checkEnum(s)
		}
	case String:
		if s, ok := v.(string); ok {
			return checkText(p.Key, s)
		}
	}
	return fmt.Errorf("%s must be %s, not %s", p.Key, wanted(p.Kind), kindOf(v))
}

// CheckRange says whether v can be this property's value, and lies within Min and Max.
func (p *Property) CheckRange(v any) error {
	if err := p.Check(v); err != nil {
		return err
	}
	f, _ := v.(float64)
	if p.Kind == Number && p.Min != p.Max && (f < p.Min || f > p.Max) {
		return fmt.Errorf("%s must be from %s to %s%s, not %s", p.Key, number(p.Min), number(p.Max), p.Unit, number(f))
	}
	return nil
}

func checkNumber(key string, f float64) error {
	if math.IsNaN(f) || math.Abs(f) > maxNumber {
		return fmt.Errorf("%s is not a number that means something", key)
	}
	return nil
}

func checkText(key, s string) error {
	if len(s) > MaxText {
		return fmt.Errorf("%s has %d bytes, more than %d", key, len(s), MaxText)
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' || r == utf8.RuneError {
			return fmt.Errorf("%s holds a control character or is not UTF-8", key)
		}
	}
	return nil
}

func (p *Property) checkEnum(s string) error {
	if _, ok := p.Value(s); ok {
		return nil
	}
	return fmt.Errorf("%s is never %q%s", p.Key, clip(s), strictyaml.Suggest(clip(s), p.valueKeys()))
}

// CheckSet says whether the properties exist, are writable and may have these values.
func (m *Model) CheckSet(set map[string]any) error {
	if len(set) == 0 {
		return errors.New("there is nothing to set")
	}
	for _, key := range sortedKeys(set) {
		p, ok := m.Property(key)
		if !ok {
			return unknown("property", key, m.propertyKeys())
		}
		if !p.Writable {
			return fmt.Errorf("%s can only be read: mark it writable, or set another", key)
		}
		if err := p.CheckRange(set[key]); err != nil {
			return err
		}
	}
	return nil
}

// CheckDo says whether the command exists and has all its parameters, with values that they may have.
func (m *Model) CheckDo(do string, with map[string]any) error {
	a, ok := m.Action(do)
	if !ok {
		return unknown("command", do, m.actionKeys())
	}
	for _, key := range sortedKeys(with) {
		p, ok := findProperty(a.With, key)
		if !ok {
			return unknown("parameter", key, propertyKeys(a.With))
		}
		if err := p.CheckRange(with[key]); err != nil {
			return err
		}
	}
	for _, p := range a.With {
		if _, ok := with[p.Key]; !ok {
			return fmt.Errorf("%s needs its parameter %s", do, p.Key)
		}
	}
	return nil
}

// Hazardous says whether doing the command could hurt somebody: it runs at most once per confirmation and never late.
func (m *Model) Hazardous(c Command) bool {
	if a, ok := m.Action(c.Do); ok && a.Hazard {
		return true
	}
	for key, v := range c.Set {
		if p, ok := m.Property(key); ok && p.hazardous(v) {
			return true
		}
	}
	return false
}

// hazardous: a value is listed, or any is ("set") but those in the safe direction.
func (p *Property) hazardous(v any) bool {
	return slices.Contains(p.Hazard, v) || slices.Contains(p.Hazard, any("set")) && !slices.Contains(p.Safe, v)
}

// SafeDirection says whether all of the command only makes things safer, so that it is retried until it is done.
func (m *Model) SafeDirection(c Command) bool {
	if a, ok := m.Action(c.Do); c.Do != "" && (!ok || !a.Safe) {
		return false
	}
	for key, v := range c.Set {
		if p, ok := m.Property(key); !ok || !slices.Contains(p.Safe, v) {
			return false
		}
	}
	return c.Do != "" || len(c.Set) > 0
}

// Hazards says whether anything that the product can be told is hazardous.
func (m *Model) Hazards() bool {
	return slices.ContainsFunc(m.Properties, func(p Property) bool { return len(p.Hazard) > 0 }) ||
		slices.ContainsFunc(m.Commands, func(a Action) bool { return a.Hazard })
}

func unknown(what, key string, known []string) error {
	return fmt.Errorf("unknown %s %q%s", what, clip(key), strictyaml.Suggest(clip(key), known))
}

// clip keeps a stranger's words short in errors.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	return s[:40] + "…"
}

func wanted(k Kind) string {
	switch k {
	case Switch:
		return "true or false"
	case Number:
		return "a number"
	}
	return "a text"
}

func kindOf(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case float64:
		return "a number"
	case string:
		return "a text"
	}
	return fmt.Sprintf("%T", v)
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
