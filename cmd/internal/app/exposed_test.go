package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"jiaxin/broker/brokertest"
)

// A configuration that says nothing of it shows metrics and health to this machine only, and bounds who connects.
func TestWhatIsNotSaidIsNotExposed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jiaxin.yaml")
	said := "public_url: https://home.example.com\nwechat: {app_id: wx0123456789abcdef, secret: s, token: t, test_account: true}\n"
	for text, limit := range map[string]int{said: 1024, said + "mqtt: {max_connections_per_address: 5000}\n": 5000} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := LoadConfig(path)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Admin != "127.0.0.1:9180" || cfg.MQTT != (MQTT{10_000, limit}) {
			t.Errorf("admin is %q, and %+v may connect", cfg.Admin, cfg.MQTT)
		}
	}
}

func TestTheAddressOfAppliancesTakesAsManyAsConfigured(t *testing.T) {
	t.Parallel()
	weChat := httptest.NewServer(http.HandlerFunc(agree))
	defer weChat.Close()
	cfg, devs := benchConfig(t.TempDir(), weChat.URL), registrations(load{2, 1}, acReport())
	cfg.MQTT.MaxConnectionsPerAddress = 1
	a, err := New(cfg, Options{Devices: devs, Templates: forms})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, d := range devs {
		c, err := brokertest.Dial(a.MQTTAddr(), d.Address.ClientID(), d.Username, d.Password)
		if refused := errors.As(err, new(brokertest.ErrRefused)); refused != (i == 1) {
			t.Errorf("appliance %d: %v", i, err)
		}
		if err == nil {
			defer c.Close()
		}
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
