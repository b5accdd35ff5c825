package app

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"jiaxin/broker/brokertest"
	"jiaxin/devices"
)

// BenchmarkIngest measures QoS 1 publishes over TCP until their PUBACK, in systems whose PUBACKs promise different
// things; docs/performance.md explains the figures:
//
//	bare     mochi as it comes: nothing is kept
//	memory   our broker with a handler that keeps nothing
//	update   our broker, a bbolt transaction for each publish: its bytes are on disk
//	raw      our broker, our store: its bytes are on disk, by transactions that many share
//	durable  the gateway: the household has taken the report, looked at its rules, and its document is on disk
//
// Each publisher is an air conditioner in a household of its own, and every report differs from the one before. "50x32"
// is 50 publishers with 32 publishes in flight each. Systems and publishers share the machine's cores and its disk. One
// op is a round: each system in turn for a second. What is reported are the medians of all rounds; a ratio's is that of
// the ratios within each round, so that whatever else the machine does weighs on both sides.
//
//	go test -run '^$' -bench Ingest -benchtime 7x ./cmd/internal/app
func BenchmarkIngest(b *testing.B) {
	for _, l := range []load{{1, 1}, {50, 1}, {500, 1}, {1, 256}, {50, 32}} {
		b.Run(l.String(), func(b *testing.B) {
			compare(b, l, acReport(), bare, memory, update, raw, durable)
		})
	}
}

// BenchmarkIngestEvent is the same with a gas alarm whose leak is known, and which repeats it, each time as a new event.
// Of the durable system every event also gets a receipt on down/reply.
func BenchmarkIngestEvent(b *testing.B) {
	for _, l := range []load{{50, 1}, {50, 32}} {
		b.Run(l.String(), func(b *testing.B) {
			compare(b, l, gasEvent(), memory, update, durable)
		})
	}
}

// load is how many publishers there are, and how many publishes each has in flight.
type load struct{ publishers, window int }

func (l load) String() string { return fmt.Sprintf("%dx%d", l.publishers, l.window) }

// message is what the publishers send.
type message struct {
	product, sort string
	payload       func(buf []byte, n int) []byte // appends the n-th
	mark          func(n int) string             // what a household's document says once it has taken the n-th
}

func acReport() message {
	return message{
		product: "standard/ac", sort: devices.UpProperty,
		payload: func(buf []byte, n int) []byte {
			buf = append(buf, `{"power":true,"target":26,"mode":"cool","fan":"auto","swing":false,"occupied":true,"temperature":`...)
			return append(strconv.AppendInt(buf, int64(n), 10), '}')
		},
		mark: func(n int) string { return fmt.Sprintf(`"temperature":%d}`, n) },
	}
}

func gasEvent() message {
	return message{
		product: "standard/gas-alarm", sort: devices.UpEvent,
		payload: func(buf []byte, n int) []byte {
			buf = strconv.AppendInt(append(buf, `{"id":"boot-`...), int64(n), 10)
			return append(buf, `","event":"gas_leak","at":"2026-01-02T03:04:05+08:00"}`...)
		},
		mark: func(n int) string { return fmt.Sprintf(`"boot-%d"]`, n) },
	}
}

const (
	warmUp  = 200 * time.Millisecond // before each measurement
	measure = time.Second
)

// system is one of the things that are compared, with its publishers connected.
type system struct {
	name       string
	publishers []*publisher
	check      func() error // whether it kept what it promised; nil: it promised nothing

	rate, p50, p99, cpu []float64 // of each round: events/s, ms, µs of the whole process for each event
}

func compare(b *testing.B, l load, m message, starts ...func(*testing.B, load, message) *system) {
	var all []*system
	for _, start := range starts {
		all = append(all, start(b, l, m))
	}
	b.ResetTimer()
	for round := range b.N {
		for i := range all { // not always after the same one
			if err := all[(i+round)%len(all)].measure(l.window, m); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, s := range all {
		s.report(b, all[len(all)-1])
	}
}

// measure lets the publishers publish for a while.
func (s *system) measure(window int, m message) error {
	runtime.GC() // what the others have left behind
	from := time.Now().Add(warmUp)
	errs := make(chan error, len(s.publishers))
	before, used := s.sent(), cpuTime()
	var all sync.WaitGroup
	for _, p := range s.publishers {
		all.Go(func() { errs <- p.publish(m, window, from, from.Add(measure)) })
	}
	all.Wait()
	for range s.publishers {
		if err := <-errs; err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	s.note()
	s.cpu = append(s.cpu, float64((cpuTime()-used).Microseconds())/float64(s.sent()-before))
	if s.check == nil {
		return nil
	}
	return s.check()
}

func (s *system) sent() (n int) {
	for _, p := range s.publishers {
		n += p.sent
	}
	return n
}

// cpuTime is what this process has used of all cores.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for another who
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// note adds the figures of a round.
func (s *system) note() {
	var took []time.Duration
	for _, p := range s.publishers {
		took = append(took, p.took...)
	}
	slices.Sort(took)
	quantile := func(q float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return took[int(q*float64(len(took)-1))].Seconds() * 1000
	}
	s.rate = append(s.rate, float64(len(took))/measure.Seconds())
	s.p50, s.p99 = append(s.p50, quantile(0.5)), append(s.p99, quantile(0.99))
}

// report reports the medians, and how many times as fast the one is.
func (s *system) report(b *testing.B, one *system) {
	b.ReportMetric(median(s.rate), s.name+"-events/s")
	b.ReportMetric(median(s.p50), s.name+"-p50-ms")
	b.ReportMetric(median(s.p99), s.name+"-p99-ms")
	b.ReportMetric(median(s.cpu), s.name+"-cpu-µs")
	if s == one {
		return
	}
	ratios := make([]float64, len(s.rate))
	for i := range ratios {
		ratios[i] = one.rate[i] / s.rate[i]
	}
	b.ReportMetric(median(ratios), one.name+"/"+s.name)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// publisher is one device.
type publisher struct {
	client *brokertest.Client
	topic  string
	sent   int
	at     [256]time.Time  // when each publish in flight was sent, by its number
	took   []time.Duration // from there to the PUBACK, of those acknowledged in the measured time
	buf    []byte
}

// publish keeps the window full until the end of the time, and waits for the last PUBACK.
func (p *publisher) publish(m message, window int, from, to time.Time) error {
	p.took = p.took[:0]
	if err := p.client.Flush(); err != nil { // the deadline of the last round's writes is over
		return err
	}
	flying := 0
	for now := time.Now(); ; {
		for ; flying < window && now.Before(to); flying++ {
			if err := p.send(m, now); err != nil {
				return err
			}
		}
		if flying == 0 {
			return nil
		}
		if err := p.acked(); err != nil {
			return err
		}
		now = time.Now()
		flying--
		if now.After(from) && now.Before(to) {
			p.took = append(p.took, now.Sub(p.at[(p.sent-flying-1)%len(p.at)]))
		}
	}
}

func (p *publisher) send(m message, now time.Time) error {
	p.at[p.sent%len(p.at)] = now
	p.buf = m.payload(p.buf[:0], p.sent)
	p.sent++
	_, err := p.client.Queue(p.topic, p.buf, 1)
	return err
}

// acked takes one PUBACK, after the receipts that may come before it.
func (p *publisher) acked() error {
	for {
		if p.client.Buffered() == 0 {
			if err := p.client.Flush(); err != nil {
				return err
			}
		}
		got, err := p.client.Next()
		if err != nil || got.Type == brokertest.Puback {
			return err
		}
		if got.Type != brokertest.Publish {
			return fmt.Errorf("the broker sent a packet of type %d", got.Type)
		}
	}
}
