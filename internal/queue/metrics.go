package queue

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapePatience bounds what a reading of the metrics asks the database.
const scrapePatience = 5 * time.Second

// figures are the queue's figures for Prometheus: of the jobs that are in no
// lane, whose owners know more of them.
type figures struct {
	queue         *Queue
	depth, oldest *prometheus.Desc
}

// Metrics are the queue's depth and age.
func (q *Queue) Metrics() prometheus.Collector {
	return figures{
		queue:  q,
		depth:  prometheus.NewDesc("muster_jobs_waiting", "Jobs that wait, without the deliveries of webhooks.", nil, nil),
		oldest: prometheus.NewDesc("muster_jobs_oldest_seconds", "How long ago the oldest of the jobs that wait was queued; some wait for a time of their own.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (f figures) Describe(out chan<- *prometheus.Desc) {
	out <- f.depth
	out <- f.oldest
}

// Collect implements prometheus.Collector.
func (f figures) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	depths, err := f.queue.Depths(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(f.depth, err)
		return
	}
	var age float64
	if at := depths[""].Oldest; !at.IsZero() {
		age = max(0, time.Since(at).Seconds())
	}
	out <- prometheus.MustNewConstMetric(f.depth, prometheus.GaugeValue, float64(depths[""].Waiting))
	out <- prometheus.MustNewConstMetric(f.oldest, prometheus.GaugeValue, age)
}
