package webhooks

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"muster/store"
)

// scrapePatience bounds what a reading of the metrics asks the database.
const scrapePatience = 5 * time.Second

// metrics are the webhooks' figures for Prometheus.
type metrics struct {
	service   *Service
	attempts  *prometheus.CounterVec
	given     *prometheus.CounterVec
	took      prometheus.Histogram
	latency   prometheus.Histogram
	depth     *prometheus.Desc
	oldest    *prometheus.Desc
	endpoints *prometheus.Desc
}

func newMetrics(s *Service) metrics {
	return metrics{
		service: s,
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_webhook_deliveries_total", Help: "Attempts to deliver an event to a webhook, by result: delivered, failed or gone.",
		}, []string{"result"}),
		given: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_webhook_dead_letters_total", Help: "Deliveries that were given up, by reason: expired, gone or unwritable.",
		}, []string{"reason"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "muster_webhook_attempt_seconds", Help: "How long webhooks take to answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "muster_webhook_latency_seconds", Help: "From WhatsApp's frame to the first attempt to deliver what it says.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 18),
		}),
		depth: prometheus.NewDesc("muster_webhook_queue_depth", "Deliveries that wait.", []string{"webhook"}, nil),
		oldest: prometheus.NewDesc("muster_webhook_queue_age_seconds", "How long the delivery has waited that waits for longest.",
			[]string{"webhook"}, nil),
		endpoints: prometheus.NewDesc("muster_webhooks", "Webhooks by state.", []string{"state"}, nil),
	}
}

func (m metrics) register(with prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.attempts, m.given, m.took, m.latency, m} {
		if err := with.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// first notes how long it took to the first attempt.
func (m metrics) first(now time.Time, d delivery) {
	if d.Received > 0 {
		m.latency.Observe(max(0, now.Sub(time.UnixMicro(d.Received)).Seconds()))
	}
}

func (m metrics) attempted(r report) {
	m.attempts.WithLabelValues(r.result).Inc()
	if r.outcome.status > 0 {
		m.took.Observe(r.outcome.took.Seconds())
	}
	if r.dead != "" {
		m.given.WithLabelValues(r.dead).Inc()
	}
}

// dead counts a delivery that is given up without an attempt, once that is
// committed.
func (m metrics) dead(ctx context.Context, reason string) {
	store.AfterCommit(ctx, func() { m.given.WithLabelValues(reason).Inc() })
}

// Describe implements prometheus.Collector.
func (m metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.depth
	out <- m.oldest
	out <- m.endpoints
}

// Collect implements prometheus.Collector: it counts what waits.
func (m metrics) Collect(out chan<- prometheus.Metric) {
	s := m.service
	list := s.endpoints.all()
	states := map[State]int{StateActive: 0, StateFailing: 0, StatePaused: 0, StateOff: 0}
	for _, e := range list {
		states[e.State()]++
	}
	for state, count := range states {
		out <- prometheus.MustNewConstMetric(m.endpoints, prometheus.GaugeValue, float64(count), string(state))
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	depths, err := s.queue.Depths(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(m.depth, err)
		return
	}
	for _, e := range list {
		depth := depths[laneName(e.lane)]
		var age float64
		if !depth.Oldest.IsZero() {
			age = max(0, time.Since(depth.Oldest).Seconds())
		}
		out <- prometheus.MustNewConstMetric(m.depth, prometheus.GaugeValue, float64(depth.Waiting), e.ID)
		out <- prometheus.MustNewConstMetric(m.oldest, prometheus.GaugeValue, age, e.ID)
	}
}
