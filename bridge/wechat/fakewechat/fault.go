package fakewechat

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ReceiptNone as Fault.Receipt: the card arrives, and its receipt never does.
const ReceiptNone = "none"

const faultsKept = 100

// Fault is a misfortune that is waiting to happen.
type Fault struct {
	Kind string `json:"kind"` // errcode, http, reset, latency, receipt or callback
	// API is the end of the path that it strikes, such as "message/template/send"; empty: any.
	API     string `json:"api,omitempty"`
	Times   int    `json:"times,omitempty"`   // how often; 0: once, negative: until cleared
	Errcode int    `json:"errcode,omitempty"` // of kind errcode
	Status  int    `json:"status,omitempty"`  // of kind http; default 502
	Delay   string `json:"delay,omitempty"`   // of kind latency, such as "2s"
	Receipt string `json:"receipt,omitempty"` // of kind receipt: "none" or "failed:user block", "failed: system failed"
}

// addFault checks a fault and lets it wait. s.mu is held.
func (s *Server) addFault(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	if len(s.faults) >= faultsKept {
		return refuse(http.StatusConflict, "%d faults are waiting already; clear them first", faultsKept)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Status == 0 {
		f.Status = http.StatusBadGateway
	}
	s.faults = append(s.faults, &f)
	return nil
}

func (f *Fault) check() error {
	_, badDelay := time.ParseDuration(f.Delay)
	switch {
	case !slices.Contains([]string{"errcode", "http", "reset", "latency", "receipt", "callback"}, f.Kind):
		return refuse(http.StatusBadRequest, "unknown fault %q; there are errcode, http, reset, latency, receipt and callback", f.Kind)
	case f.Kind == "errcode" && f.Errcode == 0:
		return refuse(http.StatusBadRequest, "say which errcode")
	case f.Kind == "latency" && badDelay != nil:
		return refuse(http.StatusBadRequest, "say how long in delay, such as 2s")
	case f.Kind == "receipt" && f.Receipt != ReceiptNone && !strings.HasPrefix(f.Receipt, "failed"):
		return refuse(http.StatusBadRequest, `receipt is "none" or a status such as "failed:user block"`)
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return refuse(http.StatusBadRequest, "status is an HTTP error, 400 to 599")
	}
	return nil
}

// faultFor takes the first waiting fault of a kind that strikes path, or nil.
func (s *Server) faultFor(kind, path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeFault(kind, path)
}

// takeFault is faultFor for those who hold s.mu.
func (s *Server) takeFault(kind, path string) *Fault {
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.Kind == kind && strings.HasSuffix(path, f.API) })
	if i < 0 {
		return nil
	}
	f := s.faults[i]
	if f.Times--; f.Times == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
	return f
}

// hold waits out a latency fault.
func (s *Server) hold(ctx context.Context, f *Fault) {
	if f == nil {
		return
	}
	d, _ := time.ParseDuration(f.Delay) // checked when it was added
	select {
	case <-ctx.Done():
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}
