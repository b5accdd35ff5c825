package fakewechat_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"jiaxin/bridge/wechat/fakewechat"
)

const (
	appID     = "wx00000000000000aa"
	appSecret = "a-secret"
	token     = "a-token"
	aesKey    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// world is a fake WeChat on a real socket, with a gateway that hears its callbacks.
type world struct {
	t       *testing.T
	fake    *fakewechat.Server
	url     string
	gateway *gateway
}

func newWorld(t *testing.T, change ...func(*fakewechat.Options)) *world {
	t.Helper()
	g := newGateway(t)
	opt := fakewechat.Options{
		AppID: appID, AppSecret: appSecret, Token: token, EncodingAESKey: aesKey, CallbackURL: g.url,
		Users:        []fakewechat.User{{Key: "mama", Name: "妈妈", Remark: "厨房"}, {Key: "xiaoming", Name: "小明"}},
		Templates:    []fakewechat.Template{notice()},
		ReceiptDelay: time.Millisecond,
	}
	for _, f := range change {
		f(&opt)
	}
	fake, err := fakewechat.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	fake.SetPublicURL(server.URL)
	t.Cleanup(func() {
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return &world{t, fake, server.URL, g}
}

func notice() fakewechat.Template {
	return fakewechat.Template{
		ID: "T-notice", Title: "设备状态提醒",
		Fields: []fakewechat.TemplateField{{Key: "thing1", Label: "设备"}, {Key: "const2", Label: "状态"}, {Key: "time3", Label: "时间"}},
		Consts: map[string][]string{"const2": {"已完成", "需要处理"}},
	}
}

// control makes a control call that must succeed, and reads its answer into v.
func (w *world) control(path string, body, v any) {
	w.t.Helper()
	if status, answer := w.tryControl(path, body); status != http.StatusOK {
		w.t.Fatalf("%s %v: HTTP %d %s", path, body, status, answer)
	} else if v != nil {
		w.read(answer, v)
	}
}

func (w *world) read(data []byte, v any) {
	w.t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		w.t.Fatalf("%v in %s", err, data)
	}
}

// tryControl makes a GET without a body, else a POST.
func (w *world) tryControl(path string, body any) (int, []byte) {
	w.t.Helper()
	method, data := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		data, _ = json.Marshal(body)
	}
	return w.do(method, "/_fake/"+path, "application/json", data)
}

func (w *world) do(method, path, contentType string, body []byte) (int, []byte) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, answer
}

// upload makes a multipart control call.
func (w *world) upload(path string, fields map[string]string, file string, data []byte) (int, []byte) {
	w.t.Helper()
	contentType, body := multipartBody(w.t, fields, file, data)
	return w.do(http.MethodPost, path, contentType, body)
}

func multipartBody(t *testing.T, fields map[string]string, file string, data []byte) (contentType string, body []byte) {
	t.Helper()
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	for name, value := range fields {
		_ = form.WriteField(name, value)
	}
	part, err := form.CreateFormFile(file, file+".bin")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(data)
	_ = form.Close()
	return form.FormDataContentType(), buf.Bytes()
}

// answer is any answer of the API.
type answer struct {
	Code      int    `json:"errcode"`
	Text      string `json:"errmsg"`
	Token     string `json:"access_token"`
	ExpiresIn int    `json:"expires_in"`
	MsgID     int64  `json:"msgid"`
	Ticket    string `json:"ticket"`
	URL       string `json:"url"`
	MediaID   string `json:"media_id"`
	OpenID    string `json:"openid"`
	Subscribe int    `json:"subscribe"`
}

// api calls WeChat with a fresh token; body nil is a GET.
func (w *world) api(path string, body any) answer {
	w.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return w.raw(path+separator+"access_token="+url.QueryEscape(w.token()), body)
}

func (w *world) raw(path string, body any) answer {
	w.t.Helper()
	method, data := http.MethodGet, []byte(nil)
	if body != nil {
		method, data = http.MethodPost, plainJSON(body)
	}
	status, got := w.do(method, path, "application/json", data)
	if status != http.StatusOK {
		w.t.Fatalf("%s: HTTP %d; WeChat answers errors with 200", path, status)
	}
	var a answer
	w.read(got, &a)
	return a
}

// plainJSON writes no \u escapes; a string is a body as it is.
func plainJSON(v any) []byte {
	if s, is := v.(string); is {
		return []byte(s)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return buf.Bytes()
}

func (w *world) token() string {
	w.t.Helper()
	return w.raw("/cgi-bin/stable_token", map[string]any{
		"grant_type": "client_credential", "appid": appID, "secret": appSecret,
	}).Token
}

func (w *world) phone(user string) fakewechat.Phone {
	w.t.Helper()
	var p fakewechat.Phone
	w.control("phone?user="+url.QueryEscape(user), nil, &p)
	return p
}

// until waits for the phone to show something.
func (w *world) until(user, what string, seen func(fakewechat.Phone) bool) fakewechat.Phone {
	w.t.Helper()
	for p := w.phone(user); ; {
		if seen(p) {
			return p
		}
		before := p.Seq
		p = fakewechat.Phone{}
		w.control(fmt.Sprintf("phone?user=%s&after=%d&wait=1m", user, before), nil, &p)
		if p.Seq == before {
			w.t.Fatalf("%s's phone never showed %s: %+v", user, what, p)
		}
	}
}

func last(p fakewechat.Phone) fakewechat.Message {
	if len(p.Messages) == 0 {
		return fakewechat.Message{}
	}
	return *p.Messages[len(p.Messages)-1]
}

// heard is a callback as the gateway reads it, with the SDK's crypto.
type heard struct {
	From        string  `xml:"FromUserName"`
	To          string  `xml:"ToUserName"`
	Created     int64   `xml:"CreateTime"`
	Type        string  `xml:"MsgType"`
	Event       string  `xml:"Event"`
	EventKey    string  `xml:"EventKey"`
	Ticket      string  `xml:"Ticket"`
	Content     string  `xml:"Content"`
	MenuID      string  `xml:"bizmsgmenuid"`
	MsgID       int64   `xml:"MsgId"`
	JobID       int64   `xml:"MsgID"`
	Status      string  `xml:"Status"`
	PicURL      string  `xml:"PicUrl"`
	MediaID     string  `xml:"MediaId"`
	MediaID16K  string  `xml:"MediaId16K"`
	Recognition *string `xml:"Recognition"`
	raw         string
}

// gateway is the account's own server: it checks every callback as the SDK would, and answers what reply says.
type gateway struct {
	t     *testing.T
	url   string
	calls chan heard
	reply chan func(http.ResponseWriter, heard) // empty: "success"
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{t: t, calls: make(chan heard, 1000), reply: make(chan func(http.ResponseWriter, heard), 100)}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.url = server.URL + "/wechat/callback?tenant=1"
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("signature") != util.Signature(token, q.Get("timestamp"), q.Get("nonce")) || q.Get("tenant") != "1" {
		g.t.Errorf("the signature of %s is wrong", r.URL)
	}
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, q.Get("echostr"))
		return
	}
	m := g.open(r)
	g.calls <- m
	select {
	case answer := <-g.reply:
		answer(w, m)
	default:
		_, _ = io.WriteString(w, "success")
	}
}

func (g *gateway) open(r *http.Request) heard {
	q := r.URL.Query()
	var sealed struct {
		To      string `xml:"ToUserName"`
		Encrypt string `xml:"Encrypt"`
	}
	if err := xml.NewDecoder(r.Body).Decode(&sealed); err != nil || q.Get("encrypt_type") != "aes" {
		g.t.Errorf("no safe-mode body: %v", err)
	}
	if q.Get("msg_signature") != util.Signature(token, q.Get("timestamp"), q.Get("nonce"), sealed.Encrypt) {
		g.t.Error("msg_signature is wrong")
	}
	_, plain, err := util.DecryptMsg(appID, sealed.Encrypt, aesKey)
	m := heard{raw: string(plain)}
	if err != nil || xml.Unmarshal(plain, &m) != nil || m.To != sealed.To || m.From != q.Get("openid") {
		g.t.Errorf("the callback cannot be read: %v %s", err, plain)
	}
	return m
}

// next waits for the next callback.
func (g *gateway) next() heard {
	g.t.Helper()
	select {
	case m := <-g.calls:
		return m
	case <-time.After(time.Minute):
		g.t.Fatal("the gateway heard nothing")
		return heard{}
	}
}

// settled waits until nothing is under way, and then demands that nothing unread is left.
func (w *world) settled() {
	w.t.Helper()
	var idle struct{ Idle bool }
	w.control("idle?wait=1m", nil, &idle)
	if !idle.Idle {
		w.t.Fatal("callbacks never ended")
	}
	if n := len(w.gateway.calls); n > 0 {
		w.t.Fatalf("%d callbacks too many: %+v", n, <-w.gateway.calls)
	}
}

// follow makes a user follow, and takes the event.
func (w *world) follow(user string) string {
	w.t.Helper()
	w.control("follow", map[string]any{"user": user}, nil)
	return w.gateway.next().From
}
