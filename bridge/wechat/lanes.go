package wechat

import (
	"context"
	"sync"
)

// lanes lets one delivery at a time through to each person: WeChat answers 43108 to concurrent ones. A lane exists only
// while somebody is in it, so memory follows the deliveries under way, not the people known.
type lanes struct {
	mu   sync.Mutex
	open map[string]*lane
}

type lane struct {
	turn  chan struct{} // holds the one token while the lane is free
	users int
}

func newLanes() *lanes { return &lanes{open: map[string]*lane{}} }

// enter waits for the person's lane. The caller leaves it by the returned function.
func (l *lanes) enter(ctx context.Context, person string) (leave func(), err error) {
	mine := l.join(person)
	select {
	case <-mine.turn:
		return func() { mine.turn <- struct{}{}; l.quit(person, mine) }, nil
	case <-ctx.Done():
		l.quit(person, mine)
		return nil, ctx.Err()
	}
}

func (l *lanes) join(person string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := l.open[person]
	if mine == nil {
		mine = &lane{turn: make(chan struct{}, 1)}
		mine.turn <- struct{}{}
		l.open[person] = mine
	}
	mine.users++
	return mine
}

func (l *lanes) quit(person string, mine *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(l.open, person)
	}
}
