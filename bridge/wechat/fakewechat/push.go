package fakewechat

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"slices"
	"strings"
)

// cdata is an element with its text in CDATA, as WeChat writes strings.
type cdata struct {
	Value string `xml:",cdata"`
}

func text(v string) *cdata { return &cdata{v} }

// push is one message or event to the gateway; a nil element is left out
// (https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Receiving_standard_messages.html).
type push struct {
	XMLName     xml.Name `xml:"xml"`
	To          *cdata   `xml:"ToUserName"`
	From        *cdata   `xml:"FromUserName"`
	Created     int64    `xml:"CreateTime"`
	Type        *cdata   `xml:"MsgType"`
	Event       *cdata   `xml:"Event"`
	EventKey    *cdata   `xml:"EventKey"`
	Ticket      *cdata   `xml:"Ticket"`
	JobID       int64    `xml:"MsgID,omitempty"` // of a receipt: capitals, unlike MsgId
	Status      *cdata   `xml:"Status"`
	Content     *cdata   `xml:"Content"`
	PicURL      *cdata   `xml:"PicUrl"`
	MediaID     *cdata   `xml:"MediaId"`
	Format      *cdata   `xml:"Format"`
	MediaID16K  *cdata   `xml:"MediaId16K"`
	Recognition *cdata   `xml:"Recognition"`
	MsgID       int64    `xml:"MsgId,omitempty"`
	MenuID      string   `xml:"bizmsgmenuid,omitempty"`
}

func (s *Server) event(p *person, name string) *push {
	return &push{
		To: text(s.originalID()), From: text(p.OpenID), Created: s.now().Unix(), Type: text("event"), Event: text(name),
	}
}

func (s *Server) message(p *person, kind string) *push {
	return &push{
		To: text(s.originalID()), From: text(p.OpenID), Created: s.now().Unix(), Type: text(kind), MsgID: s.nextID(),
	}
}

// envelope is a callback's body in safe mode.
type envelope struct {
	XMLName xml.Name `xml:"xml"`
	To      *cdata   `xml:"ToUserName"`
	Encrypt *cdata   `xml:"Encrypt"`
}

// sign is WeChat's signature: SHA-1 over the sorted parts
// (https://developers.weixin.qq.com/doc/oplatform/developers/dev/push/encryption.html).
func sign(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

const padBlock = 32 // PKCS#7 to 32 bytes, though AES has blocks of 16

// encrypt seals a message: 16 random bytes, its length, itself, the appid; AES-256-CBC with the key's start as IV.
func encrypt(key, message []byte, appID string) string {
	plain := make([]byte, 20, 20+len(message)+len(appID)+padBlock)
	_, _ = rand.Read(plain[:16]) // never fails, see crypto/rand
	binary.BigEndian.PutUint32(plain[16:], uint32(len(message)))
	plain = append(append(plain, message...), appID...)
	pad := padBlock - len(plain)%padBlock
	for range pad {
		plain = append(plain, byte(pad))
	}
	block, _ := aes.NewCipher(key) // 32 bytes, see decodeAESKey
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// decrypt opens what the gateway sealed, and says what is wrong with it.
func decrypt(key []byte, sealed, appID string) ([]byte, error) {
	plain, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(plain) == 0 || len(plain)%padBlock != 0 {
		return nil, errors.New("the Encrypt element is no base64 of whole blocks of 32 bytes")
	}
	block, _ := aes.NewCipher(key) // 32 bytes, see decodeAESKey
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > padBlock || len(plain)-pad < 20 {
		return nil, errors.New("the padding is wrong; it goes to 32 bytes")
	}
	plain = plain[:len(plain)-pad]
	size := int64(binary.BigEndian.Uint32(plain[16:20]))
	if size > int64(len(plain)-20) {
		return nil, errors.New("the length inside is larger than the message")
	}
	if string(plain[20+size:]) != appID {
		return nil, errors.New("the appid inside is another one")
	}
	return plain[20 : 20+size], nil
}
