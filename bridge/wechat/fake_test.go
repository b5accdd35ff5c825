package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
	"jiaxin/bridge/wechat/fakewechat"
	"jiaxin/templates"
)

// town is a whole WeChat on this machine, which shares no code with the package under test, with our client and callback.
type town struct {
	t      *testing.T
	client *Client
	fake   string // its address
	heard  chan bridge.Inbound
	deaf   atomic.Int32 // so many callbacks cannot be stored
	log    *journal
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, heard: make(chan bridge.Inbound, 100), log: &journal{}}
	cfg := testConfig("")
	cfg.Templates["alarm"] = Form{ID: "TPL-ALARM", Fields: map[string]string{"device": "thing1", "state": "const2"}}
	h, err := NewCallback(cfg, w.receive, Options{Logger: w.log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	gateway := httptest.NewServer(h)
	fake, err := fakewechat.New(fakewechat.Options{
		AppID: testAppID, AppSecret: testSecret, Token: testToken, EncodingAESKey: testKey, CallbackURL: gateway.URL,
		Users: []fakewechat.User{{Key: "mama", OpenID: openID, Name: "妈妈", Remark: "厨房的妈妈"}},
		Templates: []fakewechat.Template{{
			ID: "TPL-ALARM", Title: "设备告警",
			Fields: []fakewechat.TemplateField{{Key: "thing1", Label: "设备"}, {Key: "const2", Label: "状态"}, {Key: "time3", Label: "时间"}},
			Consts: map[string][]string{"const2": {"燃气泄漏"}},
		}},
		ReceiptDelay: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	fake.SetPublicURL(server.URL)
	t.Cleanup(func() { _ = fake.Close(); server.Close(); gateway.Close() })
	cfg.API = server.URL
	w.fake, w.client = server.URL, newClient(t, cfg, Options{Logger: w.log.logger()})
	return w
}

func (w *town) receive(_ context.Context, in bridge.Inbound) error {
	if w.deaf.Add(-1) >= 0 {
		return errors.New("the disk is full")
	}
	w.heard <- in
	return nil
}

// hear waits for the next callback and checks its kind.
func (w *town) hear(kind bridge.InboundKind) bridge.Inbound {
	w.t.Helper()
	select {
	case in := <-w.heard:
		if in.Kind != kind || in.From != openID || in.ID == "" || time.Since(in.At).Abs() > time.Minute {
			w.t.Fatalf("heard %+v, want %s", in, kind)
		}
		return in
	case <-time.After(20 * time.Second):
		w.t.Fatalf("no %s was heard; log: %s", kind, w.log)
		return bridge.Inbound{}
	}
}

// do makes a control call: what a person does on the phone, or a fault.
func (w *town) do(call string, body map[string]any) {
	w.t.Helper()
	data, _ := json.Marshal(body)
	w.post(call, "application/json", bytes.NewReader(data))
}

// upload makes a control call with files.
func (w *town) upload(call string, files map[string][]byte) {
	w.t.Helper()
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	_ = form.WriteField("user", "mama")
	_ = form.WriteField("seconds", "2")
	for name, data := range files {
		part, _ := form.CreateFormFile(name, name)
		_, _ = part.Write(data)
	}
	_ = form.Close()
	w.post(call, form.FormDataContentType(), &buf)
}

func (w *town) post(call, contentType string, body io.Reader) {
	w.t.Helper()
	resp, err := http.Post(w.fake+"/_fake/"+call, contentType, body)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %s", call, resp.StatusCode, answer)
	}
}

// messages are what Mama's phone shows of a kind.
func (w *town) messages(kind string) []*fakewechat.Message {
	w.t.Helper()
	resp, err := http.Get(w.fake + "/_fake/phone?user=mama")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var phone fakewechat.Phone
	if err := json.NewDecoder(resp.Body).Decode(&phone); err != nil {
		w.t.Fatal(err)
	}
	var found []*fakewechat.Message
	for _, m := range phone.Messages {
		if m.Kind == kind {
			found = append(found, m)
		}
	}
	return found
}

// scanCode makes Mama follow the account by scanning one of our codes.
func (w *town) scanCode(scene string) {
	w.t.Helper()
	content, err := w.client.FollowCode(w.t.Context(), scene, time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	w.do("scan", map[string]any{"user": "mama", "text": content})
}

func gasAlarm(id string) home.Notification {
	return home.Notification{ID: id, To: openID, Via: home.Card, URL: "https://home.example/i/1", Card: templates.Card{
		Form: "alarm", Fields: []templates.CardField{
			{Key: "device", Value: "厨房燃气"}, {Key: "state", Value: "燃气泄漏"}, {Key: "time3", Value: "2026-01-02 12:00:00"},
		},
	}}
}

func TestFakeScanFollowAndLeave(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.do("verify", map[string]any{})
	if p, err := w.client.Profile(t.Context(), openID); err != nil || p.Following {
		t.Fatalf("before: %+v, %v", p, err)
	}
	w.scanCode("claim-1")
	if in := w.hear(bridge.InFollow); in.Scene != "claim-1" {
		t.Errorf("followed with the scene %q", in.Scene)
	}
	if p, err := w.client.Profile(t.Context(), openID); err != nil || !p.Following || p.Name != "厨房的妈妈" || p.Language != "zh" {
		t.Errorf("profile %+v, %v", p, err)
	}
	w.scanCode("claim-2")
	if in := w.hear(bridge.InScan); in.Scene != "claim-2" {
		t.Errorf("scanned the scene %q", in.Scene)
	}
	w.do("unfollow", map[string]any{"user": "mama"})
	w.hear(bridge.InUnfollow)
	if got := deliverError(t, w.client, gasAlarm("late")); got.Outcome != home.Gone {
		t.Errorf("after she left: %v", got)
	}
}

func TestFakeCardAndReceipt(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.scanCode("s")
	w.hear(bridge.InFollow)
	id, err := w.client.Deliver(t.Context(), gasAlarm("n1"))
	if err != nil {
		t.Fatal(err)
	}
	if in := w.hear(bridge.InReceipt); in.MsgID != id || in.Status != "success" {
		t.Errorf("the receipt of %s is %+v", id, in)
	}
	if again, err := w.client.Deliver(t.Context(), gasAlarm("n1")); err != nil || again != id {
		t.Errorf("repeated: %q, %v", again, err)
	}
	cards := w.messages(fakewechat.KindCard)
	if len(cards) != 1 || cards[0].Title != "设备告警" || cards[0].Fields[0].Value != "厨房燃气" || cards[0].URL != "https://home.example/i/1" {
		t.Errorf("the phone shows %d cards: %+v", len(cards), cards)
	}
	bad := gasAlarm("n2")
	bad.Card.Fields[1].Value = "不在名单里的话"
	if got := deliverError(t, w.client, bad); got.Outcome != home.Refused || got.Code != 47003 || !strings.Contains(got.Error(), "const2") {
		t.Errorf("a word that is not in the template's list: %v", got)
	}
}

func TestFakeChatMenuAndWindow(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.scanCode("s")
	w.hear(bridge.InFollow)
	w.do("text", map[string]any{"user": "mama", "text": "客厅几度？"})
	if in := w.hear(bridge.InText); in.Text != "客厅几度？" || in.MenuID != "" {
		t.Errorf("heard %+v", in)
	}
	ask := chat("客厅没人，空调还开着", home.Choice{ID: "7001", Label: "关掉"}, home.Choice{ID: "7002", Label: "不用"})
	if _, err := w.client.Deliver(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	w.do("tap", map[string]any{"user": "mama", "option": "关掉"})
	if in := w.hear(bridge.InText); in.Text != "关掉" || in.MenuID != "7001" {
		t.Errorf("tapped %+v", in)
	}
	var last error
	for i := range 20 {
		if _, last = w.client.Deliver(t.Context(), chat(fmt.Sprint("第", i, "条"))); last != nil {
			break
		}
	}
	if closed, ok := errors.AsType[*bridge.DeliveryError](last); !ok || closed.Outcome != home.Closed {
		t.Errorf("once the window is used up: %v", last)
	}
}

func TestFakeVoiceAndPhoto(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.scanCode("s")
	w.hear(bridge.InFollow)
	narrow := append([]byte("#!AMR\n"), bytes.Repeat([]byte{0x7c}, 64)...)
	wide := append([]byte("#!AMR-WB\n"), bytes.Repeat([]byte{0x44}, 64)...)
	w.upload("voice", map[string][]byte{"audio": narrow, "audio16k": wide})
	voice := w.hear(bridge.InVoice)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	w.upload("photo", map[string][]byte{"image": picture.Bytes()})
	photo := w.hear(bridge.InPhoto)
	for _, row := range []struct {
		id, mime string
		want     []byte
	}{{voice.MediaID, "audio/amr", narrow}, {voice.Media16, "audio/amr-wb", wide}, {photo.MediaID, "image/png", picture.Bytes()}} {
		got, mime, err := w.client.Media(t.Context(), row.id, 1<<20)
		if err != nil || mime != row.mime || !bytes.Equal(got, row.want) {
			t.Errorf("%s: %d bytes of %s, %v", row.mime, len(got), mime, err)
		}
	}
	if _, _, err := w.client.Media(t.Context(), "no-such-media", 1<<20); err == nil || !strings.Contains(err.Error(), "40007") {
		t.Errorf("media that is not there: %v", err)
	}
	if voice.Format != "amr" {
		t.Errorf("format %q", voice.Format)
	}
}

// The answer is lost after WeChat has taken the message; the repetition must not reach the phone a second time.
func TestFakeFaults(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.scanCode("s")
	w.hear(bridge.InFollow)
	for i, fault := range []map[string]any{
		{"kind": "reset", "api": cardAPI},
		{"kind": "http", "api": cardAPI},
		{"kind": "errcode", "errcode": -1, "api": cardAPI},
	} {
		w.do("fault", fault)
		n := gasAlarm(fmt.Sprint("fault", i))
		if got := deliverError(t, w.client, n); got.Outcome != home.Retry {
			t.Errorf("%v: %v", fault, got)
		}
		if _, err := w.client.Deliver(t.Context(), n); err != nil {
			t.Errorf("%v, repeated: %v", fault, err)
		}
		if cards := w.messages(fakewechat.KindCard); len(cards) != i+1 {
			t.Errorf("%v: the phone shows %d cards", fault, len(cards))
		}
		w.hear(bridge.InReceipt)
	}
	w.do("killtokens", map[string]any{})
	if _, err := w.client.Deliver(t.Context(), gasAlarm("after")); err != nil {
		t.Errorf("after all tokens were killed: %v", err)
	}
	w.hear(bridge.InReceipt)
	mustHide(t, "log", w.log.String())
}

// What could not be stored at first is offered again by WeChat, and heard then.
func TestFakeCallsAgain(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.scanCode("s")
	w.hear(bridge.InFollow)
	w.deaf.Store(2)
	w.do("text", map[string]any{"user": "mama", "text": "在吗"})
	if in := w.hear(bridge.InText); in.Text != "在吗" {
		t.Errorf("heard %+v", in)
	}
}
