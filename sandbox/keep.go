package sandbox

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"muster/sandbox/service"
)

// saveInterval is the least time between two full saves. Links, and in a small
// world changes of groups and messages, are written at once, before anybody
// hears of them.
const saveInterval = 200 * time.Millisecond

// retryLimit is the longest wait before a save that failed is tried again.
const retryLimit = 10 * time.Second

// persist writes a snapshot for the world.
func (s *Server) persist(snapshot service.Snapshot) error {
	return s.state.write(s.identity, snapshot)
}

// keepState saves after changes, again after a failure, and once more at the
// end, of which Close tells the outcome. Then it lets go of the file.
func (s *Server) keepState(ctx context.Context, log zerolog.Logger) {
	if s.state == nil {
		<-ctx.Done()
		return
	}
	wait := saveInterval
	for ctx.Err() == nil {
		changed := s.Changed()
		if err := s.Save(); err != nil {
			wait = min(2*wait, retryLimit)
			log.Error().Err(err).Dur("again_in", wait).Msg("Saving the sandbox's state failed")
			sleep(ctx, wait)
			continue
		}
		wait = saveInterval
		if !sleep(ctx, wait) {
			break
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	// Close has ended the world before ctx, and reads err after this returns.
	s.err = errors.Join(s.err, s.Save(), s.state.close())
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
