package bridge

import (
	"context"
	"fmt"
	"time"

	"jiaxin/bridge/home"
)

// Channel carries notifications to people.
type Channel interface {
	// Deliver sends one notification and returns the channel's id of it, under which a receipt will come.
	// Every error is a *DeliveryError. It is safe to repeat a notification with the same ID.
	Deliver(ctx context.Context, n home.Notification) (msgID string, err error)
}

// DeliveryError says why a notification was not accepted, and what that means for the next step.
type DeliveryError struct {
	Outcome home.Outcome
	Code    int           // the channel's own code (WeChat's errcode); 0: none came back
	After   time.Duration // do not try before this has passed; 0: the caller decides
	Err     error         // for the log: without openid, token or secret
}

func (e *DeliveryError) Error() string {
	return fmt.Sprintf("not delivered (%s, code %d): %v", e.Outcome, e.Code, e.Err)
}

// Unwrap gives the cause.
func (e *DeliveryError) Unwrap() error { return e.Err }

// Account is what the bridge needs of the WeChat account besides delivery.
type Account interface {
	// FollowCode makes a temporary QR code that, scanned, follows the account (or, for a follower, opens the chat) and
	// comes back as Inbound.Scene. It returns the code's content, to be drawn as a QR picture.
	FollowCode(ctx context.Context, scene string, ttl time.Duration) (content string, err error)
	// Profile reads what the account knows of a follower. Name is the operator's remark, usually empty.
	Profile(ctx context.Context, openID string) (Profile, error)
	// Media downloads what a person sent, at most max bytes, and names its sniffed MIME type.
	Media(ctx context.Context, mediaID string, max int64) (data []byte, mime string, err error)
}

// Profile is a follower as the account knows them.
type Profile struct {
	Following bool
	Name      string
	Language  string // "zh", "zh-TW", "zh-HK" or "en"
}

// InboundKind is the sort of a callback.
type InboundKind string

// The sorts of callback that matter to a home.
const (
	InText     InboundKind = "text"
	InVoice    InboundKind = "voice"
	InPhoto    InboundKind = "photo"
	InFollow   InboundKind = "follow"
	InScan     InboundKind = "scan"
	InUnfollow InboundKind = "unfollow"
	InClick    InboundKind = "click"
	InReceipt  InboundKind = "receipt"
	InOther    InboundKind = "other" // anything else a person sent: answered honestly
)

// Inbound is one callback of WeChat, verified and decrypted.
type Inbound struct {
	Kind    InboundKind
	From    string    // openid
	ID      string    // the same for every repetition: MsgId, or From+CreateTime+Event+EventKey
	At      time.Time // WeChat's CreateTime
	Text    string    // text: the words; click: the menu's key
	MenuID  string    // text: the Choice.ID that was tapped, if one was
	MediaID string    // voice, photo
	Media16 string    // voice: the 16 kHz version, if there is one
	Format  string    // voice: amr …
	Scene   string    // follow, scan: the scene of the code that was scanned, without "qrscene_"
	MsgID   string    // receipt: which delivery
	Status  string    // receipt: "success", "failed:user block", "failed: system failed" …
}
