package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"muster/sandbox/wire"
)

// saveInterval is the least time between two writings of all that changed.
// Links, and in a small world changes of groups and messages, are written at
// once, before anybody hears of them.
const saveInterval = 200 * time.Millisecond

// stateFile is where a world is kept between runs.
type stateFile struct{ path string }

// savedState is the file's content.
type savedState struct {
	Identity *wire.Identity  `json:"identity"`
	World    json.RawMessage `json:"world"`
}

// read returns nil when there is no file yet.
func (f *stateFile) read() (*savedState, error) {
	raw, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	var saved savedState
	if err := json.Unmarshal(raw, &saved); err != nil {
		return nil, fmt.Errorf("state file %s: %w", f.path, err)
	}
	if saved.Identity == nil || len(saved.World) == 0 {
		return nil, fmt.Errorf("state file %s: not the state of a sandbox", f.path)
	}
	return &saved, nil
}

// write replaces the file in one step, so that a crash leaves the old or the
// new one. It holds private keys of simulated phones, hence the mode.
func (f *stateFile) write(saved savedState, durable bool) error {
	raw, err := json.Marshal(saved)
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(f.path), ".sandbox-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	_, err = temp.Write(raw)
	if durable {
		err = errors.Join(err, temp.Sync())
	}
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("state file: %w", errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}

// persist writes a snapshot; the world calls it under its lock, which also
// keeps two writers apart.
func (s *Server) persist(snapshot []byte, durable bool) error {
	return s.state.write(savedState{Identity: s.identity, World: snapshot}, durable)
}

// keepState writes the state after changes, and once more at the end.
func (s *Server) keepState(ctx context.Context, log zerolog.Logger) {
	if s.state == nil {
		<-ctx.Done()
		return
	}
	save := func() {
		if err := s.Save(); err != nil {
			log.Error().Err(err).Msg("Saving the sandbox's state failed")
		}
	}
	defer save() // once more at the end
	for {
		changed := s.Changed()
		save()
		if !sleep(ctx, saveInterval) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
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
