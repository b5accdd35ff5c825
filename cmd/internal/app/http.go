package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"jiaxin/bridge/web/h5"
	"jiaxin/bridge/wechat"
)

// callbackPath is where WeChat calls; the operator enters PublicURL + callbackPath on the account's page.
const callbackPath = "/wechat"

// The bounds of a stranger's request.
const (
	headerTime  = 5 * time.Second
	requestTime = 30 * time.Second
	idleTime    = 60 * time.Second
	maxHeader   = 16 << 10
)

func (a *App) startHTTP(context.Context) error {
	mux := http.NewServeMux()
	callback, err := wechat.NewCallback(a.cfg.WeChat.Config, a.bridge.Receive, a.wechatOptions())
	if err != nil {
		return err
	}
	mux.Handle(callbackPath, bounded(callback))
	mux.Handle("/b/", bounded(h5.Handler(a.bridge, a.log)))
	for pattern, h := range a.opt.Mount {
		mux.Handle(pattern, h)
	}
	if err := a.startAdmin(mux); err != nil {
		return err
	}
	var whole http.Handler = mux
	if a.opt.Guard != nil {
		whole = a.opt.Guard(mux)
	}
	a.http, err = a.listenAndServe(a.opt.Listener, "http", a.cfg.HTTP, whole)
	return err
}

// startAdmin serves the admin's routes on an address of their own, which strangers do not reach.
func (a *App) startAdmin(public *http.ServeMux) (err error) {
	if a.opt.AdminHere {
		a.adminRoutes(public)
		return nil
	}
	mux := http.NewServeMux()
	a.adminRoutes(mux)
	if a.admin, err = a.listenAndServe(nil, "admin", a.cfg.Admin, mux); err != nil {
		return err
	}
	a.log.Info("metrics and health are served", "address", a.admin.Addr().String())
	return nil
}

func (a *App) adminRoutes(mux *http.ServeMux) {
	mux.Handle("GET /metrics", bounded(promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{})))
	mux.Handle("GET /healthz", bounded(health(a.bridge.Ready)))
	mux.Handle("GET /readyz", bounded(health(a.ready)))
}

// ready says whether the gateway can do its work: keep what it is sent, and reach WeChat.
func (a *App) ready(ctx context.Context) error {
	return errors.Join(a.bridge.Ready(ctx), a.wechat.Ping(ctx))
}

func health(check func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := check(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
}

// bounded ends a request whose client reads or writes too slowly. The simulator's event streams are not bounded.
func bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		deadline := time.Now().Add(requestTime)
		_ = c.SetReadDeadline(deadline) // only a recorder in a test cannot
		_ = c.SetWriteDeadline(deadline)
		h.ServeHTTP(w, r)
	})
}

func (a *App) listenAndServe(l net.Listener, key, address string, h http.Handler) (net.Listener, error) {
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", address); err != nil {
			return nil, fmt.Errorf("%w (is another program using the address? choose one in the configuration, key %s)", err, key)
		}
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.fail(fmt.Errorf("HTTP server: %w", err))
		}
	}()
	a.down(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil { // an open event stream does not end by itself
			return s.Close()
		}
		return nil
	})
	return l, nil
}
