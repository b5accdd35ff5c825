package wechat

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jiaxin/bridge"
)

func TestFollowCode(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.always("qrcode/create", `{"ticket":"gQH","expire_seconds":600,"url":"http:\/\/weixin.qq.com\/q\/kZgfwMTm72WWPkovabbI"}`)
	c := newClient(t, testConfig(p.URL), Options{})
	got, err := c.FollowCode(t.Context(), "claim-1", 10*time.Minute)
	if err != nil || got != "http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI" {
		t.Fatalf("%q, %v", got, err)
	}
	var sent struct {
		Expire int    `json:"expire_seconds"`
		Action string `json:"action_name"`
		Info   struct {
			Scene struct {
				Str string `json:"scene_str"`
			}
		} `json:"action_info"`
	}
	if err := json.Unmarshal([]byte(p.lastBody()), &sent); err != nil || sent.Expire != 600 ||
		sent.Action != "QR_STR_SCENE" || sent.Info.Scene.Str != "claim-1" {
		t.Errorf("sent %s", p.lastBody())
	}
	for _, bad := range []struct {
		scene string
		ttl   time.Duration
	}{{"", time.Minute}, {strings.Repeat("x", 65), time.Minute}, {"x", 0}, {"x", 31 * 24 * time.Hour}} {
		if _, err := c.FollowCode(t.Context(), bad.scene, bad.ttl); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
	p.always("qrcode/create", `{"ticket":"gQH"}`)
	if _, err := c.FollowCode(t.Context(), "x", time.Minute); err == nil {
		t.Error("an answer without url was taken")
	}
}

func TestProfile(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bridge.Profile{
		`{"subscribe":1,"openid":"o","language":"zh_CN","remark":"妈妈","nickname":""}`: {Following: true, Name: "妈妈", Language: "zh"},
		`{"subscribe":1,"language":"zh_TW"}`:                                          {Following: true, Language: "zh-TW"},
		`{"subscribe":1,"language":"zh_HK"}`:                                          {Following: true, Language: "zh-HK"},
		`{"subscribe":1,"language":"en"}`:                                             {Following: true, Language: "en"},
		`{"subscribe":1,"language":""}`:                                               {Following: true, Language: "zh"},
		`{"subscribe":0,"openid":"o"}`:                                                {Language: "zh"},
	} {
		p := newPeer(t)
		p.always("user/info", answer)
		got, err := newClient(t, testConfig(p.URL), Options{}).Profile(t.Context(), openID)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", answer, got, err)
		}
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	for mime, data := range map[string]string{
		"image/jpeg":               "\xff\xd8\xff\xe0\x00\x10JFIF",
		"image/png":                "\x89PNG\r\n\x1a\n....",
		"image/gif":                "GIF89a....",
		"image/webp":               "RIFF\x24\x00\x00\x00WEBPVP8 ....",
		"audio/amr":                "#!AMR\n\x3c....",
		"audio/amr-wb":             "#!AMR-WB\n\x44....",
		"audio/silk":               "\x02#!SILK_V3....",
		"audio/speex":              "OggS\x00\x02............\x00\x00\x00\x00........Speex   1.2",
		"application/octet-stream": "\x00\x01\x02\x03\xf0\xf1",
	} {
		p := newPeer(t)
		p.always(mediaAPI, data)
		got, sniffed, err := newClient(t, testConfig(p.URL), Options{}).Media(t.Context(), "M1", 64)
		if err != nil || string(got) != data || sniffed != mime {
			t.Errorf("%s: %q, %s, %v", mime, got, sniffed, err)
		}
	}
}

func TestMediaThatIsNoFile(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ answer, want string }{
		"expired":  {refusalOf(40007), "errcode 40007"},
		"video":    {`{"video_url":"http://x/y"}`, "a video"},
		"empty":    {"", "an empty file"},
		"too long": {strings.Repeat("x", 65), "longer than the 64 bytes"},
	} {
		p := newPeer(t)
		p.always(mediaAPI, row.answer)
		data, _, err := newClient(t, testConfig(p.URL), Options{}).Media(t.Context(), "M1", 64)
		if err == nil || !strings.Contains(err.Error(), row.want) || data != nil {
			t.Errorf("%s: %q, %v", name, data, err)
		}
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong != (name == "too long") {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newPeer(t)
	if _, _, err := newClient(t, testConfig(p.URL), Options{}).Media(t.Context(), "M1", 0); err == nil {
		t.Error("a limit of 0 bytes was taken")
	}
}

// A file may begin with a brace, and a dead token is noticed in a download too.
func TestMediaSeesThroughBraceAndDeadToken(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.on(mediaAPI, func(n int, _ string) string {
		if n == 1 {
			return refusalOf(42001)
		}
		return "{not JSON"
	})
	got, _, err := newClient(t, testConfig(p.URL), Options{}).Media(t.Context(), "M1", 64)
	if err != nil || string(got) != "{not JSON" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCallsAreCounted(t *testing.T) {
	t.Parallel()
	p, reg := newPeer(t), prometheus.NewRegistry()
	c := newClient(t, testConfig(p.URL), Options{Registerer: reg})
	newClient(t, testConfig(p.URL), Options{Registerer: reg}) // a second account shares the metrics
	if _, err := c.Deliver(t.Context(), alarmCard()); err != nil {
		t.Fatal(err)
	}
	p.always(cardAPI, refusalOf(43004))
	deliverError(t, c, alarmCard())
	want := map[string]float64{
		"message/template/send accepted": 1, "message/template/send gone": 1, "stable_token accepted": 1,
	}
	if got := counts(t, reg, "jiaxin_wechat_calls_total"); !maps.Equal(got, want) {
		t.Errorf("counted %v", got)
	}
	want = map[string]float64{"message/template/send": 2, "stable_token": 1}
	if got := counts(t, reg, "jiaxin_wechat_call_seconds"); !maps.Equal(got, want) {
		t.Errorf("timed %v", got)
	}
}

// counts reads a metric: its label values, joined by a space → how often.
func counts(t *testing.T, reg *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got[strings.Join(labels, " ")] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return got
}
