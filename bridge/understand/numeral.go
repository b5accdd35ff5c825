package understand

import (
	"strconv"
	"strings"
)

// maxFigures bounds a number in digits.
const maxFigures = 6

// numeral reads a whole number in digits, or in Chinese up to 999: 26, 二十六, 一百, 一百零五. 一百五 is not read, because
// people mean 150 by it.
func numeral(s string) (float64, bool) {
	if s != "" && strings.Trim(s, "0123456789") == "" {
		n, err := strconv.Atoi(s)
		return float64(n), err == nil && len(s) <= maxFigures
	}
	hundreds, rest, hasHundreds := strings.Cut(s, "百")
	if !hasHundreds {
		return below100(s)
	}
	h, ok := digit(hundreds)
	switch ones, zero := strings.CutPrefix(rest, "零"); {
	case !ok:
		return 0, false
	case rest == "":
		return 100 * h, true
	case zero:
		n, ok := digit(ones)
		return 100*h + n, ok
	case strings.HasPrefix(rest, "十") || !strings.Contains(rest, "十"):
		return 0, false
	}
	n, ok := below100(rest)
	return 100*h + n, ok
}

// below100 reads 六, 十, 十六, 二十 and 二十六.
func below100(s string) (float64, bool) {
	tens, ones, hasTens := strings.Cut(s, "十")
	if !hasTens {
		return digit(s)
	}
	t, ok := 1.0, true
	if tens != "" {
		t, ok = digit(tens)
	}
	if !ok || ones == "" {
		return 10 * t, ok
	}
	n, ok := digit(ones)
	return 10*t + n, ok
}

// digit reads one of 一 to 九.
func digit(s string) (float64, bool) {
	const digits = "一二三四五六七八九"
	i := strings.Index(digits, s)
	if len(s) != len("一") || i < 0 || i%len("一") != 0 {
		return 0, false
	}
	return float64(i/len("一") + 1), true
}
