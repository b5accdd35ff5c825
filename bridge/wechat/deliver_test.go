package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jiaxin/bridge/home"
)

func TestCardGoesOutAsTheAccountsTemplate(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	c := newClient(t, testConfig(p.URL), Options{})
	id, err := c.Deliver(t.Context(), alarmCard())
	if err != nil || id != "9007199254740993" {
		t.Fatalf("%q, %v; want the msgid to the last digit", id, err)
	}
	var sent struct {
		To   string `json:"touser"`
		ID   string `json:"template_id"`
		URL  string
		Data map[string]struct{ Value string }
		Key  string `json:"client_msg_id"`
	}
	if err := json.Unmarshal([]byte(p.lastBody()), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.To != openID || sent.ID != "TPL-ALARM" || sent.URL != "https://home.example/i/1" || len(sent.Key) != 32 {
		t.Errorf("sent %+v", sent)
	}
	if sent.Data["thing7"].Value != "厨房燃气" || sent.Data["time3"].Value != "12:00" || len(sent.Data) != 2 {
		t.Errorf("fields %v", sent.Data)
	}
}

func TestClientMsgIDIsTheSameForARepetitionOnly(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	c := newClient(t, testConfig(p.URL), Options{})
	keys := map[string]int{}
	for _, id := range []string{"n1", "n1", "n2"} {
		n := alarmCard()
		n.ID = id
		if _, err := c.Deliver(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		var sent struct {
			Key string `json:"client_msg_id"`
		}
		if err := json.Unmarshal([]byte(p.lastBody()), &sent); err != nil {
			t.Fatal(err)
		}
		keys[sent.Key]++
	}
	if len(keys) != 2 || keys[""] != 0 {
		t.Errorf("keys of n1, n1 and n2: %v", keys)
	}
}

// Should WeChat answer a repetition as it does for mass messages, the person has the message already.
func TestKnownClientMsgIDIsAccepted(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.always(cardAPI, refusalOf(duplicate))
	if _, err := newClient(t, testConfig(p.URL), Options{}).Deliver(t.Context(), alarmCard()); err != nil {
		t.Error(err)
	}
}

func TestChatGoesOutAsTextOrMenu(t *testing.T) {
	t.Parallel()
	off, leave := home.Choice{ID: "q1.1", Label: "关掉"}, home.Choice{ID: "q1.2", Label: "不用"}
	text := func(content string) map[string]any {
		return map[string]any{"touser": openID, "msgtype": "text", "text": map[string]any{"content": content}}
	}
	menu := map[string]any{"touser": openID, "msgtype": "msgmenu", "msgmenu": map[string]any{
		"head_content": "客厅没人，空调还开着 <26°C>", "tail_content": "",
		"list": []any{map[string]any{"id": "q1.1", "content": "关掉"}, map[string]any{"id": "q1.2", "content": "不用"}},
	}}
	for name, row := range map[string]struct {
		n     home.Notification
		menus bool
		want  map[string]any
	}{
		"text":              {chat("空调已关 & 好的"), true, text("空调已关 & 好的")},
		"menu":              {chat("客厅没人，空调还开着 <26°C>", off, leave), true, menu},
		"menu, not allowed": {chat("要关吗？", off, leave), false, text("要关吗？\n1 关掉\n2 不用")},
	} {
		p := newPeer(t)
		cfg := testConfig(p.URL)
		cfg.Menus = row.menus
		if id, err := newClient(t, cfg, Options{}).Deliver(t.Context(), row.n); err != nil || id != "" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(p.lastBody()), &got); err != nil || !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, row.want)
		}
		if strings.Contains(p.lastBody(), `\u`) {
			t.Errorf("%s: escaped, which WeChat answers with 40033: %s", name, p.lastBody())
		}
	}
}

// A test account answers the first menu with 40200: the person gets numbered text at once, and later menus are not even tried.
func TestAccountWithoutMenusGetsNumberedText(t *testing.T) {
	t.Parallel()
	p, log := newPeer(t), &journal{}
	p.on(chatAPI, func(_ int, body string) string {
		if strings.Contains(body, "msgmenu") {
			return refusalOf(40200)
		}
		return `{"errcode":0,"errmsg":"ok"}`
	})
	c := newClient(t, testConfig(p.URL), Options{Logger: log.logger()})
	for range 3 {
		if _, err := c.Deliver(t.Context(), chat("要关吗？", home.Choice{ID: "a", Label: "关掉"})); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.calledTimes(chatAPI); n != 4 {
		t.Errorf("%d requests, want 4: one menu and three texts", n)
	}
	if n := strings.Count(log.String(), "numbered text"); n != 1 {
		t.Errorf("said %d times in the log, want once", n)
	}
}

func TestWhatCannotSucceedIsNotSent(t *testing.T) {
	t.Parallel()
	unknownForm := alarmCard()
	unknownForm.Card.Form = "weather"
	for name, n := range map[string]home.Notification{
		"form without template": unknownForm,
		"no form":               {ID: "n", To: openID, Via: home.Card},
		"no words":              chat(""),
		"no way":                {ID: "n", To: openID, Via: "pigeon"},
	} {
		p := newPeer(t)
		got := deliverError(t, newClient(t, testConfig(p.URL), Options{}), n)
		if got.Outcome != home.Refused || len(p.seen()) != 0 {
			t.Errorf("%s: %v after %v", name, got, p.seen())
		}
	}
}

// Whatever is not WeChat's own answer leaves the outcome open, so the notification is tried again, and nobody is led elsewhere.
func TestUnknownOutcomeIsRetry(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed a redirect") }))
	t.Cleanup(elsewhere.Close)
	for name, h := range map[string]http.HandlerFunc{
		"502":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"204":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"HTML":          func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>please log in</html>") },
		"empty":         func(http.ResponseWriter, *http.Request) {},
		"half JSON":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"errcode":0,`) },
		"other JSON":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"up"}`) },
		"wrong types":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"errcode":0,"msgid":{}}`) },
		"without end":   func(w http.ResponseWriter, _ *http.Request) { endless(w) },
		"reset":         func(w http.ResponseWriter, _ *http.Request) { reset(w) },
		"never answers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, tokenAPI) {
					fmt.Fprint(w, `{"access_token":"T1","expires_in":7200}`)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that a client has gone
				h(w, r)
			}))
			t.Cleanup(srv.Close)
			cfg := testConfig(srv.URL)
			if name == "never answers" {
				cfg.Timeout = 50 * time.Millisecond
			}
			got := deliverError(t, newClient(t, cfg, Options{}), alarmCard())
			if got.Outcome != home.Retry || got.Code != 0 || got.After == 0 {
				t.Errorf("%+v", got)
			}
			if name == "never answers" && !errors.Is(got, context.DeadlineExceeded) {
				t.Errorf("a timeout is not visible as one: %v", got)
			}
		})
	}
}

// endless writes until the reader has had enough.
func endless(w http.ResponseWriter) {
	for {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			return
		}
	}
}

func reset(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// Two messages to one person never travel at once; two persons do not wait for each other.
func TestOneDeliveryAtATimeForEachPerson(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLanes()
		entered := map[string]int{}
		enter := func(person string) (leave func()) {
			leave, err := l.enter(t.Context(), person)
			if err != nil {
				t.Error(err)
			}
			entered[person]++
			return leave
		}
		leaveA, leaveB := enter("a"), enter("b")
		go func() { enter("a")() }()
		synctest.Wait()
		if entered["a"] != 1 {
			t.Error("a second delivery to a started beside the first")
		}
		leaveA()
		synctest.Wait()
		if entered["a"] != 2 {
			t.Error("the second delivery to a never started")
		}
		leaveB()
		if len(l.open) != 0 {
			t.Errorf("%d lanes left open", len(l.open))
		}
	})
}

// While one delivery to a person is under way, the next waits for its lane, and not in WeChat.
func TestDeliverUsesTheLanes(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	p.on(cardAPI, func(int, string) string {
		close(arrived)
		<-release
		return `{"errcode":0,"errmsg":"ok","msgid":1}`
	})
	c := newClient(t, testConfig(p.URL), Options{})
	first := make(chan error, 1)
	go func() {
		_, err := c.Deliver(t.Context(), alarmCard())
		first <- err
	}()
	<-arrived
	ctx, giveUp := context.WithCancel(t.Context())
	giveUp()
	for range 20 { // a free lane would be taken in spite of the context now and then
		if _, err := c.Deliver(ctx, alarmCard()); err == nil || !strings.Contains(err.Error(), "former message") {
			t.Fatalf("did not wait: %v", err)
		}
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestWaitingForALaneEndsWithTheContext(t *testing.T) {
	t.Parallel()
	l := newLanes()
	leave, err := l.enter(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.enter(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	leave()
	if len(l.open) != 0 {
		t.Error("the lane stays open")
	}
}

// Accounts with different addresses live in one process, though the library has one HTTP client for all.
func TestSeveralAccountsInOneProcess(t *testing.T) {
	t.Parallel()
	var used atomic.Int32
	for range 4 {
		p := newPeer(t)
		c := newClient(t, testConfig(p.URL+"/"), Options{})
		if _, err := c.Deliver(t.Context(), alarmCard()); err != nil {
			t.Fatal(err)
		}
		if strings.Join(p.seen(), ",") == "stable_token,message/template/send T1" {
			used.Add(1)
		}
	}
	if used.Load() != 4 {
		t.Errorf("%d of 4 accounts were called as expected", used.Load())
	}
}
