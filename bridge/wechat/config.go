package wechat

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"
)

const (
	defaultAPI     = "https://api.weixin.qq.com"
	defaultTimeout = 8 * time.Second
	maxTimeout     = 30 * time.Second
)

// Config is one WeChat service account, as its operator sees it at developers.weixin.qq.com.
type Config struct {
	API            string          `yaml:"api"` // base URL; "": https://api.weixin.qq.com
	AppID          string          `yaml:"app_id"`
	Secret         Secret          `yaml:"secret"`           // AppSecret
	Token          Secret          `yaml:"token"`            // signs callbacks
	AESKey         Secret          `yaml:"aes_key"`          // EncodingAESKey, 43 characters
	PreviousAESKey Secret          `yaml:"previous_aes_key"` // still accepted after a change; "": none
	Templates      map[string]Form `yaml:"templates"`        // logical form → the account's template
	Timeout        time.Duration   `yaml:"timeout"`          // of one request; 0: 8 s, at most 30 s
	Menus          bool            `yaml:"menus"`            // the account may send tappable menus; test accounts may not
	// TestAccount takes the unencrypted callbacks of a 测试号, which has no EncodingAESKey. Their signature does not cover
	// what they say, so whoever has seen one can say anything for five minutes: for trying out only.
	TestAccount bool `yaml:"test_account"`
}

// Form is one template of the account.
type Form struct {
	ID     string            `yaml:"id"`     // template_id
	Fields map[string]string `yaml:"fields"` // our field key → the account's; a missing one is named the same
}

// Secret is a word that no log, error or dump ever shows.
type Secret string

const redacted = "[secret]"

// String hides the secret.
func (s Secret) String() string { return redacted }

// Format hides the secret from every verb of package fmt, the wrong ones included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from JSON, YAML and the like. There is no way back, on purpose.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Check names everything that is wrong with the configuration, each with its cure.
func (c Config) Check() error {
	problems := []error{
		present("app_id", c.AppID, "copy AppID from the account's 开发接口管理 page"),
		present("secret", string(c.Secret), "copy AppSecret from the account's 开发接口管理 page"),
		present("token", string(c.Token), "write the Token that is set on the account's 服务器配置 page"),
		c.checkAESKey(),
		checkAPI(c.API),
		checkTimeout(c.Timeout),
	}
	if c.PreviousAESKey != "" {
		problems = append(problems, checkKey("previous_aes_key", c.PreviousAESKey))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Templates)) {
		problems = append(problems, c.Templates[name].check(name))
	}
	return errors.Join(problems...)
}

func (c Config) checkAESKey() error {
	if c.TestAccount && c.AESKey == "" {
		return nil
	}
	return checkKey("aes_key", c.AESKey)
}

func (c Config) withDefaults() Config {
	if c.API == "" {
		c.API = defaultAPI
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return c
}

// aesKeys are the keys that a callback may be encrypted with, the current one first.
func (c Config) aesKeys() ([][]byte, error) {
	var keys [][]byte
	for _, encoded := range []Secret{c.AESKey, c.PreviousAESKey} {
		if encoded == "" {
			continue
		}
		key, err := decodeKey(encoded)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (f Form) check(name string) error {
	if f.ID == "" {
		return fmt.Errorf("wechat.templates.%s.id is missing: copy the template_id from the account's 模板消息 page", name)
	}
	owner := map[string]string{}
	for _, ours := range slices.Sorted(maps.Keys(f.Fields)) {
		theirs := f.field(ours)
		if other, taken := owner[theirs]; taken {
			return fmt.Errorf("wechat.templates.%s.fields: %s and %s are both mapped to %s: give each a field of its own",
				name, other, ours, theirs)
		}
		owner[theirs] = ours
	}
	return nil
}

// field is the account's name of one of our fields.
func (f Form) field(ours string) string {
	if theirs := f.Fields[ours]; theirs != "" {
		return theirs
	}
	return ours
}

func present(key, value, cure string) error {
	if value != "" {
		return nil
	}
	return fmt.Errorf("wechat.%s is missing: %s", key, cure)
}

func checkKey(key string, value Secret) error {
	if _, err := decodeKey(value); err != nil {
		return fmt.Errorf("wechat.%s is not an EncodingAESKey: copy all 43 letters and digits from the 服务器配置 page", key)
	}
	return nil
}

// decodeKey reads an EncodingAESKey: 43 characters of base64 without the final "=".
// https://developers.weixin.qq.com/doc/oplatform/developers/dev/push/encryption.md
func decodeKey(encoded Secret) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(string(encoded) + "=")
	if err != nil || len(key) != 32 {
		return nil, errors.New("not 43 characters of base64")
	}
	return key, nil
}

func checkAPI(api string) error {
	if api == "" {
		return nil
	}
	u, err := url.Parse(api)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("wechat.api is not a base URL: write %s or leave it out", defaultAPI)
	}
	return nil
}

func checkTimeout(d time.Duration) error {
	if d < 0 || d > maxTimeout {
		return fmt.Errorf("wechat.timeout is %s: choose at most %s, or leave it out for %s", d, maxTimeout, defaultTimeout)
	}
	return nil
}
