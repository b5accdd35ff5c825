package fleet

import "sync"

// maxWatchers bounds the open event streams of one home.
const maxWatchers = 64

// feed tells the panels which appliances have changed. A slow panel misses nothing and holds nothing up: it is told
// once of an appliance that changed many times, and then reads the state that holds.
type feed struct {
	mu       sync.Mutex
	watchers map[*watcher]bool
	done     chan struct{}
}

// watcher is one panel.
type watcher struct {
	dirty map[string]bool
	wake  chan struct{} // has room for one
}

func newFeed() *feed {
	return &feed{watchers: map[*watcher]bool{}, done: make(chan struct{})}
}

func (f *feed) close() { close(f.done) }

// changed marks an appliance; it never blocks for long.
func (f *feed) changed(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		w.dirty[key] = true
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// watch returns nil when there are too many watchers already.
func (f *feed) watch() *watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watchers) >= maxWatchers {
		return nil
	}
	w := &watcher{dirty: map[string]bool{}, wake: make(chan struct{}, 1)}
	f.watchers[w] = true
	return w
}

func (f *feed) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
}

// take returns the appliances that have changed since the last time.
func (f *feed) take(w *watcher) map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	dirty := w.dirty
	w.dirty = map[string]bool{}
	return dirty
}
