package devices

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"io"
	"strings"
)

// A label code is what a device's printed label carries: 128 random bits as 26 characters of Crockford's base32
// (https://www.crockford.com/base32.html), whose alphabet leaves out the letters that people misread. It is a secret:
// the gateway keeps its hash only.
const (
	labelBytes = 16
	labelChars = 26
)

func labelEncoding() *base32.Encoding {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
}

// NewLabelCode makes a code from a source of randomness, crypto/rand.Reader outside of tests. It panics when that
// fails: there is no label without it.
func NewLabelCode(rand io.Reader) string {
	return labelEncoding().EncodeToString(randomBytes(rand, labelBytes))
}

// ParseLabelCode reads a code as people type it, in either case, with spaces and dashes, with O for 0 and I or L
// for 1, in full-width characters too, and returns it as NewLabelCode wrote it. The error never repeats it.
func ParseLabelCode(s string) (string, error) {
	if len(s) > 200 {
		return "", errors.New("this is too long for a label code: it has 26 letters and digits")
	}
	code := strings.Map(labelRune, s)
	if len(code) != labelChars {
		return "", errors.New("a label code has 26 letters and digits: type all of them")
	}
	raw, err := labelEncoding().DecodeString(code)
	if err != nil || labelEncoding().EncodeToString(raw) != code {
		return "", errors.New("this is not a label code: compare it with the label, character by character")
	}
	return code, nil
}

func labelRune(r rune) rune {
	if r >= '！' && r <= '～' {
		r -= '！' - '!' // full-width forms stand in ASCII's order
	}
	if r >= 'a' && r <= 'z' {
		r -= 'a' - 'A'
	}
	switch r {
	case ' ', '\t', '\n', '\r', '\u3000', '-', '_':
		return -1
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	}
	return r
}

// HashLabelCode is what is kept of a code: SHA-256 in hex. The code has 128 random bits, so a slow hash would add
// nothing.
func HashLabelCode(code string) string { return sha256Hex([]byte(code)) }

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func randomBytes(rand io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("devices: no randomness: " + err.Error())
	}
	return b
}
