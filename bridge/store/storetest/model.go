package storetest

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jiaxin/bridge/store"
)

// model compares random histories of the store with a map.
func model(t *testing.T, open Open) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &machine{
			fixture: newFixtureAt(t, open, filepath.Join(dir, strconv.Itoa(run))),
			docs:    make(map[name]modelDoc),
		}
		defer m.Close()
		rt.Repeat(map[string]func(*rapid.T){
			"commit": m.commitSome,
			"get":    m.getOne,
			"scan":   m.scanAll,
			"wait":   m.wait,
			"reopen": func(*rapid.T) { m.reopen() },
		})
	})
}

type name struct{ lane, key string }

type modelDoc struct {
	rev     store.Rev
	data    string
	due     time.Time
	expires time.Time // zero: never
}

type machine struct {
	*fixture
	docs map[name]modelDoc
}

var (
	lanes = rapid.SampledFrom([]string{"hh/1", "hh/2", "user/o1"})
	keys  = rapid.SampledFrom([]string{"doc", "t/1", "t/2", "t/3"})
)

// live is the model's document, if it has not expired.
func (m *machine) live(n name) (modelDoc, bool) {
	d, ok := m.docs[n]
	if ok && !d.expires.IsZero() && !d.expires.After(m.clock.Now()) {
		return modelDoc{}, false
	}
	return d, ok
}

func (m *machine) commitSome(t *rapid.T) {
	lane := lanes.Draw(t, "lane")
	var writes []store.Write
	holds := true
	for _, key := range rapid.SliceOfNDistinct(keys, 1, 3, rapid.ID).Draw(t, "keys") {
		w, ok := m.drawWrite(t, name{lane, key})
		writes, holds = append(writes, w), holds && ok
	}
	revs, err := m.Commit(m.ctx, lane, writes...)
	if holds != (err == nil) || !holds && !errors.Is(err, store.ErrConflict) {
		t.Fatalf("the commit %+v gave %v, the model says that it succeeds: %t", writes, err, holds)
	}
	if err == nil {
		m.apply(lane, writes, revs)
	}
}

// drawWrite draws a write and says whether its Expect holds.
func (m *machine) drawWrite(t *rapid.T, n name) (store.Write, bool) {
	now, _ := m.live(n)
	w := store.Write{Key: n.key, Expect: rapid.SampledFrom([]store.Rev{now.rev, now.rev, now.rev, store.AnyRev, 0, 1 << 40}).Draw(t, "expect")}
	if rapid.IntRange(0, 3).Draw(t, "remove") > 0 {
		w.Data = []byte(rapid.StringN(0, 20, -1).Draw(t, "data"))
		w.TTL = time.Duration(rapid.IntRange(0, 3).Draw(t, "ttl")) * time.Minute
		if rapid.Bool().Draw(t, "alarm") {
			w.Due = m.clock.Now().Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "due")) * time.Minute)
		}
	}
	return w, w.Expect == now.rev || w.Expect == store.AnyRev
}

func (m *machine) apply(lane string, writes []store.Write, revs []store.Rev) {
	for i, w := range writes {
		n := name{lane, w.Key}
		if w.Data == nil {
			delete(m.docs, n)
			continue
		}
		d := modelDoc{rev: revs[i], data: string(w.Data), due: w.Due}
		if w.TTL > 0 {
			d.expires = m.clock.Now().Add(w.TTL)
		}
		m.docs[n] = d
	}
}

func (m *machine) getOne(t *rapid.T) {
	n := name{lanes.Draw(t, "lane"), keys.Draw(t, "key")}
	want, ok := m.live(n)
	doc, err := m.Get(m.ctx, n.lane, n.key)
	if !ok {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%v: got %+v, %v, the model has none", n, doc, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v: %v, the model has %+v", n, err, want)
	}
	m.same(t, doc, want)
}

func (m *machine) same(t *rapid.T, got store.Doc, want modelDoc) {
	if got.Rev != want.rev || string(got.Data) != want.data || !got.Due.Equal(want.due) || got.Due.IsZero() != want.due.IsZero() {
		t.Fatalf("got %+v, the model has %+v", got, want)
	}
}

func (m *machine) scanAll(t *rapid.T) {
	prefix := rapid.SampledFrom([]string{"", "hh/", "hh/2", "user/"}).Draw(t, "prefix")
	page := rapid.IntRange(1, 5).Draw(t, "page")
	var want []string
	for n := range maps.Keys(m.docs) {
		if _, ok := m.live(n); ok && len(n.lane) >= len(prefix) && n.lane[:len(prefix)] == prefix {
			want = append(want, n.lane+" "+n.key)
		}
	}
	slices.Sort(want)
	if got := m.pages(prefix, store.Doc{}, page); !slices.Equal(got, want) {
		t.Fatalf("scanned %q, the model has %q", got, want)
	}
}

func (m *machine) wait(t *rapid.T) {
	m.clock.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second)
}
