package fakewechat_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/url"
	"testing"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"jiaxin/bridge/wechat/fakewechat"
)

// drawPNG makes a QR code as a maker's label has it.
func drawPNG(t *testing.T, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, drawCode(t, text)); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func drawCode(t *testing.T, text string) image.Image {
	t.Helper()
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	if code, err = barcode.Scale(code, 240, 240); err != nil {
		t.Fatal(err)
	}
	label := image.NewRGBA(image.Rect(0, 0, 400, 600))
	draw.Draw(label, label.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(label, image.Rect(80, 200, 320, 440), code, image.Point{}, draw.Src)
	return label
}

// A scene code is made, drawn, scanned from its picture, and heard of: subscribe for a stranger, SCAN for a follower.
func TestSceneCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.api("/cgi-bin/qrcode/create", `{"expire_seconds":600,"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"bind-1234"}}}`)
	if made.Code != 0 || made.Text != "" || made.Ticket == "" {
		t.Fatalf("create: %+v; success has no errcode and errmsg", made)
	}
	status, picture := w.do(http.MethodGet, "/cgi-bin/showqrcode?ticket="+url.QueryEscape(made.Ticket), "", nil)
	if status != http.StatusOK {
		t.Fatalf("showqrcode: HTTP %d", status)
	}
	if status, _ := w.do(http.MethodGet, "/cgi-bin/showqrcode?ticket="+made.Ticket, "", nil); status == http.StatusOK {
		t.Error("a ticket that is not URL-encoded must not work")
	}
	for _, want := range []struct{ event, key string }{{"subscribe", "qrscene_bind-1234"}, {"SCAN", "bind-1234"}} {
		status, body := w.upload("/_fake/scan", map[string]string{"user": "mama"}, "image", picture)
		var result fakewechat.Scan
		w.read(body, &result)
		if status != http.StatusOK || result.Kind != fakewechat.ScanAccount || result.Text != made.URL {
			t.Fatalf("scan: %d %s", status, body)
		}
		if e := w.gateway.next(); e.Event != want.event || e.EventKey != want.key || e.Ticket != made.Ticket {
			t.Errorf("heard %s", e.raw)
		}
	}
	w.control("clock", map[string]any{"advance": "10m"}, nil)
	var result fakewechat.Scan
	w.control("scan", map[string]any{"user": "mama", "text": made.URL}, &result)
	if result.Kind != fakewechat.ScanExpired {
		t.Errorf("after ten minutes: %+v", result)
	}
	w.settled()
}

func TestSceneCode_permanentIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create := func(scene string) answer {
		return w.api("/cgi-bin/qrcode/create", `{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"`+scene+`"}}}`)
	}
	if a, b, c := create("shop"), create("shop"), create("other"); a.Ticket != b.Ticket || a.Ticket == c.Ticket {
		t.Error("the same permanent scene is the same code, another one is not")
	}
}

// Pictures are really decoded: as PNG, as a small JPEG, on a transparent ground; and a picture without a code is refused.
func TestScan_pictures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	label := drawCode(t, "家信 label")
	var photo, clear, blank bytes.Buffer
	_ = jpeg.Encode(&photo, label, &jpeg.Options{Quality: 40})
	ghost := image.NewNRGBA(label.Bounds())
	for y := range label.Bounds().Dy() {
		for x := range label.Bounds().Dx() {
			if r, _, _, _ := label.At(x, y).RGBA(); r == 0 {
				ghost.Set(x, y, color.Black)
			}
		}
	}
	_ = png.Encode(&clear, ghost)
	_ = png.Encode(&blank, image.NewGray(image.Rect(0, 0, 300, 300)))
	for name, c := range map[string]struct {
		data   []byte
		status int
	}{
		"PNG":         {drawPNG(t, "家信 label"), http.StatusOK},
		"JPEG":        {photo.Bytes(), http.StatusOK},
		"transparent": {clear.Bytes(), http.StatusOK},
		"no code":     {blank.Bytes(), http.StatusUnprocessableEntity},
		"no picture":  {[]byte("GIF87a"), http.StatusUnprocessableEntity},
	} {
		status, body := w.upload("/_fake/scan", map[string]string{"user": "mama"}, "image", c.data)
		if status != c.status {
			t.Errorf("%s: HTTP %d %s", name, status, body)
		}
		var result fakewechat.Scan
		if w.read(body, &result); status == http.StatusOK && (result.Text != "家信 label" || result.Kind != fakewechat.ScanText) {
			t.Errorf("%s: %+v", name, result)
		}
	}
}
