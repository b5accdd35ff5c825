package devices

import (
	"crypto/subtle"
	"encoding/base64"
	"io"
)

const secretBytes = 32

// NewSecret makes a device's password: 256 random bits in base64url without padding, 43 characters. It panics when
// rand (crypto/rand.Reader outside of tests) fails.
func NewSecret(rand io.Reader) string {
	return base64.RawURLEncoding.EncodeToString(randomBytes(rand, secretBytes))
}

// HashSecret is what is kept of a password made by NewSecret: SHA-256 in hex. Its 256 random bits cannot be guessed, so
// a slow hash would only slow down a hundred thousand devices that reconnect at once.
func HashSecret(secret []byte) string { return sha256Hex(secret) }

// CheckSecret says whether the secret has this hash, in a time that tells nothing about either. An unknown device is checked
// against an empty hash, which no secret has, so that it takes as long.
func CheckSecret(hash string, secret []byte) bool {
	return subtle.ConstantTimeCompare([]byte(HashSecret(secret)), []byte(hash)) == 1
}
