package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"jiaxin/devices"
)

func TestCommandsAreJudgedBeforeTheyAreDone(t *testing.T) {
	t.Parallel()
	later, sooner := morning.Add(time.Minute), morning.Add(-time.Second)
	for _, c := range []struct {
		name    string
		command devices.Command
		code    int
		message string // part of it
		says    string
	}{
		{"a good set", devices.Command{ID: "1", Set: map[string]any{"heat": 50.0}, Expires: later}, 0, "", "[heat:50]"},
		{"a good action", devices.Command{ID: "1", Do: "stop", Expires: later}, 0, "", "[left:0 phase:idle]"},
		{"one without an end", devices.Command{ID: "1", Do: "stop"}, 0, "", "[left:0 phase:idle]"},
		{"one that is late", devices.Command{ID: "1", Do: "stop", Expires: sooner}, 3, "too late", ""},
		{"one that is just late", devices.Command{ID: "1", Do: "stop", Expires: morning}, 3, "too late", ""},
		{"an unknown property", devices.Command{ID: "1", Set: map[string]any{"lid": true}}, 2, "lid", ""},
		{"a read-only property", devices.Command{ID: "1", Set: map[string]any{"left": 1.0}}, 2, "left", ""},
		{"a value out of range", devices.Command{ID: "1", Set: map[string]any{"heat": 101.0}}, 2, "heat", ""},
		{"a value of no kind", devices.Command{ID: "1", Set: map[string]any{"heat": []any{1.0}}}, 2, "heat", ""},
		{"an unknown action", devices.Command{ID: "1", Do: "fly"}, 2, "fly", ""},
		{"an action without its parameter", devices.Command{ID: "1", Do: "cook"}, 2, "dish", ""},
		{"both at once", devices.Command{ID: "1", Do: "stop", Set: map[string]any{"heat": 1.0}}, 2, "not both", ""},
		{"nothing at all", devices.Command{ID: "1"}, 2, "neither", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var o orders
			reply, outputs := o.obey(newMachine(testModel(t, "test/pot"), 1), c.command, morning)
			if reply.ID != "1" || reply.Code != c.code || !strings.Contains(reply.Message, c.message) {
				t.Errorf("it replies %+v", reply)
			}
			wantStory(t, outputs, c.says)
		})
	}
}

func TestSameCommandTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	var o orders
	m := newMachine(testModel(t, "test/pot"), 1)
	c := devices.Command{ID: "1", Set: map[string]any{"heat": 50.0}, Expires: morning.Add(time.Minute)}
	first, _ := o.obey(m, c, morning)
	m.set(map[string]any{"heat": 10.0}, morning) // somebody turns it down
	again, outputs := o.obey(m, c, morning.Add(time.Hour))
	if again != first || outputs != nil || m.props["heat"] != 10.0 {
		t.Errorf("again: %+v, %s, heat %v", again, story(outputs), m.props["heat"])
	}
}

func TestMemoryOfCommandsIsBounded(t *testing.T) {
	t.Parallel()
	var o orders
	m := newMachine(testModel(t, "test/pot"), 1)
	for i := range 10 * rememberIDs {
		o.obey(m, devices.Command{ID: fmt.Sprint(i), Do: "stop"}, morning)
	}
	if len(o.replies) != rememberIDs || len(o.oldest) != rememberIDs {
		t.Errorf("it remembers %d", len(o.replies))
	}
}

func TestPayloadsThatAreNoCommands(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{
		"", "null", "[]", "{", `{"do":"stop"}`, `{"id":7}`,
		`{"id":"` + strings.Repeat("x", 129) + `"}`, `{"id":"` + strings.Repeat("x", maxCommand) + `"}`,
	} {
		if c, err := readCommand([]byte(payload)); err == nil {
			t.Errorf("%.40q is taken for %+v", payload, c)
		}
	}
}

func FuzzReadCommand(f *testing.F) {
	f.Add([]byte(`{"id":"1","set":{"heat":50},"expires":"2026-03-01T08:00:00Z"}`))
	f.Add([]byte(`{"id":"1","do":"cook","with":{"dish":{"a":[1]}}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := readCommand(payload)
		if err != nil {
			return
		}
		var o orders
		catalog := testCatalog(t)
		model, _ := catalog.Model("test/pot")
		m := newMachine(model, 1)
		if r, _ := o.obey(m, c, morning); r.ID != c.ID {
			t.Errorf("%q is answered as %q", c.ID, r.ID)
		}
		judge(t, model, []output{{props: m.props}})
	})
}
