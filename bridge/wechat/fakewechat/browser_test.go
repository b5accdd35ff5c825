package fakewechat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"jiaxin/bridge/web/browsertest"
	"jiaxin/bridge/wechat/fakewechat"
)

// tab is one page in a real browser. Anything that the page complains of in its console fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func newTab(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(browsertest.Open(t, "the phone page"), 3*time.Minute)
	t.Cleanup(cancel)
	return &tab{t, ctx}
}

func test(name string) chromedp.CSS { return chromedp.CSS(`[data-test="` + name + `"]`) }

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *tab) open(address string, width, height int64) {
	b.t.Helper()
	b.do("open", chromedp.EmulateViewport(width, height), chromedp.Navigate(address), chromedp.WaitReady(chromedp.CSS("[data-ready]")))
}

func (b *tab) click(name string) {
	b.t.Helper()
	b.do("click "+name, chromedp.Click(test(name)))
}

// until waits for an expression to become true.
func (b *tab) until(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingTimeout(time.Minute))); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		b.t.Fatalf("never: %s (%v)\n%s", expression, err, text)
	}
}

// shows waits for an element with these words in it.
func (b *tab) shows(name, words string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector('[data-test="%s"]:not([hidden])')?.textContent.includes(%q)`, name, words))
}

// inPage runs an expression on the document of the page open in the phone.
func (b *tab) inPage(expression string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`((page) => page?.documentElement?.dataset.fakeReady === '' && page.URL.includes('/_fake/view') && (%s))(document.querySelector('[data-test=webview]').contentDocument)`, expression))
}

// shot keeps a picture of the page for a person to look at, when FAKEWECHAT_SHOTS names a folder.
func (b *tab) shot(name string) {
	b.t.Helper()
	folder := os.Getenv("FAKEWECHAT_SHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// stage is a fake WeChat with a page around it, as a demonstration has: labels to scan, recordings to say.
func newStage(t *testing.T) (w *world, address string) {
	w = newWorld(t)
	site := newSite(t, w)
	scene := w.api("/cgi-bin/qrcode/create", `{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"bind-7"}}}`)
	mux := http.NewServeMux()
	mux.Handle("/", w.fake)
	mux.HandleFunc("GET /labels.json", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `[{"name":"客厅空调","image":"/label.png"},{"name":"公众号的码","image":"/cgi-bin/showqrcode?ticket=`+url.QueryEscape(scene.Ticket)+`"}]`)
	})
	mux.HandleFunc("GET /voices.json", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `[{"name":"把空调关了","audio":"/voice.amr"}]`)
	})
	mux.HandleFunc("GET /voice.amr", func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "#!AMR\n...") })
	mux.HandleFunc("GET /label.png", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write(drawPNG(t, site.URL+"/d/ac-01"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	w.fake.SetPublicURL(w.url)
	return w, server.URL + "/_fake/ui?labels=/labels.json&voices=/voices.json"
}

// A whole evening on the phone page: scan, meet, be told, answer by tap, words, voice and photo, and switch phones.
func TestPhonePage(t *testing.T) {
	t.Parallel()
	b := newTab(t)
	w, address := newStage(t)
	b.open(address, 390, 844)
	b.shows("empty", "还没有关注「家信」")
	b.shot("390-empty")

	b.click("scan")
	b.shows("sheet", "客厅空调")
	b.shot("390-sheet")
	b.click("label-0")
	b.shows("page-title", "认识 ac-01")
	b.inPage(`page.querySelector('img').complete && page.body.innerText.includes('客厅空调') && getComputedStyle(page.body).padding === '16px'`)
	b.shot("390-page")
	b.inPage(`(page.querySelector('[data-fake-image]').click(), true)`)
	b.click("press")
	b.shows("toast", "from the page")
	b.inPage(`(page.querySelector('[name=name]').value = '小白', page.querySelector('[name=notify]').click(), true)`)
	b.inPage(`(page.querySelectorAll('button')[1].click(), true)`)
	b.shows("page-title", "好了")
	b.inPage(`page.body.innerText.includes('do=skip&name=%E5%B0%8F%E7%99%BD&room=bed&sn=ac-01&who=me')`)
	b.click("page-close")
	b.until(`document.querySelector('[data-test=webview]').closest('[hidden]')`)

	b.click("scan")
	b.click("label-1")
	b.until(`document.querySelector('[data-test=chat]')`)
	mama := w.gateway.next()
	if mama.EventKey != "qrscene_bind-7" {
		t.Errorf("heard %s", mama.raw)
	}
	w.card(mama.From, "")
	w.gateway.next()
	w.api("/cgi-bin/message/custom/send", map[string]any{"touser": mama.From, "msgtype": "msgmenu", "msgmenu": map[string]any{
		"head_content": "客厅没人 10 分钟了，空调还开着。要关掉吗？", "tail_content": "不回复就不动",
		"list": []map[string]string{{"id": "1", "content": "关掉"}, {"id": "2", "content": "不用"}},
	}})
	b.shows("message-1", "客厅空调")
	b.shows("message-2", "要关掉吗")
	b.shot("390-card")
	b.click("option-2-1")
	if m := w.gateway.next(); m.Content != "关掉" || m.MenuID != "1" {
		t.Errorf("heard %s", m.raw)
	}
	b.do("write", chromedp.SendKeys(test("input"), "别的房间呢？看 http://127.0.0.1/x <b>\r"))
	if m := w.gateway.next(); m.Content != "别的房间呢？看 http://127.0.0.1/x <b>" {
		t.Errorf("heard %s", m.raw)
	}
	w.words(mama.From, `都关了。<a href="http://127.0.0.1/h5">看看记录</a>`)
	b.shows("message-5", "看看记录")
	b.click("voice")
	b.click("recording-0")
	if m := w.gateway.next(); m.Type != "voice" {
		t.Errorf("heard %s", m.raw)
	}
	b.click("plus")
	b.shot("390-panel")
	b.click("photo")
	b.click("label-0")
	if m := w.gateway.next(); m.Type != "image" {
		t.Errorf("heard %s", m.raw)
	}
	b.until(`document.querySelector('[data-test=picture-7] img')?.complete`)
	b.shot("390-chat")

	xiaoming := w.follow("xiaoming")
	w.card(xiaoming, "")
	w.gateway.next()
	b.shows("unread-xiaoming", "1")
	b.shot("390-unread")
	b.click("person-xiaoming")
	b.shows("message-1", "设备状态提醒")
	w.until("xiaoming", "the chat as read", func(p fakewechat.Phone) bool { return p.Unread == 0 })
	b.until(`document.querySelectorAll('[data-test^=message-]').length === 1`)
	b.wide(address)
}

// wide looks at the same on a desk, at the narrowest width, and in the dark.
func (b *tab) wide(address string) {
	b.open(address+"&user=mama", 1280, 900)
	b.shows("message-2", "要关掉吗")
	b.shot("1280-chat")
	b.open(address+"&user=mama&lang=en", 360, 640)
	b.shows("message-2", "要关掉吗")
	b.until(`document.documentElement.scrollWidth <= 360`)
	b.shot("360-chat")
	dark := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, dark); err != nil {
		b.t.Fatal(err)
	}
	b.click("plus")
	b.shot("360-dark-panel")
	b.click("scan")
	b.shot("360-dark-sheet")
}

// The keyboard is enough: the people by arrows, the sheet closed by Escape, focus back where it was.
func TestPhonePage_keyboard(t *testing.T) {
	t.Parallel()
	b := newTab(t)
	w, address := newStage(t)
	b.open(address, 390, 844)
	b.do("focus", chromedp.Focus(test("person-mama")), chromedp.KeyEvent(kb.ArrowRight))
	b.until(`document.activeElement.dataset.test === 'person-xiaoming' && document.querySelector('[data-fake-phone]').dataset.user === 'xiaoming'`)
	b.do("open", chromedp.Focus(test("scan")), chromedp.KeyEvent("\r"))
	b.until(`document.activeElement.dataset.test === 'label-0'`)
	b.do("escape", chromedp.KeyEvent(kb.Escape))
	b.until(`document.activeElement.dataset.test === 'scan' && document.querySelector('[data-test=sheet]').hidden`)
	b.do("follow", chromedp.Focus(test("follow")), chromedp.KeyEvent("\r"))
	if e := w.gateway.next(); e.Event != "subscribe" || !strings.HasPrefix(e.From, "o") {
		t.Errorf("heard %s", e.raw)
	}
}
