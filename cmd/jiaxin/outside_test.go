package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"jiaxin/bridge/wechat/fakewechat"
	"jiaxin/cmd/internal/app"
	"jiaxin/devices"
	"jiaxin/firmware-sim/fleet"
	"jiaxin/templates"
)

// The account of the stories.
const (
	appID     = "wx00000000000000aa"
	appSecret = "the-app-secret-of-the-stories"
	token     = "the-token-of-the-stories"
	aesKey    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// outside is everything around a gateway that serves: WeChat, the home, and the addresses under which they reach it.
type outside struct {
	web    *door
	mqtt   *door
	fake   *fakewechat.Server
	wechat *httptest.Server
	relay  *httptest.Server // callbacks pass here and are remembered
	home   *fleet.Home
	plugIn sync.Once // the appliances stay plugged in while the gateway comes and goes
	panel  *httptest.Server

	mu     sync.Mutex
	called []captured
	tokens map[string]bool // the access tokens that the gateway has used
	mute   string          // the API whose answers get lost; "": none
}

// captured is one callback as WeChat sent it.
type captured struct {
	query string
	body  []byte
}

func newOutside(dir string) (*outside, error) {
	o := &outside{tokens: map[string]bool{}}
	var err error
	if o.web, err = newDoor(); err != nil {
		return nil, err
	}
	if o.mqtt, err = newDoor(); err != nil {
		return nil, err
	}
	o.relay = httptest.NewServer(http.HandlerFunc(o.pass))
	catalog, words, err := app.Catalog(nil)
	if err != nil {
		return nil, err
	}
	return o, errors.Join(o.openWeChat(words), o.openHome(dir, catalog))
}

func (o *outside) openWeChat(words *templates.Set) (err error) {
	o.fake, err = fakewechat.New(fakewechat.Options{
		AppID: appID, AppSecret: appSecret, Token: token, EncodingAESKey: aesKey, CallbackURL: o.relay.URL + "/wechat",
		Users:     []fakewechat.User{{Key: "mama", Name: "妈妈", Remark: "妈妈"}, {Key: "xiaoming", Name: "小明", Remark: "小明"}},
		Templates: app.AccountTemplates(words), ReceiptDelay: time.Millisecond,
	})
	if err != nil {
		return err
	}
	o.wechat = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.note(r) {
			o.fake.ServeHTTP(httptest.NewRecorder(), r)
			<-r.Context().Done() // WeChat has done it, and its answer never comes
			return
		}
		o.fake.ServeHTTP(w, r)
	}))
	o.fake.SetPublicURL(o.wechat.URL)
	return nil
}

// note remembers the token of a call, and says whether its answer gets lost.
func (o *outside) note(r *http.Request) (lost bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if t := r.URL.Query().Get("access_token"); t != "" {
		o.tokens[t] = true
	}
	return o.mute != "" && strings.HasSuffix(r.URL.Path, o.mute)
}

// loseWord lets WeChat do what it is asked, while its answers get lost.
func loseWord(w *world, _ *testscript.TestScript, neg bool, args []string) error {
	if err := want(args, 1, "lose API"); err != nil {
		return err
	}
	w.outside.mu.Lock()
	defer w.outside.mu.Unlock()
	if w.outside.mute = args[0]; neg {
		w.outside.mute = ""
	}
	return nil
}

// openHome makes the home's appliances, as devices.csv names them. They connect once there is a gateway.
func (o *outside) openHome(dir string, catalog *devices.Catalog) (err error) {
	path := filepath.Join(dir, "data", "devices.csv")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	devs := registrations("http://" + o.web.address())
	if err := app.WriteDevices(path, devs); err != nil {
		return err
	}
	o.home, err = fleet.NewHome(fleet.HomeOptions{
		Catalog: catalog, Registrations: devs, Broker: "tcp://" + o.mqtt.address(), Speed: 10,
		Retry: 200 * time.Millisecond, Reconnect: 20 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	o.panel = httptest.NewServer(o.home.Handler())
	return nil
}

// registrations are the appliances of the stories, each with secrets of its own.
func registrations(base string) []devices.Registration {
	var all []devices.Registration
	for _, d := range [][3]string{
		{"standard/ac", "ac-01", "客厅空调"},
		{"standard/washer", "washer-01", "阳台洗衣机"},
		{"standard/light", "light-01", "客厅灯"},
		{"standard/gas-alarm", "gas-alarm-01", "厨房燃气报警器"},
		{"standard/gas-valve", "gas-valve-01", "厨房燃气阀"},
	} {
		a := devices.Address{Product: d[0], Device: d[1]}
		all = append(all, devices.Registration{
			Address: a, Username: a.ClientID(), Password: devices.NewSecret(rand.Reader), Name: d[2],
			LabelURL: base + "/b/" + devices.NewLabelCode(rand.Reader),
		})
	}
	return all
}

// pass hands a callback on to the gateway.
func (o *outside) pass(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	o.mu.Lock()
	o.called = append(o.called, captured{r.URL.RawQuery, body})
	o.mu.Unlock()
	res, err := http.Post("http://"+o.web.address()+r.URL.RequestURI(), r.Header.Get("Content-Type"), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler) // the gateway is away: WeChat gets no answer
	}
	defer res.Body.Close()
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

func (o *outside) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := errors.Join(o.home.Stop(ctx), o.fake.Close(), o.web.Close(), o.mqtt.Close())
	for _, s := range []*httptest.Server{o.relay, o.wechat, o.panel} {
		s.CloseClientConnections()
		s.Close()
	}
	o.web.open.Wait()
	o.mqtt.open.Wait()
	return err
}

func configWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	return w.writeConfig(args)
}

// writeConfig writes jiaxin.yaml; the first time, it also builds what is outside. A given line replaces ours of the
// same key.
func (w *world) writeConfig(lines []string) (err error) {
	if w.outside == nil {
		if w.outside, err = newOutside(w.dir); err != nil {
			return err
		}
		w.wechat, w.home, w.broker = w.outside.wechat.URL, w.outside.panel.URL, w.outside.mqtt.address()
	}
	ours := []string{
		"data: data", "http: 127.0.0.1:0", "admin: 127.0.0.1:0", "broker: embedded://127.0.0.1:0", "public_url: http://" + w.outside.web.address(),
		"devices: data/devices.csv", "log: {level: debug}",
	}
	wechat := []string{
		"api: " + w.outside.wechat.URL, "app_id: " + appID, "secret: " + appSecret, "token: " + token, "aes_key: " + aesKey,
		"templates: {notice: {id: template-notice}, alarm: {id: template-alarm}, handled: {id: template-handled}, " +
			"result: {id: template-result}, family: {id: template-family}}",
	}
	for _, line := range lines {
		if sub, is := strings.CutPrefix(line, "wechat."); is {
			wechat = replaced(wechat, sub)
		} else {
			ours = replaced(ours, line)
		}
	}
	text := strings.Join(ours, "\n") + "\nwechat:\n  " + strings.Join(wechat, "\n  ") + "\n"
	return os.WriteFile(w.config(), []byte(text), 0o600)
}

// replaced puts a line in the place of the one with its key, or at the end. "key-" takes the line out.
func replaced(lines []string, line string) []string {
	key, _, _ := strings.Cut(line, ":")
	drop := strings.HasSuffix(key, "-")
	key = strings.TrimSuffix(key, "-")
	var out []string
	found := drop
	for _, l := range lines {
		if !strings.HasPrefix(l, key+":") {
			out = append(out, l)
		} else if !drop {
			out, found = append(out, line), true
		}
	}
	if !found {
		out = append(out, line)
	}
	return out
}
