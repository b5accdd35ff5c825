package fakewechat

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"testing"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// These codes have a pattern in their data that looks like a corner square: a reader that trusts the first three squares
// it likes fails on them. They stand on a label, off its middle.
func TestReadQR_misleadingCodes(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"0012", "0324", "0785"} {
		text := "https://q.maker.example/d/ac-" + number
		if got, err := readQR(label(t, text)); got != text {
			t.Errorf("%s is read as %q, %v", text, got, err)
		}
	}
}

func label(t *testing.T, text string) []byte {
	t.Helper()
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	if code, err = barcode.Scale(code, 240, 240); err != nil {
		t.Fatal(err)
	}
	picture := image.NewRGBA(image.Rect(0, 0, 400, 600))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(picture, image.Rect(80, 200, 320, 440), code, image.Point{}, draw.Src)
	var buf bytes.Buffer
	if err := png.Encode(&buf, picture); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// A file that claims a huge picture is refused before memory is taken for it.
func TestReadQR_hugePicture(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	data := buf.Bytes()
	copy(data[16:24], []byte{0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}) // width and height in IHDR
	if _, err := readQR(data); err == nil {
		t.Error("a picture of 2^62 pixels was read")
	}
}
