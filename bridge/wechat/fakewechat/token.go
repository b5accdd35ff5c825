package fakewechat

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"time"
)

// The rules of access tokens: https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Get_access_token.html
// and …/getStableAccessToken.html.
const (
	tokenLife    = 7200 * time.Second
	tokenOverlap = 5 * time.Minute // a replaced token still works this long; a stable one is renewed this early
	forceGap     = 30 * time.Second
	forcePerDay  = 20
	tokensKept   = 64
)

// token is one access token. It is refused with 42001 after Expires, and before that with 40001 after Dead.
type token struct {
	Value   string    `json:"value"`
	Stable  bool      `json:"stable"`
	Expires time.Time `json:"expires"`
	Dead    time.Time `json:"dead,omitzero"`
}

// tokens are those given out, newest last.
type tokens struct {
	List     []*token  `json:"list"`
	Forced   time.Time `json:"forced,omitzero"` // the last force_refresh
	ForceDay string    `json:"force_day,omitempty"`
	Forces   int       `json:"forces,omitempty"` // on ForceDay
}

func (t *tokens) check(value string, now time.Time) error {
	if value == "" {
		return deny(41001)
	}
	for _, k := range t.List {
		if subtle.ConstantTimeCompare([]byte(k.Value), []byte(value)) == 1 {
			return k.check(now)
		}
	}
	return deny(40001)
}

func (k *token) check(now time.Time) error {
	switch {
	case !now.Before(k.Expires):
		return deny(42001)
	case !k.Dead.IsZero() && !now.Before(k.Dead):
		return deny(40001)
	}
	return nil
}

func (t *tokens) latest(stable bool) *token {
	for i := len(t.List) - 1; i >= 0; i-- {
		if t.List[i].Stable == stable {
			return t.List[i]
		}
	}
	return nil
}

// mint makes a new token; the former of its kind dies at the given time.
func (t *tokens) mint(stable bool, now, formerDies time.Time) *token {
	if former := t.latest(stable); former != nil && former.Dead.IsZero() {
		former.Dead = formerDies
	}
	k := &token{Value: "FAKE_" + randomText(96), Stable: stable, Expires: now.Add(tokenLife)}
	t.List = append(t.List, k)
	if extra := len(t.List) - tokensKept; extra > 0 {
		t.List = t.List[extra:]
	}
	return k
}

// kill makes every token invalid at once, as when somebody else fetched one.
func (t *tokens) kill(now time.Time) {
	for _, k := range t.List {
		k.Dead = now
	}
}

type tokenAnswer struct {
	Token     string `json:"access_token"`
	ExpiresIn int64  `json:"expires_in"`
}

func (s *Server) plainToken(c *call) (any, error) {
	if c.query.Get("grant_type") != "client_credential" {
		return nil, deny(40002)
	}
	if err := s.login(c.query.Get("appid"), c.query.Get("secret")); err != nil {
		return nil, err
	}
	k := s.state.Tokens.mint(false, c.now, c.now.Add(tokenOverlap))
	return tokenAnswer{k.Value, int64(tokenLife / time.Second)}, nil
}

func (s *Server) stableToken(c *call) (any, error) {
	var req struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	if req.GrantType != "client_credential" {
		return nil, deny(40002)
	}
	if err := s.login(req.AppID, req.Secret); err != nil {
		return nil, err
	}
	k, err := s.state.Tokens.stable(req.Force, c.now)
	if err != nil {
		return nil, err
	}
	return tokenAnswer{k.Value, int64(k.Expires.Sub(c.now) / time.Second)}, nil
}

// stable gives the current token, a new one in its last five minutes, or a new one when forced.
func (t *tokens) stable(force bool, now time.Time) (*token, error) {
	k := t.latest(true)
	alive := k != nil && k.check(now) == nil
	switch {
	case force:
		return t.force(now)
	case alive && now.Before(k.Expires.Add(-tokenOverlap)):
		return k, nil
	}
	return t.mint(true, now, now.Add(tokenOverlap)), nil
}

func (t *tokens) force(now time.Time) (*token, error) {
	if day := beijingDay(now); t.ForceDay != day {
		t.ForceDay, t.Forces = day, 0
	}
	switch {
	case t.Forces >= forcePerDay:
		return nil, deny(45009)
	case now.Sub(t.Forced) < forceGap:
		return nil, deny(45011)
	}
	t.Forces++
	t.Forced = now
	return t.mint(true, now, now), nil
}

func (s *Server) login(appID, secret string) error {
	switch {
	case appID == "":
		return deny(41002)
	case secret == "":
		return deny(41004)
	case appID != s.opt.AppID:
		return deny(40013)
	case subtle.ConstantTimeCompare([]byte(secret), []byte(s.opt.AppSecret)) != 1:
		return deny(40125)
	}
	return nil
}

func randomText(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
