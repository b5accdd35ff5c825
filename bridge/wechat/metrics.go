package wechat

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type callMetrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newCallMetrics(reg prometheus.Registerer) (callMetrics, error) {
	calls, err := register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jiaxin_wechat_calls_total",
		Help: "Requests to WeChat's APIs, by API and by what the answer meant.",
	}, []string{"api", "outcome"}))
	if err != nil {
		return callMetrics{}, err
	}
	seconds, err := register(reg, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "jiaxin_wechat_call_seconds",
		Help:    "Time until WeChat's API had answered, in seconds.",
		Buckets: []float64{.025, .05, .1, .25, .5, 1, 2, 4, 8, 16, 32},
	}, []string{"api"}))
	return callMetrics{calls, seconds}, err
}

func (m callMetrics) observe(api string, err error, took time.Duration) {
	m.calls.WithLabelValues(api, string(classOf(err).Outcome)).Inc()
	m.seconds.WithLabelValues(api).Observe(took.Seconds())
}

func newCallbackMetrics(reg prometheus.Registerer) (*prometheus.CounterVec, error) {
	return register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jiaxin_wechat_callbacks_total",
		Help: "Callbacks, by result: ok, ignored, verified, failed (not stored), or why one was turned away.",
	}, []string{"result"}))
}

// register offers the metric, or takes the one that an earlier client of this process already offers.
func register[C prometheus.Collector](reg prometheus.Registerer, metric C) (C, error) {
	if reg == nil {
		return metric, nil
	}
	err := reg.Register(metric)
	if taken, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := taken.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return metric, err
}
