package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"jiaxin/bridge/wechat/fakewechat"
	"jiaxin/firmware-sim/fleet"
)

// deviceWord lays a hand on an appliance.
func deviceWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "device DEVICE scene|set|press|plug|unplug|off|deaf|hear …"); err != nil {
		return err
	}
	act := map[string]any{"device": args[0]}
	switch args[1] {
	case "scene":
		id, err := w.scene(args[0], args[2])
		if err != nil {
			return err
		}
		act["scene"] = id
	case "set":
		act["set"] = values(args[2:])
	case "deaf":
		act["deaf"] = true
	case "hear":
		act["deaf"] = false
	default:
		act[args[1]] = true
	}
	body, err := json.Marshal(act)
	if err != nil {
		return err
	}
	return fetch(http.NewRequest(http.MethodPost, w.home+"/act", bytes.NewReader(body)))(nil)
}

// scene finds the id of a scene by its Chinese name.
func (w *world) scene(device, name string) (string, error) {
	var all []fleet.Snapshot
	if err := fetch(http.NewRequest(http.MethodGet, w.home+"/state", nil))(&all); err != nil {
		return "", err
	}
	for _, s := range all {
		for _, scene := range s.Scenes {
			if s.Key == device && scene.Name["zh"] == name {
				return scene.ID, nil
			}
		}
	}
	return "", fmt.Errorf("%s has no scene %q", device, name)
}

// values reads K=V…: JSON where it is JSON, else words.
func values(args []string) map[string]any {
	all := map[string]any{}
	for _, arg := range args {
		key, text, _ := strings.Cut(arg, "=")
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			v = text
		}
		all[key] = v
	}
	return all
}

// stateWord waits, on the panel's own stream of changes, until the appliance is as the story says.
func stateWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "state DEVICE K=V…"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.home+"/events", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	last := "nothing"
	for lines := bufio.NewReader(res.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%s is not %q, but %s (%w)", args[0], args[1:], last, err)
		}
		data, is := strings.CutPrefix(line, "data: ")
		if !is {
			continue
		}
		for _, s := range snapshots(data) {
			if s.Key != args[0] {
				continue
			}
			if last = seen(s); shows(s, values(args[1:])) {
				return nil
			}
		}
	}
}

// snapshots reads an event of the panel: all appliances, or one.
func snapshots(data string) []fleet.Snapshot {
	var all []fleet.Snapshot
	if json.Unmarshal([]byte(data), &all) == nil {
		return all
	}
	var one fleet.Snapshot
	if json.Unmarshal([]byte(data), &one) == nil {
		return []fleet.Snapshot{one}
	}
	return nil
}

func shows(s fleet.Snapshot, wanted map[string]any) bool {
	for key, value := range wanted {
		if fmt.Sprint(property(s, key)) != fmt.Sprint(value) {
			return false
		}
	}
	return true
}

func property(s fleet.Snapshot, key string) any {
	switch key {
	case "online":
		return s.Online
	case "waiting":
		return s.Waiting
	}
	for _, p := range s.Properties {
		if p.Key == key {
			return p.Value
		}
	}
	return nil
}

func seen(s fleet.Snapshot) string {
	text := fmt.Sprintf("online=%v waiting=%d", s.Online, s.Waiting)
	for _, p := range s.Properties {
		text += fmt.Sprintf(" %s=%v", p.Key, p.Value)
	}
	return text
}

func advanceWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 1, "advance DURATION"); err != nil {
		return err
	}
	return w.control("clock", map[string]any{"advance": args[0]}, nil)
}

func faultWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 1, "fault K=V… | fault clear"); err != nil {
		return err
	}
	if args[0] == "clear" {
		return w.control("fault", map[string]any{"clear": true}, nil)
	}
	return w.control("fault", values(args), nil)
}

// callsWord waits until the traffic between WeChat and the gateway has this many exchanges: calls of an API by the end of
// its path, or callbacks, with the words in them.
func callsWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "calls API|callback N [WORDS]"); err != nil {
		return err
	}
	wanted, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	words := strings.Join(args[2:], " ")
	var n int
	var last int64
	for over := time.Now().Add(patience); ; {
		var some []fakewechat.Exchange
		q := url.Values{"after": {strconv.FormatInt(last, 10)}, "wait": {"1s"}}
		if err := w.control("transcript?"+q.Encode(), nil, &some); err != nil {
			return err
		}
		for _, x := range some {
			last = x.Seq
			is := x.Kind == args[0] || x.Kind == "api" && strings.HasSuffix(x.Path, args[0])
			if is && strings.Contains(x.Request+x.Note, words) {
				n++
			}
		}
		if n >= wanted {
			return nil
		}
		if time.Now().After(over) {
			return fmt.Errorf("%d calls of %s, not %d", n, args[0], wanted)
		}
	}
}

func idleWord(w *world, _ *testscript.TestScript, _ bool, _ []string) error {
	var idle struct{ Idle bool }
	if err := w.control("idle?wait="+patience.String(), nil, &idle); err != nil || idle.Idle {
		return err
	}
	return fmt.Errorf("WeChat is busy for ever")
}

// watchWord opens a stream of events that only the gateway's end ends.
func watchWord(w *world, ts *testscript.TestScript, _ bool, _ []string) error {
	res, err := http.Get(w.wechat + "/_fake/events")
	if err == nil {
		ts.Defer(func() { _ = res.Body.Close() })
	}
	return err
}

// web is the gateway's HTTP address as phones know it.
func (w *world) web() string {
	if w.outside != nil {
		return "http://" + w.outside.web.address()
	}
	return w.wechat
}

func getWord(w *world, ts *testscript.TestScript, _ bool, args []string) error {
	return w.fetch(ts, w.web(), args)
}

func adminWord(w *world, ts *testscript.TestScript, _ bool, args []string) error {
	return w.fetch(ts, w.admin, args)
}

func (w *world) fetch(ts *testscript.TestScript, base string, args []string) error {
	if err := want(args, 2, "get|admin PATH STATUS [HOST]"); err != nil {
		return err
	}
	ask, err := http.NewRequest(http.MethodGet, base+args[0], nil)
	if err != nil {
		return err
	}
	if len(args) > 2 {
		ask.Host = args[2]
	}
	res, err := http.DefaultClient.Do(ask)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	_, _ = ts.Stdout().Write(body)
	if strconv.Itoa(res.StatusCode) != args[1] {
		return fmt.Errorf("%s: HTTP %d, not %s: %s", args[0], res.StatusCode, args[1], body)
	}
	return nil
}
