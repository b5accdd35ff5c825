package bolt

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jiaxin/bridge/store"
)

// metrics are what the store tells Prometheus, all as jiaxin_store_*.
type metrics struct {
	commits  *prometheus.CounterVec
	wakes    *prometheus.CounterVec
	batch    prometheus.Histogram
	seconds  prometheus.Histogram
	damaged  prometheus.Counter
	expired  prometheus.Counter
	failed   prometheus.Gauge
	registry prometheus.Registerer
}

func newMetrics(r prometheus.Registerer, s *Store) (*metrics, error) {
	m := &metrics{
		commits: counters("commits_total", "Commits by how they ended: ok, conflict or error.", "result"),
		wakes:   counters("wakes_total", "Documents handed out because they were due: ok or error.", "result"),
		batch:   histogram("batch_size", "Pieces of work in one transaction.", prometheus.ExponentialBuckets(1, 4, 7)),
		seconds: histogram("transaction_seconds", "Time of one transaction with its syncs.", prometheus.ExponentialBuckets(0.00025, 2, 16)),
		damaged: counter("damaged_documents_total", "Documents found damaged on disk."),
		expired: counter("expired_documents_total", "Documents removed because their time was over."),
		failed:  gauge("failed", "1 if the store takes nothing more until the restart."),
	}
	return m, m.register(r)
}

func metricName(name string) string { return prometheus.BuildFQName("jiaxin", "store", name) }

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: metricName(name), Help: help})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: metricName(name), Help: help})
}

func counters(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricName(name), Help: help}, []string{label})
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: metricName(name), Help: help, Buckets: buckets})
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.commits, m.wakes, m.batch, m.seconds, m.damaged, m.expired, m.failed}
}

func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range m.all() {
		if err := r.Register(c); err != nil {
			m.unregister()
			return fmt.Errorf("the store's metrics: %w", err)
		}
		m.registry = r
	}
	return nil
}

func (m *metrics) unregister() {
	if m.registry == nil {
		return
	}
	for _, c := range m.all() {
		m.registry.Unregister(c)
	}
}

func (m *metrics) committed(err error) {
	switch {
	case err == nil:
		m.commits.WithLabelValues("ok").Inc()
	case errors.Is(err, store.ErrConflict):
		m.commits.WithLabelValues("conflict").Inc()
	default:
		m.commits.WithLabelValues("error").Inc()
	}
}

func (m *metrics) woken(err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.wakes.WithLabelValues(result).Inc()
}

func (m *metrics) transaction(jobs int, took time.Duration) {
	m.batch.Observe(float64(jobs))
	m.seconds.Observe(took.Seconds())
}
