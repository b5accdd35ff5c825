package h5

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode"

	"jiaxin/bridge"
	"jiaxin/devices"
)

// label answers for one code; every other is unknown, and "down" finds WeChat out of reach.
type label struct{ offer bridge.Offer }

func (l label) Offer(_ context.Context, code string) (bridge.Offer, error) {
	switch code {
	case "GOOD":
		return l.offer, nil
	case "down":
		return bridge.Offer{}, errors.New("no route to host")
	}
	return bridge.Offer{}, bridge.ErrUnknownLabel
}

func airConditioner() label {
	return label{bridge.Offer{Product: devices.Text{"zh": "空调", "en": "air conditioner"}, Follow: "http://weixin.qq.com/q/02abc", For: 10 * time.Minute}}
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func handlerOf(l label) http.Handler { return Handler(l, slog.New(slog.DiscardHandler)) }

func TestLabelPageShowsWhatTheLabelIs(t *testing.T) {
	t.Parallel()
	hazard := airConditioner()
	hazard.offer.Press = true
	for _, c := range []struct {
		name, path string
		label      label
		status     int
		wants      string
	}{
		{"a known label", "/b/GOOD", airConditioner(), 200, "把空调接进家里"},
		{"a product with a binding key", "/b/GOOD", hazard, 200, "按一下空调上的绑定键"},
		{"an unknown label", "/b/NOBODY", airConditioner(), 404, "没有认出这个标签"},
		{"WeChat is out of reach", "/b/down", airConditioner(), 503, "您的家电没有变化"},
		{"markup instead of a code", "/b/%3Cscript%3E", airConditioner(), 404, "没有认出这个标签"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := get(handlerOf(c.label), c.path)
			if got.Code != c.status || !strings.Contains(got.Body.String(), c.wants) {
				t.Errorf("status %d, want %d with %q in:\n%s", got.Code, c.status, c.wants, got.Body)
			}
			if strings.Contains(got.Body.String(), "<script") {
				t.Error("the page has a script")
			}
		})
	}
}

// The picture on the page must be one that WeChat can read, and hold exactly the code that WeChat made.
func TestQRPictureHoldsTheFollowCode(t *testing.T) {
	t.Parallel()
	page := get(handlerOf(airConditioner()), "/b/GOOD").Body.String()
	found := regexp.MustCompile(`src="data:image/png;base64,([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no picture in:\n%s", page)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(found[1], "&#43;", "+"))
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	codes, err := multi.NewQRCodeMultiReader().DecodeMultiple(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil || len(codes) != 1 || codes[0].GetText() != "http://weixin.qq.com/q/02abc" {
		t.Errorf("decoded %v, %v", codes, err)
	}
}

func TestPageIsLightAndKeepsItsAddressToItself(t *testing.T) {
	t.Parallel()
	got := get(handlerOf(airConditioner()), "/b/GOOD")
	style := get(handlerOf(airConditioner()), "/b/style.css")
	if weight := got.Body.Len() + style.Body.Len(); weight > 50_000 || style.Code != http.StatusOK {
		t.Errorf("%d bytes with everything, style %d; want at most 50 kB", weight, style.Code)
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Content-Security-Policy": policy} {
		if v := got.Header().Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
}

func TestWhoTriesManyLabelsIsSlowedDown(t *testing.T) {
	t.Parallel()
	h := handlerOf(airConditioner())
	refused := 0
	for range 3 * burst {
		if get(h, "/b/GUESS").Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < burst {
		t.Errorf("%d of %d guesses were slowed down", refused, 3*burst)
	}
}
