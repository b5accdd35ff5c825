package app

import (
	"net"
	"testing"
)

func TestPageURL(t *testing.T) {
	t.Parallel()
	for listens, want := range map[string]string{
		"127.0.0.1:8080":   "http://127.0.0.1:8080",
		"0.0.0.0:8080":     "http://127.0.0.1:8080",
		"[::]:8080":        "http://127.0.0.1:8080",
		"192.168.1.5:8080": "http://192.168.1.5:8080",
		"localhost:8080":   "http://localhost:8080",
	} {
		a, err := net.ResolveTCPAddr("tcp", listens)
		if err != nil {
			t.Fatal(err)
		}
		if got := pageURL(listens, a); got != want {
			t.Errorf("who listens on %s is reached at %s, not %s", listens, got, want)
		}
	}
}
