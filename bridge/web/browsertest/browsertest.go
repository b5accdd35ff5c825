// Package browsertest opens a real browser for the tests of pages.
//
// Promise: where there is no Chromium the test is skipped, with a word on how to have it run. What a page complains of in
// its console fails the test. The browser is gone when the test is.
package browsertest

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// Open starts a headless Chromium with one tab, or skips the test, naming what would have been tested. A complaint of the page
// that contains one of the expected words is none.
func Open(t testing.TB, tested string, expected ...string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t, tested)), chromedp.NoSandbox)
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	console := chromedp.Console(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		for message := range console {
			words := message.String()
			wanted := slices.ContainsFunc(expected, func(e string) bool { return strings.Contains(words, e) })
			if message.IsException() || message.Type == chromedp.ConsoleError && !wanted {
				t.Errorf("the page complains: %s", words)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		reading.Wait()
	})
	return ctx
}

func chromium(t testing.TB, tested string) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("no Chromium here: install it (Debian: apt-get install chromium) to have %s tested", tested)
	return ""
}
