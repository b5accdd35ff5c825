package fakewechat

import (
	"net/http"
	"net/url"
	"time"
)

const (
	codeLife  = 5 * time.Minute
	codesKept = 10000
)

// grant is what an OAuth code stands for; it works once.
type grant struct {
	openID string
	scope  string
	until  time.Time
	used   bool
}

// authorizePage answers a browser that is not a simulated phone. On a phone the in-app browser never comes here: it
// answers by itself who it is, see (*browser).authorize.
func (s *Server) authorizePage(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "请在微信客户端打开链接。Open this address on a phone of the fake WeChat: /_fake/ui, or POST /_fake/open.", http.StatusForbidden)
}

// isAuthorize tells the OAuth page, at its real address or here.
func (s *Server) isAuthorize(u *url.URL) bool {
	if u.Path != "/connect/oauth2/authorize" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	own, err := url.Parse(s.publicURL)
	return u.Host == "open.weixin.qq.com" || err == nil && u.Host == own.Host
}

// authorize lets the user of a phone in at once, as snsapi_base does, and says where the browser goes next.
func (s *Server) authorize(p *person, u *url.URL) (*url.URL, error) {
	q := u.Query()
	target, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case q.Get("appid") != s.opt.AppID:
		return nil, refuse(http.StatusUnprocessableEntity, "Oops! Something went wrong: 10013 (appid)")
	case err != nil || target.Host == "":
		return nil, refuse(http.StatusUnprocessableEntity, "Oops! Something went wrong: 10003 (redirect_uri)")
	case q.Get("response_type") != "code":
		return nil, refuse(http.StatusUnprocessableEntity, "Oops! Something went wrong: 10004 (response_type)")
	case q.Get("scope") != "snsapi_base" && q.Get("scope") != "snsapi_userinfo":
		return nil, refuse(http.StatusUnprocessableEntity, "Oops! Something went wrong: 10005 (scope)")
	}
	values := target.Query()
	values.Set("code", s.newCode(p, q.Get("scope")))
	values.Set("state", q.Get("state"))
	target.RawQuery = values.Encode()
	return target, nil
}

func (s *Server) newCode(p *person, scope string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if len(s.codes) >= codesKept {
		clear(s.codes)
	}
	code := "0" + randomText(24)
	s.codes[code] = &grant{openID: p.OpenID, scope: scope, until: now.Add(codeLife)}
	return code
}

// oauthToken changes a code for the openid.
func (s *Server) oauthToken(c *call) (any, error) {
	if err := s.login(c.query.Get("appid"), c.query.Get("secret")); err != nil {
		return nil, err
	}
	g, known := s.codes[c.query.Get("code")]
	switch {
	case c.query.Get("code") == "":
		return nil, deny(41008)
	case c.query.Get("grant_type") != "authorization_code":
		return nil, deny(40002)
	case known && g.used:
		return nil, deny(40163)
	case !known || !c.now.Before(g.until):
		return nil, deny(40029)
	}
	g.used = true
	return map[string]any{
		"access_token": "OAUTH_" + randomText(64), "expires_in": 7200, "refresh_token": "OAUTH_" + randomText(64),
		"openid": g.openID, "scope": g.scope,
	}, nil
}
