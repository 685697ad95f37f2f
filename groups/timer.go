package groups

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// DisappearingSeconds is after how many seconds new messages of a group
// disappear, as the mirror has it: 0 for never, and for groups that it does not
// have. WhatsApp is not asked.
func (m *Mirror) DisappearingSeconds(ctx context.Context, sessionID, group string) (uint32, error) {
	var seconds int64
	err := m.db.QueryRow(ctx, "SELECT disappearing_seconds FROM mirror_groups WHERE session_id = $1 AND jid = $2", sessionID, group).Scan(&seconds)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read the timer of group %s: %w", group, err)
	}
	return uint32(seconds), nil
}
