package wechat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"jiaxin/bridge/home"
)

// mustHide fails the test if the text shows something that nobody but WeChat may see.
func mustHide(t *testing.T, where, text string) {
	t.Helper()
	for _, word := range []string{testSecret, "s3cr3t%2Fof%2Bthe%3Daccount", testToken, testKey, openID, "THE-ACCESS-TOKEN", "secret words"} {
		if strings.Contains(text, word) {
			t.Errorf("%s shows %q: %s", where, word, text)
		}
	}
}

// A WeChat, or something in between, that repeats everything it was sent in its answers.
func TestNoErrorRepeatsASecret(t *testing.T) {
	t.Parallel()
	for name, echo := range map[string]func(w http.ResponseWriter, all string){
		"errmsg": func(w http.ResponseWriter, all string) {
			_ = json.NewEncoder(w).Encode(map[string]any{"errcode": 43004, "errmsg": all})
		},
		"token refused": func(w http.ResponseWriter, all string) {
			_ = json.NewEncoder(w).Encode(map[string]any{"errcode": 40001, "errmsg": all})
		},
		"page":   func(w http.ResponseWriter, all string) { fmt.Fprint(w, all) },
		"status": func(w http.ResponseWriter, all string) { http.Error(w, all, http.StatusBadGateway) },
		"redirect": func(w http.ResponseWriter, all string) {
			w.Header().Set("Location", "/"+all)
			w.WriteHeader(http.StatusFound)
		},
		"reset": func(w http.ResponseWriter, _ string) { reset(w) },
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.HasSuffix(r.URL.Path, tokenAPI) {
				fmt.Fprint(w, `{"access_token":"THE-ACCESS-TOKEN","expires_in":7200}`)
				return
			}
			echo(w, r.URL.String()+" "+r.URL.Query().Encode()+" "+string(body)+testSecret)
		}))
		t.Cleanup(srv.Close)
		log := &journal{}
		c := newClient(t, testConfig(srv.URL), Options{Logger: log.logger()})
		for _, err := range everyCall(t, c) {
			mustHide(t, name, fmt.Sprintf("%v %+v %#v", err, err, err))
			log.logger().Error("logged", "err", err)
		}
		mustHide(t, name+" (log)", log.String())
	}
}

// The library's own errors hold the URL, and that the token.
func TestUnreachableAddressRepeatsNoSecret(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	c := newClient(t, testConfig(p.URL), Options{})
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Close()
	for _, err := range everyCall(t, c) {
		mustHide(t, "unreachable", err.Error())
		if strings.Contains(err.Error(), "access_token") {
			t.Errorf("shows the URL: %v", err)
		}
	}
}

// everyCall makes each call once. All must fail.
func everyCall(t *testing.T, c *Client) []error {
	t.Helper()
	_, card := c.Deliver(t.Context(), alarmCard())
	_, text := c.Deliver(t.Context(), chat("hello"))
	_, menu := c.Deliver(t.Context(), chat("hello", home.Choice{ID: "1", Label: "one"}))
	_, code := c.FollowCode(t.Context(), "scene", time.Minute)
	_, profile := c.Profile(t.Context(), openID)
	// A file of any content is a success, so the download cannot fail by an odd answer.
	errs := []error{card, text, menu, code, profile}
	for i, err := range errs {
		if err == nil {
			t.Errorf("call %d succeeded", i)
		}
	}
	return errs
}

func TestSecretShowsNothing(t *testing.T) {
	t.Parallel()
	cfg := testConfig("")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		mustHide(t, verb, fmt.Sprintf(verb, cfg))
		mustHide(t, verb, fmt.Sprintf(verb, cfg.Secret))
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "cfg", cfg, "secret", cfg.Secret)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "cfg", cfg, "secret", cfg.Secret)
	mustHide(t, "slog", log.String())
	asJSON, _ := json.Marshal(cfg)
	mustHide(t, "JSON", string(asJSON))
	asYAML, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mustHide(t, "YAML", string(asYAML))
}

func TestConfigIsReadFromYAML(t *testing.T) {
	t.Parallel()
	var cfg Config
	err := yaml.UnmarshalWithOptions([]byte(`
app_id: wx1
secret: abc
timeout: 5s
menus: true
templates: {alarm: {id: T1, fields: {device: thing1}}}
`), &cfg, yaml.Strict())
	if err != nil || cfg.AppID != "wx1" || cfg.Secret != "abc" || cfg.Timeout != 5*time.Second || !cfg.Menus {
		t.Errorf("%v: %q %s", err, cfg.AppID, cfg.Timeout)
	}
	if cfg.Templates["alarm"].ID != "T1" || cfg.Templates["alarm"].field("device") != "thing1" {
		t.Errorf("templates %v", cfg.Templates)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*Config){
		"":                              func(*Config) {},
		"wechat.app_id is missing":      func(c *Config) { c.AppID = "" },
		"wechat.secret is missing":      func(c *Config) { c.Secret = "" },
		"wechat.token is missing":       func(c *Config) { c.Token = "" },
		"wechat.aes_key is not":         func(c *Config) { c.AESKey = "secret words" },
		"wechat.previous_aes_key is":    func(c *Config) { c.PreviousAESKey = testKey + "x" },
		"wechat.api is not a base":      func(c *Config) { c.API = "api.weixin.qq.com" },
		"wechat.timeout is 1m0s":        func(c *Config) { c.Timeout = time.Minute },
		"wechat.templates.alarm.id":     func(c *Config) { c.Templates = map[string]Form{"alarm": {}} },
		"a and b are both mapped to b:": func(c *Config) { c.Templates = map[string]Form{"x": {"T", map[string]string{"a": "b", "b": ""}}} },
	} {
		cfg := testConfig("")
		spoil(&cfg)
		for _, err := range []error{cfg.Check(), failureOf(New(cfg, Options{})), failureOf(NewCallback(cfg, nil, Options{}))} {
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
			if err != nil {
				mustHide(t, "Check", err.Error())
			}
		}
	}
}

func failureOf[T any](_ T, err error) error { return err }
