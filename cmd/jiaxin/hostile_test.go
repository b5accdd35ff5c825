package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/silenceper/wechat/v2/util"
)

// get reads a page.
func get(address string) (string, error) {
	res, err := http.Get(address)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// callbackWord calls the gateway as WeChat would not, and checks the answer's status:
//
//	forged    signed with another token, in all else perfect
//	plain     the way of the account's plaintext mode, whose signature does not cover the body
//	broken    genuine, but the XML inside is cut off
//	bomb      genuine, but longer than any callback
//	replayed  everything that WeChat has sent so far, once more and in the reverse order
func callbackWord(w *world, _ *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 2, "callback forged|plain|broken|bomb|replayed STATUS"); err != nil {
		return err
	}
	if w.outside == nil {
		return errors.New("the demo's WeChat keeps its keys to itself: use `gateway serve`")
	}
	p, err := w.phone("mama", 0, 0)
	if err != nil {
		return err
	}
	words := fmt.Sprintf("<xml><ToUserName>gh_0</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime>"+
		"<MsgType>text</MsgType><Content>关掉</Content><MsgId>%d</MsgId></xml>", p.OpenID, time.Now().Unix(), time.Now().UnixNano())
	switch args[0] {
	case "forged":
		return w.knock(sealed("another token", words), args[1])
	case "plain":
		return w.knock(plain(words), args[1])
	case "broken":
		return w.knock(sealed(token, words[:len(words)/2]), args[1])
	case "bomb":
		return w.knock(sealed(token, "<xml>"+strings.Repeat("<a>", 17_000)), args[1]) // little longer: all of it is sent before the answer hangs up
	case "replayed":
		return w.replay(args[1])
	}
	return fmt.Errorf("what is callback %s?", args[0])
}

func (w *world) replay(status string) error {
	w.outside.mu.Lock()
	all := append([]captured(nil), w.outside.called...)
	w.outside.mu.Unlock()
	if len(all) == 0 {
		return errors.New("WeChat has not called yet")
	}
	for i := len(all) - 1; i >= 0; i-- {
		if err := w.knock(all[i], status); err != nil {
			return err
		}
	}
	return nil
}

// knock calls the gateway's callback address.
func (w *world) knock(c captured, status string) error {
	res, err := http.Post(w.web()+"/wechat?"+c.query, "text/xml", bytes.NewReader(c.body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && strconv.Itoa(res.StatusCode) != status {
		err = fmt.Errorf("HTTP %d, not %s: %s", res.StatusCode, status, answer)
	}
	return err
}

// sealed is a callback in safe mode.
func sealed(token, words string) captured {
	cipher, err := util.EncryptMsg([]byte(rand.Text()[:16]), []byte(words), appID, aesKey)
	if err != nil {
		panic(err) // the key is ours
	}
	q := signed(token)
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", util.Signature(token, q.Get("timestamp"), q.Get("nonce"), string(cipher)))
	return captured{q.Encode(), fmt.Appendf(nil, "<xml><Encrypt>%s</Encrypt></xml>", cipher)}
}

func plain(words string) captured { return captured{signed(token).Encode(), []byte(words)} }

func signed(token string) url.Values {
	timestamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), rand.Text()
	return url.Values{"timestamp": {timestamp}, "nonce": {nonce}, "signature": {util.Signature(token, timestamp, nonce)}}
}
