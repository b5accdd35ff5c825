package bridge

import (
	"github.com/prometheus/client_golang/prometheus"

	"jiaxin/bridge/home"
)

// metrics count what passes. No label ever names a person, a device or a household.
type metrics struct {
	messages *prometheus.CounterVec
	inbound  *prometheus.CounterVec
	effects  *prometheus.CounterVec
	odd      prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jiaxin_device_messages_total", Help: "Messages taken from devices."}, []string{"sort"}),
		inbound:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jiaxin_inbound_total", Help: "Callbacks taken from WeChat."}, []string{"kind"}),
		effects:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jiaxin_effects_total", Help: "Attempts to perform an effect."}, []string{"kind", "result"}),
		odd:      prometheus.NewCounter(prometheus.CounterOpts{Name: "jiaxin_messages_set_aside_total", Help: "Messages from devices that could not be understood."}),
	}
	if reg != nil {
		reg.MustRegister(m.messages, m.inbound, m.effects, m.odd)
	}
	return m
}

func (m *metrics) effect(kind home.EffectKind, err error) {
	result := "done"
	if err != nil {
		result = "failed"
	}
	m.effects.WithLabelValues(string(kind), result).Inc()
}
