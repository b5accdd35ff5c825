package wechat

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/silenceper/wechat/v2/util"

	"jiaxin/bridge"
)

// letter is a callback as WeChat would send it; a test spoils what it likes before it is posted.
type letter struct {
	method    string
	token     string
	key       string
	appID     string
	timestamp string
	nonce     string
	mode      string
	plain     string
	envelope  func(encrypted string) string
	after     func(query url.Values, body *string) // once all is signed
}

func newLetter(clock *watch, plain string) *letter {
	return &letter{
		method: http.MethodPost, token: testToken, key: testKey, appID: testAppID, mode: "aes", nonce: "1320562132",
		timestamp: strconv.FormatInt(clock.Now().Unix(), 10), plain: plain,
		envelope: func(e string) string {
			return "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[" + e + "]]></Encrypt></xml>"
		},
	}
}

func (l *letter) request(t testing.TB) *http.Request {
	t.Helper()
	encrypted, err := util.EncryptMsg([]byte("0123456789abcdef"), []byte(l.plain), l.appID, l.key)
	if err != nil {
		t.Fatal(err)
	}
	body := l.envelope(string(encrypted))
	query := url.Values{
		"signature": {util.Signature(l.token, l.timestamp, l.nonce)}, "timestamp": {l.timestamp}, "nonce": {l.nonce},
		"openid": {openID}, "encrypt_type": {l.mode},
		"msg_signature": {util.Signature(l.token, l.timestamp, l.nonce, string(encrypted))},
	}
	if l.after != nil {
		l.after(query, &body)
	}
	return httptest.NewRequest(l.method, "/wechat?"+query.Encode(), strings.NewReader(body))
}

// mailbox is a receiver that remembers.
type mailbox struct {
	got []bridge.Inbound
	err error
}

func (m *mailbox) receive(_ context.Context, in bridge.Inbound) error {
	m.got = append(m.got, in)
	return m.err
}

func newCallbackFor(t testing.TB, m *mailbox, clock *watch, o Options) http.Handler {
	t.Helper()
	cfg := testConfig("")
	cfg.PreviousAESKey = oldKey
	o.Now = clock.Now
	h, err := NewCallback(cfg, m.receive, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func post(h http.Handler, r *http.Request) (status int, body string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// doc is one decrypted callback: sender, time and type, with the rest as given.
func doc(kind, rest string) string {
	return "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[" + openID + "]]></FromUserName>" +
		"<CreateTime>1790000000</CreateTime><MsgType><![CDATA[" + kind + "]]></MsgType>" + rest + "</xml>"
}

func event(name, rest string) string {
	return doc("event", "<Event><![CDATA["+name+"]]></Event>"+rest)
}

func TestCallbackOfEachKind(t *testing.T) {
	t.Parallel()
	eventID := func(rest string) string { return openID + ":1790000000:event" + rest }
	for name, row := range map[string]struct {
		plain string
		want  bridge.Inbound
	}{
		"text": {
			doc("text", "<Content><![CDATA[关掉空调 & <谢谢>]]></Content><MsgId>9007199254740993</MsgId>"),
			bridge.Inbound{Kind: bridge.InText, ID: "9007199254740993", Text: "关掉空调 & <谢谢>"},
		},
		"menu tap": {
			doc("text", "<Content>关掉</Content><MsgId>2</MsgId><bizmsgmenuid>q7.1</bizmsgmenuid>"),
			bridge.Inbound{Kind: bridge.InText, ID: "2", Text: "关掉", MenuID: "q7.1"},
		},
		"voice": {
			doc("voice", "<MediaId>M1</MediaId><Format>amr</Format><MediaId16K>M16</MediaId16K><Recognition></Recognition><MsgId>3</MsgId>"),
			bridge.Inbound{Kind: bridge.InVoice, ID: "3", MediaID: "M1", Media16: "M16", Format: "amr"},
		},
		"photo": {
			doc("image", "<PicUrl>http://x</PicUrl><MediaId>M2</MediaId><MsgId>4</MsgId>"),
			bridge.Inbound{Kind: bridge.InPhoto, ID: "4", MediaID: "M2"},
		},
		"video":    {doc("video", "<MediaId>M3</MediaId><MsgId>5</MsgId>"), bridge.Inbound{Kind: bridge.InOther, ID: "5"}},
		"location": {doc("location", "<Label>x</Label><MsgId>6</MsgId>"), bridge.Inbound{Kind: bridge.InOther, ID: "6"}},
		"sticker":  {doc("text", "<Content>【收到不支持的消息类型，暂无法显示】</Content><MsgId>7</MsgId>"), bridge.Inbound{Kind: bridge.InOther, ID: "7"}},
		"unheard":  {doc("hologram", "<MsgId>8</MsgId>"), bridge.Inbound{Kind: bridge.InOther, ID: "8"}},
		"follow":   {event("subscribe", "<EventKey></EventKey>"), bridge.Inbound{Kind: bridge.InFollow, ID: eventID("subscribe:")}},
		"follow by code": {
			event("subscribe", "<EventKey>qrscene_claim-1</EventKey><Ticket>t</Ticket>"),
			bridge.Inbound{Kind: bridge.InFollow, ID: eventID("subscribe:qrscene_claim-1"), Scene: "claim-1"},
		},
		"scan": {
			event("SCAN", "<EventKey>claim-1</EventKey><Ticket>t</Ticket>"),
			bridge.Inbound{Kind: bridge.InScan, ID: eventID("SCAN:claim-1"), Scene: "claim-1"},
		},
		"unfollow": {event("unsubscribe", ""), bridge.Inbound{Kind: bridge.InUnfollow, ID: eventID("unsubscribe:")}},
		"click":    {event("CLICK", "<EventKey>home</EventKey>"), bridge.Inbound{Kind: bridge.InClick, ID: eventID("CLICK:home"), Text: "home"}},
		"receipt": {
			event("TEMPLATESENDJOBFINISH", "<MsgID>9007199254740993</MsgID><Status>failed:user block</Status>"),
			bridge.Inbound{
				Kind: bridge.InReceipt, ID: eventID("TEMPLATESENDJOBFINISH:9007199254740993"),
				MsgID: "9007199254740993", Status: "failed:user block",
			},
		},
		"scan and wait": {event("scancode_waitmsg", "<EventKey>k</EventKey>"), bridge.Inbound{Kind: bridge.InOther, ID: eventID("scancode_waitmsg:k")}},
		"declared":      {`<?xml version="1.0" encoding="UTF-8"?>` + doc("text", "<Content>hi</Content><MsgId>9</MsgId>"), bridge.Inbound{Kind: bridge.InText, ID: "9", Text: "hi"}},
	} {
		clock, box := newWatch(), &mailbox{}
		status, body := post(newCallbackFor(t, box, clock, Options{}), newLetter(clock, row.plain).request(t))
		row.want.From, row.want.At = openID, time.Unix(1790000000, 0).UTC()
		if status != 200 || body != "success" {
			t.Errorf("%s: %d %q", name, status, body)
		}
		if !reflect.DeepEqual(box.got, []bridge.Inbound{row.want}) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, box.got, row.want)
		}
	}
}

// A person who closes their WeChat account is to be forgotten like one who unfollows; the sender is then WeChat itself.
func TestClosedAccountIsAnUnfollow(t *testing.T) {
	t.Parallel()
	clock, box := newWatch(), &mailbox{}
	plain := strings.Replace(event("user_authorization_cancellation", "<OpenID>oGONE</OpenID>"), openID, "oWECHAT", 1)
	post(newCallbackFor(t, box, clock, Options{}), newLetter(clock, plain).request(t))
	if len(box.got) != 1 || box.got[0].Kind != bridge.InUnfollow || box.got[0].From != "oGONE" {
		t.Errorf("got %+v", box.got)
	}
}

func TestWhatNoPersonDidIsOnlyAcknowledged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"VIEW", "LOCATION", "MASSSENDJOBFINISH", "user_info_modified", "pic_weixin", "something_new"} {
		clock, box := newWatch(), &mailbox{}
		status, body := post(newCallbackFor(t, box, clock, Options{}), newLetter(clock, event(name, "<EventKey>x</EventKey>")).request(t))
		if status != 200 || body != "success" || len(box.got) != 0 {
			t.Errorf("%s: %d %q, received %v", name, status, body, box.got)
		}
	}
}

// Everything that a stranger, a wrong setting or a broken proxy can send. None of it may reach the receiver.
func TestCallbackThatIsTurnedAway(t *testing.T) {
	t.Parallel()
	hello := doc("text", "<Content>secret words</Content><MsgId>1</MsgId>")
	raw := func(body string) func(url.Values, *string) { return func(_ url.Values, b *string) { *b = body } }
	query := func(key, value string) func(url.Values, *string) {
		return func(q url.Values, _ *string) { q.Set(key, value) }
	}
	shift := func(d time.Duration) func(*letter) {
		return func(l *letter) {
			s, _ := strconv.ParseInt(l.timestamp, 10, 64)
			l.timestamp = strconv.FormatInt(s+int64(d.Seconds()), 10)
		}
	}
	plain := func(text string) func(*letter) { return func(l *letter) { l.plain = text } }
	after := func(f func(url.Values, *string)) func(*letter) { return func(l *letter) { l.after = f } }
	for name, row := range map[string]struct {
		spoil  func(*letter)
		status int
		reason result
	}{
		"other method":       {func(l *letter) { l.method = http.MethodPut }, 405, badMethod},
		"no query":           {after(func(q url.Values, _ *string) { clear(q) }), 400, badMode},
		"bad signature":      {after(query("signature", "0123456789012345678901234567890123456789")), 403, badSignature},
		"no signature":       {after(query("signature", "")), 403, badSignature},
		"foreign token":      {func(l *letter) { l.token = "guess" }, 403, badSignature},
		"swapped nonce":      {after(query("nonce", "2")), 403, badSignature},
		"swapped time":       {after(query("timestamp", "1790000001")), 403, badSignature},
		"bad msg_signature":  {after(query("msg_signature", "0123456789012345678901234567890123456789")), 403, badMsgSignature},
		"no msg_signature":   {after(query("msg_signature", "")), 403, badMsgSignature},
		"other body":         {after(func(_ url.Values, b *string) { *b = strings.Replace(*b, "CDATA[", "CDATA[AA", 2) }), 403, badMsgSignature},
		"stale":              {shift(-301 * time.Second), 403, badTime},
		"from the future":    {shift(301 * time.Second), 403, badTime},
		"no number":          {func(l *letter) { l.timestamp = "now" }, 403, badTime},
		"absurd time":        {func(l *letter) { l.timestamp = "-9223372036854775808" }, 403, badTime},
		"plaintext":          {func(l *letter) { l.after = raw(hello); l.mode = "" }, 400, badMode},
		"raw mode":           {func(l *letter) { l.mode = "raw" }, 400, badMode},
		"plaintext as aes":   {after(raw(hello)), 400, badMode},
		"other account":      {func(l *letter) { l.appID = "wxffffffffffffffff" }, 403, badAppID},
		"other account, old": {func(l *letter) { l.appID, l.key = "wxffffffffffffffff", oldKey }, 403, badAppID},
		"foreign key":        {func(l *letter) { l.key = strings.Repeat("k", 43) }, 400, badCipher},
		"huge":               {func(l *letter) { l.plain = doc("text", strings.Repeat("x", callbackLimit)) }, 413, badSize},
		"empty":              {after(raw("")), 400, badXML},
		"no XML":             {after(raw(`{"Encrypt":"x"}`)), 400, badXML},
		"other root":         {after(raw(`<html><Encrypt>x</Encrypt></html>`)), 400, badXML},
		"cut off":            {after(func(_ url.Values, b *string) { *b = (*b)[:len(*b)-9] }), 400, badXML},
		"deep envelope":      {after(raw(strings.Repeat("<a>", 9) + strings.Repeat("</a>", 9))), 400, badXML},
		"deep message":       {plain("<xml>" + strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000) + "</xml>"), 400, badXML},
		"entity bomb":        {after(raw(`<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>`)), 400, badXML},
		"entity inside":      {plain(`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + doc("text", "<Content>&a;</Content>")), 400, badXML},
		"unknown entity":     {plain(doc("text", "<Content>&a;</Content>")), 400, badXML},
		"declaration":        {plain("<!DOCTYPE xml>" + hello), 400, badXML},
		"stylesheet":         {plain(`<?xml-stylesheet href="http://x"?>` + hello), 400, badXML},
		"message of no kind": {plain("<xml></xml>"), 400, badMessage},
		"no sender":          {plain(strings.Replace(hello, openID, "", 1)), 400, badMessage},
		"no time":            {plain(strings.Replace(hello, "1790000000", "0", 1)), 400, badMessage},
		"time is no number":  {plain(strings.Replace(hello, "1790000000", "noon", 1)), 400, badXML},
		"nothing inside":     {plain(""), 400, badXML},
		"truncated base64":   {sealed("AAAA"), 400, badCipher},
		"no base64":          {sealed("@@@@"), 400, badCipher},
		"half a block":       {sealed(base64.StdEncoding.EncodeToString(make([]byte, 40))), 400, badCipher},
		"random block":       {sealed(base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))), 400, badCipher},
	} {
		clock, box, log, reg := newWatch(), &mailbox{}, &journal{}, prometheus.NewRegistry()
		h := newCallbackFor(t, box, clock, Options{Logger: log.logger(), Registerer: reg})
		l := newLetter(clock, hello)
		row.spoil(l)
		status, body := post(h, l.request(t))
		if status != row.status || strings.Contains(body, "success") || len(box.got) != 0 {
			t.Errorf("%s: %d %q, received %v; want %d", name, status, body, box.got, row.status)
		}
		if got := counts(t, reg, "jiaxin_wechat_callbacks_total"); !maps.Equal(got, map[string]float64{string(row.reason): 1}) {
			t.Errorf("%s: counted %v, want %s (answer %q)", name, got, row.reason, body)
		}
		if !strings.Contains(log.String(), `"reason":"`+string(row.reason)+`"`) {
			t.Errorf("%s: log says %q", name, log)
		}
		mustHide(t, name, log.String()+body)
	}
}

// sealed replaces the ciphertext by something else, correctly signed.
func sealed(ciphertext string) func(*letter) {
	return func(l *letter) {
		l.after = func(q url.Values, body *string) {
			q.Set("msg_signature", util.Signature(l.token, l.timestamp, l.nonce, ciphertext))
			*body = l.envelope(ciphertext)
		}
	}
}

func TestPreviousKeyAndSkewedClockAreAccepted(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*letter){
		"previous key":      func(l *letter) { l.key = oldKey },
		"five minutes late": func(l *letter) { l.timestamp = "1789999700" },
		"five early":        func(l *letter) { l.timestamp = "1790000300" },
	} {
		clock, box := newWatch(), &mailbox{}
		l := newLetter(clock, doc("text", "<Content>hi</Content><MsgId>1</MsgId>"))
		spoil(l)
		if status, _ := post(newCallbackFor(t, box, clock, Options{}), l.request(t)); status != 200 || len(box.got) != 1 {
			t.Errorf("%s: %d, received %v", name, status, box.got)
		}
	}
}

// WeChat calls again with the same message, perhaps with the same nonce: both reach the receiver, with the same ID.
func TestRepeatedCallbackHasTheSameID(t *testing.T) {
	t.Parallel()
	clock, box := newWatch(), &mailbox{}
	h := newCallbackFor(t, box, clock, Options{})
	for range 3 {
		if status, body := post(h, newLetter(clock, event("CLICK", "<EventKey>home</EventKey>")).request(t)); status != 200 || body != "success" {
			t.Fatalf("%d %q", status, body)
		}
	}
	if len(box.got) != 3 || box.got[0].ID != box.got[1].ID || box.got[1].ID != box.got[2].ID {
		t.Errorf("received %+v", box.got)
	}
}

// What could not be stored is not acknowledged, so that WeChat calls again.
func TestFailureToStoreIsNotSuccess(t *testing.T) {
	t.Parallel()
	clock, log := newWatch(), &journal{}
	box := &mailbox{err: errors.New("disk full")}
	status, body := post(newCallbackFor(t, box, clock, Options{Logger: log.logger()}), newLetter(clock, event("unsubscribe", "")).request(t))
	if status != 500 || strings.Contains(body, "success") || !strings.Contains(log.String(), "disk full") {
		t.Errorf("%d %q, log %s", status, body, log)
	}
	mustHide(t, "log", log.String())
}

func TestReceiverHasLessTimeThanWeChat(t *testing.T) {
	t.Parallel()
	clock := newWatch()
	var left time.Duration
	h, err := NewCallback(testConfig(""), func(ctx context.Context, _ bridge.Inbound) error {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return nil
	}, Options{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	post(h, newLetter(clock, event("unsubscribe", "")).request(t))
	if left <= 0 || left > answerWithin {
		t.Errorf("%s left", left)
	}
}

func TestAddressCheck(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		token, timestamp, echo string
		status                 int
		body                   string
	}{
		"genuine":       {testToken, "1790000000", "5123456789", 200, "5123456789"},
		"foreign token": {"guess", "1790000000", "5123456789", 403, "signature"},
		"stale":         {testToken, "1789990000", "5123456789", 403, "stale"},
		"long":          {testToken, "1790000000", strings.Repeat("x", 257), 413, "size"},
	} {
		clock := newWatch()
		query := url.Values{
			"signature": {util.Signature(row.token, row.timestamp, "n")}, "timestamp": {row.timestamp},
			"nonce": {"n"}, "echostr": {row.echo},
		}
		w := httptest.NewRecorder()
		newCallbackFor(t, &mailbox{}, clock, Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/wechat?"+query.Encode(), nil))
		if w.Code != row.status || w.Body.String() != row.body {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
		if w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: what a stranger wrote is sent back as %s", name, w.Header().Get("Content-Type"))
		}
	}
}

// A stranger who knocks ten thousand times fills neither the log nor the metric's labels.
func TestKnockingDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	clock, log, reg := newWatch(), &journal{}, prometheus.NewRegistry()
	h := newCallbackFor(t, &mailbox{}, clock, Options{Logger: log.logger(), Registerer: reg})
	for i := range 10_000 {
		l := newLetter(clock, "")
		l.token = fmt.Sprint(i)
		post(h, httptest.NewRequest(http.MethodPost, "/wechat?encrypt_type=aes&signature="+l.token, nil))
	}
	if lines := strings.Count(log.String(), "\n"); lines > 2 {
		t.Errorf("%d lines in the log", lines)
	}
	if got := counts(t, reg, "jiaxin_wechat_callbacks_total"); got["signature"] != 10_000 {
		t.Errorf("counted %v", got)
	}
}

// What a genuine callback costs: two signatures, decryption and two documents.
func BenchmarkCallback(b *testing.B) {
	clock := newWatch()
	h, err := NewCallback(testConfig(""), func(context.Context, bridge.Inbound) error { return nil }, Options{Now: clock.Now})
	if err != nil {
		b.Fatal(err)
	}
	l := newLetter(clock, doc("text", "<Content>关掉客厅空调</Content><MsgId>1</MsgId>"))
	for b.Loop() {
		if status, body := post(h, l.request(b)); status != 200 {
			b.Fatal(status, body)
		}
	}
}
