package idempotency

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// claimed begins the rows of claims; no id of a token does.
const claimed = "claim "

// Claim takes something that a change has made for its owner (Attempt.Owner),
// so that no other change whose outcome is unknown takes it for its own. It
// tells whether the owner has it now. Claims last as long as keys.
func Claim(ctx context.Context, db *dbutil.Database, now time.Time, sessionID, thing, owner string) (bool, error) {
	var mine bool
	err := db.DoTxn(ctx, nil, func(ctx context.Context) error {
		_, err := db.Exec(ctx, `INSERT INTO idempotency (session_id, key, fingerprint, state, body, created_at)
			VALUES ($1, $2, $3, 'done', $4, $5) ON CONFLICT (session_id, key) DO NOTHING`,
			sessionID, claimed+thing, owner, []byte{}, now.Unix())
		if err != nil {
			return err
		}
		var holder string
		err = db.QueryRow(ctx, "SELECT fingerprint FROM idempotency WHERE session_id = $1 AND key = $2", sessionID, claimed+thing).Scan(&holder)
		mine = holder == owner
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claim %s: %w", thing, err)
	}
	return mine, nil
}
