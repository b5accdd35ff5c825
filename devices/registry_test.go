package devices_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"jiaxin/devices"
)

const (
	codeA = "0123456789ABCDEFGHJKMNPQR0"
	codeB = "0123456789ABCDEFGHJKMNPQS0"
)

func registrations() []devices.Registration {
	return []devices.Registration{
		{
			Address: devices.Address{Product: "standard/ac", Device: "ac-01"}, Username: "ac-01", Password: "p-1",
			LabelURL: "https://q.acme.example/d/" + codeA, Name: "客厅空调",
		},
		{
			Address: devices.Address{Product: "standard/washer", Device: "w-01"}, Username: "w", Password: `p"2,`,
			LabelURL: "http://127.0.0.1:8080/l/" + codeB,
		},
	}
}

func TestARegistryReadsBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if err := devices.WriteRegistry(&file, registrations()); err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(file.String(), "\n"); first != "client_id,username,password,label_url,name" {
		t.Errorf("the header is %s", first)
	}
	for _, text := range []string{file.String(), "\ufeff" + file.String(), strings.ReplaceAll(file.String(), "\n", "\r\n")} {
		got, err := devices.ReadRegistry(strings.NewReader(text))
		if err != nil || !reflect.DeepEqual(got, registrations()) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if code, err := registrations()[0].LabelCode(); err != nil || code != codeA {
		t.Errorf("LabelCode = %s, %v", code, err)
	}
}

func TestARegistrysMistakesAreToldWithTheirLines(t *testing.T) {
	t.Parallel()
	header := "client_id,username,password,label_url,name\n"
	good := "standard.ac.ac-01,u,s3cret,https://q.example/" + codeA + ",\n"
	for name, c := range map[string]struct{ file, want string }{
		"empty":             {"", "no header line"},
		"other header":      {"id,user\n", "line 1: the header must be client_id,username,password,label_url,name"},
		"few fields":        {header + good + "standard.ac.ac-02,u\n", "line 3: 2 fields, not 5"},
		"bad id":            {header + "ac-01,u,s3cret,https://q.example/" + codeA + ",\n", `line 2: the client id "ac-01" is not <maker>.<model>.<device>`},
		"no password":       {header + "standard.ac.ac-01,u,,https://q.example/" + codeA + ",\n", "line 2: username and password must not be empty"},
		"no address":        {header + "standard.ac.ac-01,u,s3cret," + codeA + ",\n", "line 2: label_url is not an http or https address"},
		"no code":           {header + "standard.ac.ac-01,u,s3cret,https://q.example/,\n", "line 2: a label code has 26 letters and digits"},
		"twice":             {header + good + "\n" + good, "line 4: standard.ac.ac-01 is on line 2 already"},
		"same label":        {header + good + strings.Replace(good, "ac-01", "ac-02", 1), "line 3: this label code is on line 2 already"},
		"control in name":   {header + strings.Replace(good, ",\n", ",a\tb\n", 1), "line 2: a field holds a control character"},
		"long name":         {header + strings.Replace(good, ",\n", ","+strings.Repeat("长", 41)+"\n", 1), "line 2: the name has more than 40 characters"},
		"quotes":            {header + good + `standard.ac.ac-02,"u`, "line 3, column"},
		"after a multiline": {header + strings.Replace(good, "u", "\"u\n\"", 1) + "x\n", "line 4: 1 fields, not 5"},
	} {
		regs, err := devices.ReadRegistry(strings.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || regs != nil {
			t.Errorf("%s: got %v, %v; want %s", name, regs, err, c.want)
		} else if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), codeA) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
}

func TestABrokenDiskStopsTheRegistry(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	if _, err := devices.ReadRegistry(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("reading: %v", err)
	}
	twice := append(registrations(), registrations()[0])
	var file bytes.Buffer
	if err := devices.WriteRegistry(&file, twice); err == nil || file.Len() > 0 {
		t.Errorf("a doubled device was written: %v, %d bytes", err, file.Len())
	}
}
