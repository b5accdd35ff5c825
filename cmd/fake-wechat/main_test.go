package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"jiaxin/bridge/wechat/fakewechat"
	"jiaxin/cmd/internal/app"
)

func parse(t *testing.T, args ...string) *flags {
	t.Helper()
	var f flags
	parser, err := kong.New(&f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &f
}

// Without any flag there are two people, a template for each form, an address on the loopback, and settings to copy.
func TestDefaults(t *testing.T) {
	t.Parallel()
	f := parse(t)
	opt, err := f.options()
	if err != nil || len(opt.Users) != 2 || opt.Users[0].Name != "妈妈" || len(opt.Templates) != 5 {
		t.Fatalf("%+v %v", opt, err)
	}
	if host, _, err := net.SplitHostPort(f.HTTP); err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("it listens on %s", f.HTTP)
	}
	opt.PublicURL = "http://127.0.0.1:8090"
	text := settings(f, opt)
	for _, want := range []string{"http://127.0.0.1:8090/_fake/ui", opt.AppID, opt.AppSecret, opt.Token, opt.EncodingAESKey} {
		if !strings.Contains(text, want) {
			t.Errorf("the settings lack %q:\n%s", want, text)
		}
	}
}

// What is printed is a configuration that `jiaxin serve` takes as it is.
func TestSettingsAreAConfiguration(t *testing.T) {
	t.Parallel()
	f := parse(t)
	opt, err := f.options()
	if err != nil {
		t.Fatal(err)
	}
	opt.PublicURL = "http://127.0.0.1:8090"
	dir := t.TempDir()
	path := filepath.Join(dir, "jiaxin.yaml")
	if err := errors.Join(
		os.WriteFile(path, []byte(settings(f, opt)), 0o600),
		app.WriteDevices(filepath.Join(dir, "devices.csv"), nil),
	); err != nil {
		t.Fatal(err)
	}
	cfg, err := app.LoadConfig(path)
	if err == nil {
		err = app.CheckConfig(cfg, nil)
	}
	if err != nil || cfg.PublicURL != "http://127.0.0.1:8080" {
		t.Errorf("%v\n%s", err, settings(f, opt))
	}
}

// A template of a file whose form is not known is left for the reader to map.
func TestSettingsWithTemplatesOfOnesOwn(t *testing.T) {
	t.Parallel()
	got := forms([]fakewechat.Template{{ID: "template-alarm", Title: "安全警报"}, {ID: "x", Title: "别的"}})
	if want := "    alarm: {id: \"template-alarm\"} # 安全警报\n    # FORM: {id: \"x\"} # 别的\n"; got != want {
		t.Errorf("it prints\n%s", got)
	}
}

func TestUsers_wrong(t *testing.T) {
	t.Parallel()
	if _, err := parse(t, "--users", "mama").options(); err == nil || !strings.Contains(err.Error(), "write key=name") {
		t.Errorf("error %v", err)
	}
}

// It serves the phone page until it is told to stop, and then saves its state.
func TestServe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	opt, err := parse(t, "--state", file).options()
	if err != nil {
		t.Fatal(err)
	}
	fake, err := fakewechat.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- answer(ctx, listener, fake) }()
	res, err := http.Get("http://" + listener.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if !strings.Contains(string(page), "data-fake-phone") {
		t.Errorf("the first page is %s", page)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := fakewechat.New(opt); err != nil {
		t.Errorf("the saved state cannot be read: %v", err)
	}
}
