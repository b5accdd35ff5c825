package broker

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Why something was refused: the values of the label reason.
const (
	refusedConnections = "connections"  // too many in all
	refusedAddress     = "address"      // too many devices from one address
	refusedPending     = "pending"      // too many strangers from one address: the longest silent, or the newest if none is
	refusedFirst       = "first_packet" // not a CONNECT, malformed, too long or too late
	refusedAuth        = "auth"         // the Authenticator said no
	refusedIdentity    = "identity"     // the credential is another client id's
	refusedWill        = "will"         // another topic than the status, or retained, or QoS 2
	refusedTopic       = "topic"        // a publish outside the Grant
	refusedSubscribe   = "subscribe"    // a subscription outside the Grant
	refusedQoS2        = "qos2"         //
	refusedRetain      = "retain"       // the flag was ignored
	refusedMalformed   = "malformed"    // a packet that broke the protocol
	refusedStorage     = "not_kept"     // the Handler could not keep a publish
)

// metrics are what the broker counts. No label names a client.
type metrics struct {
	connections prometheus.Gauge
	queued      prometheus.Gauge
	publishes   *prometheus.CounterVec
	byQoS       [3]prometheus.Counter // publishes, looked up once
	acks        prometheus.Counter
	refused     *prometheus.CounterVec
	panics      prometheus.Counter
	dropped     prometheus.Counter
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "jiaxin_broker_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "jiaxin_broker_" + name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "jiaxin_broker_" + name, Help: help})
	}
	m := &metrics{
		connections: gauge("connections", "Open connections, authenticated or not."),
		queued:      gauge("queued_bytes", "Bytes of publishes that the handler has not settled yet."),
		publishes:   vec("publishes_total", "Publishes received from devices.", "qos"),
		acks:        counter("acks_total", "PUBACK packets sent."),
		refused:     vec("refused_total", "What was refused or ignored, by reason.", "reason"),
		panics:      counter("panics_total", "Panics contained while serving a connection."),
		dropped:     counter("dropped_writes_total", "Connections dropped because the client did not read, or its connection broke, while something was to be written."),
	}
	for qos := range m.byQoS {
		m.byQoS[qos] = m.publishes.WithLabelValues(strconv.Itoa(qos))
	}
	return m
}

func (m *metrics) refuse(reason string) { m.refused.WithLabelValues(reason).Inc() }

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.connections, m.queued, m.publishes, m.acks, m.refused, m.panics, m.dropped}
}
