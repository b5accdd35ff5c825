package fakewechat

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// sealedReply is a passive reply in safe mode.
type sealedReply struct {
	Encrypt   string `xml:"Encrypt"`
	Signature string `xml:"MsgSignature"`
	Timestamp string `xml:"TimeStamp"`
	Nonce     string `xml:"Nonce"`
}

// passive is the reply inside.
type passive struct {
	To      string `xml:"ToUserName"`
	From    string `xml:"FromUserName"`
	Created int64  `xml:"CreateTime"`
	Type    string `xml:"MsgType"`
	Content string `xml:"Content"`
	Image   struct {
		MediaID string `xml:"MediaId"`
	} `xml:"Image"`
}

// readReply checks the answer to a callback. Empty and "success" say nothing (nil, nil); anything else must be a valid
// encrypted reply (https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Passive_user_reply_message.html).
func (s *Server) readReply(reply []byte, openID string) (*Message, error) {
	if said := strings.TrimSpace(string(reply)); said == "" || said == "success" {
		return nil, nil
	}
	plain, err := s.unseal(reply)
	if err != nil {
		return nil, err
	}
	var p passive
	if err := strictXML(plain, &p); err != nil {
		return nil, fmt.Errorf("the decrypted reply is no XML: %w", err)
	}
	if p.To != openID || p.From != s.originalID() || p.Created <= 0 {
		return nil, errors.New("the reply must swap ToUserName and FromUserName and have a CreateTime")
	}
	return s.passiveMessage(&p)
}

func (s *Server) unseal(reply []byte) ([]byte, error) {
	var sealed sealedReply
	if err := strictXML(reply, &sealed); err != nil {
		return nil, fmt.Errorf("the answer is neither \"success\" nor XML: %w", err)
	}
	if sealed.Encrypt == "" {
		return nil, errors.New("the reply is not encrypted, and the account is in safe mode")
	}
	if !equal(sealed.Signature, sign(s.opt.Token, sealed.Timestamp, sealed.Nonce, sealed.Encrypt)) {
		return nil, errors.New("the MsgSignature of the reply is wrong")
	}
	return decrypt(s.aesKey, sealed.Encrypt, s.opt.AppID)
}

// strictXML reads the one element of data, whatever it is called.
func strictXML(data []byte, v any) error {
	return xml.NewDecoder(bytes.NewReader(data)).Decode(v)
}

func (s *Server) passiveMessage(p *passive) (*Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case p.Type == "text" && p.Content != "" && len(p.Content) <= maxText:
		return &Message{Kind: KindText, Text: p.Content}, nil
	case p.Type == "image":
		return s.imageMessage(p.Image.MediaID)
	case p.Type == "transfer_customer_service":
		return nil, nil // a human takes over; the phone shows nothing
	}
	return nil, fmt.Errorf("a reply of type %q that is empty, too long or not known to this fake", p.Type)
}

func randomNumber() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return binary.BigEndian.Uint64(b[:]) >> 16
}
