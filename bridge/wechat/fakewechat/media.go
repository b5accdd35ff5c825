package fakewechat

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// Temporary media (https://developers.weixin.qq.com/doc/offiaccount/Asset_Management/New_temporary_materials.html).
const (
	mediaLife = 3 * 24 * time.Hour
	maxVoice  = 2 << 20  // bytes
	mediaKept = 32 << 20 // bytes in all; the oldest goes first
)

// media is one temporary file. A picture stays visible at its PicUrl after it expired as media.
type media struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"` // image, voice …
	Name    string    `json:"name"`
	Content string    `json:"content"` // MIME type
	Data    []byte    `json:"data"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// path is where the phone page finds the picture; callbacks name it by its PicUrl instead.
func (m *media) path() string { return "/_fake/picture/" + m.ID }

// addMedia keeps a file. s.mu is held.
func (s *Server) addMedia(kind, name, content string, data []byte) *media {
	now := s.now()
	m := &media{
		ID: randomText(48), Type: kind, Name: name, Content: content, Data: data,
		Created: now, Expires: now.Add(mediaLife),
	}
	s.state.Media[m.ID] = m
	s.forgetMedia(m)
	s.changed()
	return m
}

func (s *Server) forgetMedia(keep *media) {
	total := 0
	for _, m := range s.state.Media {
		total += len(m.Data)
	}
	for total > mediaKept && len(s.state.Media) > 1 {
		oldest := keep
		for _, m := range s.state.Media {
			if m != keep && (oldest == keep || m.Created.Before(oldest.Created)) {
				oldest = m
			}
		}
		total -= len(oldest.Data)
		delete(s.state.Media, oldest.ID)
	}
}

func (s *Server) mediaGet(c *call) (any, error) {
	m, known := s.state.Media[c.query.Get("media_id")]
	if !known || !c.now.Before(m.Expires) {
		return nil, deny(40007)
	}
	return blob{m.Content, m.Name, m.Data}, nil
}

func (s *Server) mediaUpload(c *call) (any, error) {
	kind := c.query.Get("type")
	limit, known := map[string]int{"image": maxMedia, "voice": maxVoice, "thumb": 64 << 10, "video": maxMedia}[kind]
	if !known {
		return nil, deny(40004)
	}
	name, data, err := c.file("media")
	switch {
	case err != nil || len(data) == 0:
		return nil, deny(41005)
	case len(data) > limit:
		return nil, deny(45001)
	}
	m := s.addMedia(kind, name, sniff(data), data)
	return map[string]any{"type": kind, "media_id": m.ID, "created_at": m.Created.Unix()}, nil
}

// file reads one file of a multipart body.
func (c *call) file(field string) (name string, data []byte, err error) {
	_, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil {
		return "", nil, err
	}
	reader := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := reader.NextPart()
		if err != nil {
			return "", nil, err
		}
		if part.FormName() == field {
			data, err := io.ReadAll(part)
			return cleanName(part.FileName()), data, err
		}
	}
}

// cleanName keeps a file name fit for a header.
func cleanName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r == 0x7f {
			return '_'
		}
		return r
	}, name)
}

// picture serves PicUrl: like WeChat's picture host it asks for nothing but the address.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	m, known := s.state.Media[r.PathValue("id")]
	s.mu.Unlock()
	if !known || m.Type != "image" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", m.Content)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "sandbox")
	_, _ = w.Write(m.Data)
}

// sniff names the type of a file by its first bytes; the standard library does not know WeChat's voices.
func sniff(data []byte) string {
	if bytes.HasPrefix(data, []byte("#!AMR")) {
		return "audio/amr"
	}
	return http.DetectContentType(data)
}
