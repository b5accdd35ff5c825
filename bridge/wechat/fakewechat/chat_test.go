package fakewechat_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"jiaxin/bridge/wechat/fakewechat"
)

func (w *world) card(to, clientID string) answer {
	w.t.Helper()
	return w.api("/cgi-bin/message/template/send", map[string]any{
		"touser": to, "template_id": "T-notice", "url": "http://127.0.0.1/h5", "client_msg_id": clientID,
		"data": map[string]any{
			"first":  map[string]string{"value": "您好"},
			"thing1": map[string]string{"value": "客厅空调", "color": "#173177"},
			"const2": map[string]string{"value": "已完成"},
			"time3":  map[string]string{"value": "16:34"},
			"remark": map[string]string{"value": "回复1关闭"},
		},
	})
}

func (w *world) words(to, text string) int {
	w.t.Helper()
	return w.api("/cgi-bin/message/custom/send", map[string]any{
		"touser": to, "msgtype": "text", "text": map[string]string{"content": text},
	}).Code
}

// A card arrives with its lines, without first and remark, and its receipt follows; the same client_msg_id within ten
// minutes is the same card.
func TestTemplateMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mama := w.follow("mama")
	first := w.card(mama, "n1")
	if first.Code != 0 || first.MsgID <= 1<<53 {
		t.Fatalf("sent: %+v; the msgid must be beyond what a float can hold", first)
	}
	p := w.phone("mama")
	m := last(p)
	if m.Kind != fakewechat.KindCard || m.Title != "设备状态提醒" || fmt.Sprint(m.Fields) != "[{thing1 设备 客厅空调} {const2 状态 已完成} {time3 时间 16:34}]" || p.Unread != 1 {
		t.Errorf("the phone shows %+v, %d unread", m, p.Unread)
	}
	if e := w.gateway.next(); e.Event != "TEMPLATESENDJOBFINISH" || e.JobID != first.MsgID || e.Status != "success" {
		t.Errorf("receipt: %s", e.raw)
	}
	if again := w.card(mama, "n1"); again.MsgID != first.MsgID {
		t.Errorf("a repeated client_msg_id made message %d", again.MsgID)
	}
	w.control("clock", map[string]any{"advance": "10m"}, nil)
	if later := w.card(mama, "n1"); later.MsgID == first.MsgID {
		t.Error("ten minutes later the same client_msg_id must be a new message")
	}
	w.gateway.next()
	w.settled()
	if n := len(w.phone("mama").Messages); n != 2 {
		t.Errorf("%d messages on the phone, want 2", n)
	}
}

func TestTemplateMessage_receiptFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mama := w.follow("mama")
	w.control("fault", map[string]any{"kind": "receipt", "receipt": "failed:user block"}, nil)
	w.control("fault", map[string]any{"kind": "receipt", "receipt": "none"}, nil)
	w.card(mama, "")
	if e := w.gateway.next(); e.Status != "failed:user block" {
		t.Errorf("receipt: %s", e.raw)
	}
	if n := len(w.phone("mama").Messages); n != 0 {
		t.Errorf("a blocked card was shown")
	}
	w.card(mama, "")
	w.settled()
	if n := len(w.phone("mama").Messages); n != 1 {
		t.Errorf("the card without receipt was not shown")
	}
}

// Five messages within 48 hours of a word; three within a minute of a follow.
func TestCustomMessage_windows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mama := w.follow("mama")
	advance := func(d string) { w.control("clock", map[string]any{"advance": d}, nil) }
	send := func(when string, codes ...int) {
		t.Helper()
		for i, want := range codes {
			if got := w.words(mama, "好"); got != want {
				t.Errorf("%s, message %d: errcode %d, want %d", when, i+1, got, want)
			}
		}
	}
	send("after the follow", 0, 0, 0, 45047)
	advance("1m")
	send("a minute later", 45015)
	w.control("text", map[string]any{"user": "mama", "text": "在吗"}, nil)
	send("after a word", 0, 0, 0, 0, 0, 45047)
	advance("47h59m")
	send("within 48 hours", 45047)
	w.control("text", map[string]any{"user": "mama", "text": "在吗"}, nil)
	advance("48h")
	send("after 48 hours", 45015)
	w.control("text", map[string]any{"user": "mama", "text": "在吗"}, nil)
	w.control("unfollow", map[string]any{"user": "mama"}, nil)
	send("after leaving", 45015)
}

// A tap on an option sends its words, and tells which option it was.
func TestMenuMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mama := w.follow("mama")
	sent := w.api("/cgi-bin/message/custom/send", map[string]any{"touser": mama, "msgtype": "msgmenu", "msgmenu": map[string]any{
		"head_content": "客厅没人，要关掉空调吗？", "tail_content": "不回复就不动",
		"list": []map[string]string{{"id": "101", "content": "关掉"}, {"id": "102", "content": "不用"}},
	}})
	m := last(w.phone("mama"))
	if sent.Code != 0 || m.Kind != fakewechat.KindMenu || m.Text != "客厅没人，要关掉空调吗？" || len(m.Options) != 2 || m.Tail != "不回复就不动" {
		t.Fatalf("%+v shows as %+v", sent, m)
	}
	w.control("tap", map[string]any{"user": "mama", "option": "关掉"}, nil)
	if e := w.gateway.next(); e.Type != "text" || e.Content != "关掉" || e.MenuID != "101" || e.MsgID <= 1<<53 {
		t.Errorf("the gateway heard %s", e.raw)
	}
	if m := last(w.phone("mama")); m.Kind != fakewechat.KindOwn || m.Text != "关掉" {
		t.Errorf("the phone shows %+v", m)
	}
	if status, body := w.tryControl("tap", map[string]any{"user": "mama", "option": "烘干"}); status != http.StatusNotFound {
		t.Errorf("an option that is not there: %d %s", status, body)
	}
}

func TestMenuBar(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.follow("mama")
	w.api("/cgi-bin/menu/create", `{"button":[{"type":"click","name":"我的家","key":"home"},{"name":"更多","sub_button":[{"type":"view","name":"帮助","url":"`+w.gateway.url+`"}]}]}`)
	if menu := w.phone("mama").Menu; len(menu) != 2 || menu[1].Sub[0].Name != "帮助" {
		t.Fatalf("menu %+v", menu)
	}
	w.control("tap", map[string]any{"user": "mama", "menu": "home"}, nil)
	if e := w.gateway.next(); e.Event != "CLICK" || e.EventKey != "home" {
		t.Errorf("the gateway heard %s", e.raw)
	}
}

func TestVoiceAndPhoto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.follow("mama")
	sound := []byte("#!AMR\nnot really")
	if status, body := w.upload("/_fake/voice", map[string]string{"user": "妈妈", "seconds": "3"}, "audio", sound); status != http.StatusOK {
		t.Fatalf("voice: %d %s", status, body)
	}
	e := w.gateway.next()
	if e.Type != "voice" || e.MediaID == "" || e.MediaID16K == "" || e.MediaID == e.MediaID16K || e.Recognition == nil || *e.Recognition != "" {
		t.Errorf("the gateway heard %s", e.raw)
	}
	for _, id := range []string{e.MediaID, e.MediaID16K} {
		if _, got := w.do(http.MethodGet, "/cgi-bin/media/get?media_id="+id+"&access_token="+w.token(), "", nil); string(got) != string(sound) {
			t.Errorf("media/get gives %q", got)
		}
	}
	picture := drawPNG(t, "a photo")
	w.upload("/_fake/photo", map[string]string{"user": "mama"}, "image", picture)
	e = w.gateway.next()
	address, err := url.Parse(e.PicURL)
	if err != nil || e.Type != "image" || !strings.HasPrefix(e.PicURL, w.url) {
		t.Fatalf("the gateway heard %s", e.raw)
	}
	if _, got := w.do(http.MethodGet, address.Path, "", nil); string(got) != string(picture) {
		t.Error("PicUrl gives another picture")
	}
}

// A callback without an answer comes three times in all, with the same MsgId and CreateTime; then the user sees that
// the service is broken.
func TestCallback_retries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *fakewechat.Options) { o.CallbackTimeout = 200 * time.Millisecond })
	w.follow("mama")
	blocked := make(chan struct{})
	t.Cleanup(func() { close(blocked) })
	w.gateway.reply <- func(http.ResponseWriter, heard) { <-blocked }
	w.gateway.reply <- func(rw http.ResponseWriter, _ heard) { rw.WriteHeader(http.StatusInternalServerError) }
	w.gateway.reply <- func(http.ResponseWriter, heard) { panic(http.ErrAbortHandler) }
	w.control("text", map[string]any{"user": "mama", "text": "在吗"}, nil)
	a, b, c := w.gateway.next(), w.gateway.next(), w.gateway.next()
	if a.raw != b.raw || b.raw != c.raw || a.MsgID == 0 {
		t.Errorf("the retries differ: %s %s %s", a.raw, b.raw, c.raw)
	}
	w.until("mama", "the failure", func(p fakewechat.Phone) bool { return last(p).Text == fakewechat.Broken })
	w.settled()
}

func TestCallback_secondTryIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.follow("mama")
	w.control("fault", map[string]any{"kind": "callback", "times": 2}, nil)
	w.control("text", map[string]any{"user": "mama", "text": "在吗"}, nil)
	if m := w.gateway.next(); m.Content != "在吗" {
		t.Errorf("heard %s", m.raw)
	}
	w.settled()
	if m := last(w.phone("mama")); m.Kind != fakewechat.KindOwn {
		t.Errorf("the phone shows %+v", m)
	}
}

// What one user does arrives in order, though the gateway is slow with the first.
func TestCallback_order(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.follow("mama")
	gate := make(chan struct{})
	w.gateway.reply <- func(http.ResponseWriter, heard) { <-gate }
	for i := range 10 {
		w.control("text", map[string]any{"user": "mama", "text": fmt.Sprint(i)}, nil)
	}
	close(gate)
	for i := range 10 {
		if m := w.gateway.next(); m.Content != fmt.Sprint(i) {
			t.Fatalf("heard %q as number %d", m.Content, i)
		}
	}
}

// What the gateway answers to a callback is shown when it is right, and a failure when it is not.
func TestCallback_replies(t *testing.T) {
	t.Parallel()
	reply := func(to, from, words string) string {
		return fmt.Sprintf(`<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>%s</Content></xml>`, to, from, words)
	}
	seal := func(plain, key, app, sign string) string {
		sealed, err := util.EncryptMsg([]byte("0123456789abcdef"), []byte(plain), app, key)
		if err != nil {
			t.Fatal(err)
		}
		signature := util.Signature(sign, "1", "2", string(sealed))
		return fmt.Sprintf(`<xml><Encrypt>%s</Encrypt><MsgSignature>%s</MsgSignature><TimeStamp>1</TimeStamp><Nonce>2</Nonce></xml>`, sealed, signature)
	}
	for name, c := range map[string]struct {
		answer func(m heard) string
		shows  string
	}{
		"nothing":         {func(heard) string { return "" }, "在吗"},
		"success":         {func(heard) string { return "success" }, "在吗"},
		"sealed words":    {func(m heard) string { return seal(reply(m.From, m.To, "在"), aesKey, appID, token) }, "在"},
		"plain words":     {func(m heard) string { return reply(m.From, m.To, "在") }, fakewechat.Broken},
		"garbage":         {func(heard) string { return `{"ok":true}` }, fakewechat.Broken},
		"not swapped":     {func(m heard) string { return seal(reply(m.To, m.From, "在"), aesKey, appID, token) }, fakewechat.Broken},
		"empty words":     {func(m heard) string { return seal(reply(m.From, m.To, ""), aesKey, appID, token) }, fakewechat.Broken},
		"wrong signature": {func(m heard) string { return seal(reply(m.From, m.To, "在"), aesKey, appID, "other") }, fakewechat.Broken},
		"wrong appid":     {func(m heard) string { return seal(reply(m.From, m.To, "在"), aesKey, "wx1", token) }, fakewechat.Broken},
		"wrong key":       {func(m heard) string { return seal(reply(m.From, m.To, "在"), strings.Repeat("x", 43), appID, token) }, fakewechat.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.follow("mama")
			w.gateway.reply <- func(rw http.ResponseWriter, m heard) { _, _ = io.WriteString(rw, c.answer(m)) }
			w.control("text", map[string]any{"user": "mama", "text": "在吗"}, nil)
			w.gateway.next()
			w.settled()
			if got := last(w.phone("mama")).Text; got != c.shows {
				t.Errorf("the phone shows %q, want %q", got, c.shows)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.control("verify", map[string]any{}, nil)
	w.fake.SetCallbackURL(w.url + "/_fake/ui")
	if status, body := w.tryControl("verify", map[string]any{}); status != http.StatusBadGateway || !strings.Contains(string(body), "token验证失败") {
		t.Errorf("%d %s", status, body)
	}
}

func TestUnfollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mama := w.follow("mama")
	w.card(mama, "")
	w.gateway.next()
	w.control("unfollow", map[string]any{"user": "mama"}, nil)
	if e := w.gateway.next(); e.Event != "unsubscribe" {
		t.Errorf("heard %s", e.raw)
	}
	if p := w.phone("mama"); p.Following || len(p.Messages) != 0 || p.Unread != 0 {
		t.Errorf("the phone still shows %+v", p)
	}
	if code := w.card(mama, "").Code; code != 43004 {
		t.Errorf("errcode %d, want 43004", code)
	}
	if status, _ := w.tryControl("text", map[string]any{"user": "mama", "text": "在吗"}); status != http.StatusConflict {
		t.Errorf("words to an account that one does not follow: HTTP %d", status)
	}
}

// Followers, chats, codes, tokens and the clock survive a restart.
func TestRestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	keep := func(o *fakewechat.Options) { o.StateFile = file }
	old := newWorld(t, keep)
	mama := old.follow("mama")
	old.card(mama, "n1")
	old.gateway.next()
	code := old.api("/cgi-bin/qrcode/create", `{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"shop"}}}`)
	key := old.token()
	old.control("clock", map[string]any{"advance": "1h"}, nil)
	if err := old.fake.Close(); err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, keep)
	before := time.Now().Add(50 * time.Minute)
	p := w.phone("mama")
	if !p.Following || len(p.Messages) != 1 || p.OpenID != mama || p.Time.Before(before) {
		t.Errorf("after the restart the phone shows %+v", p)
	}
	if got := w.raw("/cgi-bin/user/info?openid="+mama+"&access_token="+key, nil); got.Subscribe != 1 {
		t.Errorf("the token is forgotten: %+v", got)
	}
	var result fakewechat.Scan
	w.control("scan", map[string]any{"user": "mama", "text": code.URL}, &result)
	if e := w.gateway.next(); e.Event != "SCAN" || e.EventKey != "shop" {
		t.Errorf("heard %s", e.raw)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mama := w.follow("mama")
	w.card(mama, "")
	w.gateway.next()
	before := w.phone("mama").Seq
	w.control("reset", map[string]any{}, nil)
	if p := w.phone("mama"); p.Following || len(p.Messages) > 0 || p.Seq <= before || p.OpenID != mama {
		t.Errorf("after the reset the phone shows %+v", p)
	}
}
