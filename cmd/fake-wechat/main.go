// Command fake-wechat runs a fake WeChat by itself: an account, two people with phones, and WeChat's servers between
// them. Point a gateway at it, open the printed address in a browser, and play.
//
// It listens on the loopback only unless --http says otherwise: whoever reaches it can act as any of its people.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"jiaxin/bridge/wechat/fakewechat"
	"jiaxin/cmd/internal/app"
)

type flags struct {
	HTTP      string   `default:"127.0.0.1:8090" help:"Address to listen on."`
	PublicURL string   `name:"public-url" help:"Address by which the gateway and browsers reach this; default: from --http."`
	Callback  string   `default:"http://127.0.0.1:8080/wechat" help:"Where the gateway listens for WeChat's callbacks."`
	AppID     string   `name:"appid" default:"wx0fa4e0000000d1c5" help:"The account's appid."`
	AppSecret string   `name:"appsecret" default:"fake-secret-for-tests-only" help:"The account's secret."`
	Token     string   `default:"fake-token" help:"Token that signs callbacks."`
	AESKey    string   `name:"aes-key" default:"ZmFrZS13ZWNoYXQta2V5LWZvci10ZXN0cy1vbmx5ISE" help:"EncodingAESKey, 43 characters."`
	Users     []string `default:"mama=妈妈,xiaoming=小明" help:"People, as key=name."`
	Templates string   `type:"existingfile" help:"JSON file with a list of templates, instead of those for the messages that ship with Jiaxin: id, title, fields [{key, label}], consts {key: [values]}."`
	State     string   `help:"JSON file that keeps followers, chats and clock over a restart."`
	Verbose   bool     `short:"v" help:"Log every step."`
}

func main() {
	os.Exit(run())
}

func run() int {
	var f flags
	kong.Parse(&f, kong.Name("fake-wechat"), kong.Description("A WeChat on a laptop, to try and test a gateway against."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, &f); err != nil {
		fmt.Fprintln(os.Stderr, "fake-wechat:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, f *flags) error {
	opt, err := f.options()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.HTTP)
	if err != nil {
		return fmt.Errorf("cannot listen on %s (%w); choose another with --http", f.HTTP, err)
	}
	if opt.PublicURL == "" {
		opt.PublicURL = "http://" + listener.Addr().String()
	}
	fake, err := fakewechat.New(opt)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	fmt.Print(settings(f, opt))
	return answer(ctx, listener, fake)
}

// answer serves until ctx ends, then closes the fake, which saves its state, and the connections.
func answer(ctx context.Context, listener net.Listener, fake *fakewechat.Server) error {
	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return errors.Join(err, fake.Close())
	case <-ctx.Done():
		return errors.Join(fake.Close(), server.Close())
	}
}

func (f *flags) options() (fakewechat.Options, error) {
	opt := fakewechat.Options{
		AppID: f.AppID, AppSecret: f.AppSecret, Token: f.Token, EncodingAESKey: f.AESKey,
		CallbackURL: f.Callback, PublicURL: f.PublicURL, StateFile: f.State, Logger: f.logger(),
	}
	for _, entry := range f.Users {
		key, name, found := strings.Cut(entry, "=")
		if !found || key == "" || name == "" {
			return opt, fmt.Errorf("--users %q: write key=name, such as mama=妈妈", entry)
		}
		opt.Users = append(opt.Users, fakewechat.User{Key: key, Name: name})
	}
	var err error
	opt.Templates, err = f.templates()
	return opt, err
}

func (f *flags) logger() *slog.Logger {
	level := slog.LevelWarn
	if f.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func (f *flags) templates() ([]fakewechat.Template, error) {
	if f.Templates == "" {
		_, words, err := app.Catalog(nil)
		if err != nil {
			return nil, err
		}
		return app.AccountTemplates(words), nil
	}
	data, err := os.ReadFile(f.Templates)
	if err != nil {
		return nil, err
	}
	var list []fakewechat.Template
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s is no JSON list of templates: %w", f.Templates, err)
	}
	return list, nil
}

// settings are a whole jiaxin.yaml for a gateway on this machine. What else there is to say stands in its comments, so that
// the output can be the file.
func settings(f *flags, opt fakewechat.Options) string {
	return fmt.Sprintf(`# A fake WeChat is running.
#
#   Phones:    %[1]s/_fake/ui
#   Controls:  %[1]s/_fake/
#   Callbacks go to %[2]s
#
# This is a jiaxin.yaml for it:

public_url: %[3]s
devices: devices.csv
wechat:
  api: %[1]s
  app_id: %[4]q
  secret: %[5]q
  token: %[6]q
  aes_key: %[7]q
  templates:
%[8]s`, opt.PublicURL, f.Callback, strings.TrimSuffix(f.Callback, "/wechat"), f.AppID, f.AppSecret, f.Token, f.AESKey, forms(opt.Templates))
}

// forms maps the gateway's forms to the templates, as far as their ids say which form they are for.
func forms(templates []fakewechat.Template) string {
	var b strings.Builder
	for _, t := range templates {
		if form, ok := strings.CutPrefix(t.ID, app.TemplatePrefix); ok {
			fmt.Fprintf(&b, "    %s: {id: %q} # %s\n", form, t.ID, t.Title)
		} else {
			fmt.Fprintf(&b, "    # FORM: {id: %q} # %s\n", t.ID, t.Title)
		}
	}
	return b.String()
}
