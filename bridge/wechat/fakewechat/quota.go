package fakewechat

import (
	"time"

	"golang.org/x/time/rate"
)

// dayCalls counts the calls of one day in Beijing, when WeChat's counters start anew.
type dayCalls struct {
	Day   string         `json:"day"`
	Count map[string]int `json:"count"`
}

func beijingDay(now time.Time) string {
	return now.In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly)
}

// count takes one call from the quota of e. s.mu is held.
func (s *Server) count(e endpoint, now time.Time) error {
	calls := &s.state.Calls
	if day := beijingDay(now); calls.Day != day || calls.Count == nil {
		*calls = dayCalls{day, map[string]int{}}
	}
	calls.Count[e.path]++
	if e.perDay > 0 && calls.Count[e.path] > e.perDay {
		return deny(45009)
	}
	if e.perMinute > 0 && !s.limiter(e).AllowN(now, 1) {
		return deny(45011)
	}
	return nil
}

func (s *Server) limiter(e endpoint) *rate.Limiter {
	l, known := s.minute[e.path]
	if !known {
		l = rate.NewLimiter(rate.Limit(float64(e.perMinute)/60), e.perMinute)
		s.minute[e.path] = l
	}
	return l
}

// Quota is what was used of one API today.
type Quota struct {
	API  string `json:"api"`
	Used int    `json:"used"`
	Day  int    `json:"day"` // the limit; 0: none
}

func (s *Server) quotas() []Quota {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Quota
	for _, e := range endpoints() {
		list = append(list, Quota{e.path, s.state.Calls.Count[e.path], e.perDay})
	}
	return list
}
