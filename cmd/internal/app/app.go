// Package app is the one place that wires Jiaxin's parts together.
//
// Promise: Start either brings everything up, in an order in which nothing is lost, or takes down again what it had
// brought up and says why. Stop takes it down in the reverse order: first nobody is let in any more, then what was taken is
// committed and acknowledged, then the store closes. When the store can go on no more, Failed says so, and the process
// must end: its next start decides from the disk alone.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/bridge/wechat"
	"jiaxin/devices"
	"jiaxin/templates"
)

// Options are what a configuration does not hold.
type Options struct {
	Logger     *slog.Logger
	Now        func() time.Time
	Hold       time.Duration           // the longest that an event's For may last; 0: as the models say
	CheckStore []string                // the command that checks a store's file in a process of its own; nil: none
	Devices    []devices.Registration  // instead of Config.Devices
	Templates  TemplatesOf             // instead of Config.WeChat.Templates
	Mount      map[string]http.Handler // further handlers on the HTTP address, by pattern
	Listener   net.Listener            // instead of Config.HTTP
	Guard      Guard                   // stands before everything on the HTTP address; nil: nobody
	AdminHere  bool                    // what is for Config.Admin is on the HTTP address instead: only where that is no public one
	Progress   func(string)            // hears each step of the start; nil: nobody
}

// TemplatesOf names the account's template for each form of the messages.
type TemplatesOf func(*templates.Set) map[string]wechat.Form

// Guard decides who gets to the handler behind it.
type Guard func(http.Handler) http.Handler

// App is a gateway.
type App struct {
	cfg      Config
	opt      Options
	log      *slog.Logger
	now      func() time.Time
	registry *prometheus.Registry
	catalog  *devices.Catalog
	words    *templates.Set

	store  store.Store
	wechat *wechat.Client
	bridge *bridge.Bridge
	mqtt   mqtt
	http   net.Listener
	admin  net.Listener

	downs  []func(context.Context) error // what Stop does, the last one first
	failed chan error
}

// New checks what can be checked without touching anything.
func New(cfg Config, o Options) (*App, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	catalog, words, err := Catalog(cfg.Models)
	if err != nil {
		return nil, err
	}
	if o.Templates != nil {
		cfg.WeChat.Templates = o.Templates(words)
	}
	if err := checkForms(words, cfg.WeChat.Templates); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, opt: o, log: o.Logger, now: o.Now, registry: prometheus.NewRegistry(), catalog: catalog, words: words, failed: make(chan error, 1)}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return a, nil
}

// Start brings the gateway up. What it names in its error is down again.
func (a *App) Start(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"打开存储 · opening the store", a.startStore},
		{"连接微信 · preparing WeChat", a.startWeChat},
		{"登记家电 · registering the appliances", a.startBridge},
		{"打开页面 · serving the pages", a.startHTTP},
		{"等待家电 · listening for appliances", a.startMQTT},
	} {
		a.progress(step.name)
		if err := step.do(ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", step.name, err), a.Stop(ctx))
		}
	}
	return nil
}

func (a *App) progress(step string) {
	if a.opt.Progress != nil {
		a.opt.Progress(step)
	}
}

// Stop takes everything down, the last thing first; ctx bounds how long it waits.
func (a *App) Stop(ctx context.Context) error {
	var errs []error
	for i := len(a.downs) - 1; i >= 0; i-- {
		errs = append(errs, a.downs[i](ctx))
	}
	a.downs = nil
	return errors.Join(errs...)
}

// Failed delivers the error after which the process must end.
func (a *App) Failed() <-chan error { return a.failed }

// HTTPAddr is where the pages are; MQTTAddr is where the appliances connect.
func (a *App) HTTPAddr() string { return a.http.Addr().String() }

// MQTTAddr is where appliances connect.
func (a *App) MQTTAddr() string { return a.mqtt.Addr() }

func (a *App) down(f func(context.Context) error) { a.downs = append(a.downs, f) }

func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

func (a *App) startStore(context.Context) error {
	s, err := a.openStore()
	if err != nil {
		return err
	}
	a.store = s
	a.down(func(context.Context) error { return s.Close() })
	return nil
}

func (a *App) startWeChat(context.Context) (err error) {
	if a.cfg.WeChat.TestAccount {
		a.log.Warn("wechat.test_account is set: callbacks are taken unencrypted, so this is for trying out only")
	}
	a.wechat, err = wechat.New(a.cfg.WeChat.Config, a.wechatOptions())
	return err
}

// GreetWeChat asks WeChat once, in the background, whether it lets this gateway in, so that a wrong secret or IP whitelist is
// known at the start and not with the first alarm. What it hears is one warning with its cure, or nothing.
func (a *App) GreetWeChat() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.wechat.Ping(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("WeChat does not let this gateway in; messages wait until it does", "error", err, "hint", hint(err))
		}
	}()
	a.down(func(context.Context) error { stop(); <-done; return nil })
}

// hint is what to do: the error's own cure, or where WeChat gave no answer, what is the cause most often.
func hint(err error) string {
	if e, ok := errors.AsType[*wechat.Error](err); ok && len(e.Cure()) > 0 {
		return e.Cure()["en"]
	}
	return "see that this machine reaches WeChat, and that wechat.app_id and wechat.secret are the account's"
}

func (a *App) wechatOptions() wechat.Options {
	return wechat.Options{Logger: a.log, Now: a.now, Registerer: a.registry}
}

// startBridge registers the devices and resumes the households. Their alarms run from here on.
func (a *App) startBridge(ctx context.Context) error {
	zone, err := time.LoadLocation(a.cfg.Zone)
	if err != nil {
		return err
	}
	a.bridge = bridge.New(bridge.Options{
		Store: a.store, Channel: a.wechat, Account: a.wechat, Now: a.now, Logger: a.log, Registerer: a.registry,
		World: &home.World{Models: a.catalog, Words: a.words, Zone: zone, Hold: a.opt.Hold},
	})
	a.mqtt, err = a.openBroker(a.bridge, a.bridge)
	if err != nil {
		return err
	}
	a.bridge.Publisher = a.mqtt
	a.down(a.bridge.Stop)
	if err := a.register(ctx); err != nil {
		return err
	}
	if err := a.bridge.Start(ctx); err != nil {
		return err
	}
	a.runAlarms()
	return nil
}

func (a *App) register(ctx context.Context) error {
	devs := a.opt.Devices
	if devs == nil && a.cfg.Devices != "" {
		var err error
		if devs, err = readDevices(a.cfg.Devices); err != nil {
			return err
		}
	}
	return a.bridge.Register(ctx, devs)
}

func (a *App) runAlarms() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.bridge.Run(ctx); err != nil {
			a.fail(fmt.Errorf("the store can go on no more: %w", err))
		}
	}()
	a.down(func(context.Context) error { stop(); <-done; return nil })
}

func (a *App) startMQTT(context.Context) error {
	if err := a.mqtt.Start(); err != nil {
		return fmt.Errorf("%w (choose another address: broker in the configuration, --mqtt of the demo)", err)
	}
	a.down(a.mqtt.Stop)
	return nil
}
