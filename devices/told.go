package devices

import (
	"slices"
	"strings"
	"unicode"
)

// Told is how the household hears that a command was done, after the device's name: 已关, or 已开,温度已设为26度.
func (m *Model) Told(c Command, lang string) string {
	return m.speak(c, lang, (*Property).told, func(a *Action) string { return a.Told.In(lang) })
}

// Asked is the command in the words of somebody who wants it: 关掉, 把温度设为26度, turn off.
func (m *Model) Asked(c Command, lang string) string {
	return m.speak(c, lang, (*Property).asked, func(a *Action) string { return a.Say.First(lang) })
}

func (m *Model) speak(c Command, lang string, set func(*Property, any, string) string, do func(*Action) string) string {
	var parts []string
	for i := range m.Properties {
		if v, ok := c.Set[m.Properties[i].Key]; ok {
			parts = append(parts, set(&m.Properties[i], v, lang))
		}
	}
	if a, ok := m.Action(c.Do); ok {
		parts = append(parts, a.fill(do(a), c.With, lang))
	}
	return strings.Join(parts, comma(lang))
}

// fill puts the parameters into a phrase, in one pass, so that a value with braces stays what it is.
func (a *Action) fill(phrase string, with map[string]any, lang string) string {
	var pairs []string
	for i := range a.With {
		p := &a.With[i]
		pairs = append(pairs, "{"+p.Key+"}", p.Say(with[p.Key], lang))
	}
	return strings.NewReplacer(pairs...).Replace(phrase)
}

func (p *Property) told(v any, lang string) string {
	if value, ok := p.Value(v); ok && value.Told != nil {
		return value.Told.In(lang)
	}
	if isChinese(lang) {
		return p.Name["zh"] + "已设为" + p.Say(v, lang)
	}
	return strings.TrimSpace(p.Name.In(lang) + " set to " + p.Say(v, lang))
}

func (p *Property) asked(v any, lang string) string {
	if value, ok := p.Value(v); ok && p.Kind == Switch {
		return value.Say.First(lang)
	}
	if isChinese(lang) {
		return "把" + p.Name["zh"] + "设为" + p.Say(v, lang)
	}
	return strings.TrimSpace("set " + p.Name.In(lang) + " to " + p.Say(v, lang))
}

// Say is a value in words: 制冷, 26度, 45分钟.
func (p *Property) Say(v any, lang string) string {
	if value, ok := p.Value(v); ok && value.Say != nil {
		return value.Say.First(lang)
	}
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return number(v) + unitWord(p.Unit, lang)
	case bool:
		return yesNo(v, lang)
	}
	return ""
}

func unitWord(unit, lang string) string {
	if isChinese(lang) {
		words := map[string]string{"°C": "度", "min": "分钟", "h": "小时", "s": "秒"}
		if w, ok := words[unit]; ok {
			return w
		}
		return unit
	}
	if unit != "" && unicode.IsLetter([]rune(unit)[0]) {
		return " " + unit
	}
	return unit
}

func yesNo(v bool, lang string) string {
	i := slices.Index([]bool{true, false}, v)
	if isChinese(lang) {
		return []string{"是", "否"}[i]
	}
	return []string{"yes", "no"}[i]
}

func comma(lang string) string {
	if isChinese(lang) {
		return ","
	}
	return ", "
}

// isChinese: everything but what we know to be otherwise, as Text.In falls back to zh.
func isChinese(lang string) bool { return lang != "en" }
