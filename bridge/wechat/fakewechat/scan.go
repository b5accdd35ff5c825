package fakewechat

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// What a scanned code turned out to be.
const (
	ScanAccount = "account" // a scene code of the account: a follow, or a SCAN event
	ScanExpired = "expired" // a scene code that is too old, or of nobody
	ScanPage    = "page"    // an address, now open
	ScanText    = "text"    // other words
)

// Scan is what came of a scan.
type Scan struct {
	Text string `json:"text"` // what the code says
	Kind string `json:"kind"`
	Page *Page  `json:"page,omitempty"`
}

// scan does with a decoded code what WeChat does. s.mu is not held.
func (s *Server) scan(ctx context.Context, p *person, text string) (*Scan, error) {
	result := &Scan{Text: text, Kind: ScanText}
	u, err := url.Parse(text)
	switch {
	case isSceneCode(text):
		return result, s.scanScene(p, result)
	case err == nil && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")):
		result.Kind = ScanPage
		result.Page, err = s.open(ctx, p, text)
		return result, err
	}
	return result, nil
}

func (s *Server) scanScene(p *person, result *Scan) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.ticketOf(result.Text)
	if !known || t.dead(s.now()) {
		result.Kind = ScanExpired
		return nil
	}
	result.Kind = ScanAccount
	return s.scanned(p, t)
}

// scanPicture reads the code in a picture first.
func (s *Server) scanPicture(ctx context.Context, p *person, data []byte) (*Scan, error) {
	text, err := readQR(data)
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "未发现二维码: %v", err)
	}
	return s.scan(ctx, p, text)
}

// pressPage presses picture n of the open page for long and takes 识别图中的二维码.
func (s *Server) pressPage(ctx context.Context, p *person, n int) (*Scan, error) {
	page := s.openPage(p)
	if page == nil || n < 0 || n >= len(page.Images) {
		return nil, refuse(http.StatusNotFound, "the open page has no picture %d", n)
	}
	res, err := p.browser.load(ctx, page.URL, page.Images[n].Src)
	if err != nil {
		return nil, refuse(http.StatusBadGateway, "the picture cannot be loaded: %v", err)
	}
	return s.scanPicture(ctx, p, res.data)
}

// pressMessage does the same with a picture in the chat.
func (s *Server) pressMessage(ctx context.Context, p *person, id int64) (*Scan, error) {
	s.mu.Lock()
	m, known := p.message(id)
	var file *media
	if known {
		file = s.state.Media[strings.TrimPrefix(m.Image, "/_fake/picture/")]
	}
	s.mu.Unlock()
	if file == nil {
		return nil, refuse(http.StatusNotFound, "message %d is no picture", id)
	}
	return s.scanPicture(ctx, p, file.Data)
}
