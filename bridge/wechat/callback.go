package wechat

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/silenceper/wechat/v2/util"
	"golang.org/x/time/rate"

	"jiaxin/bridge"
)

const (
	// callbackLimit bounds a callback's body, in bytes. The longest genuine one, 2 KiB of text encrypted, has 4 KiB.
	callbackLimit = 64 << 10
	// freshness is how far a callback's timestamp may be from our clock, either way.
	freshness = 5 * time.Minute
	// answerWithin is the receiver's time. WeChat hangs up after 5 s and calls again.
	answerWithin = 4500 * time.Millisecond
	// longestEcho bounds what the account's address check makes us repeat, in bytes.
	longestEcho = 256
	// logEvery spaces the log lines about callbacks of one kind that were turned away: strangers must not fill the disk.
	logEvery = 10 * time.Second
)

// result is how a callback ended, for the metric.
type result string

const (
	taken    result = "ok"       // handed to the receiver
	ignored  result = "ignored"  // genuine, and nothing that a person did
	verified result = "verified" // the account's check of our address
	failed   result = "failed"   // the receiver could not keep it; WeChat calls again

	badMethod       result = "method"
	badMode         result = "plaintext"
	badSignature    result = "signature"
	badTime         result = "stale"
	badSize         result = "size"
	badXML          result = "xml"
	badMsgSignature result = "msg_signature"
	badCipher       result = "decrypt"
	badAppID        result = "appid"
	badMessage      result = "message"
)

// statuses are the HTTP answers to what is not a success. WeChat calls again after any of them, up to three times in all.
var statuses = map[result]int{
	failed:          http.StatusInternalServerError,
	badMethod:       http.StatusMethodNotAllowed,
	badMode:         http.StatusBadRequest,
	badSignature:    http.StatusForbidden,
	badTime:         http.StatusForbidden,
	badSize:         http.StatusRequestEntityTooLarge,
	badXML:          http.StatusBadRequest,
	badMsgSignature: http.StatusForbidden,
	badCipher:       http.StatusBadRequest,
	badAppID:        http.StatusForbidden,
	badMessage:      http.StatusBadRequest,
}

// cures say what an operator should look at when genuine callbacks are turned away.
var cures = map[result]string{
	failed:          "the home could not be stored; WeChat calls again",
	badMethod:       "only GET and POST are WeChat's",
	badMode:         "choose 安全模式 (safe mode) on the account's 服务器配置 page; a 测试号, which has none, needs wechat.test_account: true",
	badSignature:    "forged, or wechat.token is not the Token of the 服务器配置 page",
	badTime:         "replayed, or this machine's clock is more than five minutes wrong",
	badSize:         "no callback of WeChat is that long",
	badXML:          "choose XML as the data format on the 服务器配置 page",
	badMsgSignature: "forged, or wechat.token is not the Token of the 服务器配置 page",
	badCipher:       "wechat.aes_key is not the EncodingAESKey of the 服务器配置 page",
	badAppID:        "the callback is for another account: compare wechat.app_id",
	badMessage:      "a message without sender, time or type",
}

// callback is the handler of the account's callback URL.
type callback struct {
	appID   string
	token   string
	keys    [][]byte
	plain   bool // Config.TestAccount
	receive func(context.Context, bridge.Inbound) error
	now     func() time.Time
	log     *slog.Logger
	results *prometheus.CounterVec
	quiet   map[result]*rate.Sometimes
}

// NewCallback makes the handler of the account's callback URL, which must be in safe mode with XML. The receiver gets
// every callback at least once and must drop those whose ID it knows; WeChat is told "success" when it has returned nil, and
// calls again when it has not. It has 4.5 s.
//
// What is forged, stale, plain, oversized or broken is turned away with a 4xx status, counted, and logged without its
// content, at most once in ten seconds for each reason. A repeated nonce is no reason: WeChat may reuse one when it calls
// again. The error is that of Config.Check or of the metric's registration.
func NewCallback(cfg Config, receive func(context.Context, bridge.Inbound) error, o Options) (http.Handler, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	keys, err := cfg.aesKeys()
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	results, err := newCallbackMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	quiet := map[result]*rate.Sometimes{}
	for reason := range statuses {
		quiet[reason] = &rate.Sometimes{Interval: logEvery}
	}
	return &callback{cfg.AppID, string(cfg.Token), keys, cfg.TestAccount, receive, o.Now, o.Logger, results, quiet}, nil
}

// ServeHTTP answers one callback.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, result, err := c.handle(w, r)
	c.results.WithLabelValues(string(result)).Inc()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if status, refused := statuses[result]; refused {
		c.tell(result, err)
		w.WriteHeader(status)
		answer = string(result)
	}
	_, _ = io.WriteString(w, answer)
}

// tell logs what was not a success. Only the receiver's own error is shown; a stranger's words are not.
func (c *callback) tell(result result, err error) {
	c.quiet[result].Do(func() {
		if result == failed {
			c.log.Error("wechat callback not stored", "hint", cures[result], "err", err)
			return
		}
		c.log.Warn("wechat callback turned away", "reason", string(result), "hint", cures[result])
	})
}

func (c *callback) handle(w http.ResponseWriter, r *http.Request) (answer string, _ result, err error) {
	query := r.URL.Query()
	switch r.Method {
	case http.MethodGet:
		return c.echo(query)
	case http.MethodPost:
		result, err := c.post(w, r, query)
		return "success", result, err
	default:
		return "", badMethod, nil
	}
}

// echo proves to the account's 服务器配置 page that this address is ours.
func (c *callback) echo(query url.Values) (string, result, error) {
	if bad := c.checkCaller(query); bad != "" {
		return "", bad, nil
	}
	echo := query.Get("echostr")
	if len(echo) > longestEcho {
		return "", badSize, nil
	}
	return echo, verified, nil
}

func (c *callback) post(w http.ResponseWriter, r *http.Request, query url.Values) (result, error) {
	encrypted := query.Get("encrypt_type") == "aes"
	if !encrypted && !c.plain {
		return badMode, nil
	}
	if bad := c.checkCaller(query); bad != "" {
		return bad, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, callbackLimit))
	if err != nil {
		return badSize, nil
	}
	msg, bad := c.read(body, query, encrypted)
	if bad != "" {
		return bad, nil
	}
	in, result := msg.inbound()
	if result != taken {
		return result, nil
	}
	return c.hand(r.Context(), in)
}

// hand gives the callback to the receiver.
func (c *callback) hand(ctx context.Context, in bridge.Inbound) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := c.receive(ctx, in); err != nil {
		return failed, err
	}
	return taken, nil
}

// checkCaller verifies the signature of the query, and that it was made just now. It does not cover the body.
func (c *callback) checkCaller(query url.Values) result {
	timestamp := query.Get("timestamp")
	want := util.Signature(c.token, timestamp, query.Get("nonce"))
	if !same(want, query.Get("signature")) {
		return badSignature
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || c.now().Sub(time.Unix(seconds, 0)).Abs() > freshness {
		return badTime
	}
	return ""
}

// read reads the message, which only a test account may send unencrypted.
func (c *callback) read(body []byte, query url.Values, encrypted bool) (*inboundXML, result) {
	if encrypted {
		return c.open(body, query)
	}
	var msg inboundXML
	if err := decodeXML(body, &msg); err != nil {
		return nil, badXML
	}
	return &msg, ""
}

// open verifies the signature over the body, and decrypts and reads it.
func (c *callback) open(body []byte, query url.Values) (*inboundXML, result) {
	var envelope struct {
		XMLName struct{} `xml:"xml"`
		Encrypt string   `xml:"Encrypt"`
	}
	if err := decodeXML(body, &envelope); err != nil {
		return nil, badXML
	}
	if envelope.Encrypt == "" {
		return nil, badMode
	}
	want := util.Signature(c.token, query.Get("timestamp"), query.Get("nonce"), envelope.Encrypt)
	if !same(want, query.Get("msg_signature")) {
		return nil, badMsgSignature
	}
	plain, err := c.decrypt(envelope.Encrypt)
	if err != nil {
		if errors.Is(err, errOtherAccount) {
			return nil, badAppID
		}
		return nil, badCipher
	}
	var msg inboundXML
	if err := decodeXML(plain, &msg); err != nil {
		return nil, badXML
	}
	return &msg, ""
}

func same(want, got string) bool {
	return subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}
