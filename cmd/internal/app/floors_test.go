package app_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors are docs/architecture.md's: a package imports only packages of lower floors.
var floors = map[string]int{
	"cmd/jiaxin": 6, "cmd/fake-wechat": 6, "firmware-sim": 6,
	"cmd/internal/app": 5,
	"bridge/wechat":    4, "bridge/store/bolt": 4, "bridge/web/h5": 4,
	"bridge":            3,
	"bridge/home":       2,
	"bridge/understand": 1, "bridge/store": 1, "templates": 1, "firmware-sim/fleet": 1,
	"devices": 0, "broker": 0, "bridge/wechat/fakewechat": 0,
}

// parts are packages that belong to one other package, or to tests, and share its floor.
var parts = map[string]string{
	"devices/strictyaml": "devices", "broker/brokertest": "broker", "bridge/store/storetest": "bridge/store/bolt",
	"bridge/web/browsertest": "bridge/web/h5",
}

// alone are packages which import none of ours, so that they cannot share our mistakes.
var alone = []string{"broker", "bridge/wechat/fakewechat"}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "jiaxin/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, "jiaxin/")
		all = append(all, p)
	}
}

// floor is a package's floor; a part is on its owner's.
func floor(name string) (int, bool) {
	if owner, ok := parts[name]; ok {
		name = owner
	}
	f, ok := floors[name]
	return f, ok
}

func TestImportsRunDownward(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		here, known := floor(p.ImportPath)
		if !known {
			t.Errorf("%s has no floor: add it to docs/architecture.md and to this test", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			other, ours := strings.CutPrefix(i, "jiaxin/")
			if !ours || parts[other] == p.ImportPath || parts[p.ImportPath] == other {
				continue
			}
			if there, _ := floor(other); there >= here {
				t.Errorf("%s (floor %d) imports %s (floor %d)", p.ImportPath, here, other, there)
			}
			if slices.Contains(alone, p.ImportPath) {
				t.Errorf("%s must import none of ours, but imports %s", p.ImportPath, other)
			}
		}
	}
}

func TestNoDrawers(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, part := range strings.Split(p.ImportPath, "/") {
			if slices.Contains([]string{"util", "utils", "common", "types", "helpers", "misc"}, part) {
				t.Errorf("%s: name the package for the one thing that it is about", p.ImportPath)
			}
		}
	}
}
