package wechat

import (
	"encoding/base64"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/util"
)

// FuzzCallbackBody posts any body with a valid query. It must be answered with a 4xx status and received by nobody, unless
// somebody finds a signature.
func FuzzCallbackBody(f *testing.F) {
	clock := newWatch()
	genuine := newLetter(clock, doc("text", "<Content>hi</Content><MsgId>1</MsgId>"))
	for _, body := range []string{
		"", "<xml></xml>", "<xml><Encrypt>AAAA</Encrypt></xml>", "<xml>" + strings.Repeat("<a>", 100),
		`<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>`, genuine.plain, genuine.envelope("QUJD"),
	} {
		f.Add(body)
	}
	box := &mailbox{}
	h := newCallbackFor(f, box, clock, Options{})
	f.Fuzz(func(t *testing.T, body string) {
		l := newLetter(clock, "")
		l.after = func(_ url.Values, b *string) { *b = body }
		if status, _ := post(h, l.request(t)); status < 400 || status > 499 || len(box.got) != 0 {
			t.Fatalf("status %d, received %v", status, box.got)
		}
	})
}

// FuzzCallbackMessage posts any document, sealed and signed as WeChat does: whatever it is, it is answered and understood
// without a panic, and what is received has a sender, an ID and a kind.
func FuzzCallbackMessage(f *testing.F) {
	for _, plain := range []string{
		"", "<xml></xml>", doc("text", "<Content>hi</Content><MsgId>1</MsgId>"), doc("voice", "<MediaId16K>x</MediaId16K>"),
		event("subscribe", "<EventKey>qrscene_1</EventKey>"), event("TEMPLATESENDJOBFINISH", "<MsgID>1</MsgID><Status>success</Status>"),
	} {
		f.Add(plain)
	}
	clock := newWatch()
	f.Fuzz(func(t *testing.T, plain string) {
		box := &mailbox{}
		status, body := post(newCallbackFor(t, box, clock, Options{}), newLetter(clock, plain).request(t))
		if (status == 200) != (body == "success") || status >= 500 {
			t.Fatalf("%d %q", status, body)
		}
		for _, in := range box.got {
			if in.From == "" || in.ID == "" || in.Kind == "" || in.At.IsZero() {
				t.Fatalf("received %+v", in)
			}
		}
	})
}

// FuzzCallbackCipher posts any bytes as the ciphertext, correctly signed: the library indexes by lengths found inside.
func FuzzCallbackCipher(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 32))
	f.Add(make([]byte, 64))
	clock, box := newWatch(), &mailbox{}
	h := newCallbackFor(f, box, clock, Options{})
	f.Fuzz(func(t *testing.T, cipher []byte) {
		encrypted := base64.StdEncoding.EncodeToString(cipher)
		l := newLetter(clock, "")
		l.after = func(q url.Values, body *string) {
			q.Set("msg_signature", util.Signature(l.token, l.timestamp, l.nonce, encrypted))
			*body = l.envelope(encrypted)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, l.request(t))
		if w.Code < 400 || len(box.got) != 0 {
			t.Fatalf("status %d, received %v", w.Code, box.got)
		}
	})
}
