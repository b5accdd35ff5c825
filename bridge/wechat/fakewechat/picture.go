package fakewechat

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif" // a photo may be any of these
	_ "image/jpeg"
	_ "image/png"

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode"
	"github.com/makiuchi-d/gozxing/qrcode"
)

const maxPixels = 25_000_000 // a small file may claim a huge picture

// onWhite puts a picture on white with a margin in pixels.
func onWhite(src image.Image, margin int) image.Image {
	size := src.Bounds().Size()
	dst := image.NewGray(image.Rect(0, 0, size.X+2*margin, size.Y+2*margin))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(dst, dst.Bounds().Inset(margin), src, src.Bounds().Min, draw.Src)
	return dst
}

// errNoCode: the picture is readable, and has no QR code in it.
var errNoCode = errors.New("there is no QR code in this picture")

// readQR finds and reads the QR code in a PNG, JPEG or GIF. A transparent ground counts as white, as on a phone.
func readQR(data []byte) (string, error) {
	size, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", errors.New("this is no PNG, JPEG or GIF picture")
	}
	if size.Width <= 0 || size.Height <= 0 || size.Width > maxPixels/size.Height {
		return "", errors.New("this picture has too many pixels; make it smaller")
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", errors.New("this picture is damaged")
	}
	return decodeQR(flatten(picture))
}

func flatten(src image.Image) image.Image {
	dst := image.NewRGBA(image.Rect(0, 0, src.Bounds().Dx(), src.Bounds().Dy()))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(dst, dst.Bounds(), src, src.Bounds().Min, draw.Over)
	return dst
}

// decodeQR tries the two ways to tell dark from light, local thresholds for photos and one global for clean drawings,
// and with each two ways to find the code. The quick one takes the three squares that look best: in about one code of
// seventy some pattern of the data looks like a fourth, and only the slow one tries them all.
func decodeQR(picture image.Image) (string, error) {
	source := gozxing.NewLuminanceSourceFromImage(picture)
	for _, binarizer := range []gozxing.Binarizer{gozxing.NewHybridBinarizer(source), gozxing.NewGlobalHistgramBinarizer(source)} {
		bitmap, err := gozxing.NewBinaryBitmap(binarizer)
		if err != nil {
			continue
		}
		if text, found := findQR(bitmap); found {
			return text, nil
		}
	}
	return "", errNoCode
}

func findQR(bitmap *gozxing.BinaryBitmap) (text string, found bool) {
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	if result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints); err == nil {
		return result.GetText(), true
	}
	results, err := multi.NewQRCodeMultiReader().DecodeMultiple(bitmap, hints)
	if err != nil || len(results) == 0 {
		return "", false
	}
	return results[0].GetText(), true
}
