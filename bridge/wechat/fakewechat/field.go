package fakewechat

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The rules of keyword values by type ("模板消息参数值" of
// https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Template_Message_Interface.html, and the same table
// for subscription messages). The page does not say how dates may be written; the layouts below are those seen to pass.

// fieldKind is the type in a field's key: "thing" of "thing12".
func fieldKind(key string) string { return strings.TrimRight(key, "0123456789") }

func fieldRules() map[string]func(string) bool {
	return map[string]func(string) bool{
		"thing":            func(v string) bool { return atMost(20, v) && !strings.ContainsFunc(v, unicode.IsControl) },
		"short_thing":      func(v string) bool { return atMost(5, v) && !strings.ContainsFunc(v, unicode.IsControl) },
		"phrase":           func(v string) bool { return atMost(5, v) && !strings.ContainsFunc(v, notHan) },
		"name":             isName,
		"character_string": func(v string) bool { return atMost(32, v) && !strings.ContainsFunc(v, notPrintableASCII) },
		"letter":           func(v string) bool { return atMost(32, v) && !strings.ContainsFunc(v, notLetter) },
		"symbol":           func(v string) bool { return atMost(5, v) && !strings.ContainsFunc(v, notSymbol) },
		"number":           func(v string) bool { return atMost(32, v) && matches(`^-?\d+(\.\d+)?$`, v) },
		"amount":           func(v string) bool { return matches(`^[¥￥$€£]?-?\d{1,10}(\.\d+)?元?$`, v) },
		"phone_number":     func(v string) bool { return atMost(17, v) && matches(`^[-+()\d ]+$`, v) },
		"car_number":       func(v string) bool { return atMost(8, v) && matches(`^\p{Han}?[A-Z0-9]+\p{Han}?$`, v) },
		"time":             isTime,
		"date":             isTime,
	}
}

func atMost(n int, v string) bool   { return utf8.ValidString(v) && utf8.RuneCountInString(v) <= n }
func notHan(r rune) bool            { return !unicode.Is(unicode.Han, r) }
func notPrintableASCII(r rune) bool { return r < ' ' || r > '~' }
func notLetter(r rune) bool         { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') }
func notSymbol(r rune) bool         { return !unicode.IsPunct(r) && !unicode.IsSymbol(r) }

func matches(pattern, v string) bool { return regexp.MustCompile(pattern).MatchString(v) }

// isName: 10 Chinese characters, or 20 letters and symbols.
func isName(v string) bool {
	if strings.ContainsFunc(v, unicode.IsControl) {
		return false
	}
	return atMost(10, v) || atMost(20, v) && !strings.ContainsFunc(v, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// isTime accepts one moment, or two joined by ~.
func isTime(v string) bool {
	parts := strings.Split(v, "~")
	return len(parts) <= 2 && !slices.ContainsFunc(parts, func(p string) bool { return !isMoment(strings.TrimSpace(p)) })
}

func isMoment(v string) bool {
	return slices.ContainsFunc(timeLayouts(), func(layout string) bool {
		_, err := time.Parse(layout, v)
		return err == nil
	})
}

func timeLayouts() []string {
	days := []string{"2006-01-02", "2006年1月2日", "2006年01月02日", "2006/1/2", "2006.1.2", "2006年1月", "2006-01"}
	layouts := []string{"15:04", "15:04:05"}
	for _, day := range days {
		layouts = append(layouts, day, day+" 15:04", day+" 15:04:05")
	}
	return layouts
}

// checkValue says how WeChat refuses the value of a field, or nil.
func (t *Template) checkValue(key, value string) error {
	kind := fieldKind(key)
	switch {
	case strings.TrimSpace(value) == "":
		return deny(47003, "data."+key+".value is empty")
	case kind == "const" && !slices.Contains(t.Consts[key], value):
		return deny(47003, "data."+key+".value invalid")
	case kind != "const" && !fieldRules()[kind](value):
		return deny(47003, "data."+key+".value invalid")
	}
	return nil
}
