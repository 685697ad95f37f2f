package auth

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/fault"
)

const (
	// configuredID is the TokenID of the admin token that the configuration fixes.
	configuredID = "config"
	// touchInterval is the resolution of last_used_at: one write a minute for
	// each token at most, however many requests it makes.
	touchInterval = time.Minute
	// touchPatience bounds the wait for the write lock: the note is not worth more.
	touchPatience = time.Second
	maxNameLength = 100
	maxSessions   = 1000
)

// Token is a stored token without its secret, which nobody can read again.
type Token struct {
	ID         string
	Name       string
	Admin      bool
	Sessions   []string
	CreatedAt  time.Time
	LastUsedAt time.Time // zero when never used
	RevokedAt  time.Time // zero while valid
}

// CreateRequest describes a new token: admin, or bound to sessions.
type CreateRequest struct {
	Name     string
	Admin    bool
	Sessions []string
}

// sessionName is what a session may be called; session.Manager has the rule.
var sessionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate returns a *fault.Error naming the first bad field.
func (r CreateRequest) Validate() error {
	if r.Name == "" || len(r.Name) > maxNameLength {
		return fault.Field("name", "must have 1 to %d characters", maxNameLength)
	}
	if r.Admin && len(r.Sessions) > 0 {
		return fault.Field("sessions", "an admin token is not bound to sessions")
	}
	if !r.Admin && len(r.Sessions) == 0 {
		return fault.Field("sessions", "a token that is not admin needs at least one session")
	}
	if len(r.Sessions) > maxSessions {
		return fault.Field("sessions", "at most %d sessions", maxSessions)
	}
	for i, id := range r.Sessions {
		if !sessionName.MatchString(id) {
			return fault.Field(fmt.Sprintf("sessions[%d]", i), "is not the id of a session")
		}
	}
	return nil
}

// Tokens issues, checks and revokes tokens.
type Tokens struct {
	db         *dbutil.Database
	now        func() time.Time
	configured []byte // digest of the configured admin token, or nil
	accepted   cache
}

// NewTokens works on the database's tokens. A non-empty adminToken is accepted
// as an admin token beside them and is never stored.
func NewTokens(db *dbutil.Database, adminToken string, now func() time.Time) *Tokens {
	t := &Tokens{db: db, now: now}
	if adminToken != "" {
		t.configured = digest(adminToken)
	}
	return t
}

// Authenticate finds out whose secret it is. An unknown or revoked one is a
// *fault.Error with the code Unauthenticated.
func (t *Tokens) Authenticate(ctx context.Context, secret string) (Principal, error) {
	if secret == "" {
		return Principal{}, fault.New(fault.Unauthenticated, "a bearer token is required")
	}
	hash := digest(secret)
	if t.configured != nil && subtle.ConstantTimeCompare(hash, t.configured) == 1 {
		return Principal{TokenID: configuredID, Name: "configured admin token", Admin: true}, nil
	}
	remembered, changes, ok := t.accepted.find([32]byte(hash), t.now())
	if ok {
		return remembered, nil
	}
	principal, err := t.lookUp(ctx, hash)
	if err == nil {
		t.accepted.add([32]byte(hash), principal, t.now(), changes)
	}
	return principal, err
}

func (t *Tokens) lookUp(ctx context.Context, hash []byte) (Principal, error) {
	row := t.db.QueryRow(ctx, selectTokens+" WHERE hash = $1", hash)
	token, stored, err := scanToken(row)
	// The index lookup leaks at most something about the hash of a random
	// value; the comparison that decides is in constant time all the same.
	if errors.Is(err, sql.ErrNoRows) || err == nil && (subtle.ConstantTimeCompare(hash, stored) != 1 || !token.RevokedAt.IsZero()) {
		return Principal{}, fault.New(fault.Unauthenticated, "the token is not known or was revoked")
	}
	if err != nil {
		return Principal{}, fmt.Errorf("look up a token: %w", err)
	}
	if err = t.touch(ctx, token); err != nil {
		// Who may come in does not depend on a note about it.
		zerolog.Ctx(ctx).Warn().Err(err).Str("token_id", token.ID).Msg("the use of a token was not noted")
	}
	return Principal{TokenID: token.ID, Name: token.Name, Admin: token.Admin, Sessions: token.Sessions}, nil
}

func (t *Tokens) touch(ctx context.Context, token Token) error {
	now := t.now()
	if now.Sub(token.LastUsedAt) < touchInterval {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, touchPatience)
	defer cancel()
	// The condition lets one of several simultaneous requests write.
	_, err := t.db.Exec(ctx, "UPDATE tokens SET last_used_at = $1 WHERE id = $2 AND last_used_at <= $3",
		now.Unix(), token.ID, now.Add(-touchInterval).Unix())
	if err != nil {
		return fmt.Errorf("note the use of a token: %w", err)
	}
	return nil
}

// Create makes a token and returns its secret, which is not readable later.
func (t *Tokens) Create(ctx context.Context, r CreateRequest) (Token, string, error) {
	if err := r.Validate(); err != nil {
		return Token{}, "", err
	}
	if r.Sessions == nil {
		r.Sessions = []string{}
	}
	sessions, err := json.Marshal(r.Sessions)
	if err != nil {
		return Token{}, "", fmt.Errorf("create a token: %w", err)
	}
	token := Token{ID: newID(), Name: r.Name, Admin: r.Admin, Sessions: r.Sessions, CreatedAt: t.now().Truncate(time.Second)}
	secret := newSecret()
	_, err = t.db.Exec(ctx, `INSERT INTO tokens (id, name, hash, admin, sessions, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		token.ID, token.Name, digest(secret), token.Admin, string(sessions), token.CreatedAt.Unix())
	if err != nil {
		return Token{}, "", fmt.Errorf("create a token: %w", err)
	}
	return token, secret, nil
}

// EnsureAdmin makes the first admin token when there is no way in yet: none is
// configured and none was ever made. It returns "" when nothing was made.
func (t *Tokens) EnsureAdmin(ctx context.Context) (secret string, err error) {
	if t.configured != nil {
		return "", nil
	}
	err = t.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		var admins int
		if err := t.db.QueryRow(ctx, "SELECT COUNT(*) FROM tokens WHERE admin").Scan(&admins); err != nil {
			return fmt.Errorf("count the admin tokens: %w", err)
		}
		if admins > 0 {
			return nil
		}
		_, secret, err = t.Create(ctx, CreateRequest{Name: "first admin token", Admin: true})
		return err
	})
	return secret, err
}

// MaxPage is the most tokens that List gives at once.
const MaxPage = 1000

// List gives a page of the tokens, revoked ones included, newest first, and
// the cursor of the next page, "" on the last one. limit is 1 to MaxPage; an
// unknown cursor is a *fault.Error naming "cursor".
func (t *Tokens) List(ctx context.Context, cursor string, limit int) (tokens []Token, next string, err error) {
	after, afterID, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	rows, err := t.db.Query(ctx, selectTokens+` WHERE created_at < $1 OR (created_at = $1 AND id > $2)
		ORDER BY created_at DESC, id LIMIT $3`, after, afterID, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list the tokens: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		token, _, err := scanToken(rows)
		if err != nil {
			return nil, "", fmt.Errorf("list the tokens: %w", err)
		}
		tokens = append(tokens, token)
	}
	if len(tokens) > limit {
		tokens = tokens[:limit]
		last := tokens[limit-1]
		next = fmt.Sprintf("%d-%s", last.CreatedAt.Unix(), last.ID)
	}
	return tokens, next, rows.Err()
}

// parseCursor reads "created_at-id"; "" is before the newest.
func parseCursor(cursor string) (created int64, id string, err error) {
	if cursor == "" {
		return math.MaxInt64, "", nil
	}
	stamp, id, ok := strings.Cut(cursor, "-")
	created, err = strconv.ParseInt(stamp, 10, 64)
	if !ok || err != nil {
		return 0, "", fault.Field("cursor", "is not one that a list answered with")
	}
	return created, id, nil
}

// Unbind takes a session that was deleted out of every token, so that a later
// session of the same name is not open to whoever held the old one's token.
func (t *Tokens) Unbind(ctx context.Context, sessionID string) error {
	defer t.accepted.clear()
	return t.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		bound, err := t.boundTo(ctx, sessionID)
		if err != nil {
			return err
		}
		for _, token := range bound {
			rest := slices.DeleteFunc(token.Sessions, func(id string) bool { return id == sessionID })
			sessions, err := json.Marshal(rest)
			if err != nil {
				return fmt.Errorf("unbind token %s: %w", token.ID, err)
			}
			if _, err := t.db.Exec(ctx, "UPDATE tokens SET sessions = $1 WHERE id = $2", string(sessions), token.ID); err != nil {
				return fmt.Errorf("unbind token %s: %w", token.ID, err)
			}
		}
		return nil
	})
}

// boundTo lists the tokens that are bound to a session.
func (t *Tokens) boundTo(ctx context.Context, sessionID string) (bound []Token, err error) {
	// Session ids have no characters that JSON or LIKE would treat specially,
	// but for the underscore, which matches too much and never too little.
	rows, err := t.db.Query(ctx, selectTokens+" WHERE sessions LIKE $1", `%"`+sessionID+`"%`)
	if err != nil {
		return nil, fmt.Errorf("find the tokens of session %s: %w", sessionID, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		token, _, err := scanToken(rows)
		if err != nil {
			return nil, fmt.Errorf("find the tokens of session %s: %w", sessionID, err)
		}
		if slices.Contains(token.Sessions, sessionID) {
			bound = append(bound, token)
		}
	}
	return bound, rows.Err()
}

// Revoke ends a token at once. An unknown ID is a *fault.Error NotFound;
// revoking twice is not an error.
func (t *Tokens) Revoke(ctx context.Context, id string) error {
	defer t.accepted.clear()
	result, err := t.db.Exec(ctx,
		"UPDATE tokens SET revoked_at = CASE WHEN revoked_at = 0 THEN $1 ELSE revoked_at END WHERE id = $2", t.now().Unix(), id)
	if err != nil {
		return fmt.Errorf("revoke a token: %w", err)
	}
	changed, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("revoke a token: %w", err)
	}
	if changed == 0 {
		return fault.New(fault.NotFound, "there is no token with the id %q", id)
	}
	return nil
}

const selectTokens = "SELECT id, name, hash, admin, sessions, created_at, last_used_at, revoked_at FROM tokens"

func scanToken(row dbutil.Scannable) (token Token, hash []byte, err error) {
	var sessions string
	var created, used, revoked int64
	if err = row.Scan(&token.ID, &token.Name, &hash, &token.Admin, &sessions, &created, &used, &revoked); err != nil {
		return Token{}, nil, err
	}
	if err = json.Unmarshal([]byte(sessions), &token.Sessions); err != nil {
		return Token{}, nil, fmt.Errorf("sessions of token %s: %w", token.ID, err)
	}
	token.CreatedAt, token.LastUsedAt, token.RevokedAt = unix(created), unix(used), unix(revoked)
	return token, hash, nil
}

// unix keeps 0, "never", as the zero time.
func unix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
