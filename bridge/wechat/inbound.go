package wechat

import (
	"fmt"
	"strings"
	"time"

	"jiaxin/bridge"
)

// inboundXML is what we read of a callback. The library's own struct lacks MediaId16K and reads a menu's id as a number.
// https://developers.weixin.qq.com/doc/service/guide/product/message/Receiving_standard_messages.html
type inboundXML struct {
	XMLName    struct{} `xml:"xml"`
	From       string   `xml:"FromUserName"`
	CreateTime int64    `xml:"CreateTime"` // seconds
	MsgType    string   `xml:"MsgType"`
	MsgID      string   `xml:"MsgId"`

	Content    string `xml:"Content"`
	MenuID     string `xml:"bizmsgmenuid"`
	MediaID    string `xml:"MediaId"`
	MediaID16K string `xml:"MediaId16K"`
	Format     string `xml:"Format"`

	Event     string `xml:"Event"`
	EventKey  string `xml:"EventKey"`
	ReceiptID string `xml:"MsgID"` // of TEMPLATESENDJOBFINISH
	Status    string `xml:"Status"`
	OpenID    string `xml:"OpenID"` // of user_authorization_cancellation
}

// unsupported is what WeChat sends as the text of a message that it does not pass on, a sticker for example.
const unsupported = "【收到不支持的消息类型，暂无法显示】"

// scenePrefix stands before the scene of a code that a person followed by.
const scenePrefix = "qrscene_"

// inbound tells what a person did: taken, with the Inbound, ignored, or badMessage.
func (m *inboundXML) inbound() (bridge.Inbound, result) {
	in := bridge.Inbound{From: m.From, At: time.Unix(m.CreateTime, 0).UTC(), ID: m.id()}
	if !m.fill(&in) {
		return bridge.Inbound{}, ignored
	}
	if in.From == "" || m.CreateTime <= 0 || m.MsgType == "" {
		return bridge.Inbound{}, badMessage
	}
	return in, taken
}

// id is the same whenever WeChat calls again. Messages have their own; of events WeChat says to take sender and time. Two
// receipts to one person within a second differ only in the message that they are for.
func (m *inboundXML) id() string {
	if m.MsgType != "event" && m.MsgID != "" {
		return m.MsgID
	}
	return fmt.Sprintf("%s:%d:%s:%s", m.From, m.CreateTime, m.MsgType+m.Event, m.EventKey+m.ReceiptID)
}

// fill sets what the kind of message calls for; false: nothing that a person did.
func (m *inboundXML) fill(in *bridge.Inbound) bool {
	switch m.MsgType {
	case "event":
		return m.fillEvent(in)
	case "text":
		in.Kind, in.Text, in.MenuID = bridge.InText, m.Content, m.MenuID
		if m.Content == unsupported {
			in.Kind, in.Text = bridge.InOther, ""
		}
	case "voice":
		in.Kind, in.MediaID, in.Media16, in.Format = bridge.InVoice, m.MediaID, m.MediaID16K, m.Format
	case "image":
		in.Kind, in.MediaID = bridge.InPhoto, m.MediaID
	default: // video, location, link, file and what comes after them
		in.Kind = bridge.InOther
	}
	return true
}

// fillEvent knows the events that a person causes and waits upon. The others report on the account, or come with a message
// of their own (LOCATION, VIEW, pic_weixin, location_select …).
func (m *inboundXML) fillEvent(in *bridge.Inbound) bool {
	switch m.Event {
	case "subscribe":
		in.Kind = bridge.InFollow
		if scene, ok := strings.CutPrefix(m.EventKey, scenePrefix); ok {
			in.Scene = scene
		}
	case "SCAN":
		in.Kind, in.Scene = bridge.InScan, m.EventKey
	case "unsubscribe":
		in.Kind = bridge.InUnfollow
	case "user_authorization_cancellation":
		// The person has closed their WeChat account, which asks for the same erasure. The sender is WeChat itself:
		// https://developers.weixin.qq.com/doc/service/en/guide/h5/authorization_change.html
		in.Kind, in.From = bridge.InUnfollow, m.OpenID
	case "CLICK":
		in.Kind, in.Text = bridge.InClick, m.EventKey
	case "TEMPLATESENDJOBFINISH":
		in.Kind, in.MsgID, in.Status = bridge.InReceipt, m.ReceiptID, m.Status
	case "scancode_waitmsg":
		in.Kind = bridge.InOther
	default:
		return false
	}
	return true
}
