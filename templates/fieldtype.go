package templates

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"jiaxin/devices"
	"jiaxin/devices/strictyaml"
)

// What a template's field may hold is decided by its type. WeChat answers errcode 47003 to anything else, and to an empty field.
// The rules are those of https://developers.weixin.qq.com/doc/service/api/notify/template/api_sendtemplatemessage.md
// and of the like-named subscription message fields; where those leave doubt the stricter reading is taken: a
// character counts as its UTF-16 units.
const (
	thing           = "thing"
	shortThing      = "short_thing"
	fixed           = "const" // exactly one of the words that were approved with the template
	phrase          = "phrase"
	characterString = "character_string"
	timeField       = "time"
	dateField       = "date"
	numberField     = "number"
	amountField     = "amount"
	phoneNumber     = "phone_number"
	carNumber       = "car_number"
)

// limit is the longest value of a type, in characters.
func limit(kind string) int {
	switch kind {
	case thing, fixed:
		return 20
	case shortThing, phrase:
		return 5
	case carNumber:
		return 8
	case phoneNumber:
		return 17
	case amountField:
		return 10
	case characterString, numberField:
		return 32
	}
	return 0
}

// fieldKind returns the type in a field's key: thing1 → thing.
func fieldKind(key string) string { return strings.TrimRight(key, "0123456789") }

func kinds() []string {
	return []string{
		thing, shortThing, fixed, phrase, characterString, timeField, dateField, numberField, amountField,
		phoneNumber, carNumber,
	}
}

func checkFieldKey(key string) error {
	kind := fieldKind(key)
	if !slices.Contains(kinds(), kind) || kind == key {
		return fmt.Errorf("%q is no field: it is a WeChat type with a number, such as thing1%s", key,
			strictyaml.Suggest(kind, kinds()))
	}
	return nil
}

// cutTo is how much of a placeholder's value must at least be left beside fixed words.
const cutTo = 4

// lintField says whether words in a field will always be accepted, whatever the placeholders hold.
func lintField(kind, words string) error {
	names := devices.Placeholders(words)
	rest := literal(words)
	switch {
	case strings.ContainsFunc(words, unicode.IsControl):
		return errors.New("a field is one line without control characters")
	case kind == timeField || kind == dateField:
		return lintTime(kind, words)
	case slices.Contains(names, "time"):
		return fmt.Errorf("{time} belongs in a field of type time, not in %s", kind)
	case kind == thing || kind == characterString || kind == shortThing:
		return lintCut(kind, rest, len(names))
	case kind == numberField || kind == amountField:
		return lintNumber(kind, words, names)
	case len(names) > 0:
		return fmt.Errorf("a %s holds fixed words only: take {%s} out", kind, names[0])
	}
	return checkValue(kind, rest)
}

func lintTime(kind, words string) error {
	if words != "{time}" {
		return fmt.Errorf(`a field of type %s holds "{time}" and nothing else`, kind)
	}
	return nil
}

func lintCut(kind, rest string, names int) error {
	if names == 0 {
		return checkValue(kind, rest)
	}
	if kind == characterString && !isVisibleASCII(rest) {
		return checkValue(kind, rest)
	}
	if units(rest)+cutTo*names > limit(kind) {
		return fmt.Errorf("a %s has %d characters: the fixed words leave too few for what is filled in; shorten them", kind, limit(kind))
	}
	return nil
}

func lintNumber(kind, words string, names []string) error {
	if len(names) == 0 {
		return checkValue(kind, words)
	}
	if len(names) > 1 || words != "{"+names[0]+"}" || !strings.HasPrefix(names[0], "field.") {
		return fmt.Errorf(`a %s holds a number, or "{field.…}" and nothing else`, kind)
	}
	return nil
}

// checkValue says whether WeChat accepts a finished value.
func checkValue(kind, value string) error {
	switch {
	case value == "":
		return errors.New("this field would be empty")
	case limit(kind) > 0 && units(value) > limit(kind):
		return fmt.Errorf("a %s has at most %d characters, and this has %d: shorten it", kind, limit(kind), units(value))
	case kind == phrase && strings.ContainsFunc(value, func(r rune) bool { return !unicode.Is(unicode.Han, r) }):
		return errors.New("a phrase is Chinese characters only")
	case kind == characterString && !isVisibleASCII(value):
		return errors.New("a character_string is digits, letters and symbols, without Chinese")
	case (kind == numberField || kind == amountField) && !isNumber(value):
		return fmt.Errorf("a %s is a number, not %q", kind, value)
	case kind == phoneNumber && strings.Trim(value, "0123456789+-") != "":
		return fmt.Errorf("a phone_number is digits, + and -, not %q", value)
	}
	return nil
}

// isNumber: digits with at most a sign and a decimal point; no exponent.
func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && strings.Trim(s, "+-0123456789.") == ""
}

func isVisibleASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// units is the length in UTF-16 units.
func units(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// cut shortens a value to so many characters, the last being "…", and never in the middle of one that is drawn of several.
func cut(s string, limit int) string {
	if units(s) <= limit {
		return s
	}
	n, end := 0, 0
	for i, r := range s {
		if n += utf16.RuneLen(r); n > limit-1 {
			end = i
			break
		}
	}
	return strings.TrimRightFunc(s[:end], isJoiner) + "…"
}

func isJoiner(r rune) bool { return unicode.IsSpace(r) || r == '\u200d' }

// plain is a value as a card's field can show it: one line, and without emoji, which WeChat takes out of cards (and would
// then refuse what is empty).
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r) || unicode.IsSpace(r):
			return ' '
		case isEmoji(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// isEmoji: symbols drawn as pictures, and what joins and colours them; not °, ℃ or the squared ㎡.
func isEmoji(r rune) bool {
	squared := r >= 0x3200 && r <= 0x33ff
	return r >= 0x2190 && !squared && unicode.Is(unicode.So, r) || r >= 0x1f000 && r <= 0x1faff ||
		unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) || r >= 0xe0000
}

// The forms of time. Cards have WeChat's own, whatever the language.
const (
	cardTime   = "2006年1月2日 15:04"
	cardDate   = "2006年1月2日"
	chatTimeZh = "1月2日 15:04"
	chatTimeEn = "2 Jan 15:04"
)

func chatTime(t time.Time, lang string) string {
	if lang == "en" {
		return t.Format(chatTimeEn)
	}
	return t.Format(chatTimeZh)
}
