package bridge_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"jiaxin/bridge"
	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/broker"
)

// news wakes those who wait for something to have happened.
type news struct {
	mu sync.Mutex
	ch chan struct{}
}

func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

// watched is the store with a place to stand between it and the bridge.
type watched struct {
	store.Store
	news    *news
	mu      sync.Mutex
	commits map[string]int                                                 // by lane
	commit  func(lane string, writes []store.Write) (do bool, after error) // what happens to a commit; nil: it is done
}

func (s *watched) Commit(ctx context.Context, lane string, writes ...store.Write) ([]store.Rev, error) {
	s.mu.Lock()
	s.commits[lane]++
	hook := s.commit
	s.mu.Unlock()
	defer s.news.tell()
	do, after := true, error(nil)
	if hook != nil {
		do, after = hook(lane, writes)
	}
	if !do {
		return nil, after
	}
	revs, err := s.Store.Commit(ctx, lane, writes...)
	if err == nil && after != nil {
		return nil, after
	}
	return revs, err
}

func (s *watched) on(hook func(lane string, writes []store.Write) (bool, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commit = hook
}

func (s *watched) count(lane string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits[lane]
}

// Deliver implements bridge.Channel.
func (w *world) Deliver(_ context.Context, n home.Notification) (string, error) {
	w.mu.Lock()
	hook := w.deliver
	w.mu.Unlock()
	if hook != nil {
		if err := hook(n); err != nil {
			return "", err
		}
	}
	defer w.news.tell()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, n)
	return "msg-" + n.ID, nil
}

func (w *world) onDeliver(hook func(home.Notification) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deliver = hook
}

// FollowCode implements bridge.Account.
func (w *world) FollowCode(_ context.Context, scene string, _ time.Duration) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scenes = append(w.scenes, scene)
	return "code:" + scene, nil
}

// Profile implements bridge.Account.
func (w *world) Profile(_ context.Context, openID string) (bridge.Profile, error) {
	return bridge.Profile{Following: true, Name: strings.TrimPrefix(openID, "openid-")}, nil
}

// Media implements bridge.Account.
func (w *world) Media(context.Context, string, int64) ([]byte, string, error) {
	return []byte("picture"), "image/jpeg", nil
}

// Publish implements broker.Publisher.
func (w *world) Publish(_ context.Context, _, topic string, payload []byte) error {
	defer w.news.tell()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.offline {
		return broker.ErrOffline
	}
	w.wire = append(w.wire, published{topic, string(payload)})
	return nil
}
