package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// journal logs what strangers and failing devices cause, but not as much as they like: at most journalLines lines in
// journalSpan, the next one saying how many were left out.
type journal struct {
	log *slog.Logger

	mu     sync.Mutex
	since  time.Time
	lines  int
	unsaid int
}

const (
	journalLines = 20
	journalSpan  = 10 * time.Second
)

func (j *journal) write(level slog.Level, msg string, args ...any) {
	ok, unsaid := j.allow(time.Now())
	if !ok {
		return
	}
	if unsaid > 0 {
		args = append(args, "lines_left_out_before", unsaid)
	}
	j.log.Log(context.Background(), level, msg, args...)
}

func (j *journal) allow(now time.Time) (ok bool, unsaid int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if now.Sub(j.since) >= journalSpan {
		j.since, j.lines = now, 0
	}
	if j.lines++; j.lines > journalLines {
		j.unsaid++
		return false, 0
	}
	unsaid, j.unsaid = j.unsaid, 0
	return true, unsaid
}

// clip shortens what a stranger said for the log.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
