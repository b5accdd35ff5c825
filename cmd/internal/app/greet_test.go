package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// lines are what is logged, one by one.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// An account that does not let the gateway in is known at its start, with what to do.
func TestGreetWeChat(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ answer, says string }{
		"a wrong secret": {`{"errcode":40125,"errmsg":"invalid appsecret"}`, "wechat.secret"},
		"no answer":      {"<html>", "see that this machine reaches WeChat"},
	} {
		weChat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(row.answer)) }))
		defer weChat.Close()
		logged := make(lines, 10)
		a, err := New(benchConfig(t.TempDir(), weChat.URL), Options{Templates: forms, Logger: slog.New(slog.NewTextHandler(logged, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.startWeChat(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.GreetWeChat()
		if line := <-logged; !strings.Contains(line, "level=WARN") || !strings.Contains(line, row.says) {
			t.Errorf("%s: it says %s", name, line)
		}
		if err := a.Stop(t.Context()); err != nil || len(logged) > 0 {
			t.Errorf("%s: %v, and %d more lines", name, err, len(logged))
		}
	}
}
