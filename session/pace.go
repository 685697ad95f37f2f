package session

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"muster/internal/fault"
)

// Pace bounds how often a session may ask WhatsApp something, or change
// something there.
type Pace struct {
	Rate  float64 // operations per second, in the long run
	Burst int     // how many at once, after a quiet time
}

// How WhatsApp's own 429 slows a session down. Nobody outside knows WhatsApp's
// limits, so the rate is halved each time, to a sixteenth at most, and comes
// back by doubling once in every quiet minute.
const (
	slowest      = 1.0 / 16
	recoverAfter = time.Minute
)

// bucket is the pace of one kind of operations of one session. Its clock is
// the system's monotonic one.
type bucket struct {
	kind Kind
	pace Pace

	mu      sync.Mutex
	tokens  *rate.Limiter
	factor  float64   // of the rate, 1 unless WhatsApp has complained
	changed time.Time // when factor changed last
	closed  time.Time // until when WhatsApp wants nothing at all
}

func newBucket(kind Kind, pace Pace) *bucket {
	return &bucket{kind: kind, pace: pace, tokens: rate.NewLimiter(rate.Limit(pace.Rate), pace.Burst), factor: 1}
}

// take waits for its turn, at most the given time: longer waits are refused at
// once, with the time after which trying again makes sense.
func (b *bucket) take(ctx context.Context, longest time.Duration) error {
	now := time.Now()
	b.mu.Lock()
	b.recover(now)
	if pause := b.closed.Sub(now); pause > 0 {
		b.mu.Unlock()
		return fault.New(fault.RateLimited, "WhatsApp has asked this account to slow down").After(pause)
	}
	turn := b.tokens.ReserveN(now, 1)
	b.mu.Unlock()
	wait := turn.DelayFrom(now)
	if wait > longest {
		turn.CancelAt(now)
		return b.errTooFast(wait)
	}
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return b.errTooFast(wait)
	}
}

func (b *bucket) errTooFast(wait time.Duration) error {
	what := "asks WhatsApp too much"
	if b.kind == Write {
		what = "makes too many changes"
	}
	return fault.New(fault.RateLimited, "this session %s at once", what).After(wait)
}

// slow halves the rate and takes the savings away, because WhatsApp has
// complained. A pause that WhatsApp names is kept entirely.
func (b *bucket) slow(pause time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.recover(now)
	b.factor = max(b.factor/2, slowest)
	b.changed = now
	b.tokens.SetLimitAt(now, b.limit())
	if saved := int(b.tokens.TokensAt(now)); saved > 0 {
		b.tokens.AllowN(now, saved)
	}
	if until := now.Add(pause); pause > 0 && until.After(b.closed) {
		b.closed = until
	}
}

// recover gives back what slow has taken, step by step; the caller holds the lock.
func (b *bucket) recover(now time.Time) {
	for b.factor < 1 && now.Sub(b.changed) >= recoverAfter {
		b.factor = min(b.factor*2, 1)
		b.changed = b.changed.Add(recoverAfter)
		b.tokens.SetLimitAt(now, b.limit())
	}
}

func (b *bucket) limit() rate.Limit { return rate.Limit(b.pace.Rate * b.factor) }

// Quota is how much of a pace is left.
type Quota struct {
	Kind      Kind
	Limit     int // operations at once
	Remaining int
	Reset     time.Duration // until all of Limit is there again
}

func (b *bucket) quota() Quota {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.recover(now)
	left := b.tokens.TokensAt(now)
	missing := float64(b.pace.Burst) - left
	reset := time.Duration(math.Ceil(missing / float64(b.tokens.Limit()) * float64(time.Second)))
	if closed := b.closed.Sub(now); closed > 0 {
		left, reset = 0, max(reset, closed)
	}
	return Quota{Kind: b.kind, Limit: b.pace.Burst, Remaining: max(int(left), 0), Reset: max(reset, 0)}
}

// Meter collects what the operations of one request have left of the paces.
// It is safe for concurrent use.
type Meter struct {
	mu    sync.Mutex
	quota map[Kind]Quota
}

type meterKey struct{}

// WithMeter has the operations under the context report to the meter.
func WithMeter(ctx context.Context, m *Meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// Quota is what is left of the pace that the request was bound by: that of
// changes where it has made one. False when it did not get to WhatsApp.
func (m *Meter) Quota() (Quota, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, kind := range []Kind{Write, Read} {
		if q, ok := m.quota[kind]; ok {
			return q, true
		}
	}
	return Quota{}, false
}

// report tells the meter of the context, if there is one.
func (b *bucket) report(ctx context.Context) {
	m, ok := ctx.Value(meterKey{}).(*Meter)
	if !ok {
		return
	}
	q := b.quota()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quota == nil {
		m.quota = map[Kind]Quota{}
	}
	m.quota[b.kind] = q
}
