// Package h5 serves the pages that open inside WeChat.
//
// Promise: server-rendered, without scripts, no more than a page and one picture. A label's code leads to nothing but
// the offer to claim that appliance; an unknown one, however it was found, gets the same friendly page, and a stranger who
// tries many is slowed down. If WeChat or the store is down, the page says so and asks to try again.
package h5

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"image/png"
	"log/slog"
	"net/http"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"jiaxin/bridge"
)

//go:embed pages
var pages embed.FS

// offers is what the label page needs of the bridge.
type offers interface {
	Offer(ctx context.Context, code string) (bridge.Offer, error)
}

// policy lets the page show itself and the QR picture within it, nothing else.
const policy = "default-src 'none'; img-src data:; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// Handler serves GET /b/{code}, the page of a label, and its style sheet.
func Handler(b offers, log *slog.Logger) http.Handler {
	h := &handler{offers: b, log: log, limit: newLimit(), page: template.Must(template.ParseFS(pages, "pages/*.html"))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /b/{code}", h.label)
	mux.HandleFunc("GET /b/style.css", h.style)
	return mux
}

type handler struct {
	offers offers
	log    *slog.Logger
	limit  *limit
	page   *template.Template
}

// labelPage is what label.html shows: an offer, or why there is none.
type labelPage struct {
	Zh, En  string
	QR      template.URL
	Press   bool
	Minutes int
	Problem string // "unknown", "slow" or "down"
}

func (h *handler) label(w http.ResponseWriter, r *http.Request) {
	status, page := h.offer(r)
	var out bytes.Buffer
	if err := h.page.ExecuteTemplate(&out, "label.html", page); err != nil {
		h.log.Error("label page", "error", err)
		http.Error(w, "出了点问题,请再试一次 · Something went wrong, please try again", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the label's code
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

func (h *handler) offer(r *http.Request) (int, labelPage) {
	if !h.limit.allow(r) {
		return http.StatusTooManyRequests, labelPage{Problem: "slow"}
	}
	o, err := h.offers.Offer(r.Context(), r.PathValue("code"))
	if errors.Is(err, bridge.ErrUnknownLabel) {
		return http.StatusNotFound, labelPage{Problem: "unknown"}
	}
	var picture template.URL
	if err == nil {
		picture, err = draw(o.Follow)
	}
	if err != nil {
		h.log.Warn("no offer for a label", "error", err)
		return http.StatusServiceUnavailable, labelPage{Problem: "down"}
	}
	return http.StatusOK, labelPage{Zh: o.Product.In("zh"), En: o.Product.In("en"), QR: picture, Press: o.Press, Minutes: int(o.For.Minutes())}
}

// draw makes the QR picture of a content as a data URL.
func draw(content string) (template.URL, error) {
	code, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		return "", err
	}
	size := code.Bounds().Dx()
	scaled, err := barcode.Scale(code, size*8, size*8)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, scaled); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(out.Bytes())), nil
}

func (h *handler) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeFileFS(w, r, pages, "pages/style.css")
}
