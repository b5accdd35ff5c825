package wechat

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"github.com/silenceper/wechat/v2/util"
)

var errOtherAccount = errors.New("for another account")

// decrypt opens the envelope with the current key or, for a while after a change, with the previous one.
func (c *callback) decrypt(encrypted string) ([]byte, error) {
	sealed, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, key := range c.keys {
		plain, err := c.decryptWith(key, sealed)
		if err == nil {
			return plain, nil
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

func (c *callback) decryptWith(key, sealed []byte) (plain []byte, err error) {
	defer func() { // the library indexes by lengths that a stranger wrote
		if p := recover(); p != nil {
			plain, err = nil, fmt.Errorf("broken ciphertext: %v", p)
		}
	}()
	_, plain, appID, err := util.AESDecryptMsg(sealed, key)
	if err != nil {
		return nil, err
	}
	if string(appID) != c.appID {
		return nil, errOtherAccount
	}
	return plain, nil
}

// deepestXML bounds the nesting of a callback; WeChat's deepest event has 5 levels.
const deepestXML = 8

// decodeXML reads one document. It refuses declarations of any kind (with them, entities), processing
// instructions but the first line's, and deep nesting.
func decodeXML(data []byte, out any) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	depth := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return xml.Unmarshal(data, out)
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.Directive:
			return errors.New("a declaration")
		case xml.ProcInst:
			if t.Target != "xml" {
				return errors.New("a processing instruction")
			}
		}
		if depth > deepestXML {
			return errors.New("nested too deeply")
		}
	}
}
