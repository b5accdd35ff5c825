package app

import (
	"strings"
	"testing"

	"jiaxin/bridge/wechat"
)

func TestCheckForms(t *testing.T) {
	t.Parallel()
	_, words, err := Catalog(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		alarm *wechat.Form // nil: none
		says  []string     // nil: all is right
	}{
		"complete":          {&wechat.Form{ID: "x", Fields: map[string]string{"thing1": "thing5"}}, nil},
		"missing":           {nil, []string{"wechat.templates.alarm is missing", "form alarm (安全警报)", "`alarm: {id: …}`"}},
		"still the example": {&wechat.Form{ID: "TEMPLATE_ID_OF_alarm"}, []string{"wechat.templates.alarm.id is still", "copy the template_id"}},
		"a field that is not ours": {&wechat.Form{ID: "x", Fields: map[string]string{"thing9": "thing1"}}, []string{
			"wechat.templates.alarm.fields.thing9: the form alarm has no field thing9", "thing1, const2, const3, time4",
		}},
	} {
		account := forms(words)
		delete(account, "alarm")
		if row.alarm != nil {
			account["alarm"] = *row.alarm
		}
		err := checkForms(words, account)
		if (err == nil) != (row.says == nil) {
			t.Errorf("%s: it says %v", name, err)
		}
		for _, want := range row.says {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: it does not say %q: %v", name, want, err)
			}
		}
	}
}
