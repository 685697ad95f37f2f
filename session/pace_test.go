package session

import (
	"context"
	"testing"
	"time"

	"muster/internal/fault"
)

// slowPace gives nothing back during a test.
var slowPace = Pace{Rate: 1e-6, Burst: 4}

func TestBucketRefusesWhatWouldWaitTooLong(t *testing.T) {
	t.Parallel()
	b := newBucket(Write, slowPace)
	for i := range slowPace.Burst {
		if q := b.quota(); q.Kind != Write || q.Limit != slowPace.Burst || q.Remaining != slowPace.Burst-i {
			t.Errorf("after %d the quota is %+v", i, q)
		}
		if err := b.take(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // a refusal uses nothing up
		err := b.take(t.Context(), time.Minute)
		if !fault.Is(err, fault.RateLimited) || fault.From(err).RetryAfter <= time.Minute {
			t.Errorf("got %v, again after %v", err, fault.From(err).RetryAfter)
		}
	}
	if q := b.quota(); q.Remaining != 0 || q.Reset <= 0 {
		t.Errorf("the quota is %+v", q)
	}
}

func TestBucketWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	b := newBucket(Read, Pace{Rate: 1000, Burst: 1})
	for range 10 {
		if err := b.take(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	waiting, give := context.WithCancel(t.Context())
	give()
	b = newBucket(Read, slowPace)
	for range slowPace.Burst {
		if err := b.take(waiting, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.take(waiting, 1<<62); !fault.Is(err, fault.RateLimited) {
		t.Errorf("who has gone got %v", err)
	}
}

// WhatsApp's refusals halve the rate, to a sixteenth at most; it comes back by
// doubling once a minute.
func TestBucketSlowsAndRecovers(t *testing.T) {
	t.Parallel()
	b := newBucket(Write, Pace{Rate: 16e-6, Burst: 4})
	for i, want := range []float64{8e-6, 4e-6, 2e-6, 1e-6, 1e-6} {
		b.slow(0)
		if got := float64(b.tokens.Limit()); got != want {
			t.Errorf("after %d complaints the rate is %v, want %v", i+1, got, want)
		}
	}
	if q := b.quota(); q.Remaining != 0 {
		t.Errorf("after a complaint the quota is %+v", q)
	}
	begin := b.changed
	for i, want := range []float64{1e-6, 2e-6, 4e-6, 8e-6, 16e-6, 16e-6} {
		b.recover(begin.Add(time.Duration(i) * recoverAfter))
		if got := float64(b.tokens.Limit()); got != want {
			t.Errorf("after %d quiet minutes the rate is %v, want %v", i, got, want)
		}
	}
}

// A pause that WhatsApp names is kept, whatever has been saved up.
func TestBucketKeepsNamedPause(t *testing.T) {
	t.Parallel()
	b := newBucket(Read, Pace{Rate: 1e6, Burst: 100})
	b.slow(time.Hour)
	err := b.take(t.Context(), time.Minute)
	if !fault.Is(err, fault.RateLimited) || fault.From(err).RetryAfter < time.Minute {
		t.Errorf("during the pause: %v", err)
	}
	if q := b.quota(); q.Remaining != 0 || q.Reset < time.Minute {
		t.Errorf("during the pause the quota is %+v", q)
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	var m Meter
	ctx := WithMeter(t.Context(), &m)
	if _, asked := m.Quota(); asked {
		t.Error("nothing was done and the meter shows it")
	}
	newBucket(Read, slowPace).report(ctx)
	if q, _ := m.Quota(); q.Kind != Read {
		t.Errorf("after a question the meter shows %+v", q)
	}
	newBucket(Write, slowPace).report(ctx)
	newBucket(Read, slowPace).report(ctx)
	if q, _ := m.Quota(); q.Kind != Write {
		t.Errorf("after a change the meter shows %+v", q)
	}
	newBucket(Read, slowPace).report(t.Context()) // nobody asks
}
