package session

import (
	"testing"
	"time"
)

func TestPulse(t *testing.T) {
	l := limits{silence: 50 * time.Second, probe: 10 * time.Second, degraded: 30 * time.Second}
	at := func(seconds int) time.Time { return morning.Add(time.Duration(seconds) * time.Second) }
	var p pulse
	for _, step := range []struct {
		now, received int
		want          verdict
		why           string
	}{
		{49, 0, alive, "not silent for long enough"},
		{50, 0, probe, "silent"},
		{55, 0, alive, "the probe may still be answered"},
		{56, 56, alive, "it was"},
		{105, 56, alive, "not silent for long enough again"},
		{106, 56, probe, "silent again"},
		{116, 56, degrade, "the probe was not answered"},
		{120, 56, probe, "tried again"},
		{121, 121, restore, "answered at last"},
		{171, 121, probe, "and silent once more"},
		{181, 121, degrade, "without an answer"},
		{191, 121, probe, "tried again"},
		{201, 121, probe, "and again"},
		{211, 121, giveUp, "degraded for too long"},
	} {
		if step.want == probe && !p.degraded.IsZero() {
			p.probed = at(step.now).Add(-l.probe) // the answer to the last one is overdue
		}
		if got := p.look(at(step.now), at(step.received), l); got != step.want {
			t.Fatalf("at %d s (%s): verdict %d, expected %d", step.now, step.why, got, step.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	const shortest, longest = time.Second, time.Minute
	for failures := range 100 {
		wait := backoff(failures, shortest, longest)
		limit := longest
		if failures < 6 {
			limit = min(shortest<<failures, longest)
		}
		if wait < 0 || wait > limit {
			t.Fatalf("after %d failures: %s", failures, wait)
		}
		if failures > 0 && wait < limit/2 {
			t.Fatalf("after %d failures only %s", failures, wait)
		}
	}
}
