package fleet

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

//go:embed panel
var panel embed.FS

const (
	maxAct    = 16 << 10 // bytes of one act
	heartbeat = 20 * time.Second
	sseWithin = 10 * time.Second // a panel that does not read for so long is let go
)

// policy is what the stand-alone page may load. A photo on the drawn TV may come from anywhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: http: https:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// Handler serves the panel; mount it anywhere with http.StripPrefix. A page shows the home wherever it has
// <div data-home> (data-lang="zh" or "en" for one language, else both), home.css and, as a module, home.js.
//
//	GET  /                    a page with nothing but the panel
//	GET  /home.js /home.css /drawings/*.svg
//	GET  /state               [Snapshot, …]
//	GET  /events              server-sent events: "home" with all, then "appliance" with each Snapshot that changed
//	POST /act                 {"device": key, …and one of the following}: 200 and the Snapshot, else {"error"}
//	                          "scene": id · "set": {…} · "do": action (with "with": {…}) · "press": true ·
//	                          "plug": true · "unplug": true (the power is cut) · "off": true (switched off in good order) ·
//	                          "deaf": true|false · "slow": seconds
//	GET  /label/<key>.png     the label's QR code
//	GET  /labels.json         [{"name", "image"}, …] for a phone that scans
//
// For browser tests the page's elements carry data-test: appliance-<key>, state-<key>, scene-<key>-<id>,
// plug-<key>, deaf-<key>, press-<key>, label-<key>; a card also has data-online and data-plugged, "true" or "false".
// A POST from another origin is refused with 403, and so is every request that names a host which is not OwnHost.
func (h *Home) Handler(names ...string) http.Handler {
	mux := http.NewServeMux()
	static, _ := fs.Sub(panel, "panel") // cannot fail: the name is valid
	files := http.FileServerFS(static)
	mux.Handle("GET /{$}", strict(files))
	mux.Handle("GET /home.js", strict(files))
	mux.Handle("GET /home.css", strict(files))
	mux.Handle("GET /drawings/{name}", strict(files))
	mux.HandleFunc("GET /state", h.state)
	mux.HandleFunc("GET /events", h.events)
	mux.HandleFunc("POST /act", h.act)
	mux.HandleFunc("GET /label/{file}", h.label)
	mux.HandleFunc("GET /labels.json", h.labels)
	return ownHostOnly(names, http.NewCrossOriginProtection().Handler(mux))
}

// OwnHost tells whether a Host header names this machine: by an address, by a name without a dot (localhost, a container's
// name), by one below localhost, or by one of names. Any other may be a stranger's name that resolves to this machine
// (DNS rebinding): to a browser the stranger's page and ours would be one origin.
func OwnHost(hostport string, names ...string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || !strings.Contains(host, ".") {
		return true
	}
	return strings.HasSuffix(strings.ToLower(host), ".localhost") ||
		slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, host) })
}

func ownHostOnly(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !OwnHost(r.Host, names...) {
			http.Error(w, "this host name is not mine; use 127.0.0.1 or localhost", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// base is the path under which the panel is mounted, with a slash at its end.
func base(r *http.Request) string {
	whole := r.URL.Path
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil {
		whole = u.Path
	}
	return strings.TrimSuffix(whole, r.URL.Path) + "/"
}

func (h *Home) state(w http.ResponseWriter, r *http.Request) {
	h.answer(w, http.StatusOK, h.snapshots(base(r)))
}

func (h *Home) answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.logger.Debug("a panel went away", "error", err)
	}
}

func (h *Home) fail(w http.ResponseWriter, code int, err error) {
	h.answer(w, code, map[string]string{"error": err.Error()})
}

// action is the body of a POST to /act: a device and exactly one thing to do with it.
type action struct {
	Device string         `json:"device"`
	Scene  *string        `json:"scene"`
	Set    map[string]any `json:"set"`
	Do     *string        `json:"do"`
	With   map[string]any `json:"with"` // of do
	Plug   *bool          `json:"plug"`
	Unplug *bool          `json:"unplug"`
	Off    *bool          `json:"off"`
	Deaf   *bool          `json:"deaf"`
	Slow   *float64       `json:"slow"`
	Press  *bool          `json:"press"`
}

func (h *Home) act(w http.ResponseWriter, r *http.Request) {
	do, err := readAction(w, r)
	if err != nil {
		h.fail(w, http.StatusBadRequest, err)
		return
	}
	res, ok := h.byKey[do.Device]
	if !ok {
		h.fail(w, http.StatusNotFound, fmt.Errorf("%w: %q", ErrUnknown, do.Device))
		return
	}
	if err := do.perform(res.Appliance); err != nil {
		h.fail(w, status(err), err)
		return
	}
	h.answer(w, http.StatusOK, res.snapshot(base(r)))
}

func readAction(w http.ResponseWriter, r *http.Request) (action, error) {
	var a action
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAct))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fmt.Errorf("not an act: %w", err)
	}
	given := 0
	for _, there := range []bool{
		a.Scene != nil, a.Set != nil, a.Do != nil, a.Plug != nil, a.Unplug != nil,
		a.Off != nil, a.Deaf != nil, a.Slow != nil, a.Press != nil,
	} {
		if there {
			given++
		}
	}
	if given != 1 {
		return a, fmt.Errorf("an act does one thing (scene, set, do, plug, unplug, off, deaf, slow or press), this one does %d", given)
	}
	return a, nil
}

func (a action) perform(on *Appliance) error {
	switch {
	case a.Scene != nil:
		return on.Scene(*a.Scene)
	case a.Set != nil:
		return on.Set(a.Set)
	case a.Do != nil:
		return on.Do(*a.Do, a.With)
	case a.Deaf != nil:
		on.Deaf(*a.Deaf)
	case a.Slow != nil:
		return a.slow(on)
	default:
		return a.plug(on)
	}
	return nil
}

func (a action) slow(on *Appliance) error {
	if !(*a.Slow >= 0 && *a.Slow <= 3600) {
		return errors.New("slow is 0 to 3600 seconds")
	}
	on.Slow(time.Duration(*a.Slow * float64(time.Second)))
	return nil
}

// plug handles the acts that have no false.
func (a action) plug(on *Appliance) error {
	switch yes := true; {
	case a.Press != nil && *a.Press == yes:
		return on.PressButton()
	case a.Plug != nil && *a.Plug == yes:
		on.Plug()
	case a.Unplug != nil && *a.Unplug == yes:
		on.Unplug()
	case a.Off != nil && *a.Off == yes:
		on.SwitchOff()
	default:
		return errors.New("plug, unplug, off and press take only true")
	}
	return nil
}

func status(err error) int {
	switch {
	case errors.Is(err, ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, ErrUnplugged), errors.Is(err, ErrNotOnline):
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

// events streams what changes until the panel goes, does not read any more, or the home stops.
func (h *Home) events(w http.ResponseWriter, r *http.Request) {
	watcher := h.feed.watch()
	if watcher == nil {
		h.fail(w, http.StatusServiceUnavailable, errors.New("too many panels are open: close one"))
		return
	}
	defer h.feed.leave(watcher)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	s := stream{w, http.NewResponseController(w), base(r)}
	err := s.say("home", h.snapshots(s.base))
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-h.feed.done:
			return
		case <-beat.C:
			err = s.write([]byte(": still here\n\n"))
		case <-watcher.wake:
			err = h.sayChanges(s, h.feed.take(watcher))
		}
	}
	h.logger.Debug("a panel went away", "error", err)
}

func (h *Home) sayChanges(s stream, dirty map[string]bool) error {
	for _, r := range h.order {
		if !dirty[r.key] {
			continue
		}
		if err := s.say("appliance", r.snapshot(s.base)); err != nil {
			return err
		}
	}
	return nil
}

// stream writes server-sent events.
type stream struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	base string
}

func (s stream) say(event string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", event, data)
	return s.write(b.Bytes())
}

func (s stream) write(data []byte) error {
	if err := s.c.SetWriteDeadline(time.Now().Add(sseWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(data); err != nil {
		return err
	}
	return s.c.Flush()
}

// drawn says whether the panel has this drawing.
func drawn(name string) bool {
	_, err := fs.Stat(panel, "panel/drawings/"+name)
	return err == nil
}
