package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"jiaxin/bridge/home"
	"jiaxin/bridge/store"
)

const (
	docKey      = "doc"
	lanePrefix  = "hh/"
	keepHistory = 180 * 24 * time.Hour

	maxBatch    = 256   // inputs of one household that share a commit
	maxAttempts = 20    // to commit while another gateway, by mistake, writes to the same store
	maxQueue    = 4096  // inputs of one household that may wait
	maxRunners  = 20000 // households kept in memory
)

func laneOf(household string) string { return lanePrefix + household }

func householdOf(lane string) string { return strings.TrimPrefix(lane, lanePrefix) }

// errBusy and errClosed are why an input was not taken; errBroken is why a household takes none at all.
var (
	errBusy   = errors.New("the household has too many inputs waiting")
	errClosed = errors.New("the gateway is stopping")
	errBroken = errors.New("the household cannot be used; restore it from a backup")
)

// runner takes one household's inputs in order. Its goroutine lives only while there are some.
type runner struct {
	b     *Bridge
	id    string
	queue []job // guarded by Bridge.mu
	alive bool  // guarded by Bridge.mu

	// The rest belongs to the goroutine.
	h    *home.Household // nil: to be read
	rev  store.Rev
	data []byte // as committed
	due  time.Time
}

// job is an input with what hangs on it.
type job struct {
	in       home.Input
	volatile bool // it need not be durable: sent without asking for an acknowledgement
	result   bool // of an effect: taken also while stopping
	done     func(error)
}

// submit queues an input; done is called once, after the commit or with the reason why there was none.
func (b *Bridge) submit(household string, j job) {
	b.mu.Lock()
	r, err := b.place(household, j.result)
	if err == nil {
		r.queue = append(r.queue, j)
		if !r.alive {
			r.alive = true
			b.work.Add(1)
			go r.run()
		}
	}
	b.mu.Unlock()
	if err != nil {
		j.done(err)
	}
}

func (b *Bridge) place(household string, result bool) (*runner, error) {
	if b.closed && !result {
		return nil, errClosed
	}
	r := b.runners[household]
	if r == nil {
		r = &runner{b: b, id: household}
		b.runners[household] = r
	}
	if len(r.queue) >= maxQueue {
		return nil, errBusy
	}
	return r, nil
}

// begin submits an input and returns the wait for its commit.
func (b *Bridge) begin(household string, in home.Input) func(context.Context) error {
	return b.await(household, job{in: in})
}

func (b *Bridge) await(household string, j job) func(context.Context) error {
	result := make(chan error, 1)
	j.done = func(err error) { result <- err }
	b.submit(household, j)
	return func(ctx context.Context) error {
		select {
		case err := <-result:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// step submits an input and waits for its commit.
func (b *Bridge) step(ctx context.Context, household string, in home.Input) error {
	return b.begin(household, in)(ctx)
}

func (r *runner) run() {
	defer r.b.work.Done()
	for jobs := r.take(); len(jobs) > 0; jobs = r.take() {
		err := r.process(jobs)
		for _, j := range jobs {
			j.done(err)
		}
	}
}

// take gets the next batch. With none left the goroutine is over, and a crowded memory forgets the household.
func (r *runner) take() []job {
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	n := min(len(r.queue), maxBatch)
	jobs := r.queue[:n:n]
	r.queue = r.queue[n:]
	if n == 0 {
		r.alive, r.queue = false, nil
		if len(r.b.runners) > maxRunners {
			delete(r.b.runners, r.id)
		}
	}
	return jobs
}

// process steps the batch and commits it. When somebody else committed meanwhile, it starts over from their state.
func (r *runner) process(jobs []job) error {
	var err error
	for range maxAttempts {
		var effects []home.Effect
		if effects, err = r.attempt(jobs); err == nil {
			r.b.perform(r.id, effects)
			return nil
		}
		r.h = nil
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUnknown) {
			break
		}
	}
	r.b.Logger.Error("household not committed", "household", r.id, "inputs", len(jobs), "error", err)
	return err
}

func (r *runner) attempt(jobs []job) ([]home.Effect, error) {
	if err := r.load(); err != nil {
		return nil, err
	}
	effects, volatile, err := r.step(jobs)
	if err != nil {
		return nil, err
	}
	return effects, r.commit(volatile && len(effects) == 0)
}

// step takes the inputs. Should one make it panic, that ends nothing but this household's batch.
func (r *runner) step(jobs []job) (effects []home.Effect, volatile bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", errBroken, p, debug.Stack())
		}
	}()
	now := r.b.Now()
	volatile = true
	for _, j := range jobs {
		effects = append(effects, r.h.Step(j.in, now)...)
		volatile = volatile && j.volatile
	}
	return effects, volatile, nil
}

func (r *runner) load() error {
	if r.h != nil {
		return nil
	}
	doc, err := r.b.Store.Get(r.b.ctx, laneOf(r.id), docKey)
	h := home.New(r.id, r.b.World)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case errors.Is(err, store.ErrCorrupt):
		return fmt.Errorf("%w: %w", errBroken, err)
	case err != nil:
		return fmt.Errorf("read household: %w", err)
	default:
		if err := json.Unmarshal(doc.Data, h); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		h.Attach(r.b.World)
	}
	r.h, r.rev, r.data, r.due = h, doc.Rev, doc.Data, doc.Due
	return nil
}

// commit writes the household and its new timeline entries, unless nothing has changed or nothing needs to be kept.
func (r *runner) commit(volatile bool) error {
	history, due := r.h.History(), r.h.Due()
	if volatile && len(history) == 0 && due.Equal(r.due) || r.rev == 0 && r.h.Seq == 0 {
		return nil
	}
	data, err := json.Marshal(r.h)
	if err != nil {
		return fmt.Errorf("write household: %w", err)
	}
	if len(history) == 0 && bytes.Equal(data, r.data) && due.Equal(r.due) {
		return nil
	}
	writes, err := entries(history)
	if err != nil {
		return err
	}
	writes = append([]store.Write{{Key: docKey, Expect: r.rev, Data: data, Due: due, TTL: r.ttl()}}, writes...)
	rev, err := r.write(writes)
	if err != nil {
		return fmt.Errorf("commit household: %w", err)
	}
	r.rev, r.data, r.due = rev, data, due
	return nil
}

// write commits. If the outcome is unknown it looks: what is there as it was written, was written.
func (r *runner) write(writes []store.Write) (store.Rev, error) {
	revs, err := r.b.Store.Commit(r.b.ctx, laneOf(r.id), writes...)
	if err == nil {
		return revs[0], nil
	}
	if errors.Is(err, store.ErrUnknown) {
		doc, err := r.b.Store.Get(r.b.ctx, laneOf(r.id), docKey)
		if err == nil && bytes.Equal(doc.Data, writes[0].Data) {
			return doc.Rev, nil
		}
	}
	return 0, err
}

// ttl lets a household without a device, such as a follower's who never bound one, be forgotten in time.
func (r *runner) ttl() time.Duration {
	if len(r.h.Devices) == 0 {
		return keepHistory
	}
	return 0
}

func entries(history []home.Entry) ([]store.Write, error) {
	var writes []store.Write
	for _, e := range history {
		data, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("write timeline: %w", err)
		}
		writes = append(writes, store.Write{Key: fmt.Sprintf("t/%016x", e.Seq), Expect: store.AnyRev, Data: data, TTL: keepHistory})
	}
	return writes, nil
}
