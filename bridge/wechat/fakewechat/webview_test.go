package fakewechat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"jiaxin/bridge/wechat/fakewechat"
)

// site is a web site of a gateway: it asks WeChat who comes, remembers them by cookie, and has a form.
func newSite(t *testing.T, w *world) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	mux.HandleFunc("GET /d/{sn}", func(rw http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("who"); err != nil {
			q := url.Values{"appid": {appID}, "redirect_uri": {site.URL + "/in?sn=" + r.PathValue("sn")}, "response_type": {"code"}, "scope": {"snsapi_base"}, "state": {"s1"}}
			http.Redirect(rw, r, w.url+"/connect/oauth2/authorize?"+q.Encode()+"#wechat_redirect", http.StatusFound)
			return
		}
		bindPage(rw, r)
	})
	mux.HandleFunc("GET /in", func(rw http.ResponseWriter, r *http.Request) {
		got := w.raw("/sns/oauth2/access_token?grant_type=authorization_code&appid="+appID+"&secret="+appSecret+"&code="+r.FormValue("code"), nil)
		again := w.raw("/sns/oauth2/access_token?grant_type=authorization_code&appid="+appID+"&secret="+appSecret+"&code="+r.FormValue("code"), nil)
		if got.OpenID == "" || again.Code != 40163 || r.FormValue("state") != "s1" {
			t.Errorf("OAuth: %+v, then %+v", got, again)
		}
		http.SetCookie(rw, &http.Cookie{Name: "who", Value: got.OpenID, Path: "/", HttpOnly: true})
		http.Redirect(rw, r, "/d/"+r.FormValue("sn"), http.StatusSeeOther)
	})
	mux.HandleFunc("POST /bind", func(rw http.ResponseWriter, r *http.Request) {
		who, err := r.Cookie("who")
		if err != nil || r.Header.Get("Origin") != site.URL || r.Header.Get("Sec-Fetch-Site") != "same-origin" {
			http.Error(rw, "no", http.StatusForbidden)
			return
		}
		_ = r.ParseForm()
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(rw, "<title>好了</title><p>%s %s</p>", who.Value, r.PostForm.Encode())
	})
	mux.HandleFunc("GET /code.png", func(rw http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("who"); err != nil {
			http.Error(rw, "who?", http.StatusForbidden)
			return
		}
		rw.Header().Set("Content-Type", "image/png")
		_, _ = rw.Write(drawPNG(t, "from the page"))
	})
	mux.HandleFunc("GET /style.css", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/css")
		fmt.Fprint(rw, "body{font-family:sans-serif;padding:16px}")
	})
	return site
}

func bindPage(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(rw, `<!doctype html><title>认识 %[1]s</title><link rel=stylesheet href=/style.css><meta http-equiv=refresh content="30; url=/x">
<script>document.title = "it ran"</script><h1 onclick="alert(1)">客厅空调</h1><p hidden>secret words</p><img src="/code.png" alt="二维码">
<form method=post action=/bind><input type=hidden name=sn value="%[1]s"><label>名字 <input name=name required></label>
<select name=room><option value=living>客厅<option value=bed selected>卧室</select>
<label><input type=checkbox name=notify value=yes checked>提醒我</label><label><input type=radio name=who value=all>大家</label><label><input type=radio name=who value=me checked>我</label>
<button name=do value=bind>认识它</button><button name=do value=skip>以后再说</button></form><a href="/help">帮助</a> <a href="javascript:alert(1)">bad</a>`, r.PathValue("sn"))
}

// A label is scanned; the page knows by OAuth who came, and each phone has its own cookies; its form is filled and sent;
// a picture in it is pressed.
func TestOpenPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	site := newSite(t, w)
	label := drawPNG(t, site.URL+"/d/ac-01")
	_, body := w.upload("/_fake/scan", map[string]string{"user": "mama"}, "image", label)
	var scan fakewechat.Scan
	w.read(body, &scan)
	page := scan.Page
	if scan.Kind != fakewechat.ScanPage || page == nil || page.Status != 200 || page.Title != "认识 ac-01" || page.Refresh != 30 {
		t.Fatalf("scan: %s", body)
	}
	if !strings.Contains(page.Text, "客厅空调") || strings.Contains(page.Text, "secret") || len(page.Links) != 1 || page.Links[0].URL != site.URL+"/help" {
		t.Errorf("the page shows %q, links %v", page.Text, page.Links)
	}
	var pressed fakewechat.Scan
	w.control("press", map[string]any{"user": "mama", "image": 0}, &pressed)
	if pressed.Text != "from the page" {
		t.Errorf("pressed: %+v", pressed)
	}
	for _, c := range []struct {
		status int
		body   map[string]any
	}{
		{http.StatusUnprocessableEntity, map[string]any{}},                                          // the name is required
		{http.StatusBadRequest, map[string]any{"fields": map[string]any{"colour": "red"}}},          // no such field
		{http.StatusBadRequest, map[string]any{"fields": map[string]any{"room": "garage"}}},         // not offered
		{http.StatusNotFound, map[string]any{"form": 3}},                                            // no such form
		{http.StatusNotFound, map[string]any{"fields": map[string]any{"name": "x"}, "button": "?"}}, // no such button
	} {
		c.body["user"] = "mama"
		if status, answer := w.tryControl("submit", c.body); status != c.status {
			t.Errorf("%v: HTTP %d %s, want %d", c.body, status, answer, c.status)
		}
	}
	var result fakewechat.Page
	w.control("submit", map[string]any{"user": "mama", "button": "以后再说", "fields": map[string]any{"name": "小白", "notify": []string{}, "who": "all"}}, &result)
	want := url.Values{"sn": {"ac-01"}, "name": {"小白"}, "room": {"bed"}, "who": {"all"}, "do": {"skip"}}
	if result.Title != "好了" || result.Text != w.phone("mama").OpenID+" "+want.Encode() {
		t.Errorf("sent: %+v", result)
	}
	var other fakewechat.Page
	w.control("open", map[string]any{"user": "xiaoming", "url": site.URL + "/d/ac-01"}, &other)
	w.control("submit", map[string]any{"user": "xiaoming", "fields": map[string]any{"name": "a"}}, &other)
	if !strings.HasPrefix(other.Text, w.phone("xiaoming").OpenID) {
		t.Errorf("小明's phone has 妈妈's cookies: %q", other.Text)
	}
}

// What the phone page is given of an opened page cannot run, load or leave.
func TestOpenPage_cleaned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nasty := `<base href="http://evil.example/"><script>bad()</script><svg><script>bad()</script><a xlink:href="javascript:bad()">x</a></svg>
<img src=x onerror="bad()" srcset="http://evil.example/y"><iframe src="http://evil.example"></iframe><object data="x"></object>
<a href=" javascript:bad()" data-fake-link="7" ping="http://evil.example">x</a><form action="javascript:bad()"><button formaction="javascript:bad()">x</button></form>
<meta http-equiv="Content-Security-Policy" content="x"><math href="javascript:bad()"><div autofocus onfocus=bad()>x</div><style>b{background:url(http://evil.example)}</style>`
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprint(rw, nasty)
	}))
	t.Cleanup(site.Close)
	var page fakewechat.Page
	w.control("open", map[string]any{"user": "mama", "url": site.URL}, &page)
	status, body := w.do(http.MethodGet, "/_fake/"+page.View, "", nil)
	html := string(body)
	for _, bad := range []string{"bad()", "<script", "<iframe", "<object", "<base", "<meta", "onerror", "ping", `"7"`, "action="} {
		if strings.Contains(html, bad) {
			t.Errorf("the cleaned page has %q:\n%s", bad, html)
		}
	}
	if status != http.StatusOK {
		t.Errorf("HTTP %d", status)
	}
	res, err := http.Get(w.url + "/_fake/" + page.View)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if policy := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "script-src") {
		t.Errorf("policy %q lets scripts run", policy)
	}
}

// A page of another origin in the tester's browser can do nothing; programs can.
func TestControls_origin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := strings.TrimPrefix(w.url, "http://")
	for name, c := range map[string]struct {
		host, origin, site string
		status             int
	}{
		"a program":          {own, "", "", http.StatusOK},
		"our page":           {own, w.url, "same-origin", http.StatusOK},
		"another site":       {own, "http://evil.example", "cross-site", http.StatusForbidden},
		"another port":       {own, "http://127.0.0.1:1", "same-site", http.StatusForbidden},
		"an old browser":     {own, "http://evil.example", "", http.StatusForbidden},
		"a sandboxed page":   {own, "null", "", http.StatusForbidden},
		"a rebound name":     {"evil.example", "http://evil.example", "", http.StatusForbidden},
		"a container's name": {"fake-wechat:8090", "", "", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/_fake/users", "/_fake/events", "/_fake/transcript"} {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				if path == "/_fake/events" {
					if c.status == http.StatusOK {
						continue // it would never end
					}
				}
				r.Host = c.host
				if c.origin != "" {
					r.Header.Set("Origin", c.origin)
				}
				if c.site != "" {
					r.Header.Set("Sec-Fetch-Site", c.site)
				}
				got := httptest.NewRecorder()
				w.fake.ServeHTTP(got, r)
				if got.Code != c.status {
					t.Errorf("%s: HTTP %d, want %d", path, got.Code, c.status)
				}
			}
		})
	}
}

// Faults strike as often as they were told, and the transcript tells of all traffic without secrets.
func TestFaultsAndTranscript(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mama := w.follow("mama")
	key := url.QueryEscape(w.token())
	w.control("fault", map[string]any{"kind": "errcode", "api": "custom/send", "errcode": 45009, "times": 2}, nil)
	w.control("fault", map[string]any{"kind": "http", "api": "custom/send", "status": 502}, nil)
	w.control("fault", map[string]any{"kind": "reset", "api": "template/send"}, nil)
	body := []byte(`{"touser":"` + mama + `","msgtype":"text","text":{"content":"好"}}`)
	send := func() (int, string) {
		status, answer := w.do(http.MethodPost, "/cgi-bin/message/custom/send?access_token="+key, "application/json", body)
		return status, string(answer)
	}
	if status, answer := send(); status != http.StatusBadGateway || !strings.Contains(answer, "<html>") {
		t.Errorf("first: %d %s", status, answer)
	}
	for range 2 {
		if _, answer := send(); !strings.Contains(answer, "45009") {
			t.Errorf("then: %s", answer)
		}
	}
	if _, answer := send(); !strings.Contains(answer, `"errcode":0`) {
		t.Errorf("at last: %s", answer)
	}
	card := `{"touser":"` + mama + `","template_id":"T-notice","data":{"thing1":{"value":"灯"},"const2":{"value":"已完成"},"time3":{"value":"16:34"}}}`
	if res, err := http.Post(w.url+"/cgi-bin/message/template/send?access_token="+key, "application/json", strings.NewReader(card)); err == nil {
		_ = res.Body.Close()
		t.Error("a reset must leave the caller without an answer")
	}
	if m := last(w.phone("mama")); m.Kind != fakewechat.KindCard {
		t.Errorf("a reset after acceptance must still deliver: %+v", m)
	}
	w.gateway.next()
	w.settled()
	_, data := w.tryControl("transcript", nil)
	text := string(data)
	var list []fakewechat.Exchange
	w.read(data, &list)
	if strings.Contains(text, appSecret) || strings.Contains(text, key) || !strings.Contains(text, "fault: reset") || !strings.Contains(text, "TEMPLATESENDJOBFINISH") {
		t.Errorf("%s", text)
	}
	if next := list[len(list)-1].Seq; next < int64(len(list)) {
		t.Errorf("seq %d", next)
	}
}

// The table in the package comment, the one that is served, and the handlers are the same.
func TestControls_table(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var table []fakewechat.Control
	w.control("", nil, &table)
	comment := packageComment(t)
	for _, c := range table {
		line := fmt.Sprintf("//\t%-4s %s ", c.Method, strings.TrimSuffix(c.Path, "{$}"))
		if !strings.Contains(comment, line) {
			t.Errorf("the package comment lacks %q", line)
		}
		if c.Does == "" {
			t.Errorf("%s says nothing", c.Path)
		}
	}
	if n := strings.Count(comment, " /_fake/") - strings.Count(comment, "GET /_fake/ui") - strings.Count(comment, "GET /_fake/ serves"); n < len(table) {
		t.Errorf("%d lines for %d controls", n, len(table))
	}
	if _, err := json.Marshal(table); err != nil {
		t.Error(err)
	}
}
