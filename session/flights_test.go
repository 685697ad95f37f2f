package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The end of a connection is kept from whatsmeow until the operations have left
// and it has finished connecting, and no longer than the limit.
func TestEndIsKeptFromWhatsmeow(t *testing.T) {
	for name, row := range map[string]struct {
		leaves, dials bool
		want          time.Duration
	}{
		"both over":             {true, true, 20 * time.Millisecond},
		"an operation lingers":  {false, true, lineLimit},
		"the handshake lingers": {true, false, lineLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFlights()
				ctx, leave := f.take(t.Context())
				go func() {
					<-ctx.Done()
					<-time.After(10 * time.Millisecond) // of synctest
					if row.leaves {
						leave()
					}
					<-time.After(10 * time.Millisecond) // of synctest
					if row.dials {
						close(f.dialled)
					}
				}()
				begun := time.Now()
				(&line{flights: f}).broken()
				if took := time.Since(begun); took != row.want {
					t.Errorf("it took %v, not %v", took, row.want)
				}
				if !wasCut(ctx, ctx.Err()) {
					t.Errorf("the operation ended with %v", context.Cause(ctx))
				}
			})
		})
	}
}

// Closing does not wait: who closes may hold what the operations need to leave.
func TestClosingDoesNotWait(t *testing.T) {
	f := newFlights()
	before, leave := f.take(t.Context())
	defer leave()
	(&line{flights: f}).closing()
	after, leave := f.take(t.Context())
	defer leave()
	for _, ctx := range []context.Context{before, after} {
		if !errors.Is(context.Cause(ctx), errCut) {
			t.Errorf("an operation goes on: %v", context.Cause(ctx))
		}
	}
}
