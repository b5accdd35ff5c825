package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

const mediaAPI = "media/get"

// Media downloads what a person sent, at most max bytes, within 30 s. WeChat keeps it for three days. The type is told from
// the bytes: image/jpeg, image/png, image/gif, image/webp, audio/amr, audio/amr-wb, audio/speex, audio/silk …, or
// application/octet-stream. A video is an error: WeChat gives only its address.
func (c *Client) Media(ctx context.Context, mediaID string, max int64) (data []byte, mime string, err error) {
	if max <= 0 {
		return nil, "", fmt.Errorf("a download of at most %d bytes: allow more", max)
	}
	data, err = c.perform(ctx, request{
		api: mediaAPI, query: url.Values{"media_id": {mediaID}}, raw: true, limit: max, timeout: mediaTimeout,
	})
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, "", fmt.Errorf("wechat %s: the file is longer than the %d bytes that are allowed: %w", mediaAPI, max, tooLong)
	}
	if err != nil {
		return nil, "", err
	}
	if err := mustBeFile(data); err != nil {
		return nil, "", err
	}
	return data, sniff(data), nil
}

// mustBeFile turns away the two answers that are a success and yet no file.
func mustBeFile(data []byte) error {
	var video struct {
		URL string `json:"video_url"`
	}
	switch {
	case len(data) == 0:
		return &Error{API: mediaAPI, Msg: "an empty file"}
	case json.Unmarshal(data, &video) == nil && video.URL != "":
		return &Error{API: mediaAPI, Msg: "a video, which is not downloaded"}
	default:
		return nil
	}
}

// magics are the beginnings of files that net/http does not know. AMR: RFC 4867 §5.1, §5.2; SILK: WeChat's own.
var magics = []struct{ start, mime string }{
	{"#!AMR-WB\n", "audio/amr-wb"},
	{"#!AMR\n", "audio/amr"},
	{"#!SILK_V3", "audio/silk"},
	{"\x02#!SILK_V3", "audio/silk"},
	{"Speex   ", "audio/speex"},
}

func sniff(data []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(data, []byte(m.start)) {
			return m.mime
		}
	}
	if bytes.HasPrefix(data, []byte("OggS")) && bytes.Contains(data[:min(len(data), 64)], []byte("Speex   ")) {
		return "audio/speex"
	}
	return http.DetectContentType(data)
}
