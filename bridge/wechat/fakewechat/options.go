package fakewechat

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// Options say which account the fake plays and who its users are.
type Options struct {
	AppID          string
	AppSecret      string
	Token          string // signs callbacks
	EncodingAESKey string // 43 characters; encrypts callbacks
	AccountName    string // the name above the chat; default 家信

	CallbackURL string // where the gateway hears; empty: callbacks are lost, as with a URL not yet set. See SetCallbackURL
	PublicURL   string // this server's own address, without a trailing slash; see SetPublicURL
	StateFile   string // JSON file that keeps followers, chats and clock over a restart; empty: memory only

	Users     []User     // known people; in a restored state they keep what happened to them
	Templates []Template // the templates that the account has had approved

	// Now is the clock. Default: real time plus what the clock control has added. A caller's clock belongs to the
	// caller: the fake never moves it, and the clock control only calls ClockMoved. It must not call the fake.
	Now func() time.Time
	// ClockMoved is called after the clock control asked for time to pass, so that others move their clocks along.
	ClockMoved func(time.Duration)

	CallbackTimeout time.Duration // how long WeChat waits for the gateway's answer; default 5 s, as the real one
	ReceiptDelay    time.Duration // between a template message and its receipt; default 100 ms
	Logger          *slog.Logger  // nil: discard
}

// User is one WeChat user.
type User struct {
	Key    string `json:"key"`    // short Latin handle for controls and data-test, such as "mama"; default: OpenID
	OpenID string `json:"openid"` // default: made from AppID and Key
	Name   string `json:"name"`
	Remark string `json:"remark,omitempty"`
	// Following says that the user follows the account from the start, without a subscribe event.
	Following bool `json:"following"`
}

// Template is one approved category template (类目模板).
type Template struct {
	ID     string              `json:"id"`
	Title  string              `json:"title"`
	Fields []TemplateField     `json:"fields"`
	Consts map[string][]string `json:"consts,omitempty"` // field key → the approved values of a const field
}

// TemplateField is one keyword. Its type is the key without its digits: thing1 is a "thing".
type TemplateField struct {
	Key   string `json:"key"`
	Label string `json:"label"`
}

func (o *Options) check() error {
	var errs []error
	for name, value := range map[string]string{"AppID": o.AppID, "AppSecret": o.AppSecret, "Token": o.Token} {
		if value == "" {
			errs = append(errs, fmt.Errorf("fakewechat: %s is empty; give the same value as in the gateway's configuration", name))
		}
	}
	if _, err := decodeAESKey(o.EncodingAESKey); err != nil {
		errs = append(errs, err)
	}
	for _, address := range []string{o.CallbackURL, o.PublicURL} {
		errs = append(errs, checkURL(address))
	}
	return errors.Join(append(errs, checkUsers(o.Users), checkTemplates(o.Templates))...)
}

func decodeAESKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text + "=")
	if err != nil || len(text) != 43 || len(key) != 32 {
		return nil, errors.New("fakewechat: EncodingAESKey must be 43 characters of base64 (32 bytes without the final =)")
	}
	return key, nil
}

func checkURL(address string) error {
	u, err := url.Parse(address)
	if address == "" || err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	return fmt.Errorf("fakewechat: %q is no http(s) address; write it as http://127.0.0.1:8080/path", address)
}

func checkUsers(users []User) error {
	seen := map[string]bool{}
	for _, u := range users {
		for _, name := range []string{u.Key, u.OpenID, u.Name} {
			if name != "" && seen[name] {
				return fmt.Errorf("fakewechat: two users are called %q; give each a different key, openid and name", name)
			}
		}
		seen[u.Key], seen[u.OpenID], seen[u.Name] = true, true, true
	}
	return nil
}

func checkTemplates(templates []Template) error {
	seen := map[string]bool{}
	for _, t := range templates {
		if t.ID == "" || seen[t.ID] {
			return fmt.Errorf("fakewechat: template %q (%s) has an empty or repeated id; give it its own", t.ID, t.Title)
		}
		seen[t.ID] = true
		for _, f := range t.Fields {
			if err := t.checkField(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Template) checkField(f TemplateField) error {
	kind := fieldKind(f.Key)
	if _, known := fieldRules()[kind]; !known && kind != "const" {
		return fmt.Errorf("fakewechat: template %s: field %q has no known type; use one such as thing1, time2 or const3", t.ID, f.Key)
	}
	if kind == "const" && len(t.Consts[f.Key]) == 0 {
		return fmt.Errorf("fakewechat: template %s: const field %q has no approved values; list them in Consts", t.ID, f.Key)
	}
	return nil
}

func (o *Options) setDefaults() {
	if o.AccountName == "" {
		o.AccountName = "家信"
	}
	if o.CallbackTimeout <= 0 {
		o.CallbackTimeout = 5 * time.Second // "五秒内", https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html
	}
	if o.ReceiptDelay <= 0 {
		o.ReceiptDelay = 100 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
}
