package bridge

import (
	"context"
	"encoding/json"
	"fmt"

	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
)

// eraseBatch is how many documents are looked at, and changed, at a time.
const eraseBatch = 256

// erase takes a member's words out of a household's timeline, and what we wrote to them, and deletes the voices and photos
// that they sent. That something happened, and when, stays. Doing it again does no harm.
func (b *Bridge) erase(ctx context.Context, household, member string) error {
	if err := b.sift(ctx, laneOf(household), func(d store.Doc) (store.Write, bool) { return forgetWords(d, member) }); err != nil {
		return err
	}
	return b.sift(ctx, "media/"+household, func(d store.Doc) (store.Write, bool) {
		var m storedMedia
		err := json.Unmarshal(d.Data, &m)
		return store.Write{Key: d.Key, Expect: store.AnyRev}, err == nil && m.Member == member
	})
}

// forgetWords is the write that empties a timeline entry of a member, if the document is one.
func forgetWords(d store.Doc, member string) (store.Write, bool) {
	var e home.Entry
	if d.Key == docKey || json.Unmarshal(d.Data, &e) != nil || e.Member != member || e.Detail == "" || e.What == "member" {
		return store.Write{}, false
	}
	e.Detail = ""
	data, err := json.Marshal(e)
	return store.Write{Key: d.Key, Expect: store.AnyRev, Data: data, TTL: keepHistory}, err == nil
}

// sift commits what change makes of each document of a lane.
func (b *Bridge) sift(ctx context.Context, lane string, change func(store.Doc) (store.Write, bool)) error {
	after := store.Doc{Lane: lane}
	for {
		docs, err := b.Store.Scan(ctx, lane, after, eraseBatch)
		if err != nil {
			return fmt.Errorf("erase in %s: %w", lane, err)
		}
		var writes []store.Write
		for _, d := range docs {
			if w, wanted := change(d); wanted && d.Lane == lane {
				writes = append(writes, w)
			}
		}
		if len(writes) > 0 {
			if _, err := b.Store.Commit(ctx, lane, writes...); err != nil {
				return fmt.Errorf("erase in %s: %w", lane, err)
			}
		}
		if len(docs) < eraseBatch || docs[len(docs)-1].Lane != lane {
			return nil
		}
		after = docs[len(docs)-1]
	}
}
