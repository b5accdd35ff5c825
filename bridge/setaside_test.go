package bridge_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"jiaxin/bridge"
	"jiaxin/broker"
)

func TestNonsenseIsCountedButDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, reg := w.Options, prometheus.NewRegistry()
	o.Registerer = reg
	w.Bridge = bridge.New(o)
	topic, n := "d/standard/ac/ac-01/", 0
	for range 30 {
		for _, bad := range []broker.Message{
			{Topic: topic + "up/property", Payload: []byte("{")},
			{Topic: topic + "up/property", Payload: []byte(`{"` + strings.Repeat("x", 15<<10) + `":[`)},
			{Topic: topic + "up/event", Payload: []byte("{")},
			{Topic: topic + "up/" + fmt.Sprint(n)},
		} {
			bad.Client = ac
			w.must(w.handle(bad))
			n++
		}
	}
	lines := 0
	for line := range strings.Lines(w.log.text()) {
		if strings.Contains(line, "set aside") {
			lines++
		}
		if len(line) > 1<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if lines != 3 {
		t.Errorf("%d lines in the log, want one for each of the 3 classes:\n%s", lines, w.log.text())
	}
	want := fmt.Sprintf(`
# HELP jiaxin_messages_set_aside_total Messages from devices that could not be understood.
# TYPE jiaxin_messages_set_aside_total counter
jiaxin_messages_set_aside_total %d
`, n)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "jiaxin_messages_set_aside_total"); err != nil {
		t.Error(err)
	}
	if kept := len(w.docs("odd/" + ac)); kept > 16 {
		t.Errorf("%d are kept", kept)
	}
}
