// Package bridge runs households: it takes what devices and people send, steps the household that it belongs to,
// commits, and only then acknowledges and performs the effects.
//
// Promise: what was acknowledged, to a device by PUBACK or to WeChat by "success", is in the store. One household's
// inputs are taken one after the other in the order they came; many that wait together share one commit. An effect is
// performed at least once for as long as it is filed, also after a crash; its stable id lets the other side drop a
// repetition. If the store cannot commit, nothing is acknowledged, and the sender sends again.
package bridge

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
	"jiaxin/broker"
)

// Options are what a Bridge works with. Store, Channel, Account, Publisher and World are needed.
type Options struct {
	Store      store.Store
	Channel    Channel
	Account    Account
	Publisher  broker.Publisher
	World      *home.World
	Now        func() time.Time // default time.Now
	Rand       io.Reader        // default crypto/rand
	Logger     *slog.Logger     // default: none
	Registerer prometheus.Registerer
}

// Bridge connects devices, households and people. Make one with New.
type Bridge struct {
	Options
	metrics *metrics
	urgent  chan struct{} // places for effects that tell of danger
	usual   chan struct{} // places for all the others
	odd     counter
	shadow  shadow

	mu      sync.Mutex
	runners map[string]*runner
	closed  bool
	work    sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
}

// The places for effects that are performed at the same time. Danger never queues behind comfort.
const (
	urgentPlaces = 32
	usualPlaces  = 64
)

// New makes a Bridge. Nothing happens before Start.
func New(o Options) *Bridge {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Bridge{
		Options: o, metrics: newMetrics(o.Registerer), runners: map[string]*runner{},
		urgent: make(chan struct{}, urgentPlaces), usual: make(chan struct{}, usualPlaces),
	}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// Start resumes every household where the last process left it. It returns when all are resumed, so that devices and
// people can be let in. A household whose document cannot be read stays behind, with a line in the log: the others go on.
func (b *Bridge) Start(ctx context.Context) error {
	for after, more := (store.Doc{}), true; more; {
		var lanes []string
		for more = true; more && len(lanes) < maxBatch; {
			docs, err := b.Store.Scan(ctx, lanePrefix, after, 1)
			if err != nil {
				return err
			}
			if more = len(docs) > 0; more {
				lanes = append(lanes, docs[0].Lane)
				after = store.Doc{Lane: docs[0].Lane, Key: afterHistory}
			}
		}
		if err := b.resume(ctx, lanes); err != nil {
			return err
		}
	}
	return nil
}

// afterHistory is a key behind all others of a household's lane.
const afterHistory = "t0"

func (b *Bridge) resume(ctx context.Context, lanes []string) error {
	var waits []func(context.Context) error
	for _, lane := range lanes {
		waits = append(waits, b.begin(householdOf(lane), home.Resume{}))
	}
	var errs []error
	for _, wait := range waits {
		if err := wait(ctx); !errors.Is(err, errBroken) { // the runner has logged it
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run hands households their alarms until ctx ends (nil) or the store can go on no more (the error).
func (b *Bridge) Run(ctx context.Context) error {
	return b.Store.Wakes(ctx, func(ctx context.Context, d store.Doc) error {
		if d.Key != docKey {
			return nil
		}
		return b.begin(householdOf(d.Lane), home.Tick{})(ctx)
	})
}

// Stop takes no more inputs and waits, at most until ctx ends, for those taken to be committed, and for the effects
// under way and the commits of their results. What is not performed by then stays filed for the next start.
func (b *Bridge) Stop(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	done := make(chan struct{})
	go func() { b.work.Wait(); close(done) }()
	defer b.stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
