package templates

import (
	"strings"
	"testing"
)

func TestFieldTypesTakeWhatWeChatTakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, words string
		ok          bool
	}{
		{thing, strings.Repeat("长", 20), true},
		{thing, strings.Repeat("长", 21), false},
		{thing, strings.Repeat("𠮷", 11), false},
		{thing, "", false},
		{thing, "{device}", true},
		{thing, "{device}{room}{who}{product}{reason}", true},
		{thing, "{device}{room}{who}{product}{reason}{command}", false},
		{thing, "{device}是一二三四五六七八九十一二三四五", true},
		{thing, "{device}是一二三四五六七八九十一二三四五六", false},
		{thing, "a\tb", false},
		{shortThing, "五个字正好", true},
		{shortThing, "六个字就太多", false},
		{fixed, "fixed words only now", true},
		{fixed, "{device}", false},
		{phrase, "正在处理", true},
		{phrase, "正在处理中啦", false},
		{phrase, "on", false},
		{phrase, "{who}", false},
		{characterString, "AC-01 #7", true},
		{characterString, "空调", false},
		{characterString, "{field.serial}", true},
		{characterString, "号{field.serial}", false},
		{characterString, strings.Repeat("a", 33), false},
		{timeField, "{time}", true},
		{timeField, "12:00", false},
		{dateField, "{time}", true},
		{dateField, "{time} ", false},
		{numberField, "12.5", true},
		{numberField, "-3", true},
		{numberField, "1e3", false},
		{numberField, "3个", false},
		{numberField, "{field.n}", true},
		{numberField, "{device}", false},
		{numberField, "{field.a}{field.b}", false},
		{amountField, "12345678901", false},
		{phoneNumber, "+86-10-1234567", true},
		{phoneNumber, "110转1", false},
		{phoneNumber, "123456789012345678", false},
		{carNumber, "粤A8Z888挂", true},
		{carNumber, "粤A8Z888挂挂挂", false},
	} {
		if err := lintField(c.kind, c.words); (err == nil) != c.ok {
			t.Errorf("%s %q: %v", c.kind, c.words, err)
		}
	}
}

func TestRenderingOfTheRarerTypes(t *testing.T) {
	t.Parallel()
	v := Vars{Fields: map[string]any{"serial": "SN空123\n4", "n": 2.5, "on": true, "none": "空"}}
	for _, c := range []struct{ kind, words, want string }{
		{characterString, "{field.serial}", "SN123 4"},
		{characterString, "{field.none}", ""},
		{characterString, "{field.missing}", ""},
		{numberField, "{field.n}", "2.5"},
		{numberField, "{field.missing}", ""},
		{thing, "{field.on}", "是"},
		{thing, "{field.missing}", "未知"},
	} {
		got, err := renderField(c.kind, c.words, "zh", v)
		if (err == nil) != (c.want != "") || err == nil && got != c.want {
			t.Errorf("%s %s became %q, %v; want %q", c.kind, c.words, got, err, c.want)
		}
	}
}

func TestPlaceholdersAreCutBeforeWords(t *testing.T) {
	t.Parallel()
	v := Vars{Who: strings.Repeat("很", 30), Device: "灯"}
	got, err := renderField(thing, "{who}正在处理{device}", "zh", v)
	if err != nil || got != strings.Repeat("很", 14)+"…正在处理灯" {
		t.Errorf("got %s, %v", got, err)
	}
}
