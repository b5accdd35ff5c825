package fakewechat

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The controls that only a tester has: to watch, to disturb, to start over.

// waiting reads ?after= and ?wait=.
func waiting(r *http.Request) (after int64, wait time.Duration, err error) {
	if v := r.FormValue("after"); v != "" {
		if after, err = strconv.ParseInt(v, 10, 64); err != nil {
			return 0, 0, refuse(http.StatusBadRequest, "after is a number, the seq of an earlier answer")
		}
	}
	if v := r.FormValue("wait"); v != "" {
		if wait, err = time.ParseDuration(v); err != nil {
			return 0, 0, refuse(http.StatusBadRequest, "wait is a time such as 20s")
		}
	}
	return after, min(wait, longest), nil
}

// await calls reached, with s.mu held, at once and after each change, until it is true or the wait is over.
func (s *Server) await(ctx context.Context, wait time.Duration, reached func() bool) bool {
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		s.mu.Lock()
		there, wake := reached(), s.wake
		s.mu.Unlock()
		if there || wait <= 0 {
			return there
		}
		select {
		case <-wake:
		case <-over.C:
			return false
		case <-ctx.Done():
			return false
		case <-s.ctx.Done():
			return false
		}
	}
}

func (s *Server) listControls(*http.Request) (any, error) { return controls(), nil }

func (s *Server) showTranscript(r *http.Request) (any, error) {
	after, wait, err := waiting(r)
	if err != nil {
		return nil, err
	}
	var list []Exchange
	s.await(r.Context(), wait, func() bool {
		list = s.transcript(after)
		return len(list) > 0
	})
	return list, nil
}

// showIdle answers once nothing is under way from WeChat to the gateway.
func (s *Server) showIdle(r *http.Request) (any, error) {
	_, wait, err := waiting(r)
	if err != nil {
		return nil, err
	}
	idle := s.await(r.Context(), wait, func() bool {
		if s.due > 0 {
			return false
		}
		for _, l := range s.lanes {
			if l.running {
				return false
			}
		}
		return true
	})
	return map[string]bool{"idle": idle}, nil
}

func (s *Server) showQuota(*http.Request) (any, error) { return s.quotas(), nil }

func (s *Server) listFaults(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Fault{}
	for _, f := range s.faults {
		list = append(list, *f)
	}
	return list, nil
}

func (s *Server) doFault(r *http.Request) (any, error) {
	var f struct {
		Fault
		Clear bool `json:"clear"`
	}
	if err := readJSON(r, &f); err != nil {
		return nil, err
	}
	if err := s.setFault(f.Fault, f.Clear); err != nil {
		return nil, err
	}
	return s.listFaults(r)
}

func (s *Server) setFault(f Fault, all bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all {
		s.faults = nil
		return nil
	}
	return s.addFault(f)
}

func (s *Server) doKillTokens(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Tokens.kill(s.now())
	return ok(), nil
}

func (s *Server) doVerify(*http.Request) (any, error) {
	if err := s.verify(); err != nil {
		return nil, err
	}
	return ok(), nil
}

// doReset forgets chats, followers, codes, media and traffic. Message ids go on, as a gateway may remember them.
func (s *Server) doReset(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := map[string]int64{}
	for _, p := range s.state.People {
		seq[p.OpenID] = p.Seq
	}
	fresh := newState()
	fresh.LastID = s.state.LastID
	s.state = *fresh
	s.faults, s.traffic = nil, nil
	clear(s.codes)
	for _, l := range s.lanes {
		l.jobs = nil
	}
	s.seed()
	for _, p := range s.state.People {
		p.Seq = seq[p.OpenID]
		s.touch(p)
	}
	return ok(), nil
}

// streamEvents tells a phone page that something changed, as server-sent events. Each names the time only: the page
// then asks for what it shows.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	for {
		var wake chan struct{}
		s.mu.Lock()
		wake = s.wake
		s.mu.Unlock()
		if _, err := fmt.Fprintf(w, "data: %d\n\n", s.now().UnixMilli()); err != nil {
			return nil
		}
		if out.Flush() != nil {
			return nil
		}
		if !s.nextEvent(r.Context(), wake) {
			return nil
		}
	}
}

// nextEvent waits for a change, or for the time to show that the line still holds.
func (s *Server) nextEvent(ctx context.Context, wake chan struct{}) bool {
	select {
	case <-wake:
		return true
	case <-time.After(20 * time.Second):
		return true
	case <-ctx.Done():
		return false
	case <-s.ctx.Done():
		return false
	}
}
