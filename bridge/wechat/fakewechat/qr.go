package fakewechat

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// The limits of scene codes (https://developers.weixin.qq.com/doc/offiaccount/Account_Management/Generating_a_Parametric_QR_Code.html).
const (
	sceneLength   = 64
	sceneLongest  = 2592000 // seconds: 30 days
	sceneDefault  = 30      // seconds, when none are given
	permanentMost = 100000
	temporaryKept = 100000 // expired ones are forgotten first
	qrPixels      = 430
	qrHost        = "http://weixin.qq.com/q/"
)

// ticket is one scene code. Zero Expires: for ever.
type ticket struct {
	Ticket  string    `json:"ticket"`
	URL     string    `json:"url"` // what the picture says
	Scene   string    `json:"scene"`
	Expires time.Time `json:"expires,omitzero"`
}

func (t *ticket) dead(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

type qrRequest struct {
	Seconds int64  `json:"expire_seconds"`
	Action  string `json:"action_name"`
	Info    struct {
		Scene struct {
			Str string      `json:"scene_str"`
			ID  json.Number `json:"scene_id"`
		} `json:"scene"`
	} `json:"action_info"`
}

type qrAnswer struct {
	Ticket  string `json:"ticket"`
	Seconds int64  `json:"expire_seconds,omitempty"`
	URL     string `json:"url"`
}

func (s *Server) qrCreate(c *call) (any, error) {
	var req qrRequest
	if err := c.decode(&req); err != nil {
		return nil, err
	}
	scene, permanent, err := req.scene()
	if err != nil {
		return nil, err
	}
	if permanent {
		return s.permanentCode(scene)
	}
	return s.temporaryCode(scene, req.Seconds, c.now), nil
}

func (r *qrRequest) scene() (scene string, permanent bool, err error) {
	id, idErr := strconv.ParseUint(r.Info.Scene.ID.String(), 10, 32)
	str := r.Info.Scene.Str
	length := utf8.RuneCountInString(str)
	switch r.Action {
	case "QR_STR_SCENE":
		return str, false, denyIf(length == 0, 40053)
	case "QR_LIMIT_STR_SCENE":
		return str, true, denyIf(length == 0 || length > sceneLength, 40053)
	case "QR_SCENE":
		return strconv.FormatUint(id, 10), false, denyIf(idErr != nil || id == 0, 40053)
	case "QR_LIMIT_SCENE":
		return strconv.FormatUint(id, 10), true, denyIf(idErr != nil || id == 0 || id > permanentMost, 40053)
	}
	return "", false, deny(40052)
}

func denyIf(wrong bool, code int) error {
	if wrong {
		return deny(code)
	}
	return nil
}

// permanentCode gives the same scene the same code: an account has only 100,000 of them.
func (s *Server) permanentCode(scene string) (any, error) {
	permanent := 0
	for _, t := range s.state.Tickets {
		if !t.Expires.IsZero() {
			continue
		}
		if permanent++; t.Scene == scene {
			return qrAnswer{Ticket: t.Ticket, URL: t.URL}, nil
		}
	}
	if permanent >= permanentMost {
		return nil, deny(45029)
	}
	t := s.addTicket(scene, time.Time{})
	return qrAnswer{Ticket: t.Ticket, URL: t.URL}, nil
}

func (s *Server) temporaryCode(scene string, seconds int64, now time.Time) any {
	if seconds <= 0 {
		seconds = sceneDefault
	}
	seconds = min(seconds, sceneLongest)
	s.forgetTickets(now)
	t := s.addTicket(scene, now.Add(time.Duration(seconds)*time.Second))
	return qrAnswer{t.Ticket, seconds, t.URL}
}

// forgetTickets bounds the memory that codes take.
func (s *Server) forgetTickets(now time.Time) {
	if len(s.state.Tickets) < temporaryKept {
		return
	}
	for key, t := range s.state.Tickets {
		if t.dead(now) {
			delete(s.state.Tickets, key)
		}
	}
}

// addTicket makes a ticket with + and / in it: one that is put into an address without escaping does not work, as at WeChat.
func (s *Server) addTicket(scene string, expires time.Time) *ticket {
	t := &ticket{
		Ticket: "gQ+/" + base64.StdEncoding.EncodeToString([]byte(randomText(40))),
		URL:    qrHost + "02" + randomText(24), Scene: scene, Expires: expires,
	}
	s.state.Tickets[t.Ticket] = t
	s.changed()
	return t
}

// ticketOf finds the ticket that a QR code's text belongs to. s.mu is held.
func (s *Server) ticketOf(text string) (*ticket, bool) {
	if !isSceneCode(text) {
		return nil, false
	}
	for _, t := range s.state.Tickets {
		if t.URL == text {
			return t, true
		}
	}
	return nil, false
}

func isSceneCode(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host == "weixin.qq.com" && strings.HasPrefix(u.Path, "/q/")
}

// showQRCode draws the picture of a ticket. It needs no access_token, as at mp.weixin.qq.com.
func (s *Server) showQRCode(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	t, known := s.state.Tickets[r.URL.Query().Get("ticket")]
	s.mu.Unlock()
	if !known {
		http.Error(w, "no such ticket; it must be URL-encoded", http.StatusNotFound)
		return
	}
	picture, err := drawQR(t.URL)
	if err != nil {
		s.opt.Logger.Error("the fake WeChat could not draw a QR code", "error", err)
		http.Error(w, "cannot draw", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(picture)
}

// drawQR makes a PNG with the quiet zone of four modules that ISO/IEC 18004 asks for.
func drawQR(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("encode QR: %w", err)
	}
	side := code.Bounds().Dx()
	scale := max(1, qrPixels/(side+8))
	large, err := barcode.Scale(code, side*scale, side*scale)
	if err != nil {
		return nil, fmt.Errorf("scale QR: %w", err)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, onWhite(large, 4*scale)); err != nil {
		return nil, fmt.Errorf("encode PNG: %w", err)
	}
	return buf.Bytes(), nil
}
