package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"jiaxin/bridge/wechat/fakewechat"
)

// control makes a control call of the fake WeChat: a POST with a body, else a GET. The answer goes into v, if given.
func (w *world) control(path string, body, v any) error {
	if body == nil {
		return fetch(http.NewRequest(http.MethodGet, w.wechat+"/_fake/"+path, nil))(v)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return fetch(http.NewRequest(http.MethodPost, w.wechat+"/_fake/"+path, bytes.NewReader(data)))(v)
}

// fetch sends a request and decodes the JSON that comes back; anything but HTTP 200 is an error.
func fetch(req *http.Request, err error) func(v any) error {
	return func(v any) error {
		if err != nil {
			return err
		}
		res, err := (&http.Client{Timeout: 2 * patience}).Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		switch {
		case err != nil:
			return err
		case res.StatusCode != http.StatusOK:
			return fmt.Errorf("%s: HTTP %d %s", req.URL.Path, res.StatusCode, answer)
		case v == nil:
			return nil
		}
		return json.Unmarshal(answer, v)
	}
}

// upload makes a multipart control call with one file.
func (w *world) upload(path, who, field string, file []byte, v any) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile(field, field)
	if err != nil {
		return err
	}
	_, _ = part.Write(file) // into memory
	if err := errors.Join(form.WriteField("user", who), form.Close()); err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, w.wechat+"/_fake/"+path, &body)
	if err == nil {
		req.Header.Set("Content-Type", form.FormDataContentType())
	}
	return fetch(req, err)(v)
}

func personWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "person KEY NAME"); err != nil {
		return err
	}
	if err := w.control("users", map[string]any{"key": args[0], "name": args[1], "remark": args[1]}, nil); err != nil {
		return err
	}
	return w.hide()
}

func scanWord(w *world, ts *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "scan WHO DEVICE | scan WHO = TEXT"); err != nil {
		return err
	}
	var scan fakewechat.Scan
	var err error
	if args[1] == "=" {
		err = w.control("scan", map[string]any{"user": args[0], "text": args[2]}, &scan)
	} else {
		err = w.scan(args[0], args[1], &scan)
	}
	if scan.Page != nil {
		_, _ = fmt.Fprintln(ts.Stdout(), scan.Page.Status, scan.Page.Text)
	}
	return err
}

// scan holds the phone's camera over the picture of a device's label.
func (w *world) scan(who, device string, scan *fakewechat.Scan) error {
	res, err := http.Get(w.home + "/label/" + device + ".png")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	label, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("no label of %s: HTTP %d %w", device, res.StatusCode, err)
	}
	return w.upload("scan", who, "image", label, scan)
}

func pressWord(w *world, ts *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 1, "press WHO"); err != nil {
		return err
	}
	return w.press(ts, args[0])
}

func (w *world) press(ts *testscript.TestScript, who string) error {
	var scan fakewechat.Scan
	err := w.control("press", map[string]any{"user": who, "image": 0}, &scan)
	_, _ = fmt.Fprintln(ts.Stdout(), scan.Kind)
	return err
}

func bindWord(w *world, ts *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "bind WHO DEVICE"); err != nil {
		return err
	}
	var scan fakewechat.Scan
	if err := w.scan(args[0], args[1], &scan); err != nil {
		return err
	}
	if err := w.press(ts, args[0]); err != nil {
		return err
	}
	return w.expect(args[0], "text", []string{"绑定好了"})
}

func sayWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "say WHO WORDS"); err != nil {
		return err
	}
	return w.control("text", map[string]any{"user": args[0], "text": args[1]}, nil)
}

func tapWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "tap WHO OPTION"); err != nil {
		return err
	}
	return w.control("tap", map[string]any{"user": args[0], "option": args[1]}, nil)
}

func photoWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 1, "photo WHO"); err != nil {
		return err
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		return err
	}
	return w.upload("photo", args[0], "image", picture.Bytes(), nil)
}

// voiceWord speaks one frame of silence.
func voiceWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 1, "voice WHO"); err != nil {
		return err
	}
	return w.upload("voice", args[0], "audio", append([]byte("#!AMR\n\x3c"), make([]byte, 31)...), nil)
}

func followWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	return w.user("follow", args)
}

func unfollowWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	return w.user("unfollow", args)
}

func (w *world) user(path string, args []string) error {
	if err := want(args, 1, path+" WHO"); err != nil {
		return err
	}
	return w.control(path, map[string]any{"user": args[0]}, nil)
}

// phone reads a phone once it has changed since seq.
func (w *world) phone(who string, seq int64, wait time.Duration) (*fakewechat.Phone, error) {
	var p fakewechat.Phone
	q := url.Values{"user": {who}, "after": {strconv.FormatInt(seq, 10)}, "wait": {wait.String()}}
	return &p, w.control("phone?"+q.Encode(), nil, &p)
}

func expectWord(w *world, _ *testscript.TestScript, neg bool, args []string) error {
	if err := want(args, 3, "expect WHO KIND WORD…"); err != nil {
		return err
	}
	if !neg {
		return w.expect(args[0], args[1], args[2:])
	}
	p, err := w.phone(args[0], 0, 0)
	if err != nil {
		return err
	}
	if m := find(p, w.read[args[0]], args[1], args[2:]); m != nil {
		return fmt.Errorf("%s has the message %q", args[0], told(m))
	}
	return nil
}

// expect waits for a message after those that the story has met, and moves on to it.
func (w *world) expect(who, kind string, words []string) error {
	p, err := w.phone(who, 0, 0)
	for over := time.Now().Add(patience); err == nil; p, err = w.phone(who, p.Seq, time.Second) {
		if m := find(p, w.read[who], kind, words); m != nil {
			w.read[who] = m.ID
			return nil
		}
		if time.Now().After(over) {
			return fmt.Errorf("%s got no %s with %q, but\n%s", who, kind, words, listed(p, w.read[who]))
		}
	}
	return err
}

func find(p *fakewechat.Phone, after int64, kind string, words []string) *fakewechat.Message {
	for _, m := range p.Messages {
		if m.ID > after && m.Kind == kind && hasAll(told(m), words) {
			return m
		}
	}
	return nil
}

func hasAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// told is everything that can be read on a message.
func told(m *fakewechat.Message) string {
	parts := []string{m.Title, m.Text}
	for _, f := range m.Fields {
		parts = append(parts, f.Label+":"+f.Value)
	}
	for _, o := range m.Options {
		parts = append(parts, "["+o.Text+"]")
	}
	return strings.TrimSpace(strings.Join(append(parts, m.Tail), " "))
}

func listed(p *fakewechat.Phone, after int64) string {
	var b strings.Builder
	for _, m := range p.Messages {
		if m.ID > after {
			fmt.Fprintf(&b, "  %s: %s\n", m.Kind, told(m))
		}
	}
	return b.String()
}

func countWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 4, "count WHO KIND WORDS N"); err != nil {
		return err
	}
	p, err := w.phone(args[0], 0, 0)
	if err != nil {
		return err
	}
	n := 0
	for _, m := range p.Messages {
		if m.Kind == args[1] && strings.Contains(told(m), args[2]) {
			n++
		}
	}
	if strconv.Itoa(n) != args[3] {
		return fmt.Errorf("%s has %d, not %s:\n%s", args[0], n, args[3], listed(p, 0))
	}
	return nil
}
