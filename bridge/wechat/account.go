package wechat

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/silenceper/wechat/v2/officialaccount/basic"
	"github.com/silenceper/wechat/v2/officialaccount/user"

	"jiaxin/bridge"
)

// What WeChat allows a temporary code:
// https://developers.weixin.qq.com/doc/service/api/qrcode/qrcodes/api_createqrcode.md
const (
	longestScene = 64
	longestCode  = 30 * 24 * time.Hour
)

// FollowCode makes a temporary QR code. The scene has 1 to 64 bytes and comes back when somebody scans it; the code lives
// for ttl, from one second to 30 days. The result is what the QR picture must say.
func (c *Client) FollowCode(ctx context.Context, scene string, ttl time.Duration) (string, error) {
	if scene == "" || len(scene) > longestScene {
		return "", fmt.Errorf("a follow code's scene has %d bytes: give it 1 to %d", len(scene), longestScene)
	}
	if ttl < time.Second || ttl > longestCode {
		return "", fmt.Errorf("a follow code cannot live for %s: give it 1s to %s", ttl, longestCode)
	}
	const api = "qrcode/create"
	var ticket basic.Ticket
	err := c.call(ctx, request{api: api, body: basic.NewTmpQrRequest(ttl, scene)}, &ticket)
	if err != nil {
		return "", err
	}
	if ticket.URL == "" {
		return "", &Error{API: api, Msg: "an answer without the code's url"}
	}
	return ticket.URL, nil
}

// Profile reads what the account knows of a person. WeChat no longer tells nicknames, so Name is the operator's remark.
func (c *Client) Profile(ctx context.Context, openID string) (bridge.Profile, error) {
	var info user.Info
	query := url.Values{"openid": {openID}, "lang": {"zh_CN"}}
	if err := c.call(ctx, request{api: "user/info", query: query, person: openID}, &info); err != nil {
		return bridge.Profile{}, err
	}
	return bridge.Profile{Following: info.Subscribe == 1, Name: info.Remark, Language: language(info.Language)}, nil
}

// language maps WeChat's names of languages to ours. It is often empty, and the account is a Chinese one.
func language(wechat string) string {
	switch wechat {
	case "zh_TW":
		return "zh-TW"
	case "zh_HK":
		return "zh-HK"
	case "en":
		return "en"
	default:
		return "zh"
	}
}
