package fakewechat

import (
	"net/http"
	"strconv"
	"strings"
)

// pagePolicy lets nothing of an opened page run or leave: the page came from anywhere, and is shown on our own origin.
const pagePolicy = "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"

// viewed finds the open page by its unguessable name, so that a frame shows exactly the page it was made for.
func (s *Server) viewed(r *http.Request) (*person, *Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := r.URL.Query().Get("view")
	for _, p := range s.state.People {
		if p.page != nil && equal(p.page.view, want) {
			return p, p.page, nil
		}
	}
	return nil, nil, refuse(http.StatusNotFound, "this page is not open any more")
}

// showView serves the cleaned page for the phone page's frame.
func (s *Server) showView(w http.ResponseWriter, r *http.Request) error {
	_, page, err := s.viewed(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	_, _ = w.Write(page.body)
	return nil
}

// showAsset serves a picture or style sheet of the open page, fetched with the phone's cookies.
func (s *Server) showAsset(w http.ResponseWriter, r *http.Request) error {
	p, page, err := s.viewed(r)
	if err != nil {
		return err
	}
	address, kind := page.asset(r)
	if address == "" {
		return refuse(http.StatusNotFound, "the page has no such picture or style sheet")
	}
	res, err := p.browser.load(r.Context(), page.URL, address)
	if err != nil {
		return refuse(http.StatusBadGateway, "%v", err)
	}
	if !strings.HasPrefix(res.contentType, kind) {
		return refuse(http.StatusBadGateway, "it is no %s", kind)
	}
	w.Header().Set("Content-Type", res.contentType)
	w.Header().Set("Content-Security-Policy", pagePolicy+"; sandbox") // an SVG may hold scripts
	_, _ = w.Write(res.data)
	return nil
}

func (page *Page) asset(r *http.Request) (address, kind string) {
	image, err := strconv.Atoi(r.URL.Query().Get("image"))
	if err == nil && image >= 0 && image < len(page.Images) {
		return page.Images[image].Src, "image/"
	}
	sheet, err := strconv.Atoi(r.URL.Query().Get("sheet"))
	if err == nil && sheet >= 0 && sheet < len(page.sheets) {
		return page.sheets[sheet], "text/css"
	}
	return "", ""
}
