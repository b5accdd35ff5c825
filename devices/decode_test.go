package devices_test

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"jiaxin/devices"
)

func TestPropertiesAreTakenWithTheirTypes(t *testing.T) {
	t.Parallel()
	got, err := devices.DecodeProperties(model(t, "standard/ac"), []byte(` {"power":true,"target":26.5,"mode":"cool"} `))
	want := props{"power": true, "target": 26.5, "mode": "cool"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := devices.DecodeProperties(model(t, "standard/ac"), []byte(`{"temperature":-273.1}`)); err != nil || got["temperature"] != -273.1 {
		t.Errorf("what a device measures was refused: %v, %v", got, err)
	}
}

func TestABadReportIsRefusedAndNamesTheKey(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		``:                                      "not a JSON object",
		`null`:                                  "not a JSON object",
		`[]`:                                    "not a JSON object",
		`{"power":true`:                         "not valid JSON",
		`{"power":true,}`:                       "not valid JSON",
		`{"power":true} {}`:                     "something follows",
		`{"power":true}x`:                       "something follows",
		`{"powr":true}`:                         `unknown property "powr"; did you mean "power"?`,
		`{"online":true}`:                       `unknown property "online"`,
		`{"power":1}`:                           "power must be true or false, not a number",
		`{"power":null}`:                        `"power" must be a single value`,
		`{"power":{"a":[1]}}`:                   `"power" must be a single value`,
		`{"power":true,"power":false}`:          `"power" is given twice`,
		`{"target":"26"}`:                       "target must be a number, not a text",
		`{"target":NaN}`:                        `the value of "target" is not valid JSON`,
		`{"target":1e400}`:                      `"target" is too large`,
		`{"target":1e300}`:                      "target is not a number that means something",
		`{"mode":"freeze"}`:                     `mode is never "freeze"`,
		"{\"mode\":\"\xff\"}":                   "not UTF-8",
		strings.Repeat("[", 9000):               "not a JSON object",
		`{"power":` + strings.Repeat("[", 9000): `"power" must be a single value`,
		`{"power":true` + strings.Repeat(" ", devices.MaxPayload) + `}`: "more than 16384",
	} {
		got, err := devices.DecodeProperties(model(t, "standard/ac"), []byte(payload))
		if err == nil || !strings.Contains(err.Error(), want) || got != nil {
			t.Errorf("%.40q gave %v, %v; want %s", payload, got, err, want)
		}
	}
}

func TestTextsAreBoundedAndWithoutControlCharacters(t *testing.T) {
	t.Parallel()
	tv := model(t, "standard/tv")
	for text, ok := range map[string]bool{
		"西游记": true, "two\nlines": true, "": true, strings.Repeat("a", devices.MaxText): true,
		strings.Repeat("a", devices.MaxText+1): false, "bell\a": false, "\x1b[31m": false, "\u0085": false,
	} {
		payload, _ := json.Marshal(props{"playing": text})
		if _, err := devices.DecodeProperties(tv, payload); (err == nil) != ok {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestEventsRepliesStatusAndPresses(t *testing.T) {
	t.Parallel()
	m := model(t, "standard/gas-alarm")
	event, err := devices.DecodeEvent(m, []byte(`{"id":"b1-7","event":"gas_leak","at":"2026-01-02T15:04:05+08:00"}`))
	if err != nil || event.ID != "b1-7" || event.Event != "gas_leak" || event.At.UTC().Hour() != 7 {
		t.Errorf("event: %+v, %v", event, err)
	}
	if e, err := devices.DecodeEvent(m, []byte(`{"id":"1","event":"gas_leak"}`)); err != nil || !e.At.Equal(time.Time{}) {
		t.Errorf("a device without a clock: %+v, %v", e, err)
	}
	if r, err := devices.DecodeReply([]byte(`{"id":"c1","code":1,"message":"door open"}`)); err != nil || r != (devices.Reply{ID: "c1", Code: 1, Message: "door open"}) {
		t.Errorf("reply: %+v, %v", r, err)
	}
	if s, err := devices.DecodeStatus([]byte(`{"online":true}`)); err != nil || !s.Online {
		t.Errorf("status: %+v, %v", s, err)
	}
	if p, err := devices.DecodeButton([]byte(`{"nonce":"n1","counter":1790000000000}`)); err != nil || p.Counter != 1790000000000 {
		t.Errorf("press: %+v, %v", p, err)
	}
}

func TestDeclaredFieldsOfAnEvent(t *testing.T) {
	t.Parallel()
	c, err := devices.Load(files("acme/bell", `
model: acme/bell
name: {zh: 门铃}
events:
  rang: {level: info, message: rang, fields: {times: {kind: number}, by: {kind: text}}}
samples:
  - {event: rang, fields: {times: 2, by: 快递}}
`))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := c.Model("acme/bell")
	e, err := devices.DecodeEvent(m, []byte(`{"fields":{"times":2,"by":"a"},"id":"1","event":"rang"}`))
	if err != nil || !maps.Equal(e.Fields, props{"times": 2.0, "by": "a"}) {
		t.Errorf("got %+v, %v", e, err)
	}
	if _, err := devices.DecodeEvent(m, []byte(`{"id":"1","event":"rang","fields":{"time":2}}`)); err == nil || !strings.Contains(err.Error(), `unknown field "time"; did you mean "times"?`) {
		t.Errorf("an undeclared field: %v", err)
	}
}

func TestBadMessagesAreRefused(t *testing.T) {
	t.Parallel()
	m := model(t, "standard/gas-alarm")
	decoders := map[string]func(b []byte) error{
		"event":  func(b []byte) error { _, err := devices.DecodeEvent(m, b); return err },
		"reply":  func(b []byte) error { _, err := devices.DecodeReply(b); return err },
		"status": func(b []byte) error { _, err := devices.DecodeStatus(b); return err },
		"button": func(b []byte) error { _, err := devices.DecodeButton(b); return err },
	}
	for _, c := range []struct{ sort, payload, want string }{
		{"event", `{"id":"1","event":"gas_lek"}`, `unknown event "gas_lek"; did you mean "gas_leak"?`},
		{"event", `{"event":"gas_leak"}`, `"id" is missing`},
		{"event", `{"id":"1"}`, `unknown event ""`},
		{"event", `{"id":"a b","event":"gas_leak"}`, `"id" must be 1 to 64 visible ASCII`},
		{"event", `{"id":"` + strings.Repeat("1", 65) + `","event":"gas_leak"}`, `"id" must be 1 to 64`},
		{"event", `{"id":"1","event":"gas_leak","at":"today"}`, `"at" must be a time such as`},
		{"event", `{"id":"1","event":"gas_leak","fields":{"a":1}}`, `unknown field "a"`},
		{"event", `{"id":"1","event":"gas_leak","fields":[]}`, "not a JSON object"},
		{"event", `{"id":"1","event":"gas_leak","filds":{}}`, `unknown key "filds"; did you mean "fields"?`},
		{"reply", `{"id":"1"}`, `a reply needs "id" and "code"`},
		{"reply", `{"id":"1","code":1.5}`, `"code" must be a whole number`},
		{"reply", `{"id":"1","code":"0"}`, `"code" must be a whole number`},
		{"reply", `{"id":"1","code":0,"message":"` + strings.Repeat("m", 1025) + `"}`, "message has 1025 bytes"},
		{"status", `{}`, `a status needs "online"`},
		{"status", `{"online":"yes"}`, `"online" must be true or false`},
		{"status", `{"onlin":true}`, `unknown key "onlin"; did you mean "online"?`},
		{"button", `{"nonce":"1"}`, `needs a "nonce" and a "counter"`},
		{"button", `{"nonce":"1","counter":-1}`, `needs a "nonce" and a "counter"`},
		{"button", `{"nonce":"1","counter":1e18}`, `"counter" must be a whole number`},
	} {
		if err := decoders[c.sort]([]byte(c.payload)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.60s gave %v, want %s", c.sort, c.payload, err, c.want)
		}
	}
}

// FuzzDecode: whatever a stranger sends, nothing panics, and what is taken is of the model's types.
func FuzzDecode(f *testing.F) {
	tv, alarm := model(f, "standard/tv"), model(f, "standard/gas-alarm")
	for _, s := range []string{
		`{"power":true,"volume":1e2,"playing":"x"}`, `{"id":"1","event":"gas_leak","fields":{}}`,
		`{"id":"1","code":0}`, `{"online":false}`, `{"nonce":"1","counter":2}`, `{"power":[{}]}`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := devices.DecodeProperties(tv, payload)
		if err != nil && (got != nil || len(err.Error()) > 600) {
			t.Fatalf("values beside an error, or a long one: %v", err)
		}
		for key, v := range got {
			p, ok := tv.Property(key)
			if f, isNumber := v.(float64); !ok || p.Check(v) != nil || isNumber && (math.IsNaN(f) || math.IsInf(f, 0)) {
				t.Fatalf("took %s = %v", key, v)
			}
		}
		if e, err := devices.DecodeEvent(alarm, payload); err == nil && (e.ID == "" || e.Event == "") {
			t.Fatalf("took %+v", e)
		}
		if r, err := devices.DecodeReply(payload); err == nil && r.ID == "" {
			t.Fatalf("took %+v", r)
		}
		devices.DecodeStatus(payload)
		devices.DecodeButton(payload)
	})
}

func BenchmarkDecodeProperties(b *testing.B) {
	m := model(b, "standard/ac")
	payload := []byte(`{"power":true,"target":26,"mode":"cool","fan":"auto","swing":false,"temperature":27.5,"occupied":true}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := devices.DecodeProperties(m, payload); err != nil {
			b.Fatal(err)
		}
	}
}
