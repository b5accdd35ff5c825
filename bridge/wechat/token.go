package wechat

import (
	"context"
	"sync"
	"time"

	"github.com/silenceper/wechat/v2/credential"
	"golang.org/x/sync/singleflight"
)

const (
	tokenAPI = "stable_token"
	// forceEvery spaces forced refreshes. WeChat allows 20 a day, and each ends the former token for everybody:
	// https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
	forceEvery = 2 * time.Hour
	// tokenPause is the time without calls after a token that was fetched afresh has been turned down too.
	tokenPause = time.Minute
	// leastUse keeps a strange expires_in (0, negative) from making every call fetch a token.
	leastUse = 10 * time.Second
)

// tokens holds the account's access token. It is fetched by one request however many calls wait for it, used until
// shortly before it expires, and dropped only by a call that failed with this very token.
//
// stable_token gives every node the same token, so nodes need not know of each other.
type tokens struct {
	now    func() time.Time
	fetch  func(ctx context.Context, force bool) (credential.ResAccessToken, error)
	flight singleflight.Group

	mu      sync.Mutex
	current string
	usable  time.Time // until when
	refused string    // the token that was dropped last
	forced  time.Time // when a refresh was forced last
}

// get returns a token. A caller that gives up does not end the fetch that others wait for.
func (t *tokens) get(ctx context.Context) (string, error) {
	if token := t.cached(); token != "" {
		return token, nil
	}
	done := t.flight.DoChan("", func() (any, error) { return t.renew(context.WithoutCancel(ctx)) })
	select {
	case r := <-done:
		token, _ := r.Val.(string)
		return token, r.Err
	case <-ctx.Done():
		return "", unknownOutcome(tokenAPI, ctx.Err())
	}
}

// replace drops the token that a call has failed with, unless somebody has done so already, and returns the next one.
func (t *tokens) replace(ctx context.Context, failed string) (string, error) {
	t.drop(failed)
	return t.get(ctx)
}

// drop forgets the token if it is still the current one.
func (t *tokens) drop(failed string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != failed {
		return false
	}
	t.current, t.refused = "", failed
	return true
}

func (t *tokens) cached() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().Before(t.usable) {
		return t.current
	}
	return ""
}

// renew fetches a token. Another flight may have ended between the look at the cache and this one: look again.
func (t *tokens) renew(ctx context.Context) (string, error) {
	if token := t.cached(); token != "" {
		return token, nil
	}
	fresh, err := t.fetch(ctx, false)
	if err != nil {
		return "", err
	}
	if t.mayForce(fresh.AccessToken) {
		// If this fails, the token on offer is all there is; the call that is made with it tells of the trouble.
		if forced, err := t.fetch(ctx, true); err == nil {
			fresh = forced
		}
	}
	t.keep(fresh)
	return fresh.AccessToken, nil
}

// mayForce says whether WeChat keeps offering the token that its APIs turn down, and a forced refresh is due.
func (t *tokens) mayForce(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if token != t.refused || now.Sub(t.forced) < forceEvery {
		return false
	}
	t.forced = now
	return true
}

// keep uses the token until a tenth of its life, at most a minute, is left. WeChat replaces it five minutes before its
// end, both being valid in between, so expires_in may be 300 and less.
func (t *tokens) keep(fresh credential.ResAccessToken) {
	life := time.Duration(min(fresh.ExpiresIn, 7200)) * time.Second
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = fresh.AccessToken
	t.usable = t.now().Add(max(life-min(life/10, time.Minute), leastUse))
}

// fetchToken asks WeChat for the token. After a failure it does not ask again before the failure's own time has passed.
func (c *Client) fetchToken(ctx context.Context, force bool) (credential.ResAccessToken, error) {
	var answer credential.ResAccessToken
	if held := c.pauses.check(tokenAPI); held != nil {
		return answer, held
	}
	failure := c.askToken(ctx, force, &answer)
	if failure != nil {
		c.pauses.hold(tokenAPI, failure, classOf(failure).After)
		return answer, failure
	}
	return answer, nil
}

func (c *Client) askToken(ctx context.Context, force bool, answer *credential.ResAccessToken) *Error {
	body, failure := c.attempt(ctx, request{api: tokenAPI, body: map[string]any{
		"grant_type": "client_credential", "appid": c.cfg.AppID, "secret": string(c.cfg.Secret), "force_refresh": force,
	}}, "")
	if failure != nil {
		return failure
	}
	if failure := decode(tokenAPI, body, answer); failure != nil {
		return failure
	}
	if answer.AccessToken == "" {
		return &Error{API: tokenAPI, Msg: "an answer without a token"}
	}
	return nil
}
