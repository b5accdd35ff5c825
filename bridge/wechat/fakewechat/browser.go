package fakewechat

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"
)

const (
	pageTimeout  = 15 * time.Second
	maxPage      = 2 << 20
	maxPicture   = 8 << 20
	maxRedirects = 10
	userAgent    = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60 NetType/WIFI Language/zh_CN"
)

// browser is the in-app browser of one phone: its own cookies, and no scripts.
type browser struct {
	client *http.Client

	mu    sync.Mutex
	pages int64
}

func newBrowser() *browser {
	jar, _ := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List}) // never fails
	return &browser{client: &http.Client{Jar: jar, Timeout: pageTimeout, CheckRedirect: noRedirect}}
}

func (b *browser) nextPage() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages++
	return b.pages
}

// visit is a navigation: where to, and with POST what to send, from which page.
type visit struct {
	method string
	to     *url.URL
	form   url.Values
	from   *url.URL // nil: typed in, scanned or tapped in a chat
}

// open shows an address on p's phone. s.mu is not held.
func (s *Server) open(ctx context.Context, p *person, address string) (*Page, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, refuse(http.StatusBadRequest, "%q is no http(s) address", address)
	}
	return s.navigate(ctx, p, visit{method: http.MethodGet, to: u})
}

// navigate follows redirects, answers OAuth on the way, and leaves the last page open on the phone.
func (s *Server) navigate(ctx context.Context, p *person, v visit) (*Page, error) {
	for range maxRedirects {
		if s.isAuthorize(v.to) {
			next, err := s.authorize(p, v.to)
			if err != nil {
				return nil, err
			}
			v = visit{method: http.MethodGet, to: next, from: v.to}
			continue
		}
		page, next, err := p.browser.fetch(ctx, v)
		if err != nil {
			return nil, refuse(http.StatusBadGateway, "网页无法打开 (%s): %v", v.to.Host, plainError(err))
		}
		if next == nil {
			return page, s.showPage(p, page)
		}
		v = *next
	}
	return nil, refuse(http.StatusBadGateway, "网页无法打开: %d redirects and no page", maxRedirects)
}

func (s *Server) showPage(p *person, page *Page) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.page = page
	s.touch(p)
	return nil
}

// fetch makes one request: it returns the page, or where to go next.
func (b *browser) fetch(ctx context.Context, v visit) (*Page, *visit, error) {
	res, err := b.send(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	if next, err := v.redirected(res); next != nil || err != nil {
		return nil, next, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, nil, err
	}
	return newPage(b.nextPage(), v.to, res, body), nil, nil
}

func (b *browser) send(ctx context.Context, v visit) (*http.Response, error) {
	var body io.Reader
	if v.method == http.MethodPost {
		body = strings.NewReader(v.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, v.method, v.to.String(), body)
	if err != nil {
		return nil, err
	}
	v.setHeaders(req.Header)
	return b.client.Do(req)
}

// setHeaders are those of a browser, with the ones by which a site tells its own forms from a stranger's
// (https://www.w3.org/TR/fetch-metadata/).
func (v *visit) setHeaders(h http.Header) {
	h.Set("User-Agent", userAgent)
	h.Set("Accept-Language", "zh-CN,zh-Hans;q=0.9")
	h.Set("Accept", "text/html,application/xhtml+xml,image/*;q=0.8,*/*;q=0.5")
	h.Set("Sec-Fetch-Site", v.site())
	if v.from != nil {
		h.Set("Referer", v.from.Scheme+"://"+v.from.Host+"/")
	}
	if v.method != http.MethodPost {
		return
	}
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	if v.from != nil {
		h.Set("Origin", v.from.Scheme+"://"+v.from.Host)
	}
}

func (v *visit) site() string {
	switch {
	case v.from == nil:
		return "none"
	case v.from.Scheme == v.to.Scheme && v.from.Host == v.to.Host:
		return "same-origin"
	}
	return "cross-site"
}

// redirected says where a 3xx leads; 307 and 308 repeat the request, the others become a GET.
func (v *visit) redirected(res *http.Response) (*visit, error) {
	location := res.Header.Get("Location")
	if res.StatusCode < 300 || res.StatusCode > 399 || location == "" {
		return nil, nil
	}
	to, err := v.to.Parse(location)
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return nil, errors.New("the redirect leads nowhere")
	}
	next := &visit{method: http.MethodGet, to: to, from: v.from}
	if res.StatusCode == http.StatusTemporaryRedirect || res.StatusCode == http.StatusPermanentRedirect {
		next.method, next.form = v.method, v.form
	}
	return next, nil
}

// resource is a picture or style sheet of a page.
type resource struct {
	contentType string
	data        []byte
}

// load fetches what a page shows besides itself, with the cookies of the phone.
func (b *browser) load(ctx context.Context, page, address string) (*resource, error) {
	if strings.HasPrefix(address, "data:") {
		return readDataURL(address)
	}
	from, err := url.Parse(page)
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	v := &visit{method: http.MethodGet, to: to, from: from}
	for range maxRedirects {
		res, next, err := b.loadOnce(ctx, *v)
		if next == nil {
			return res, err
		}
		v = next
	}
	return nil, errors.New("too many redirects")
}

func (b *browser) loadOnce(ctx context.Context, v visit) (*resource, *visit, error) {
	res, err := b.send(ctx, v)
	if err != nil {
		return nil, nil, plainError(err)
	}
	defer res.Body.Close()
	if next, err := v.redirected(res); next != nil || err != nil {
		return nil, next, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, nil, errors.New("the server answered " + res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxPicture))
	return &resource{res.Header.Get("Content-Type"), data}, nil, err
}

// readDataURL reads "data:image/png;base64,…" (RFC 2397).
func readDataURL(address string) (*resource, error) {
	head, body, found := strings.Cut(strings.TrimPrefix(address, "data:"), ",")
	if !found || len(body) > 2*maxPicture {
		return nil, errors.New("the data: address is damaged")
	}
	contentType, isBase64 := strings.CutSuffix(head, ";base64")
	if !isBase64 {
		plain, err := url.PathUnescape(body)
		return &resource{contentType, []byte(plain)}, err
	}
	data, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader([]byte(body))))
	return &resource{contentType, data}, err
}
