package wechat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/credential"

	"jiaxin/bridge/home"
)

func TestTokenIsFetchedOnceForManyCalls(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	c := newClient(t, testConfig(p.URL), Options{})
	inParallel(100, func(i int) {
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if n := p.calledTimes(tokenAPI); n != 1 {
		t.Errorf("%d requests for a token, want 1", n)
	}
}

// A token dies while a hundred people are being told something: all are told, and WeChat is asked for one new token.
func TestDeadTokenIsReplacedOnce(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	c := newClient(t, testConfig(p.URL), Options{})
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.killToken()
	inParallel(100, func(i int) {
		n := alarmCard()
		n.To = fmt.Sprintf("o%d", i)
		if _, err := c.Deliver(t.Context(), n); err != nil {
			t.Error(err)
		}
	})
	if n := p.calledTimes(tokenAPI); n != 2 {
		t.Errorf("%d requests for a token, want 2: the first and the replacement", n)
	}
}

func TestTokenIsUsedUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ expires, good, over time.Duration }{
		{7200 * time.Second, 7139 * time.Second, 7141 * time.Second},
		{300 * time.Second, 269 * time.Second, 271 * time.Second},
		{20 * time.Second, 17 * time.Second, 19 * time.Second},
		{0, 9 * time.Second, 11 * time.Second}, // nonsense, but no reason to ask for one at every call
		{-5 * time.Second, 9 * time.Second, 11 * time.Second},
		{1 << 62, 7139 * time.Second, 7141 * time.Second},
	} {
		p, clock := newPeer(t), newWatch()
		p.always(tokenAPI, fmt.Sprintf(`{"access_token":"T1","expires_in":%d}`, int64(row.expires.Seconds())))
		c := newClient(t, testConfig(p.URL), Options{Now: clock.Now})
		for _, step := range []struct {
			pass time.Duration
			want int
		}{{0, 1}, {row.good, 1}, {row.over - row.good, 2}} {
			clock.advance(step.pass)
			if err := c.Ping(t.Context()); err != nil || p.calledTimes(tokenAPI) != step.want {
				t.Errorf("expires_in %s, %s later: %v, %d requests, want %d", row.expires, step.pass, err, p.calledTimes(tokenAPI), step.want)
			}
		}
	}
}

// An API that turns down every token stops all calls for a minute instead of making WeChat hand out token after token.
func TestTokenTurnedDownTwicePauses(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40001, 40014, 41001, 42001} {
		p, clock := newPeer(t), newWatch()
		p.always(cardAPI, refusalOf(code))
		p.on(tokenAPI, func(n int, _ string) string { return fmt.Sprintf(`{"access_token":"T%d","expires_in":7200}`, n) })
		c := newClient(t, testConfig(p.URL), Options{Now: clock.Now})
		for range 5 {
			got := deliverError(t, c, alarmCard())
			if got.Outcome != home.Paused || got.Code != code || got.After != time.Minute {
				t.Fatalf("%d: %+v", code, got)
			}
		}
		if sends, fetches := p.calledTimes(cardAPI), p.calledTimes(tokenAPI); sends != 2 || fetches != 2 {
			t.Errorf("%d: %d sends and %d fetches, want 2 and 2", code, sends, fetches)
		}
		clock.advance(time.Minute)
		p.always(cardAPI, `{"errcode":0,"errmsg":"ok","msgid":1}`)
		if _, err := c.Deliver(t.Context(), alarmCard()); err != nil {
			t.Errorf("%d: after the pause: %v", code, err)
		}
	}
}

// stable_token keeps offering a token that the APIs turn down: one refresh is forced, and not a second within two hours.
func TestRefreshIsForcedSeldom(t *testing.T) {
	t.Parallel()
	p, clock := newPeer(t), newWatch()
	p.always(tokenAPI, `{"access_token":"dead","expires_in":7200}`)
	p.always(cardAPI, refusalOf(40001))
	c := newClient(t, testConfig(p.URL), Options{Now: clock.Now})
	forced := func() (n int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, body := range p.bodies {
			n += strings.Count(body, `"force_refresh":true`)
		}
		return n
	}
	for range 60 {
		deliverError(t, c, alarmCard())
		clock.advance(time.Minute + time.Second)
	}
	if forced() != 1 {
		t.Errorf("%d forced refreshes within an hour, want 1", forced())
	}
	clock.advance(2 * time.Hour)
	deliverError(t, c, alarmCard())
	if forced() != 2 {
		t.Errorf("%d forced refreshes after another two hours, want 2", forced())
	}
}

// A flight that starts just as another has landed finds the token and asks for none.
func TestLateFlightFindsTheToken(t *testing.T) {
	t.Parallel()
	fetched := 0
	tok := &tokens{now: time.Now, fetch: func(context.Context, bool) (credential.ResAccessToken, error) {
		fetched++
		return credential.ResAccessToken{AccessToken: "T1", ExpiresIn: 7200}, nil
	}}
	for range 2 {
		if got, err := tok.renew(t.Context()); got != "T1" || err != nil || fetched != 1 {
			t.Errorf("%q, %v after %d fetches", got, err, fetched)
		}
	}
}

// The replacement of a dead token can fail too, and a token API can answer nonsense.
func TestTroubleWithTheTokenAPI(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		answer  string
		outcome home.Outcome
	}{
		"busy":          {refusalOf(-1), home.Retry},
		"wrong address": {refusalOf(40164), home.Paused},
		"wrong secret":  {refusalOf(40001), home.Paused},
		"quota":         {refusalOf(45009), home.Paused},
		"a page":        {"<html>", home.Retry},
		"no token":      {`{"expires_in":7200}`, home.Retry},
		"wrong form":    {`{"access_token":7,"expires_in":7200}`, home.Retry},
	} {
		p := newPeer(t)
		c := newClient(t, testConfig(p.URL), Options{})
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.killToken()
		p.always(tokenAPI, row.answer)
		if got := deliverError(t, c, alarmCard()); got.Outcome != row.outcome || got.After == 0 {
			t.Errorf("%s: %+v", name, got)
		}
		deliverError(t, c, alarmCard()) // at once: does not ask again
		if n := p.calledTimes(tokenAPI); n != 2 {
			t.Errorf("%s: %d requests for a token, want 2", name, n)
		}
	}
}

func TestBadSecretPausesWithoutHammering(t *testing.T) {
	t.Parallel()
	p, clock := newPeer(t), newWatch()
	p.always(tokenAPI, refusalOf(40125))
	c := newClient(t, testConfig(p.URL), Options{Now: clock.Now})
	for range 10 {
		if got := deliverError(t, c, alarmCard()); got.Outcome != home.Paused || got.Code != 40125 {
			t.Fatalf("%+v", got)
		}
	}
	if n := p.calledTimes(tokenAPI); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if err := c.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "wechat.secret") {
		t.Errorf("Ping does not name the cure: %v", err)
	}
	clock.advance(time.Minute)
	p.on(tokenAPI, nil)
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("a minute after the repair: %v", err)
	}
}

// The one who asked first may give up; those who wait for the same token must not suffer.
func TestCallerThatGivesUpDoesNotSpoilTheFetch(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	asked, release := make(chan struct{}), make(chan struct{})
	p.on(tokenAPI, func(int, string) string {
		close(asked)
		<-release
		return `{"access_token":"T1","expires_in":7200}`
	})
	c := newClient(t, testConfig(p.URL), Options{})
	ctx, giveUp := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- c.Ping(ctx) }()
	<-asked
	go func() { second <- c.Ping(t.Context()) }()
	giveUp()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first caller got %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the second caller got %v", err)
	}
}

// While one API is paused a critical notification still tries it; everything else is answered at once.
func TestQuotaPausesOneAPIButNotCriticals(t *testing.T) {
	t.Parallel()
	p, clock := newPeer(t), newWatch()
	p.always(cardAPI, refusalOf(45009))
	c := newClient(t, testConfig(p.URL), Options{Now: clock.Now})
	deliverError(t, c, alarmCard())
	clock.advance(time.Minute)
	if got := deliverError(t, c, alarmCard()); got.After != 9*time.Minute || p.calledTimes(cardAPI) != 1 {
		t.Errorf("paused delivery: after %s, %d requests", got.After, p.calledTimes(cardAPI))
	}
	if _, err := c.Deliver(t.Context(), chat("好的")); err != nil {
		t.Errorf("the chat is another API: %v", err)
	}
	p.always(cardAPI, `{"errcode":0,"errmsg":"ok","msgid":7}`)
	urgent := alarmCard()
	urgent.Level = "critical"
	if id, err := c.Deliver(t.Context(), urgent); err != nil || id != "7" {
		t.Errorf("critical delivery: %q, %v", id, err)
	}
}

func inParallel(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
