package fleet

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

const (
	quietZone = 4 // modules of white on each side, as ISO/IEC 18004 wants
	dot       = 8 // pixels of one module
)

// label serves the QR code that is printed on the appliance: its label URL.
func (h *Home) label(w http.ResponseWriter, r *http.Request) {
	key, ok := strings.CutSuffix(r.PathValue("file"), ".png")
	res, known := h.byKey[key]
	if !ok || !known || res.o.Registration.LabelURL == "" {
		h.fail(w, http.StatusNotFound, fmt.Errorf("%w label: %q", ErrUnknown, r.PathValue("file")))
		return
	}
	picture, err := labelPicture(res.o.Registration.LabelURL)
	if err != nil {
		h.fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-store")
	if err := png.Encode(w, picture); err != nil {
		h.logger.Debug("a label was not sent", "error", err)
	}
}

func labelPicture(content string) (image.Image, error) {
	code, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("the label's address does not fit a QR code: %w", err)
	}
	side := code.Bounds().Dx() * dot
	big, err := barcode.Scale(code, side, side)
	if err != nil {
		return nil, fmt.Errorf("the label's QR code cannot be drawn: %w", err)
	}
	margin := quietZone * dot
	picture := image.NewGray(image.Rect(0, 0, side+2*margin, side+2*margin))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(picture, image.Rect(margin, margin, margin+side, margin+side), big, image.Point{}, draw.Src)
	return picture, nil
}

// labels lists the labels in a form that a simulated phone's scanner takes.
func (h *Home) labels(w http.ResponseWriter, r *http.Request) {
	type label struct {
		Name  string `json:"name"`
		Image string `json:"image"`
	}
	out := []label{}
	for _, s := range h.snapshots(base(r)) {
		if s.Label != "" {
			out = append(out, label{Name: s.Name.In("zh"), Image: s.Label})
		}
	}
	h.answer(w, http.StatusOK, out)
}
