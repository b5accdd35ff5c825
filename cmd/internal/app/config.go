package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"jiaxin/bridge/wechat"
)

// Config is jiaxin.yaml. deploy/jiaxin.example.yaml explains every key.
type Config struct {
	Data      string   `yaml:"data"`       // folder of everything that is kept
	HTTP      string   `yaml:"http"`       // address for WeChat's callbacks and the pages
	Admin     string   `yaml:"admin"`      // address for /metrics, /healthz and /readyz
	Store     string   `yaml:"store"`      // "bolt:<file in data>"
	Broker    string   `yaml:"broker"`     // "embedded://<address>"
	PublicURL string   `yaml:"public_url"` // how phones reach HTTP
	Zone      string   `yaml:"zone"`
	Devices   string   `yaml:"devices"` // devices.csv
	Models    []string `yaml:"models"`  // folders with models/ and messages/ of a maker's own
	MQTT      MQTT     `yaml:"mqtt"`
	Log       Log      `yaml:"log"`
	WeChat    WeChat   `yaml:"wechat"`
}

// MQTT bounds who connects to the broker at once.
type MQTT struct {
	MaxConnections           int `yaml:"max_connections"`             // in all
	MaxConnectionsPerAddress int `yaml:"max_connections_per_address"` // appliances of one IPv4 address or IPv6 /64
}

// Log is how much is logged, and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// WeChat is the account. Each secret can be given in place, as a file, or by its environment variable.
type WeChat struct {
	wechat.Config      `yaml:",inline"`
	SecretFile         string `yaml:"secret_file"`           // or JIAXIN_WECHAT_SECRET
	TokenFile          string `yaml:"token_file"`            // or JIAXIN_WECHAT_TOKEN
	AESKeyFile         string `yaml:"aes_key_file"`          // or JIAXIN_WECHAT_AES_KEY
	PreviousAESKeyFile string `yaml:"previous_aes_key_file"` // or JIAXIN_WECHAT_PREVIOUS_AES_KEY
}

// LoadConfig reads jiaxin.yaml strictly. Relative paths are meant from the file's folder. Errors name the file and,
// where the YAML itself is wrong, line and column.
func LoadConfig(path string) (Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("%w (jiaxin serve needs a configuration; start from deploy/jiaxin.example.yaml)", err)
	}
	c := defaults()
	if err := yaml.UnmarshalWithOptions(raw, &c, yaml.Strict()); err != nil {
		return Config{}, atPlace(path, err)
	}
	c.from(filepath.Dir(path))
	if err := errors.Join(c.WeChat.secrets(), c.Check()); err != nil {
		return Config{}, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// atPlace names a mistake in the YAML itself as file:line:column.
func atPlace(path string, err error) error {
	if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
		at := e.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", path, at.Line, at.Column, e.GetMessage())
	}
	return fmt.Errorf("%s: %w", path, err)
}

func defaults() Config {
	return Config{
		Data: "data", HTTP: "127.0.0.1:8080", Admin: "127.0.0.1:9180", Store: "bolt:jiaxin.db", Broker: "embedded://0.0.0.0:1883",
		MQTT: MQTT{MaxConnections: 10_000, MaxConnectionsPerAddress: 1024},
		Zone: "Asia/Shanghai", Log: Log{Level: "info", Format: "text"}, WeChat: WeChat{Config: wechat.Config{Menus: true}},
	}
}

// from makes relative paths start at dir.
func (c *Config) from(dir string) {
	for _, p := range []*string{&c.Data, &c.Devices, &c.WeChat.SecretFile, &c.WeChat.TokenFile, &c.WeChat.AESKeyFile, &c.WeChat.PreviousAESKeyFile} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for i, m := range c.Models {
		if !filepath.IsAbs(m) {
			c.Models[i] = filepath.Join(dir, m)
		}
	}
}

// Check names everything that is wrong, each with its cure.
func (c Config) Check() error {
	errs := []error{c.WeChat.Check()}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		errs = append(errs, fmt.Errorf("zone %q is not a time zone: write one such as Asia/Shanghai", c.Zone))
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, fmt.Errorf("public_url %q is not how a phone reaches this gateway: write it as https://home.example.com", c.PublicURL))
	}
	if _, err := c.level(); err != nil {
		errs = append(errs, err)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		errs = append(errs, fmt.Errorf("log.format %q is unknown: write text or json", c.Log.Format))
	}
	if c.MQTT.MaxConnections < 1 || c.MQTT.MaxConnectionsPerAddress < 1 {
		errs = append(errs, errors.New("mqtt.max_connections and mqtt.max_connections_per_address are numbers of connections: give at least 1"))
	}
	_, err := c.boltFile()
	_, err2 := c.mqttAddress()
	return errors.Join(append(errs, err, err2, checkAddress("http", c.HTTP), checkAddress("admin", c.Admin))...)
}

// checkAddress sees that it is one to listen on.
func checkAddress(key, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("%s %q is not an address to listen on: write it as 127.0.0.1:8080", key, address)
	}
	return nil
}

// secrets fills in the secrets that come from files or the environment. A secret given twice is an error.
func (w *WeChat) secrets() error {
	return errors.Join(
		secret("secret", "JIAXIN_WECHAT_SECRET", w.SecretFile, &w.Secret),
		secret("token", "JIAXIN_WECHAT_TOKEN", w.TokenFile, &w.Token),
		secret("aes_key", "JIAXIN_WECHAT_AES_KEY", w.AESKeyFile, &w.AESKey),
		secret("previous_aes_key", "JIAXIN_WECHAT_PREVIOUS_AES_KEY", w.PreviousAESKeyFile, &w.PreviousAESKey),
	)
}

func secret(key, env, file string, s *wechat.Secret) error {
	value := os.Getenv(env)
	given := value != ""
	if file != "" {
		if *s != "" || given {
			return fmt.Errorf("wechat.%s is given twice: keep one of the key, %s_file and %s", key, key, env)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("wechat.%s_file: %w", key, err)
		}
		value, given = strings.TrimSpace(string(raw)), true
	}
	if !given {
		return nil
	}
	if *s != "" {
		return fmt.Errorf("wechat.%s is given twice: keep one of the key and %s", key, env)
	}
	*s = wechat.Secret(value)
	return nil
}
