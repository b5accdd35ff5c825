package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const registry = `client_id,username,password,label_url,name
standard.ac.ac-01,ac-01,secret,https://home.example/l/0123456789ABCDEFGHJKMNPQR0,客厅空调
`

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "devices.csv")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := run{Broker: "tcp://127.0.0.1:1", Devices: file(t, registry), HTTP: "127.0.0.1:0", Speed: 1}
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestRunSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := file(t, registry)
	for name, c := range map[string]struct {
		run run
		err string
	}{
		"a registry with a mistake": {run{Broker: "tcp://127.0.0.1:1", Devices: file(t, registry+"x\n"), HTTP: "127.0.0.1:0"}, "devices.csv: line 3"},
		"a product without a model": {run{Broker: "tcp://127.0.0.1:1", Devices: file(t, strings.ReplaceAll(registry, "standard.ac", "acme.ac")), HTTP: "127.0.0.1:0"}, `no model "acme/ac"`},
		"a broker that is no URL":   {run{Broker: "gateway", Devices: good, HTTP: "127.0.0.1:0"}, "write tcp://"},
		"a page without an address": {run{Broker: "tcp://127.0.0.1:1", Devices: good, HTTP: "nowhere.invalid:x"}, "--http"},
	} {
		if err := c.run.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
