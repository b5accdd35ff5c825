package bridge_test

import (
	"strings"
	"testing"

	"jiaxin/bridge"
	"jiaxin/bridge/store"
)

// Whoever leaves takes their words, and what they sent, with them. The others' stay.
func TestWordsLeaveWithThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bind(mum, ac)
	say := func(who, id, text string) {
		w.receive(bridge.Inbound{Kind: bridge.InText, From: who, ID: id, Text: text})
	}
	w.receive(bridge.Inbound{Kind: bridge.InFollow, From: dad, ID: "knock", Scene: w.offer(ac)})
	w.settled()
	say(mum, "1", "同意")
	w.settled()
	say(dad, "2", "我是欧阳李五")
	say(mum, "3", "今天有点冷")
	w.receive(bridge.Inbound{Kind: bridge.InPhoto, From: dad, ID: "4", MediaID: "M1"})
	w.settled()
	if kept := w.everything(); !strings.Contains(kept, "欧阳李五") || !strings.Contains(kept, "M1") && !strings.Contains(kept, "media/") {
		t.Fatalf("nothing to erase in:\n%s", kept)
	}
	w.receive(bridge.Inbound{Kind: bridge.InUnfollow, From: dad, ID: "5"})
	w.settled()
	kept := w.everything()
	if strings.Contains(kept, "我是欧阳李五") || strings.Contains(kept, "media/") {
		t.Errorf("they left, and this is kept:\n%s", kept)
	}
	if !strings.Contains(kept, "今天有点冷") {
		t.Error("the others' words are gone too")
	}
}

// everything is what the store holds of homes and media.
func (w *world) everything() string {
	var all strings.Builder
	for _, prefix := range []string{"hh/", "media/"} {
		docs, err := w.bolt.Scan(w.ctx, prefix, store.Doc{}, 1000)
		w.must(err)
		for _, d := range docs {
			all.WriteString(d.Lane + " " + d.Key + " " + string(d.Data) + "\n")
		}
	}
	return all.String()
}
