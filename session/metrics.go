package session

import "github.com/prometheus/client_golang/prometheus"

// metrics are the sessions' figures for Prometheus.
type metrics struct {
	manager  *Manager
	sessions *prometheus.Desc
	stanzas  *prometheus.CounterVec
	traffic  traffic
}

// traffic counts the stanzas that come from WhatsApp and go there, those of all
// sessions together.
type traffic struct{ in, out prometheus.Counter }

func newMetrics(m *Manager) *metrics {
	stanzas := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "muster_stanzas_total", Help: "Stanzas exchanged with WhatsApp, by direction: in for those that came, out for those that were sent.",
	}, []string{"direction"})
	return &metrics{
		manager: m, stanzas: stanzas,
		sessions: prometheus.NewDesc("muster_sessions", "Sessions by state.", []string{"state"}, nil),
		traffic:  traffic{in: stanzas.WithLabelValues("in"), out: stanzas.WithLabelValues("out")},
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	m.stanzas.Describe(out)
	out <- m.sessions
}

// Collect implements prometheus.Collector. Every state is there, so that one
// that nobody is in reads 0.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.stanzas.Collect(out)
	states := map[Status]int{}
	for _, state := range statuses() {
		states[state] = 0
	}
	for _, state := range m.manager.states() {
		states[state]++
	}
	for state, count := range states {
		out <- prometheus.MustNewConstMetric(m.sessions, prometheus.GaugeValue, float64(count), string(state))
	}
}

// states are those of all sessions, in no order.
func (m *Manager) states() []Status {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := make([]Status, 0, len(m.sessions))
	for _, c := range m.sessions {
		list = append(list, c.snapshot().Status)
	}
	return list
}

func statuses() []Status {
	return []Status{
		StatusDisconnected, StatusConnecting, StatusWaitingForQR, StatusWaitingForPairCode, StatusPasskeyRequired,
		StatusConnected, StatusDegraded, StatusLoggedOut, StatusBanned,
	}
}
