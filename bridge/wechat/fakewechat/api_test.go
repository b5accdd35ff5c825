package fakewechat_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"jiaxin/bridge/wechat/fakewechat"
)

// Every API refuses as WeChat does: under HTTP 200, with its errcode, and a request id at the end of errmsg.
func TestAPI_refusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stranger := w.phone("xiaoming").OpenID
	mama := w.follow("mama")
	card := func(to, id string, data map[string]string) map[string]any {
		fields := map[string]any{}
		for key, value := range data {
			fields[key] = map[string]string{"value": value}
		}
		return map[string]any{"touser": to, "template_id": id, "data": fields}
	}
	good := map[string]string{"thing1": "客厅空调", "const2": "已完成", "time3": "2024-06-21 16:34:24"}
	with := func(key, value string) map[string]string {
		m := map[string]string{}
		for k, v := range good {
			m[k] = v
		}
		m[key] = value
		return m
	}
	words := func(to, text string) map[string]any {
		return map[string]any{"touser": to, "msgtype": "text", "text": map[string]string{"content": text}}
	}
	qr := func(action string, scene map[string]any) map[string]any {
		return map[string]any{"action_name": action, "expire_seconds": 60, "action_info": map[string]any{"scene": scene}}
	}
	for _, c := range []struct {
		name, path string
		body       any
		code       int
		text       string
	}{
		{"unknown API", "/cgi-bin/nothing", nil, 40066, ""},
		{"GET of a POST API", "/cgi-bin/message/template/send", nil, 43002, "require POST method"},
		{"POST of a GET API", "/cgi-bin/user/info?openid=" + mama, "{}", 43001, ""},
		{"empty body", "/cgi-bin/message/custom/send", " ", 44002, ""},
		{"no JSON", "/cgi-bin/message/custom/send", "{", 47001, ""},
		{`\u escape`, "/cgi-bin/message/custom/send", `{"touser":"\u0041"}`, 40033, ""},
		{"foreign openid", "/cgi-bin/message/template/send", card("oNobody", "T-notice", good), 40003, ""},
		{"no follower", "/cgi-bin/message/template/send", card(stranger, "T-notice", good), 43004, ""},
		{"unknown template", "/cgi-bin/message/template/send", card(mama, "T-other", good), 40037, ""},
		{"missing field", "/cgi-bin/message/template/send", card(mama, "T-notice", with("thing1", "")), 47003, "data.thing1.value is empty"},
		{"long thing", "/cgi-bin/message/template/send", card(mama, "T-notice", with("thing1", strings.Repeat("长", 21))), 47003, "data.thing1.value invalid"},
		{"other const", "/cgi-bin/message/template/send", card(mama, "T-notice", with("const2", "着火了")), 47003, "data.const2.value invalid"},
		{"no time", "/cgi-bin/message/template/send", card(mama, "T-notice", with("time3", "昨天")), 47003, "data.time3.value invalid"},
		{"unknown kind", "/cgi-bin/message/custom/send", map[string]any{"touser": mama, "msgtype": "music"}, 40008, ""},
		{"empty words", "/cgi-bin/message/custom/send", words(mama, ""), 44004, ""},
		{"too many words", "/cgi-bin/message/custom/send", words(mama, strings.Repeat("长", 700)), 45002, ""},
		{"words to a stranger", "/cgi-bin/message/custom/send", words(stranger, "你好"), 45015, ""},
		{"no such picture", "/cgi-bin/message/custom/send", map[string]any{"touser": mama, "msgtype": "image", "image": map[string]string{"media_id": "x"}}, 40007, ""},
		{"menu without options", "/cgi-bin/message/custom/send", map[string]any{"touser": mama, "msgtype": "msgmenu"}, 44004, ""},
		{"unknown action", "/cgi-bin/qrcode/create", qr("QR", nil), 40052, ""},
		{"no scene", "/cgi-bin/qrcode/create", qr("QR_STR_SCENE", map[string]any{}), 40053, ""},
		{"long permanent scene", "/cgi-bin/qrcode/create", qr("QR_LIMIT_STR_SCENE", map[string]any{"scene_str": strings.Repeat("x", 65)}), 40053, ""},
		{"number scene 0", "/cgi-bin/qrcode/create", qr("QR_SCENE", map[string]any{"scene_id": 0}), 40053, ""},
		{"unknown user", "/cgi-bin/user/info?openid=o1", nil, 40003, ""},
		{"unknown media", "/cgi-bin/media/get?media_id=x", nil, 40007, ""},
		{"upload of nothing", "/cgi-bin/media/upload?type=image", "{}", 41005, ""},
		{"upload of no kind", "/cgi-bin/media/upload?type=song", "{}", 40004, ""},
		{"no menu yet", "/cgi-bin/menu/get", nil, 46003, ""},
		{"menu of four", "/cgi-bin/menu/create", `{"button":[{},{},{},{}]}`, 40016, ""},
		{"menu without name", "/cgi-bin/menu/create", `{"button":[{"type":"click","key":"a"}]}`, 40018, ""},
		{"menu without key", "/cgi-bin/menu/create", `{"button":[{"type":"click","name":"a"}]}`, 40053, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.api(c.path, c.body)
			if got.Code != c.code || !strings.Contains(got.Text, c.text) {
				t.Errorf("errcode %d %q, want %d %q", got.Code, got.Text, c.code, c.text)
			}
			if !regexp.MustCompile(` rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`).MatchString(got.Text) {
				t.Errorf("errmsg %q does not end with a request id", got.Text)
			}
		})
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.follow("mama")
	info := func(token string) int {
		return w.raw("/cgi-bin/user/info?openid="+w.phone("mama").OpenID+"&access_token="+url.QueryEscape(token), nil).Code
	}
	plain := func() answer {
		return w.raw("/cgi-bin/token?grant_type=client_credential&appid="+appID+"&secret="+appSecret, nil)
	}
	stable := func(force bool) answer {
		return w.raw("/cgi-bin/stable_token", map[string]any{
			"grant_type": "client_credential", "appid": appID, "secret": appSecret, "force_refresh": force,
		})
	}
	advance := func(d string) { w.control("clock", map[string]any{"advance": d}, nil) }
	want := func(what string, got, code int) {
		t.Helper()
		if got != code {
			t.Errorf("%s: errcode %d, want %d", what, got, code)
		}
	}

	want("no token", info(""), 41001)
	want("a made-up token", info("x"), 40001)
	want("wrong appid", w.raw("/cgi-bin/token?grant_type=client_credential&appid=wx1&secret="+appSecret, nil).Code, 40013)
	want("wrong secret", w.raw("/cgi-bin/token?grant_type=client_credential&appid="+appID+"&secret=x", nil).Code, 40125)
	want("wrong grant", w.raw("/cgi-bin/token?appid="+appID+"&secret="+appSecret, nil).Code, 40002)

	first, second := plain(), plain()
	if first.Token == second.Token || first.ExpiresIn != 7200 {
		t.Error("/token must give a new token of 7200 s each time")
	}
	want("the former token, at once", info(first.Token), 0)
	a := stable(false)
	if a.Token != stable(false).Token {
		t.Error("stable_token must repeat its token")
	}
	advance("5m")
	want("the former token, five minutes later", info(first.Token), 40001)
	want("the latest token", info(second.Token), 0)
	want("the stable token, untouched by /token", info(a.Token), 0)

	advance("111m") // less than five minutes are left of 120
	b := stable(false)
	if b.Token == a.Token {
		t.Error("stable_token must renew in the last five minutes")
	}
	want("old and new together: old", info(a.Token), 0)
	want("old and new together: new", info(b.Token), 0)
	advance("5m")
	want("the expired token", info(a.Token), 42001)

	c := stable(true)
	want("forced away", info(b.Token), 40001)
	want("forced", info(c.Token), 0)
	want("forced again at once", stable(true).Code, 45011)
	w.control("killtokens", map[string]any{}, nil)
	want("killed", info(c.Token), 40001)
	if stable(false).Token == c.Token {
		t.Error("after a kill there must be a new token")
	}
}

func TestQuota_daily(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := func() int { // without a socket: there are many
		r := httptest.NewRequest(http.MethodGet, "/cgi-bin/token?grant_type=client_credential&appid="+appID+"&secret="+appSecret, nil)
		got := httptest.NewRecorder()
		w.fake.ServeHTTP(got, r)
		var a answer
		w.read(got.Body.Bytes(), &a)
		return a.Code
	}
	for range 2000 {
		if code := get(); code != 0 {
			t.Fatalf("errcode %d within the quota", code)
		}
	}
	if code := get(); code != 45009 {
		t.Errorf("call 2001 of the day: errcode %d, want 45009", code)
	}
	w.control("clock", map[string]any{"advance": "24h"}, nil)
	if code := get(); code != 0 {
		t.Errorf("the next day: errcode %d", code)
	}
	var list []fakewechat.Quota
	w.control("quota", nil, &list)
	if list[0].API != "/cgi-bin/token" || list[0].Used != 1 || list[0].Day != 2000 {
		t.Errorf("quota %+v", list[0])
	}
}

func TestUserInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	openID := w.phone("mama").OpenID
	if got := w.api("/cgi-bin/user/info?openid="+openID, nil); got.Subscribe != 0 || got.Code != 0 || got.OpenID != openID {
		t.Errorf("before following: %+v", got)
	}
	w.follow("mama")
	status, body := w.do(http.MethodGet, "/cgi-bin/user/info?openid="+openID+"&access_token="+w.token(), "", nil)
	text := string(body)
	if status != http.StatusOK || !strings.Contains(text, `"subscribe":1`) || !strings.Contains(text, `"remark":"厨房"`) ||
		!strings.Contains(text, `"nickname":""`) || strings.Contains(text, "errcode") {
		t.Errorf("a follower: %s", text)
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	openID := w.follow("mama")
	picture := drawPNG(t, "hello")
	status, body := w.upload("/cgi-bin/media/upload?type=image&access_token="+w.token(), nil, "media", picture)
	var up answer
	w.read(body, &up)
	if status != http.StatusOK || up.MediaID == "" {
		t.Fatalf("upload: %d %s", status, body)
	}
	get := "/cgi-bin/media/get?media_id=" + up.MediaID + "&access_token="
	if _, got := w.do(http.MethodGet, get+w.token(), "", nil); string(got) != string(picture) {
		t.Error("media/get must give the very bytes")
	}
	w.api("/cgi-bin/message/custom/send", map[string]any{"touser": openID, "msgtype": "image", "image": map[string]string{"media_id": up.MediaID}})
	if m := last(w.phone("mama")); m.Kind != fakewechat.KindImage {
		t.Errorf("the phone shows %+v", m)
	} else if _, shown := w.do(http.MethodGet, m.Image, "", nil); string(shown) != string(picture) {
		t.Error("the phone shows another picture")
	}
	w.control("clock", map[string]any{"advance": "72h"}, nil)
	if code := w.raw(get+w.token(), nil).Code; code != 40007 {
		t.Errorf("after three days: errcode %d, want 40007", code)
	}
}

func TestTemplateList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, body := w.do(http.MethodGet, "/cgi-bin/template/get_all_private_template?access_token="+w.token(), "", nil)
	if text := string(body); !strings.Contains(text, `"template_id":"T-notice"`) || !strings.Contains(text, `设备：{{thing1.DATA}}\n状态：{{const2.DATA}}`) {
		t.Errorf("%s", text)
	}
}

// Options that cannot work are refused at the start, with what to do.
func TestNew_refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fakewechat.Options)
		text   string
	}{
		"short key":     {func(o *fakewechat.Options) { o.EncodingAESKey = "short" }, "43 characters"},
		"no secret":     {func(o *fakewechat.Options) { o.AppSecret = "" }, "AppSecret is empty"},
		"bad URL":       {func(o *fakewechat.Options) { o.CallbackURL = "localhost:80" }, "no http(s) address"},
		"same name":     {func(o *fakewechat.Options) { o.Users = []fakewechat.User{{Key: "a"}, {Key: "a"}} }, "two users"},
		"free const":    {func(o *fakewechat.Options) { o.Templates[0].Consts = nil }, "no approved values"},
		"unknown type":  {func(o *fakewechat.Options) { o.Templates[0].Fields[0].Key = "keyword1" }, "no known type"},
		"same template": {func(o *fakewechat.Options) { o.Templates = append(o.Templates, o.Templates[0]) }, "repeated id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := fakewechat.Options{AppID: appID, AppSecret: appSecret, Token: token, EncodingAESKey: aesKey, Templates: []fakewechat.Template{notice()}}
			c.change(&opt)
			if _, err := fakewechat.New(opt); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want one with %q", err, c.text)
			}
		})
	}
}
