package devices_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"jiaxin/devices"
)

func TestAddressesInEveryForm(t *testing.T) {
	t.Parallel()
	a, err := devices.ParseAddress("standard.ac.AC-01_x")
	if err != nil || a != (devices.Address{Product: "standard/ac", Device: "AC-01_x"}) {
		t.Fatalf("got %+v, %v", a, err)
	}
	if a.ClientID() != "standard.ac.AC-01_x" || a.String() != "standard/ac/AC-01_x" {
		t.Errorf("got %s and %s", a.ClientID(), a)
	}
	topic := a.Topic(devices.UpEvent)
	if topic != "d/standard/ac/AC-01_x/up/event" {
		t.Errorf("the topic is %s", topic)
	}
	if b, sort, err := devices.ParseTopic(topic); err != nil || b != a || sort != devices.UpEvent {
		t.Errorf("ParseTopic = %+v, %s, %v", b, sort, err)
	}
}

func TestStrangeAddressesAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 65)
	for _, id := range []string{
		"", "a", "a.b", "a.b.", ".b.c", "a..c", "a.b.c.d", "A.b.c", "a.b.c d", "a.b.+", "a.b.#", "a/b.c.d",
		"a.b." + long, long + ".b.c", "a.b.设备", "a.b.c\x00",
	} {
		if a, err := devices.ParseAddress(id); err == nil || a != (devices.Address{}) {
			t.Errorf("ParseAddress(%q) = %+v, %v", id, a, err)
		}
	}
	for _, topic := range []string{
		"", "d", "d/a/b/c", "d/a/b/c/up", "d/a/b/c/up/other", "d/a/b/c/up/event/x", "x/a/b/c/up/event",
		"d//b/c/up/event", "d/a/b//up/event", "d/+/b/c/up/event", "d/a/b/#/up/event", "/d/a/b/c/up/event", "d/a.b/c/d/up/event",
	} {
		if a, _, err := devices.ParseTopic(topic); err == nil || a != (devices.Address{}) {
			t.Errorf("ParseTopic(%q) = %+v, %v", topic, a, err)
		}
	}
}

// FuzzParseTopic: what is taken comes back as it was, in every form.
func FuzzParseTopic(f *testing.F) {
	f.Add("d/standard/ac/ac-01/up/event")
	f.Add("d/a/b/c/down/reply")
	f.Add("d/a/b/+/up/#")
	f.Fuzz(func(t *testing.T, topic string) {
		a, sort, err := devices.ParseTopic(topic)
		if err != nil {
			return
		}
		if a.Topic(sort) != topic || strings.ContainsAny(topic, "+# ") {
			t.Fatalf("%q became %+v %s", topic, a, sort)
		}
		if b, err := devices.ParseAddress(a.ClientID()); err != nil || b != a {
			t.Fatalf("%+v became %+v, %v", a, b, err)
		}
	})
}

func TestLabelCodesSurvivePeople(t *testing.T) {
	t.Parallel()
	code := devices.NewLabelCode(bytes.NewReader(bytes.Repeat([]byte{0x00, 0x42, 0xff, 0x10}, 4)))
	if code != "011FY4008BZH0022ZW800GQZ20" {
		t.Fatalf("the code is %s", code)
	}
	for _, typed := range []string{
		code, strings.ToLower(code), strings.ReplaceAll(code, "0", "O"), strings.ReplaceAll(code, "0", "o"),
		strings.ReplaceAll(code, "1", "I"), strings.ReplaceAll(code, "1", "l"),
		" " + code[:5] + "-" + code[5:10] + " " + code[10:] + "\n", fullWidth(code), code[:13] + "\u3000" + code[13:],
	} {
		if got, err := devices.ParseLabelCode(typed); err != nil || got != code {
			t.Errorf("ParseLabelCode(%q) = %q, %v; want %q", typed, got, err, code)
		}
	}
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune { return r + '！' - '!' }, s)
}

func TestLabelCodesThatAreNone(t *testing.T) {
	t.Parallel()
	code := devices.NewLabelCode(rand.Reader)
	for _, typed := range []string{"", code[:25], code + "0", code[:25] + "U", code[:25] + "中", code[:25] + "Z", strings.Repeat("0", 300)} {
		got, err := devices.ParseLabelCode(typed)
		if err == nil || got != "" {
			t.Errorf("ParseLabelCode(%q) = %q, %v", typed, got, err)
		} else if strings.Contains(err.Error(), code[:10]) {
			t.Errorf("the error tells the code: %v", err)
		}
	}
	seen := map[string]bool{}
	for range 1000 {
		seen[devices.NewLabelCode(rand.Reader)] = true
	}
	if len(seen) != 1000 || len(devices.HashLabelCode(code)) != 64 || devices.HashLabelCode(code) == devices.HashLabelCode("x") {
		t.Error("codes repeat, or hashes are wrong")
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	secret := devices.NewSecret(rand.Reader)
	if len(secret) != 43 || secret == devices.NewSecret(rand.Reader) {
		t.Errorf("bad secret of %d characters", len(secret))
	}
	hash := devices.HashSecret([]byte(secret))
	for _, c := range []struct {
		hash, secret string
		want         bool
	}{
		{hash, secret, true},
		{hash, secret + "x", false},
		{hash, "", false},
		{"", secret, false},
		{"", "", false},
		{strings.ToUpper(hash), secret, false},
		{secret, secret, false},
	} {
		if devices.CheckSecret(c.hash, []byte(c.secret)) != c.want {
			t.Errorf("CheckSecret(%.5s…, %.5s…) is not %v", c.hash, c.secret, c.want)
		}
	}
}

func TestWithoutRandomnessThereIsNoSecret(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(){
		"label":  func() { devices.NewLabelCode(iotest.ErrReader(errors.New("broken"))) },
		"secret": func() { devices.NewSecret(bytes.NewReader(nil)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a %s was made of nothing", name)
				}
			}()
			make()
		}()
	}
}
