package wechat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/silenceper/wechat/v2/officialaccount/message"

	"jiaxin/bridge/home"
	"jiaxin/devices"
)

const (
	cardAPI = "message/template/send"
	chatAPI = "message/custom/send"

	noMenus   = 40200 // the account may not send menus
	duplicate = 45065 // the client_msg_id was used before: WeChat has the message already
)

// Deliver sends one notification: as a template message, or as text or menu in the chat. The id is that of the later
// receipt; only cards have one. WeChat itself drops a repeated card within ten minutes, but has no such guard
// in the chat: there, a repetition after an unknown outcome can be seen twice.
// Every error is a *bridge.DeliveryError.
func (c *Client) Deliver(ctx context.Context, n home.Notification) (string, error) {
	leave, err := c.lanes.enter(ctx, n.To)
	if err != nil {
		return "", deliveryError(fmt.Errorf("waiting for the person's former message: %w", err))
	}
	defer leave()
	msgID, err := c.deliver(ctx, n)
	if err != nil {
		return "", deliveryError(err)
	}
	return msgID, nil
}

func (c *Client) deliver(ctx context.Context, n home.Notification) (string, error) {
	switch n.Via {
	case home.Card:
		return c.sendCard(ctx, n)
	case home.Chat:
		return "", c.sendChat(ctx, n)
	default:
		return "", refusal(fmt.Sprintf("no way %q to WeChat: use card or chat", n.Via))
	}
}

func (c *Client) sendCard(ctx context.Context, n home.Notification) (string, error) {
	card, err := c.card(n)
	if err != nil {
		return "", err
	}
	var answer struct {
		ErrCode *int        `json:"errcode"`
		MsgID   json.Number `json:"msgid"` // exceeds 2^53
	}
	err = c.call(ctx, deliveryOf(cardAPI, n, card), &answer)
	if failure, ok := errors.AsType[*Error](err); ok && failure.Code == duplicate {
		return "", nil
	}
	if err == nil && answer.ErrCode == nil {
		err = &Error{API: cardAPI, Msg: "an answer without errcode"}
	}
	return answer.MsgID.String(), err
}

// card fills the account's template.
func (c *Client) card(n home.Notification) (*message.TemplateMessage, error) {
	form, ok := c.cfg.Templates[n.Card.Form]
	if !ok {
		return nil, refusal(fmt.Sprintf("no template for the form %q: add it with its template_id to wechat.templates", n.Card.Form))
	}
	data := map[string]*message.TemplateDataItem{}
	for _, f := range n.Card.Fields {
		data[form.field(f.Key)] = &message.TemplateDataItem{Value: f.Value}
	}
	return &message.TemplateMessage{
		ToUser: n.To, TemplateID: form.ID, URL: n.URL, Data: data, ClientMsgID: clientMsgID(n.ID),
	}, nil
}

// clientMsgID is the key by which WeChat drops a repeated message. No page states its length for template messages;
// mass messages allow 64 bytes. This has 32.
func clientMsgID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// sendChat sends text, with its menu where there is one and the account may.
func (c *Client) sendChat(ctx context.Context, n home.Notification) error {
	if n.Text == "" {
		return refusal("a chat message without words")
	}
	if len(n.Menu) == 0 || c.menusOff.Load() {
		return c.sendText(ctx, n)
	}
	err := c.call(ctx, deliveryOf(chatAPI, n, menuMessage(n)), nil)
	if failure, ok := errors.AsType[*Error](err); ok && failure.Code == noMenus {
		if !c.menusOff.Swap(true) {
			c.log.Info("wechat: the account may not send menus, so they go as numbered text from now on")
		}
		return c.sendText(ctx, n)
	}
	return err
}

func (c *Client) sendText(ctx context.Context, n home.Notification) error {
	text := message.NewCustomerTextMessage(n.To, numbered(n))
	return c.call(ctx, deliveryOf(chatAPI, n, text), nil)
}

// numbered writes the menu's choices beneath the text, each with the number that answers it.
func numbered(n home.Notification) string {
	var b strings.Builder
	b.WriteString(n.Text)
	for i, choice := range n.Menu {
		fmt.Fprintf(&b, "\n%d %s", i+1, choice.Label)
	}
	return b.String()
}

func menuMessage(n home.Notification) *message.CustomerMessage {
	menu := &message.MediaMsgmenu{HeadContent: n.Text}
	for _, choice := range n.Menu {
		menu.List = append(menu.List, message.MsgmenuItem{ID: choice.ID, Content: choice.Label})
	}
	return &message.CustomerMessage{ToUser: n.To, Msgtype: "msgmenu", Msgmenu: menu}
}

func deliveryOf(api string, n home.Notification, body any) request {
	return request{api: api, body: body, person: n.To, urgent: n.Level == devices.Critical}
}
