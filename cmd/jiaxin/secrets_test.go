package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"jiaxin/bridge/wechat/fakewechat"
)

// hide notes what no log and no metric may contain: openids, passwords, label codes and the account's secrets.
func (w *world) hide() error {
	devs, err := w.registered()
	if err != nil {
		return err
	}
	for _, d := range devs {
		code, err := d.LabelCode()
		if err != nil {
			return err
		}
		w.hidden = append(w.hidden, d.Password, code)
	}
	var people []fakewechat.User
	if err := w.control("users", nil, &people); err != nil {
		return err
	}
	for _, p := range people {
		w.hidden = append(w.hidden, p.OpenID)
	}
	if w.outside != nil {
		w.hidden = append(w.hidden, appSecret, token, aesKey)
	}
	return nil
}

// look reads the metrics of a gateway that is about to end.
func (w *world) look() error {
	res, err := get(w.admin + "/metrics")
	w.shown += res
	if err == nil && !strings.Contains(res, "jiaxin_device_messages_total") && !strings.Contains(res, "jiaxin_messages_set_aside_total") {
		return errors.New("/metrics lacks what counts messages")
	}
	return err
}

// checkSecrets sees that nothing hidden came to light in what the story's gateways logged and counted.
func (w *world) checkSecrets() error {
	if w.outside != nil {
		for t := range w.outside.tokens {
			w.hidden = append(w.hidden, t)
		}
	}
	for _, secret := range w.hidden {
		for place, text := range map[string]string{"log": w.logs, "metrics": w.shown} {
			if at := strings.Index(text, secret); at >= 0 {
				return fmt.Errorf("a secret is in the %s: …%s…", place, text[max(0, at-120):min(len(text), at+60)])
			}
		}
	}
	return nil
}

// TestASecretInALogIsFound keeps the check of every story honest.
func TestASecretInALogIsFound(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{
		"in the log":     {logs: "level=INFO openid=o123 was told", hidden: []string{"nothing", "o123"}},
		"in the metrics": {shown: `jiaxin_x{who="o123"} 1`, hidden: []string{"o123"}},
	} {
		if err := w.checkSecrets(); err == nil || !strings.Contains(err.Error(), "o123") {
			t.Errorf("a secret %s was not found: %v", name, err)
		}
	}
	if err := (&world{logs: "all is well", hidden: []string{"o123"}}).checkSecrets(); err != nil {
		t.Error(err)
	}
}
