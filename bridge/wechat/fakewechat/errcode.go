package fakewechat

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"
)

// apiError is an errcode that WeChat answers with, always under HTTP 200.
type apiError struct {
	Code int    `json:"errcode"`
	Text string `json:"errmsg"`
}

func (e *apiError) Error() string { return fmt.Sprintf("errcode %d: %s", e.Code, e.Text) }

// deny makes an errcode with WeChat's own words; detail, when given, follows them.
func deny(code int, detail ...string) error {
	text := errText(code)
	for _, d := range detail {
		text += " " + d
	}
	return &apiError{code, text}
}

// errText is WeChat's wording, from its global list of return codes
// (https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html).
func errText(code int) string {
	if text, ok := errTexts()[code]; ok {
		return text
	}
	return "system error"
}

func errTexts() map[int]string {
	return map[int]string{
		-1:    "system error",
		40001: "invalid credential, access_token is invalid or not latest",
		40002: "invalid grant_type",
		40003: "invalid openid",
		40004: "invalid media type",
		40007: "invalid media_id",
		40008: "invalid message type",
		40013: "invalid appid",
		40014: "invalid access_token",
		40016: "invalid button size",
		40018: "invalid button name size",
		40029: "invalid code",
		40033: `invalid charset. please check your request, if include \uxxxx will create fail!`,
		40037: "invalid template_id",
		40052: "invalid action name",
		40053: "invalid action info",
		40066: "invalid url",
		40125: "invalid appsecret",
		40163: "code been used",
		40164: "invalid ip, not in whitelist",
		40200: "invalid account type",
		40249: "content is blocked",
		41001: "access_token missing",
		41002: "appid missing",
		41004: "appsecret missing",
		41005: "media data missing",
		41008: "missing code",
		42001: "access_token expired",
		43001: "require GET method",
		43002: "require POST method",
		43004: "require subscribe",
		43101: "user refuse to accept the msg",
		43108: "concurrent request for one user",
		43116: "this template is banned",
		44002: "empty post data",
		44004: "empty content",
		45001: "media size out of limit",
		45002: "content size out of limit",
		45009: "reach max api daily quota limit",
		45011: "api minute-quota reach limit, must slower, retry next minute",
		45015: "response out of time limit or subscription is canceled",
		45029: "qrcode count out of limit",
		45047: "out of response count limit",
		46003: "menu no exist",
		47001: "data format error",
		47003: "argument invalid!",
		48001: "api unauthorized",
		48002: "user block receive message",
		48004: "api forbidden for irregularities",
		50002: "user limited",
	}
}

// rid is the request id that ends each errmsg: the time and two random words.
func rid(now time.Time) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return fmt.Sprintf("rid: %08x-%08x-%08x", uint32(now.Unix()), binary.BigEndian.Uint32(b[:4]), binary.BigEndian.Uint32(b[4:]))
}
