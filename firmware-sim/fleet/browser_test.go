package fleet

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jiaxin/bridge/web/browsertest"
	"jiaxin/devices"
)

// browser is a headless Chromium. A refused act is an answer like any other, but the browser complains of every 409.
func browser(t *testing.T) context.Context {
	t.Helper()
	return browsertest.Open(t, "the panel", "409")
}

// standardHome is a home with one of each standard product, all of them connected.
func standardHome(t *testing.T) (h *house, home *Home, page string) {
	t.Helper()
	h = newHouse(t)
	var regs []devices.Registration
	for _, d := range [][2]string{{"ac", "客厅空调"}, {"washer", "洗衣机"}, {"gas-alarm", "厨房燃气报警器"}, {"gas-valve", "厨房燃气阀"}, {"tv", "妈妈的电视"}, {"light", "卧室灯"}} {
		reg := registration("standard/"+d[0], d[0]+"-01")
		reg.Name = d[1]
		regs = append(regs, reg)
	}
	home, err := NewHome(HomeOptions{Catalog: standardCatalog(t), Registrations: regs, Broker: h.broker(), Reconnect: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	home.Start()
	t.Cleanup(func() { home.Stop(context.Background()) })
	server := httptest.NewServer(home.Handler())
	t.Cleanup(server.Close)
	return h, home, server.URL + "/"
}

func element(name string) string { return `[data-test="` + name + `"]` }

// press clicks by script, since a card may be far down the page.
func press(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](`document.querySelector('` + element(name) + `').click()`)
}

// shows waits until the expression is true of the element, el.
func shows(name, expression string) chromedp.Action[chromedp.Void] {
	poll := chromedp.Poll[bool](`(() => { const el = document.querySelector('`+element(name)+`'); return Boolean(el && (`+expression+`)) })()`,
		chromedp.WithPollingTimeout(patience))
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := poll(ctx, target); err != nil {
			return fmt.Errorf("%s does not come to show %s: %w", name, expression, err)
		}
		return nil
	})
}

func TestPanelInABrowser(t *testing.T) {
	t.Parallel()
	_, _, page := standardHome(t)
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(page),
		shows("appliance-ac-01", `el.dataset.online === "true" && el.querySelector("svg.ac")`),
		press("scene-ac-01-1"),
		shows("state-ac-01", `el.textContent.includes("没人") && el.textContent.includes("已开")`),
		shows("appliance-ac-01", `el.querySelector("svg").getAttribute("data-power") === "true"`),
		press("scene-gas-alarm-01-1"),
		shows("appliance-gas-alarm-01", `el.querySelector("svg").getAttribute("data-leaking") === "true"`),
		press("scene-washer-01-3"),
		shows("appliance-washer-01", `el.querySelector("svg").getAttribute("data-phase") === "washing"`),
		press("scene-light-01-1"),
		shows("state-light-01", `el.textContent.includes("已开")`),
		press("scene-tv-01-1"),
		shows("state-tv-01", `el.textContent.includes("已开")`),
		press("plug-gas-valve-01"),
		shows("appliance-gas-valve-01", `el.dataset.plugged === "false" && el.textContent.includes("没插电")`),
		press("scene-gas-valve-01-1"),
		shows("appliance-gas-valve-01", `el.querySelector(".note").textContent.includes("没有插电")`),
		press("deaf-tv-01"),
		shows("deaf-tv-01", `el.getAttribute("aria-checked") === "true"`),
		press("press-light-01"),
		shows("appliance-light-01", `el.querySelector(".note").textContent.includes("绑定键")`),
	); err != nil {
		t.Fatal(err)
	}
	photograph(t, ctx)
	if err := chromedp.Do(ctx,
		press("label-ac-01"),
		shows("label-enlarged", `el.complete && el.naturalWidth > 100 && el.closest("dialog").open`),
		photo(t, "label.png"),
		press("label-close"),
		shows("label-enlarged", `!el.closest("dialog").open`),
	); err != nil {
		t.Fatal(err)
	}
}

// photograph keeps pictures of the page for a person to look at, with go test -artifacts.
func photograph(t *testing.T, ctx context.Context) {
	t.Helper()
	for _, c := range []struct {
		name   string
		width  int64
		scheme string
	}{{"390-light.png", 390, "light"}, {"390-dark.png", 390, "dark"}, {"360-light.png", 360, "light"}, {"1280-light.png", 1280, "light"}, {"1280-dark.png", 1280, "dark"}} {
		scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}}}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, scheme); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(c.width, 900), photo(t, c.name)); err != nil {
			t.Fatal(err)
		}
		wide, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
		if err != nil || wide {
			t.Errorf("%s: wider than the screen: %v, %v", c.name, wide, err)
		}
	}
}

func photo(t *testing.T, name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		picture, err := chromedp.FullScreenshot(100)(ctx, target)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(t.ArtifactDir(), name), picture, 0o644)
	})
}
