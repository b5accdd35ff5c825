// Package wechat speaks with one WeChat service account: it delivers notifications, asks the account for codes, profiles
// and media (Client), and receives what WeChat calls us with (NewCallback). No other package imports the WeChat library.
//
// Promise: every failed delivery is a *bridge.DeliveryError that says what to do next; an answer that did not come or
// cannot be read is an unknown outcome, so Retry, never Accepted and never Refused. A dead access token is replaced
// once however many calls met it, and each call is repeated once. While the account or an API is paused (quota, secret,
// address), calls fail at once without a request; only a critical notification still tries its own API.
// A callback reaches its receiver only if it is signed, fresh, encrypted with our key and meant for our account, and WeChat
// is told "success" only after the receiver has returned nil.
//
// Nothing here logs or returns an access token, a secret, an openid or what a person wrote.
package wechat

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jiaxin/bridge"
)

// Options are what the surroundings provide. Each may be left out.
type Options struct {
	Logger     *slog.Logger          // nil: discard
	Now        func() time.Time      // nil: time.Now
	Registerer prometheus.Registerer // nil: metrics are counted but not offered
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Client calls the account's APIs. It is safe for concurrent use, and several clients with different accounts and
// API addresses can live in one process.
type Client struct {
	cfg      Config
	log      *slog.Logger
	metrics  callMetrics
	pauses   *pauses
	tokens   *tokens
	lanes    *lanes
	menusOff atomic.Bool // the account has told us that it may not send menus
}

var (
	_ bridge.Channel = (*Client)(nil)
	_ bridge.Account = (*Client)(nil)
)

// New makes a client. It opens no connection; the error is that of Config.Check or of the metrics' registration.
func New(cfg Config, o Options) (*Client, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg, o = cfg.withDefaults(), o.withDefaults()
	m, err := newCallMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	prepareHTTP()
	c := &Client{cfg: cfg, log: o.Logger, metrics: m, pauses: newPauses(o.Now), lanes: newLanes()}
	c.tokens = &tokens{now: o.Now, fetch: c.fetchToken}
	c.menusOff.Store(!cfg.Menus)
	return c, nil
}

// Ping says whether the account lets us in: nil while a usable access token is held or can be fetched.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.tokens.get(ctx)
	return err
}

// url is the address of an API, the part behind /cgi-bin/.
func (c *Client) url(api string, query url.Values) string {
	address := strings.TrimSuffix(c.cfg.API, "/") + "/cgi-bin/" + api
	if len(query) == 0 {
		return address
	}
	return address + "?" + query.Encode()
}
