package session_test

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"

	"muster/session"
)

// Files have a deadline of their own: what is enough for an answer is not
// enough for them.
func TestTransfersHaveTheirOwnDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *session.Options) {
		o.ReadTimeout, o.WriteTimeout, o.TransferTimeout = time.Minute, 2*time.Minute, time.Hour
	})
	r.link("one", ann)
	for kind, most := range map[session.Kind]time.Duration{session.Read: time.Minute, session.Write: 2 * time.Minute, session.Transfer: time.Hour} {
		err := r.m.Do(t.Context(), "one", kind, func(ctx context.Context, _ *whatsmeow.Client) error {
			end, limited := ctx.Deadline()
			if left := time.Until(end); !limited || left > most || left < most/2 {
				t.Errorf("kind %d has %v, want %v", kind, left, most)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
