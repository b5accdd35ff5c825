package fakewechat

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Server is a fake WeChat for one service account. It is an http.Handler; mount it at the root of a host, since
// WeChat's addresses start there.
type Server struct {
	opt    Options
	aesKey []byte
	apis   map[string]endpoint
	mux    *http.ServeMux
	client *http.Client // callbacks
	offset atomic.Int64 // nanoseconds that the own clock is ahead of real time

	ctx    context.Context // ends with Close
	stop   context.CancelFunc
	work   sync.WaitGroup
	saving chan struct{} // holds one token when there is something to save

	mu        sync.Mutex // guards everything below
	state     state
	publicURL string
	callback  string
	lanes     map[string]*lane // openid → callbacks in order
	due       int              // receipts that are still to come
	wake      chan struct{}    // closed and replaced at each change that somebody may wait for
	faults    []*Fault
	traffic   []Exchange
	exchanges int64
	codes     map[string]*grant
	minute    map[string]*rate.Limiter
	closed    bool
}

// New builds a fake WeChat. It restores StateFile when there is one. The caller must Close it.
func New(opt Options) (*Server, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	opt.setDefaults()
	st, err := loadState(opt.StateFile)
	if err != nil {
		return nil, err
	}
	s := build(opt, st)
	s.seed()
	if opt.StateFile != "" {
		s.work.Go(s.keepSaving)
	}
	return s, nil
}

func build(opt Options, st *state) *Server {
	key, _ := decodeAESKey(opt.EncodingAESKey) // checked in Options.check
	s := &Server{
		opt: opt, aesKey: key, state: *st, apis: map[string]endpoint{},
		publicURL: opt.PublicURL, callback: opt.CallbackURL,
		client: &http.Client{Timeout: opt.CallbackTimeout, CheckRedirect: noRedirect},
		saving: make(chan struct{}, 1), wake: make(chan struct{}),
		lanes: map[string]*lane{}, codes: map[string]*grant{}, minute: map[string]*rate.Limiter{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.offset.Store(int64(st.Offset))
	for _, e := range endpoints() {
		s.apis[e.path] = e
	}
	s.mux = s.routes()
	return s
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// seed adds the users of Options that the restored state does not know yet.
func (s *Server) seed() {
	for _, u := range s.opt.Users {
		if _, known := s.findPerson(u.OpenID, u.Key, u.Name); !known {
			s.addPerson(u)
		}
	}
}

// Close ends callbacks in flight, waits for them, and saves the state. The handler answers 503 afterwards.
func (s *Server) Close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	if already {
		return nil
	}
	s.stop()
	s.work.Wait()
	if s.opt.StateFile == "" {
		return nil
	}
	return s.save()
}

// SetPublicURL tells the fake under which address it is reached; pictures and OAuth need it.
func (s *Server) SetPublicURL(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publicURL = strings.TrimSuffix(address, "/")
}

// SetCallbackURL tells the fake where the gateway listens for callbacks.
func (s *Server) SetCallbackURL(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callback = address
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cgi-bin/showqrcode", s.showQRCode)
	mux.HandleFunc("GET /connect/oauth2/authorize", s.authorizePage)
	mux.HandleFunc("GET /mmbiz_pic/{id}", s.picture)
	mux.HandleFunc("/cgi-bin/", s.serveAPI)
	mux.HandleFunc("/sns/", s.serveAPI)
	s.controlRoutes(mux)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/_fake/ui", http.StatusFound)
	})
	return mux
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.ctx.Err() != nil {
		http.Error(w, "this fake WeChat has been closed", http.StatusServiceUnavailable)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// now is the virtual time, to the second as WeChat's own times are shown, but monotone enough for windows.
func (s *Server) now() time.Time {
	if s.opt.Now != nil {
		return s.opt.Now()
	}
	return time.Now().Add(time.Duration(s.offset.Load()))
}

// pass lets virtual time pass. The fake's own clock never goes back, because WeChat's does not.
func (s *Server) pass(d time.Duration) error {
	if d < 0 {
		return refuse(http.StatusBadRequest, "advance must not be negative; WeChat's clock never goes back")
	}
	if s.opt.Now != nil && s.opt.ClockMoved == nil {
		return refuse(http.StatusConflict, "the clock belongs to the program that runs this fake, and it takes no orders")
	}
	if s.opt.Now == nil {
		s.offset.Add(int64(d))
	}
	if s.opt.ClockMoved != nil {
		s.opt.ClockMoved(d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed()
	return nil
}

// changed wakes everybody who waits for a change and asks for a save. s.mu is held.
func (s *Server) changed() {
	close(s.wake)
	s.wake = make(chan struct{})
	select {
	case s.saving <- struct{}{}:
	default:
	}
}

// originalID is the account's gh_ id, which callbacks carry as ToUserName.
func (s *Server) originalID() string { return "gh_" + digest(s.opt.AppID)[:12] }

// refusal is an answer to a control call that could not be done.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}
