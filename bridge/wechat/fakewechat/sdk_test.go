package fakewechat_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/credential"
	"github.com/silenceper/wechat/v2/officialaccount/basic"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	sdk "github.com/silenceper/wechat/v2/officialaccount/context"
	"github.com/silenceper/wechat/v2/officialaccount/menu"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/officialaccount/user"
	"github.com/silenceper/wechat/v2/util"

	"jiaxin/bridge/wechat/fakewechat"
)

func packageComment(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// oneToken is the SDK's token source, without its cache.
type oneToken string

func (k oneToken) GetAccessToken() (string, error) { return string(k), nil }

// TestSDK lets the SDK that gateways use talk to the fake. It is not parallel: the SDK's address is global.
func TestSDK(t *testing.T) {
	w := newWorld(t)
	util.SetURIModifier(func(uri string) string { return strings.Replace(uri, "https://api.weixin.qq.com", w.url, 1) })
	t.Cleanup(func() { util.SetURIModifier(nil) })
	mama := w.follow("mama")

	source, isStable := credential.NewStableAccessToken(appID, appSecret, "t", noCache{}).(*credential.StableAccessToken)
	if !isStable {
		t.Fatal("the SDK has another token source")
	}
	key, err := source.GetAccessTokenDirectly(context.Background(), false)
	if err != nil || key.AccessToken == "" || key.ExpiresIn < 300 {
		t.Fatalf("token: %+v %v", key, err)
	}
	plain, err := credential.GetTokenFromServerContext(context.Background(), w.url+"/cgi-bin/token?grant_type=client_credential&appid="+appID+"&secret="+appSecret)
	if err != nil || plain.AccessToken == key.AccessToken {
		t.Fatalf("plain token: %+v %v", plain, err)
	}
	account := &sdk.Context{Config: &config.Config{AppID: appID, AppSecret: appSecret}, AccessTokenHandle: oneToken(key.AccessToken)}

	id, err := message.NewTemplate(account).Send(&message.TemplateMessage{
		ToUser: mama, TemplateID: "T-notice", Data: map[string]*message.TemplateDataItem{
			"thing1": {Value: "客厅空调"}, "const2": {Value: "已完成"}, "time3": {Value: "2024年6月21日 16:34"},
		},
	})
	if err != nil || id <= 1<<53 {
		t.Errorf("template: %d %v", id, err)
	}
	if e := w.gateway.next(); e.JobID != id {
		t.Errorf("the receipt is of %d, the message %d", e.JobID, id)
	}
	if err := message.NewMessageManager(account).Send(message.NewCustomerTextMessage(mama, "<好>&")); err != nil {
		t.Errorf("custom: %v", err)
	}
	if m := last(w.phone("mama")); m.Text != "<好>&" {
		t.Errorf("the phone shows %+v", m)
	}
	ticket, err := basic.NewBasic(account).GetQRTicket(basic.NewTmpQrRequest(10*time.Minute, "bind"))
	if err != nil || ticket.ExpireSeconds != 600 || !strings.HasPrefix(ticket.URL, "http://weixin.qq.com/q/") {
		t.Errorf("QR: %v %v", ticket.URL, err)
	}
	if info, err := user.NewUser(account).GetUserInfo(mama); err != nil || info.Subscribe != 1 || info.Remark != "厨房" {
		t.Errorf("user: %+v %v", info, err)
	}
	if err := menu.NewMenu(account).SetMenu([]*menu.Button{{Type: "click", Name: "我的家", Key: "home"}}); err != nil {
		t.Errorf("menu: %v", err)
	}
	if list, err := message.NewTemplate(account).List(); err != nil || len(list) != 1 || list[0].TemplateID != "T-notice" {
		t.Errorf("templates: %v %v", list, err)
	}
	// An error of WeChat's is one of the SDK's too.
	if _, err := message.NewTemplate(account).Send(&message.TemplateMessage{ToUser: mama, TemplateID: "?"}); err == nil || !strings.Contains(err.Error(), "40037") {
		t.Errorf("unknown template: %v", err)
	}
}

type noCache struct{}

func (noCache) Get(string) any                       { return nil }
func (noCache) Set(string, any, time.Duration) error { return nil }
func (noCache) IsExist(string) bool                  { return false }
func (noCache) Delete(string) error                  { return nil }

// What the SDK seals the fake's gateway opens, at every length around the block of 32.
func TestCrypto_everyLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.follow("mama")
	for n := 1; n <= 70; n++ {
		words := strings.Repeat("x", n)
		w.gateway.reply <- func(rw http.ResponseWriter, m heard) {
			plain := fmt.Sprintf("<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>%s</Content></xml>", m.From, m.To, words)
			sealed, err := util.EncryptMsg([]byte("0123456789abcdef"), []byte(plain), appID, aesKey)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(rw, "<xml><Encrypt>%s</Encrypt><MsgSignature>%s</MsgSignature><TimeStamp>1</TimeStamp><Nonce>2</Nonce></xml>", sealed, util.Signature(token, "1", "2", string(sealed)))
		}
		w.control("text", map[string]any{"user": "mama", "text": words}, nil)
		if m := w.gateway.next(); m.Content != words {
			t.Fatalf("length %d arrived as %q", n, m.Content)
		}
		w.until("mama", "the answer", func(p fakewechat.Phone) bool { m := last(p); return m.Kind == fakewechat.KindText && m.Text == words })
	}
}
