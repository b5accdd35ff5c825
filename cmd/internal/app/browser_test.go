package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jiaxin/bridge/web/browsertest"
)

// patience is the longest that anything the page should come to show is waited for; only a test that fails takes it.
const patience = 60 * time.Second

// tab is the demo's page in a real browser. Whatever it complains of in its console fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func newTab(t *testing.T) *tab {
	t.Helper()
	return &tab{t, browsertest.Open(t, "the demo's page")}
}

// forDocs tells whether the documentation's pictures are to be made anew.
func forDocs() bool { return os.Getenv("JIAXIN_DOCS") == "1" }

// newDemo is the real demo on ports of its own. What "lasts" lasts half a second at most, in pictures as long as people see.
func newDemo(t *testing.T) *Demo {
	t.Helper()
	hold := 500 * time.Millisecond
	if forDocs() {
		hold = 5 * time.Second
	}
	d, err := StartDemo(t.Context(), DemoOptions{HTTP: "127.0.0.1:0", MQTT: "127.0.0.1:0", Data: t.TempDir(), Hold: hold})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := d.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// until waits for an expression to become true.
func (b *tab) until(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](`Boolean(`+expression+`)`, chromedp.WithPollingTimeout(patience))); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		b.photo("failed.png")
		b.t.Fatalf("never: %s (%v)\n%s", expression, err, text)
	}
}

// follow clicks a link to another page, and is there when it returns.
func (b *tab) follow(link string) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(named(link)))); err != nil {
		b.t.Fatalf("follow %s: %v", link, err)
	}
}

func named(name string) string { return `[data-test="` + name + `"]` }

// press clicks the last element that fits the selector and begins with the words, as soon as a person could: when it is
// there, enabled, and nothing lies on top of it.
func (b *tab) press(selector, words string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`(() => {
		const el = [...document.querySelectorAll(%q)].findLast((el) => el.textContent.startsWith(%q));
		if (!el || el.disabled || !el.checkVisibility()) return false;
		el.scrollIntoView({ block: 'center', behavior: 'instant' });
		const { x, y, width, height } = el.getBoundingClientRect();
		const top = document.elementFromPoint(x + width / 2, y + height / 2);
		if (!el.contains(top)) return false;
		el.click();
		return true;
	})()`, selector, words))
}

// shows waits for an element with these words in it.
func (b *tab) shows(name, words string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector(%q)?.textContent.includes(%q)`, named(name), words))
}

// hears waits for a message of a kind with these words, in the chat that is shown.
func (b *tab) hears(kind, words string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`[...document.querySelectorAll('.fkp-message[data-kind=%s]')].some((m) => m.textContent.includes(%q))`, kind, words))
}

// takes hands over the phone of a person.
func (b *tab) takes(person string) {
	b.t.Helper()
	b.press(named("person-"+person), "")
	b.until(fmt.Sprintf(`document.querySelector('[data-fake-phone][data-user=%s][data-ready]')`, person))
}

// scans scans an appliance's label in the phone that is shown, as a follower does from the panel and anybody else from
// the empty chat, and leaves the page that it opens on the screen.
func (b *tab) scans(device string) {
	b.t.Helper()
	b.until(`document.querySelector('` + named("plus") + `') || document.querySelector('` + named("empty") + `')`)
	b.until(`document.querySelector('` + named("empty") + `') || !document.querySelector('` + named("panel") + `').hidden || document.querySelector('` + named("plus") + `').click()`)
	b.press(named("scan"), "")
	b.press(named("sheet")+` [data-test^="label-"]`, device)
	b.inPage(`page.querySelector('img[data-fake-image]').complete`)
}

// follows presses the code on the page of a label.
func (b *tab) follows() {
	b.t.Helper()
	b.inPage(`(page.querySelector('[data-fake-image]').click(), true)`)
	b.press(named("press"), "识别")
	b.until(`document.querySelector('` + named("webview") + `').closest('[hidden]')`)
}

// inPage waits for an expression on the document of the page that is open in the phone.
func (b *tab) inPage(expression string) {
	b.t.Helper()
	b.until(`((page) => page?.readyState === 'complete' && page.querySelector('[data-fake-image]') && ` + expression + `)(document.querySelector('` + named("webview") + `').contentDocument)`)
}

// writes sends a message from the phone that is shown.
func (b *tab) writes(words string) {
	b.t.Helper()
	b.do("write", chromedp.SendKeys(chromedp.CSS(named("input")), words))
	b.press(named("send"), "")
}

// plays presses one of the buttons on an appliance.
func (b *tab) plays(device, scene string) {
	b.t.Helper()
	b.press(named("appliance-"+device)+" .scene", scene)
}

func (b *tab) fact(device, words string) {
	b.t.Helper()
	b.shows("state-"+device, words)
}

func (b *tab) done(step int) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector(%q).hasAttribute('data-done')`, named(fmt.Sprintf("step-%d", step))))
}

// A family's first evening with the demo, by clicks alone.
func TestDemoInABrowser(t *testing.T) {
	t.Parallel()
	b := newTab(t)
	b.look(1280, 800, "light")
	b.do("open", chromedp.Navigate(newDemo(t).URL()))
	b.until(`document.querySelectorAll('.card[data-online=true] .picture svg').length === 6 && document.querySelector('[data-fake-phone][data-ready]')`)
	b.until(`document.querySelector('[data-test=step-1][aria-current=step]')`)
	b.photos("1-first")
	b.guide()

	b.scans("客厅空调")
	b.photos("2-label")
	b.follows()
	b.hears("text", "客厅空调绑定好了")
	b.done(1)
	b.takes("xiaoming")
	b.scans("客厅空调")
	b.follows()
	b.hears("text", "请他们同意")
	b.takes("mama")
	b.press(".fkp-option", "同意")
	b.hears("text", "小明已经加入")
	b.takes("xiaoming")
	b.hears("text", "您已经加入")

	b.takes("mama")
	b.plays("ac-01", "打开")
	b.fact("ac-01", "已开")
	b.plays("ac-01", "全家出门")
	b.hears("card", "客厅空调")
	b.hears("menu", "要不要把空调关掉")
	b.done(2)
	b.photos("3-asked")
	b.press(".fkp-option", "关掉")
	b.fact("ac-01", "已关")
	b.hears("text", "客厅空调已关")
	b.done(3)
	b.photos("4-answered")
	b.illustrate()
	b.washing()
	b.gas()
	b.unplugs()
	b.photos("6-end")
}

// guide folds the guide away, and finds it so after a reload; then reads it in English.
func (b *tab) guide() {
	b.t.Helper()
	b.press(named("guide-fold"), "")
	b.do("reload", chromedp.Reload())
	b.until(`document.querySelector('[data-fake-phone][data-ready]') && document.querySelector('` + named("guide") + `').hidden`)
	b.photo("1-folded.png")
	b.press(named("guide-fold"), "")
	b.follow("language")
	b.until(`document.documentElement.lang === 'en' && document.querySelector('[data-fake-phone][data-ready]')`)
	b.until(`document.querySelector('` + named("step-1") + `').innerText.startsWith('Connect it') && document.querySelectorAll('.card[data-online=true] .picture svg').length === 6`)
	b.shows("scan", "Scan")
	b.photo("1-english.png")
	b.follow("language")
	b.until(`document.documentElement.lang === 'zh-CN' && document.querySelector('[data-fake-phone][data-ready]')`)
}

func (b *tab) washing() {
	b.t.Helper()
	b.scans("阳台洗衣机")
	b.follows()
	b.hears("text", "阳台洗衣机绑定好了")
	b.plays("washer-01", "洗好了")
	b.hears("menu", "烘干还是翻动")
	b.press(".fkp-option", "烘干")
	b.fact("washer-01", "在烘干")
	b.hears("text", "正在烘干")
}

func (b *tab) gas() {
	b.t.Helper()
	b.scans("厨房燃气报警器")
	b.follows()
	b.hears("text", "厨房燃气报警器绑定好了")
	b.plays("gas-alarm-01", "燃气泄漏")
	b.hears("card", "燃气泄漏")
	b.photos("5-leak")
	b.takes("xiaoming")
	b.hears("card", "燃气泄漏")
	b.until(`document.querySelector('` + named("guide-more") + `:not([hidden])')`)
	b.writes("我来处理") // nothing to tap: he has not written yet, and a card is all that an account may send him
	b.hears("text", "您在处理")
	b.takes("mama")
	b.hears("card", "小明")
	b.plays("gas-alarm-01", "泄漏解除")

	b.scans("厨房燃气阀")
	b.follows()
	b.hears("text", "绑定键")
	b.press(named("press-gas-valve-01"), "")
	b.hears("text", "厨房燃气阀绑定好了")
	b.fact("gas-valve-01", "已打开")
	b.writes("关燃气阀")
	b.fact("gas-valve-01", "已关闭")
	b.hears("text", "厨房燃气阀已关闭")
}

// unplugs pulls a plug on a small screen, where the phone is then out of sight: a dot says that it has news.
func (b *tab) unplugs() {
	b.t.Helper()
	b.look(390, 844, "light")
	b.press(named("plug-washer-01"), "")
	b.until(`document.querySelector('` + named("appliance-washer-01") + `').dataset.plugged === 'false'`)
	b.until(`document.querySelector('` + named("news") + `').checkVisibility()`)
	b.photo("6-news.png")
	b.press(named("go-phone"), "")
	b.until(`!document.querySelector('` + named("news") + `').checkVisibility()`)
	b.hears("card", "离线")
}

// look sets the window's size and the colours. Nothing moves by itself, so that pictures show the end of a movement.
func (b *tab) look(width, height int64, scheme string) {
	b.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
	b.do("look", chromedp.EmulateViewport(width, height))
}

// illustrate makes the pictures of the documentation, with JIAXIN_DOCS=1.
func (b *tab) illustrate() {
	b.t.Helper()
	if !forDocs() {
		return
	}
	images := filepath.Join("..", "..", "..", "docs", "images")
	b.picture(filepath.Join(images, "demo.png"), chromedp.CaptureScreenshot())
	b.look(390, 844, "light")
	b.picture(filepath.Join(images, "demo-phone.png"), chromedp.Screenshot(chromedp.CSS("#phone")))
	b.look(1280, 800, "light")
}

// photos keeps pictures of the page for a person to look at, with go test -artifacts. Nothing may be wider than the screen.
func (b *tab) photos(moment string) {
	b.t.Helper()
	for _, s := range []struct {
		name          string
		width, height int64
		scheme, part  string
	}{
		{"1280-dark", 1280, 800, "dark", "body"},
		{"390-dark", 390, 844, "dark", "body"},
		{"390-light", 390, 844, "light", "#phone"},
		{"390-home", 390, 844, "light", "#home"},
		{"1280-light", 1280, 800, "light", "body"},
	} {
		b.look(s.width, s.height, s.scheme)
		b.until(fmt.Sprintf(`(document.querySelector(%q).scrollIntoView(), document.documentElement.scrollWidth <= innerWidth)`, s.part))
		b.photo(moment + "-" + s.name + ".png")
	}
}

func (b *tab) photo(name string) {
	b.t.Helper()
	b.picture(filepath.Join(b.t.ArtifactDir(), name), chromedp.CaptureScreenshot())
}

func (b *tab) picture(path string, taken chromedp.Action[[]byte]) {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, taken)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
