package wechat

import (
	"net/url"
	"testing"
)

// A 测试号 sends its callbacks unencrypted. They are taken only where the operator has said that this is one, and
// only with the query's signature, just made.
func TestTestAccountMaySendPlainCallbacks(t *testing.T) {
	t.Parallel()
	hello := doc("text", "<Content>hi</Content><MsgId>7</MsgId>")
	for name, row := range map[string]struct {
		spoil  func(url.Values)
		status int
		taken  int
	}{
		"as it comes":   {func(url.Values) {}, 200, 1},
		"bad signature": {func(q url.Values) { q.Set("signature", "0123456789012345678901234567890123456789") }, 403, 0},
		"old":           {func(q url.Values) { q.Set("timestamp", "1700000000") }, 403, 0},
	} {
		clock, box := newWatch(), &mailbox{}
		cfg := testConfig("")
		cfg.AESKey, cfg.TestAccount = "", true
		h, err := NewCallback(cfg, box.receive, Options{Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		l := newLetter(clock, hello)
		l.after = func(q url.Values, body *string) {
			*body = hello
			q.Del("encrypt_type")
			q.Del("msg_signature")
			row.spoil(q)
		}
		if status, body := post(h, l.request(t)); status != row.status || len(box.got) != row.taken {
			t.Errorf("%s: %d %q, received %v", name, status, body, box.got)
		}
	}
}

func TestOnlyATestAccountCanDoWithoutAnAESKey(t *testing.T) {
	t.Parallel()
	cfg := testConfig("")
	cfg.AESKey = ""
	if cfg.Check() == nil {
		t.Error("an account without an AES key was accepted")
	}
	cfg.TestAccount = true
	if err := cfg.Check(); err != nil {
		t.Error(err)
	}
}
