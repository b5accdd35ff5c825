package storetest

import (
	"slices"
	"testing"
	"time"

	"jiaxin/bridge/store"
)

func scanPages(t *testing.T, open Open) {
	f := newFixture(t, open)
	for _, d := range [][2]string{
		{"hh/a", "doc"},
		{"hh/a", "t/1"},
		{"hh/a", "t/2"},
		{"hh/a!", "doc"},
		{"hh/ab", "doc"},
		{"hh/ab", "e"},
		{"dev/1", "own"},
		{"hi/1", "doc"},
		{"user/乙", "doc"},
	} {
		f.put(d[0], d[1], "x")
	}
	home := []string{"hh/a doc", "hh/a t/1", "hh/a t/2", "hh/a! doc", "hh/ab doc", "hh/ab e"}
	all := append(append([]string{"dev/1 own"}, home...), "hi/1 doc", "user/乙 doc")
	tests := []struct {
		prefix string
		after  store.Doc
		want   []string
	}{
		{"", store.Doc{}, all},
		{"hh/", store.Doc{}, home},
		{"hh/a", store.Doc{}, home},
		{"hh/ab", store.Doc{}, home[4:]},
		{"hh/", store.Doc{Lane: "hh/a", Key: "t/1"}, home[2:]},
		{"hh/", store.Doc{Lane: "hh/a", Key: "gone"}, home[1:]},
		{"hh/", store.Doc{Lane: "dev/1", Key: "own"}, home},
		{"hh/", store.Doc{Lane: "user/乙", Key: "doc"}, nil},
		{"nobody/", store.Doc{}, nil},
	}
	for _, tt := range tests {
		for _, n := range []int{1, 2, 100} {
			if got := f.pages(tt.prefix, tt.after, n); !slices.Equal(got, tt.want) {
				t.Errorf("Scan of %q after %s %s by %d:\ngot  %q\nwant %q", tt.prefix, tt.after.Lane, tt.after.Key, n, got, tt.want)
			}
		}
	}
	if docs, err := f.Scan(f.ctx, "", store.Doc{}, 0); err != nil || len(docs) != 0 {
		t.Errorf("Scan of none gave %v, %v", names(docs), err)
	}
}

// pages scans page by page, each beginning after the last document of the one before.
func (f *fixture) pages(prefix string, after store.Doc, n int) []string {
	f.t.Helper()
	var got []string
	for {
		docs, err := f.Scan(f.ctx, prefix, after, n)
		f.must(err)
		got = append(got, names(docs)...)
		if len(docs) > n {
			f.t.Fatalf("a page of %d came with %d", n, len(docs))
		}
		if len(docs) < n {
			return got
		}
		after = docs[n-1]
	}
}

func ttl(t *testing.T, open Open) {
	f := newFixture(t, open)
	f.commit("hh/1",
		store.Write{Key: "a", Data: []byte("short"), TTL: time.Minute, Due: f.clock.Now().Add(2 * time.Minute)},
		store.Write{Key: "b", Data: []byte("long"), TTL: time.Hour},
		store.Write{Key: "c", Data: []byte("for ever")})
	f.holds("hh/1", "a", "short")

	f.clock.Add(3 * time.Minute)
	f.absent("hh/1", "a")
	if got := f.pages("hh/1", store.Doc{}, 1); !slices.Equal(got, []string{"hh/1 b", "hh/1 c"}) {
		t.Fatalf("after a minute there are %q", got)
	}
	f.commit("hh/1", store.Write{Key: "a", Expect: 0, Data: []byte("made anew")})

	b := f.get("hh/1", "b")
	f.commit("hh/1", store.Write{Key: "b", Expect: b.Rev, Data: []byte("kept now")})
	f.clock.Add(1000 * time.Hour)
	f.reopen()
	f.holds("hh/1", "a", "made anew")
	f.holds("hh/1", "b", "kept now")
	f.holds("hh/1", "c", "for ever")
}
