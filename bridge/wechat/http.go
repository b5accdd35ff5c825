package wechat

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/silenceper/wechat/v2/util"
)

// answerLimit bounds the body of an API's answer, in bytes. The longest that we read, a profile, is below 4 KiB.
const answerLimit = 1 << 20

// prepareOnce guards the library's process-wide HTTP client, which every Client shares: that is the library's
// design, and writing it twice would be a data race.
var prepareOnce sync.Once

// prepareHTTP gives the library a client that cannot hang, cannot be led elsewhere and cannot be made to read without
// end. Its own default has no timeout, follows redirects and prints URLs with the access token in its errors.
func prepareHTTP() {
	prepareOnce.Do(func() {
		util.DefaultHTTPClient = &http.Client{
			Transport: strict{newTransport()},
			Timeout:   2 * mediaTimeout, // a net below the deadlines that every call has
		}
	})
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    64, // one host, many households
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// strict passes only answers with status 200, and only so much of them as the request's context allows. Every other
// status, redirects among them, is an error: WeChat reports its own errors with status 200, so another status comes
// from something in between.
type strict struct{ next http.RoundTripper }

// RoundTrip performs one request.
func (s strict) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("HTTP status %d instead of 200", resp.StatusCode)
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, limitOf(r.Context()))
	return resp, nil
}

type limitKey struct{}

// withLimit lets the answer to a request have up to n bytes.
func withLimit(ctx context.Context, n int64) context.Context {
	return context.WithValue(ctx, limitKey{}, n)
}

func limitOf(ctx context.Context) int64 {
	if n, ok := ctx.Value(limitKey{}).(int64); ok {
		return n
	}
	return answerLimit
}

// mediaTimeout is the time that a download may take.
const mediaTimeout = 30 * time.Second
