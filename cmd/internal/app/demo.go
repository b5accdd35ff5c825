package app

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"jiaxin/bridge/wechat"
	"jiaxin/bridge/wechat/fakewechat"
	"jiaxin/devices"
	"jiaxin/firmware-sim/fleet"
	"jiaxin/templates"
)

//go:embed demo
var demoPages embed.FS

// DemoOptions set up a demonstration: a gateway, a WeChat and a home on one page.
type DemoOptions struct {
	HTTP     string // address of the page, WeChat and the gateway
	MQTT     string // address of the broker
	Data     string // folder of what is kept: bindings, chats, devices.csv
	Models   []string
	NoHome   bool          // leave the appliances out: any MQTT client can play one with devices.csv
	Hold     time.Duration // the longest that an event's "for" lasts; 0: as the models say
	Logger   *slog.Logger
	Progress func(string)
	// CheckStore is the command that checks a store's file; nil: none.
	CheckStore []string
}

// Demo is a running demonstration. The gateway in it is the production one: only WeChat and the appliances are simulated.
type Demo struct {
	app   *App
	fake  *fakewechat.Server
	home  atomic.Pointer[fleet.Home] // nil until the appliances are there
	clock Clock
	base  string
}

// demoDevices are the appliances of the simulated home.
func demoDevices() []devices.Registration {
	at := func(product, device, name string) devices.Registration {
		return devices.Registration{Address: devices.Address{Product: product, Device: device}, Name: name}
	}
	return []devices.Registration{
		at("standard/ac", "ac-01", "客厅空调"),
		at("standard/washer", "washer-01", "阳台洗衣机"),
		at("standard/gas-alarm", "gas-alarm-01", "厨房燃气报警器"),
		at("standard/gas-valve", "gas-valve-01", "厨房燃气阀"),
		at("standard/tv", "tv-01", "客厅电视"),
		at("standard/light", "light-01", "客厅灯"),
	}
}

// StartDemo brings a demonstration up, from the folder's state if there is one.
func StartDemo(ctx context.Context, o DemoOptions) (*Demo, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := checkAddress("--mqtt", o.MQTT); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.HTTP)
	if err != nil {
		return nil, fmt.Errorf("%w (choose another address with --http, such as --http 127.0.0.1:0)", err)
	}
	d := &Demo{base: pageURL(o.HTTP, listener.Addr())}
	if err := d.start(ctx, o, listener); err != nil {
		_ = listener.Close() // where Stop has not, because the server was not there yet
		return nil, errors.Join(err, d.Stop(ctx))
	}
	return d, nil
}

// pageURL is how this machine itself reaches what listens there: by the name that was given, or by the address, and what is
// on all addresses is also on the loopback.
func pageURL(given string, a net.Addr) string {
	host, _, _ := net.SplitHostPort(given) // it was listened on
	t, ok := a.(*net.TCPAddr)
	if _, err := netip.ParseAddr(host); ok && err != nil && host != "" {
		return "http://" + net.JoinHostPort(host, strconv.Itoa(t.Port))
	}
	if ok && t.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", t.Port)
	}
	return "http://" + a.String()
}

// guard refuses pages of strangers' names that resolve to this machine: on this address are the secrets of the appliances'
// labels and the chats, and whoever reaches it can act as any person.
func (d *Demo) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fleet.OwnHost(r.Host, d.name()) {
			http.Error(w, "这里不用这个域名 · this host name is not mine: open "+d.URL(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// name is the host of the page's address.
func (d *Demo) name() string {
	u, _ := url.Parse(d.base) // cannot fail: New has checked it
	return u.Hostname()
}

func (d *Demo) start(ctx context.Context, o DemoOptions, listener net.Listener) error {
	path := filepath.Join(o.Data, "devices.csv")
	devs, err := d.devices(path)
	if err != nil {
		return err
	}
	cfg := d.config(o)
	if d.app, err = New(cfg, Options{
		Logger: o.Logger, Now: d.clock.Now, Hold: o.Hold, CheckStore: o.CheckStore, Listener: listener,
		Progress: o.Progress, Mount: map[string]http.Handler{}, Guard: d.guard, AdminHere: true, Devices: devs, Templates: forms,
	}); err != nil {
		return err
	}
	if d.fake, err = fakewechat.New(d.fakeOptions(cfg, o)); err != nil {
		return err
	}
	d.mount(d.app.opt.Mount, o)
	if err := d.app.Start(ctx); err != nil {
		return err
	}
	// Not before: a second demo on the same folder, which cannot start, must leave the first one's labels alone.
	if err := WriteDevices(path, devs); err != nil {
		return err
	}
	if o.NoHome {
		return nil
	}
	return d.startHome(o, devs)
}

// devices are those of devices.csv, or if there is none the simulated home's with new secrets. Their label addresses
// follow the page's.
func (d *Demo) devices(path string) ([]devices.Registration, error) {
	devs, err := ReadDevices(path)
	if err != nil {
		return nil, err
	}
	if devs == nil {
		devs = demoDevices()
		for i := range devs {
			devs[i].Username, devs[i].Password = devs[i].Address.ClientID(), devices.NewSecret(rand.Reader)
			devs[i].LabelURL = d.base + "/b/" + devices.NewLabelCode(rand.Reader)
		}
	}
	for i := range devs {
		code, err := devs[i].LabelCode()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, devs[i].Address, err)
		}
		devs[i].LabelURL = d.base + "/b/" + code
	}
	return devs, nil
}

// config is the gateway's configuration: an account that nobody else has.
func (d *Demo) config(o DemoOptions) Config {
	cfg := defaults()
	cfg.Data, cfg.HTTP, cfg.Broker, cfg.PublicURL, cfg.Models = o.Data, o.HTTP, "embedded://"+o.MQTT, d.base, o.Models
	cfg.Zone = "Local" // the tester's own
	cfg.WeChat.Config = wechat.Config{
		API: d.base, AppID: "wx0123456789abcdef", Menus: true,
		Secret: wechat.Secret(rand.Text()), Token: wechat.Secret(rand.Text()), AESKey: wechat.Secret(newAESKey()),
	}
	return cfg
}

// newAESKey is a new EncodingAESKey: 32 bytes in base64 without the final "=".
func newAESKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.RawStdEncoding.EncodeToString(key)
}

func (d *Demo) fakeOptions(cfg Config, o DemoOptions) fakewechat.Options {
	w := cfg.WeChat.Config
	return fakewechat.Options{
		AppID: w.AppID, AppSecret: string(w.Secret), Token: string(w.Token), EncodingAESKey: string(w.AESKey),
		CallbackURL: d.base + callbackPath, PublicURL: d.base, StateFile: filepath.Join(o.Data, "wechat.json"),
		Users:      []fakewechat.User{{Key: "mama", Name: "妈妈", Remark: "妈妈"}, {Key: "xiaoming", Name: "小明", Remark: "小明"}},
		Templates:  AccountTemplates(d.app.words),
		Now:        d.clock.Now,
		ClockMoved: d.clock.Advance,
		Logger:     o.Logger,
	}
}

// TemplatePrefix is what the ids of AccountTemplates begin with. A form's key follows.
const TemplatePrefix = "template-"

// AccountTemplates are the messages' forms as an account has them once they are approved.
func AccountTemplates(words *templates.Set) []fakewechat.Template {
	consts := words.Consts()
	var all []fakewechat.Template
	for _, f := range words.Forms() {
		t := fakewechat.Template{ID: templateID(f.Key), Title: f.Title, Consts: map[string][]string{}}
		for _, field := range f.Fields {
			t.Fields = append(t.Fields, fakewechat.TemplateField{Key: field.Key, Label: field.Label})
			if values := consts[f.Key+"."+field.Key]; len(values) > 0 {
				t.Consts[field.Key] = values
			}
		}
		all = append(all, t)
	}
	return all
}

func templateID(form string) string { return TemplatePrefix + form }

// forms maps the messages' forms to the templates of AccountTemplates.
func forms(words *templates.Set) map[string]wechat.Form {
	all := map[string]wechat.Form{}
	for _, f := range words.Forms() {
		all[f.Key] = wechat.Form{ID: templateID(f.Key)}
	}
	return all
}

// mount puts WeChat, the home and the page on the gateway's own HTTP address.
func (d *Demo) mount(mux map[string]http.Handler, o DemoOptions) {
	static, _ := fs.Sub(demoPages, "demo") // cannot fail: the name is valid
	for _, prefix := range []string{"/cgi-bin/", "/connect/", "/sns/", "/_fake/"} {
		mux[prefix] = d.fake
	}
	mux["GET /{$}"] = page(http.FileServerFS(static))
	mux["GET /demo/"] = page(http.StripPrefix("/demo/", http.FileServerFS(static)))
	mux["GET /demo/info.json"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"home": !o.NoHome, "hold": o.Hold.Seconds(), "mqtt": d.app.MQTTAddr()})
	})
	if o.NoHome {
		mux["/_home/labels.json"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[]")) })
		return
	}
	mux["/_home/"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := d.home.Load()
		if h == nil { // still starting
			http.Error(w, "the home is not there yet", http.StatusServiceUnavailable)
			return
		}
		http.StripPrefix("/_home", h.Handler(d.name())).ServeHTTP(w, r)
	})
}

// pagePolicy: the page is made of the demo's own files only; a photo on the TV may come from anywhere.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob: http: https:; " +
	"frame-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func page(h http.Handler) http.Handler {
	return bounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("Cache-Control", "no-cache")
		h.ServeHTTP(w, r)
	}))
}

func (d *Demo) startHome(o DemoOptions, devs []devices.Registration) error {
	if o.Progress != nil {
		o.Progress("接上家电 · plugging the appliances in")
	}
	h, err := fleet.NewHome(fleet.HomeOptions{
		Catalog: d.app.catalog, Registrations: devs, Broker: "tcp://" + d.app.MQTTAddr(), Logger: o.Logger, Now: d.clock.Now,
	})
	if err != nil {
		return err
	}
	h.Start()
	d.home.Store(h)
	return nil
}

// URL is the page's address; MQTTAddr is where appliances connect.
func (d *Demo) URL() string { return d.base + "/" }

// MQTTAddr is where appliances connect.
func (d *Demo) MQTTAddr() string { return d.app.MQTTAddr() }

// Failed delivers the error after which the process must end.
func (d *Demo) Failed() <-chan error { return d.app.Failed() }

// Stop takes everything down: the appliances first, WeChat last.
func (d *Demo) Stop(ctx context.Context) error {
	var errs []error
	if h := d.home.Load(); h != nil {
		errs = append(errs, h.Stop(ctx))
	}
	if d.app != nil {
		errs = append(errs, d.app.Stop(ctx))
	}
	if d.fake != nil {
		errs = append(errs, d.fake.Close())
	}
	return errors.Join(errs...)
}
