package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"image"
	_ "image/png" // labels are PNGs
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"jiaxin/devices"
)

// panelAt serves the panel of a home of a pot and a heater under /_home/.
func panelAt(t *testing.T, broker string) (*Home, http.Handler) {
	t.Helper()
	home, err := NewHome(HomeOptions{
		Catalog: testCatalog(t), Broker: broker,
		Registrations: []devices.Registration{registration("test/pot", "pot1"), registration("test/heater", "heat1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	home.Start()
	t.Cleanup(func() { home.Stop(context.Background()) })
	return home, http.StripPrefix("/_home", home.Handler("example.com"))
}

// nobody is the address of a broker that is not there.
const nobody = "tcp://127.0.0.1:1"

func ask(handler http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func TestPanelActs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		code       int
		has        string // part of the answer
	}{
		{"a scene", `{"device":"pot1","scene":"1"}`, 200, `"value":"cooking"`},
		{"a set", `{"device":"pot1","set":{"heat":55}}`, 200, `"value":55`},
		{"an action", `{"device":"pot1","do":"cook","with":{"dish":"汤"}}`, 200, `"value":"汤"`},
		{"plugging in what is plugged in", `{"device":"pot1","plug":true}`, 200, `"plugged":true`},
		{"unplugging", `{"device":"pot1","unplug":true}`, 200, `"plugged":false`},
		{"switching off", `{"device":"pot1","off":true}`, 200, `"plugged":false`},
		{"deafening", `{"device":"pot1","deaf":true}`, 200, `"deaf":true`},
		{"slowing", `{"device":"pot1","slow":2.5}`, 200, `"slow":2.5`},
		{"the key without a broker", `{"device":"pot1","press":true}`, 409, `没有连上`},
		{"an unknown device", `{"device":"pot9","deaf":true}`, 404, `pot9`},
		{"an unknown scene", `{"device":"pot1","scene":"99"}`, 404, `99`},
		{"an unknown property", `{"device":"pot1","set":{"lid":true}}`, 400, `lid`},
		{"an unknown action", `{"device":"pot1","do":"fly"}`, 400, `fly`},
		{"two things at once", `{"device":"pot1","scene":"1","deaf":true}`, 400, `this one does 2`},
		{"nothing", `{"device":"pot1"}`, 400, `this one does 0`},
		{"plug false", `{"device":"pot1","plug":false}`, 400, `only true`},
		{"slower than an hour", `{"device":"pot1","slow":1e9}`, 400, `3600`},
		{"an unknown key", `{"device":"pot1","explode":true}`, 400, `explode`},
		{"no JSON", `boo`, 400, `not an act`},
		{"far too much", `{"device":"` + strings.Repeat("x", maxAct) + `"}`, 400, `not an act`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, handler := panelAt(t, nobody)
			w := ask(handler, "POST", "/_home/act", c.body)
			if w.Code != c.code || !strings.Contains(w.Body.String(), c.has) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestPanelRefusesOtherSites(t *testing.T) {
	t.Parallel()
	home, handler := panelAt(t, nobody)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
	} {
		if w := ask(handler, "POST", "/_home/act", `{"device":"pot1","deaf":true}`, header...); w.Code != http.StatusForbidden {
			t.Errorf("%v: %d", header, w.Code)
		}
	}
	if pot, _ := home.Appliance("pot1"); pot.Snapshot().Deaf {
		t.Error("the pot is deaf all the same")
	}
	if w := ask(handler, "POST", "/_home/act", `{"device":"pot1","deaf":true}`, "Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"); w.Code != 200 {
		t.Errorf("its own page: %d", w.Code)
	}
}

// A stranger's name may resolve to this machine, and then the stranger's page would be of our origin.
func TestPanelAnswersToItsOwnNamesOnly(t *testing.T) {
	t.Parallel()
	_, handler := panelAt(t, nobody)
	for host, want := range map[string]int{
		"127.0.0.1:8090": 200, "[::1]:8090": 200, "[::1]": 200, "localhost:8090": 200, "firmware-sim": 200, "a.localhost": 200,
		"192.168.1.5:80": 200, "Example.com:8090": 200, "": 200,
		"evil.example:8090": 403, "evil.example": 403, "127.0.0.1.evil.example": 403, "example.com.evil.example": 403,
		"localhost.evil.example:8090": 403, "evil.": 403, "127.0.0.1.": 403,
	} {
		for _, path := range []string{"/_home/", "/_home/state", "/_home/labels.json", "/_home/label/pot1.png"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s of %q: %d, want %d", path, host, w.Code, want)
			}
		}
	}
}

func TestPanelShowsTheHome(t *testing.T) {
	t.Parallel()
	_, handler := panelAt(t, nobody)
	var state []Snapshot
	if err := json.Unmarshal(ask(handler, "GET", "/_home/state", "").Body.Bytes(), &state); err != nil {
		t.Fatal(err)
	}
	if len(state) != 2 || state[0].Key != "pot1" || state[0].Name["zh"] != "厨房的pot1" || state[0].Name["en"] != "pot" {
		t.Fatalf("it shows %+v", state)
	}
	if s := state[0]; s.Label != "/_home/label/pot1.png" || s.Drawing != "/_home/drawings/generic.svg" || len(s.Scenes) != 5 {
		t.Errorf("it shows %+v", s)
	}
	power := state[0].Properties[0]
	if power.Told["zh"] != "已关" || power.Told["en"] != "is off" || state[0].Properties[1].Told["zh"] != "30%" {
		t.Errorf("in words: %+v", state[0].Properties)
	}
	for path, kind := range map[string]string{
		"/_home/": "text/html", "/_home/home.js": "text/javascript", "/_home/home.css": "text/css",
		state[0].Drawing: "image/svg+xml", state[0].Label: "image/png", "/_home/labels.json": "application/json",
	} {
		w := ask(handler, "GET", path, "")
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
	for _, path := range []string{"/_home/label/pot9.png", "/_home/label/pot1.gif", "/_home/drawings/pot.svg", "/_home/nothing"} {
		if w := ask(handler, "GET", path, ""); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestLabelCanBeScanned(t *testing.T) {
	t.Parallel()
	_, handler := panelAt(t, nobody)
	var labels []struct{ Name, Image string }
	if err := json.Unmarshal(ask(handler, "GET", "/_home/labels.json", "").Body.Bytes(), &labels); err != nil || len(labels) != 2 {
		t.Fatalf("%v, %v", labels, err)
	}
	picture, _, err := image.Decode(ask(handler, "GET", labels[0].Image, "").Body)
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	code, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil || code.GetText() != registration("test/pot", "pot1").LabelURL {
		t.Errorf("it reads %v, %v", code, err)
	}
}

// TestPanelHearsOfChanges opens the event stream, changes something and reads of it, and sees the stream end with the home.
func TestPanelHearsOfChanges(t *testing.T) {
	t.Parallel()
	home, handler := panelAt(t, nobody)
	server := httptest.NewServer(handler)
	defer server.Close()
	answer, err := http.Get(server.URL + "/_home/events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	event, data := nextEvent(t, lines)
	if event != "home" || !bytes.Contains(data, []byte(`"key":"heat1"`)) {
		t.Errorf("it begins with %s %s", event, data)
	}
	heater, _ := home.Appliance("heat1")
	heater.Deaf(true)
	if event, data = nextEvent(t, lines); event != "appliance" || !bytes.Contains(data, []byte(`"deaf":true`)) {
		t.Errorf("then comes %s %s", event, data)
	}
	if err := home.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func nextEvent(t *testing.T, lines *bufio.Scanner) (event string, data []byte) {
	t.Helper()
	for lines.Scan() {
		if e, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = e
		}
		if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return event, []byte(d)
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return "", nil
}

func TestTooManyPanels(t *testing.T) {
	t.Parallel()
	home, handler := panelAt(t, nobody)
	for range maxWatchers {
		home.feed.watch()
	}
	if w := ask(handler, "GET", "/_home/events", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("one more: %d", w.Code)
	}
}

func TestHomesThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		regs   []devices.Registration
		broker string
		err    string
	}{
		"an unknown product": {[]devices.Registration{registration("test/rocket", "r1")}, nobody, "no model"},
		"the same twice":     {[]devices.Registration{registration("test/pot", "p"), registration("test/pot", "p")}, nobody, "registered twice"},
		"no broker":          {[]devices.Registration{registration("test/pot", "p")}, "localhost", "broker's address"},
	} {
		_, err := NewHome(HomeOptions{Catalog: testCatalog(t), Registrations: c.regs, Broker: c.broker})
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSameDeviceIDOfTwoProducts(t *testing.T) {
	t.Parallel()
	home, err := NewHome(HomeOptions{
		Catalog: testCatalog(t), Broker: nobody,
		Registrations: []devices.Registration{registration("test/pot", "a"), registration("test/heater", "a"), registration("test/pot", "b")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"test.pot.a", "test.heater.a", "b"} {
		if _, ok := home.Appliance(key); !ok {
			t.Errorf("no %s", key)
		}
	}
	if _, ok := home.Appliance("a"); ok {
		t.Error("a could be either")
	}
}

func TestMakersProductIsDrawnAsWhatItExtends(t *testing.T) {
	t.Parallel()
	catalog := standardCatalog(t)
	for _, m := range catalog.Models() {
		if got := drawing(catalog, m); got == "generic.svg" {
			t.Errorf("%s has no drawing", m.ID)
		}
	}
	if got := drawing(catalog, &devices.Model{ID: "acme/breeze", Extends: "standard/ac"}); got != "ac.svg" {
		t.Errorf("acme's air conditioner is drawn as %s", got)
	}
}
