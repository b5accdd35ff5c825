package wechat

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jiaxin/bridge/home"
	"jiaxin/templates"
)

// Words that must never be seen outside a request.
const (
	testSecret = "s3cr3t/of+the=account"
	testToken  = "callbacktoken0123"
	testKey    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	oldKey     = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"
	testAppID  = "wx0123456789abcdef"
	openID     = "oMAMA_0123456789-abcdefghijk"
)

func testConfig(api string) Config {
	return Config{
		API: api, AppID: testAppID, Secret: testSecret, Token: testToken, AESKey: testKey, Menus: true,
		Templates: map[string]Form{"alarm": {ID: "TPL-ALARM", Fields: map[string]string{"device": "thing7", "time3": ""}}},
	}
}

// peer is a WeChat that says what a test tells it to. Tokens are T1, T2 …; a test may kill the current one.
type peer struct {
	*httptest.Server
	mu     sync.Mutex
	tokens int
	calls  []string // "api token"
	bodies []string
	answer map[string]func(n int, body string) string // api → the nth answer, counted from 1
	count  map[string]int
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{tokens: 1, answer: map[string]func(int, string) string{}, count: map[string]int{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	api := strings.TrimPrefix(r.URL.Path, "/cgi-bin/")
	token := r.URL.Query().Get("access_token")
	_, _ = io.WriteString(w, p.respond(api, token, string(body)))
}

func (p *peer) respond(api, token, body string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, strings.TrimSpace(api+" "+token))
	p.bodies = append(p.bodies, body)
	p.count[api]++
	if f := p.answer[api]; f != nil {
		return f(p.count[api], body)
	}
	switch {
	case api == tokenAPI:
		return fmt.Sprintf(`{"access_token":"T%d","expires_in":7200}`, p.tokens)
	case token != fmt.Sprintf("T%d", p.tokens):
		return refusalOf(40001)
	default:
		return `{"errcode":0,"errmsg":"ok","msgid":9007199254740993}`
	}
}

// killToken makes every token so far invalid.
func (p *peer) killToken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens++
}

// on scripts the answers of one API.
func (p *peer) on(api string, answer func(n int, body string) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer[api] = answer
}

func (p *peer) always(api, answer string) {
	p.on(api, func(int, string) string { return answer })
}

// calledTimes says how often an API was called.
func (p *peer) calledTimes(api string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count[api]
}

func (p *peer) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

func (p *peer) lastBody() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bodies[len(p.bodies)-1]
}

func refusalOf(code int) string {
	return fmt.Sprintf(`{"errcode":%d,"errmsg":"no rid: 0a1b2c3d-0a1b2c3d-0a1b2c3d"}`, code)
}

// watch is a clock that a test moves.
type watch struct {
	mu  sync.Mutex
	now time.Time
}

func newWatch() *watch { return &watch{now: time.Unix(1_790_000_000, 0)} }

func (w *watch) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watch) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// journal is a log that a test can read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func newClient(t *testing.T, cfg Config, o Options) *Client {
	t.Helper()
	c, err := New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func alarmCard() home.Notification {
	return home.Notification{ID: "n1", To: openID, Via: home.Card, URL: "https://home.example/i/1", Card: templates.Card{
		Form: "alarm", Fields: []templates.CardField{{Key: "device", Value: "厨房燃气"}, {Key: "time3", Value: "12:00"}},
	}}
}

func chat(text string, menu ...home.Choice) home.Notification {
	return home.Notification{ID: "n2", To: openID, Via: home.Chat, Text: text, Menu: menu}
}
