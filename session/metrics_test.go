package session_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"muster/session"
)

// Sessions are counted by their state, and stanzas by where they go.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := newRig(t, func(o *session.Options) { o.Metrics = registry })
	figures := func() map[string]float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]float64{}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				for _, label := range metric.GetLabel() {
					all[family.GetName()+" "+label.GetValue()] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
				}
			}
		}
		return all
	}
	if got := figures(); len(got) != 11 || got["muster_stanzas_total in"] != 0 {
		t.Errorf("before any session: %v", got)
	}
	r.create("idle")
	r.link("mine", ann)
	got := figures()
	if got["muster_sessions connected"] != 1 || got["muster_sessions disconnected"] != 1 || got["muster_sessions banned"] != 0 {
		t.Errorf("the sessions are %v", got)
	}
	if got["muster_stanzas_total in"] == 0 || got["muster_stanzas_total out"] == 0 {
		t.Errorf("the stanzas are %v", got)
	}
}
