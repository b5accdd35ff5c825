package wechat

import (
	"errors"
	"strings"
	"testing"
	"time"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
)

// Every errcode that an operator or a home can meet, and what must follow from it. Written out, and not derived from the
// table under test.
func TestEachErrcodeHasItsMeaning(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	rows := []struct {
		code    int
		outcome home.Outcome
		after   time.Duration
		cure    bool
	}{
		{-1, home.Retry, time.Second, false},
		{20002, home.Refused, 0, false},
		{40003, home.Refused, 0, true},
		{40013, home.Paused, minute, true},
		{40036, home.Refused, 0, true},
		{40037, home.Refused, 0, true},
		{40033, home.Refused, 0, false},
		{40125, home.Paused, minute, true},
		{40164, home.Paused, minute, true},
		{40200, home.Refused, 0, true},
		{40243, home.Paused, minute, true},
		{40249, home.Refused, 0, true},
		{43004, home.Gone, 0, false},
		{43019, home.Gone, 0, true},
		{43101, home.Closed, 0, false},
		{43107, home.Paused, 10 * minute, true},
		{43108, home.Retry, time.Second, false},
		{43116, home.Refused, 0, true},
		{44002, home.Refused, 0, false},
		{44004, home.Refused, 0, false},
		{45002, home.Refused, 0, false},
		{45009, home.Paused, 10 * minute, true},
		{45011, home.Paused, minute, false},
		{45015, home.Closed, 0, false},
		{45047, home.Closed, 0, false},
		{47001, home.Refused, 0, false},
		{47003, home.Refused, 0, true},
		{48001, home.Paused, 10 * minute, true},
		{48002, home.Gone, 0, false},
		{48004, home.Paused, 10 * minute, true},
		{50002, home.Paused, 10 * minute, true},
		{987654, home.Retry, 30 * time.Second, true}, // unlisted
	}
	for _, row := range rows {
		p := newPeer(t)
		p.always(cardAPI, refusalOf(row.code))
		got := deliverError(t, newClient(t, testConfig(p.URL), Options{}), alarmCard())
		if got.Outcome != row.outcome || got.After != row.after || got.Code != row.code {
			t.Errorf("%d: %s after %s (code %d), want %s after %s", row.code, got.Outcome, got.After, got.Code, row.outcome, row.after)
		}
		cause, _ := errors.AsType[*Error](got)
		if cause.Rid != "0a1b2c3d-0a1b2c3d-0a1b2c3d" || cause.API != cardAPI {
			t.Errorf("%d: error is %#v", row.code, cause)
		}
		if (len(cause.Cure()) > 0) != row.cure {
			t.Errorf("%d: cure %q", row.code, cause.Cure())
		}
		if row.cure && !strings.Contains(got.Error(), cause.Cure()["zh"]) {
			t.Errorf("%d: the cure is not in %q", row.code, got)
		}
	}
	if listed := len(rows) - 1 + 4; listed != len(classes) { // four token codes have their own test
		t.Errorf("%d codes tested, %d in the table", listed, len(classes))
	}
}

func TestEveryCureIsInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, table := range []map[int]class{classes, tokenClasses, {0: unlisted}} {
		for code, c := range table {
			if (c.zh == "") != (c.en == "") {
				t.Errorf("%d: zh %q, en %q", code, c.zh, c.en)
			}
			if c.Outcome == home.Paused && c.After == 0 {
				t.Errorf("%d pauses for no time", code)
			}
		}
	}
}

func deliverError(t *testing.T, c *Client, n home.Notification) *bridge.DeliveryError {
	t.Helper()
	id, err := c.Deliver(t.Context(), n)
	got, ok := errors.AsType[*bridge.DeliveryError](err)
	if !ok || id != "" {
		t.Fatalf("Deliver returned %q, %v; want a *bridge.DeliveryError", id, err)
	}
	return got
}
