package groups

import "context"

// Seed writes the groups to the mirror as an answer of WhatsApp's.
func Seed(ctx context.Context, m *Mirror, sessionID string, list []Group) error {
	before, err := m.readState(ctx, sessionID)
	if err != nil {
		return err
	}
	return m.takeList(ctx, sessionID, reasonSeed, before, list, nil)
}

// Prune forgets what is beyond the retention, as the background work does.
func Prune(ctx context.Context, m *Mirror) (forgotten int64, err error) { return m.prune(ctx) }
