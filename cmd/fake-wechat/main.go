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
	Templates string   `type:"existingfile" help:"JSON file with a list of templates: id, title, fields [{key, label}], consts {key: [values]}."`
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
	fmt.Print(settings(f, opt.PublicURL))
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
		return sampleTemplates(), nil
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

// sampleTemplates is enough to send something when no file is given.
func sampleTemplates() []fakewechat.Template {
	return []fakewechat.Template{{
		ID: "fake-template-device-notice", Title: "设备状态提醒",
		Fields: []fakewechat.TemplateField{
			{Key: "thing1", Label: "设备名称"}, {Key: "const2", Label: "设备状态"}, {Key: "time3", Label: "时间"},
		},
		Consts: map[string][]string{"const2": {"已完成", "需要处理", "发生故障", "紧急告警"}},
	}}
}

func settings(f *flags, public string) string {
	return fmt.Sprintf(`A fake WeChat is running.

  Phones:    %[1]s/_fake/ui
  Controls:  %[1]s/_fake/

Settings for the gateway (jiaxin.yaml):

  wechat:
    api: %[1]s
    app_id: %[2]s
    secret: %[3]s
    token: %[4]s
    aes_key: %[5]s

Callbacks go to %[6]s
`, public, f.AppID, f.AppSecret, f.Token, f.AESKey, f.Callback)
}
