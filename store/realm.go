package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// Realm is the world that a database's sessions were linked in.
type Realm string

// The two worlds. Their keys and identifiers mean nothing to one another.
const (
	RealWhatsApp Realm = "whatsapp"
	Sandbox      Realm = "sandbox"
)

// RealmError says that a database belongs to the other world.
type RealmError struct{ Database, Asked Realm }

func (e *RealmError) Error() string {
	return fmt.Sprintf("this database was made for %s and cannot be used with %s: choose another data directory or database",
		e.Database.describe(), e.Asked.describe())
}

func (r Realm) describe() string {
	if r == Sandbox {
		return "the sandbox"
	}
	return "the real WhatsApp"
}

// CheckRealm returns a *RealmError for a database that is bound to another
// kind. A database that is not bound yet, or is still without a schema, passes.
func CheckRealm(ctx context.Context, db *dbutil.Database, kind Realm) error {
	made, err := db.TableExists(ctx, "realm")
	if err != nil {
		return fmt.Errorf("look for the database's realm: %w", err)
	}
	if !made {
		return nil
	}
	var found Realm
	err = db.QueryRow(ctx, "SELECT kind FROM realm WHERE id = 1").Scan(&found)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("read the database's realm: %w", err)
	case found != kind:
		return &RealmError{Database: found, Asked: kind}
	}
	return nil
}

// ClaimRealm binds a new database to the kind, or checks that an older one is
// bound to it; otherwise it returns a *RealmError. Two processes that claim at
// the same time agree on the first one's kind.
func ClaimRealm(ctx context.Context, db *dbutil.Database, kind Realm) error {
	if kind != RealWhatsApp && kind != Sandbox {
		return fmt.Errorf("claim the database's realm: unknown kind %q", kind)
	}
	if _, err := db.Exec(ctx, "INSERT INTO realm (id, kind) VALUES (1, $1) ON CONFLICT (id) DO NOTHING", string(kind)); err != nil {
		return fmt.Errorf("claim the database's realm: %w", err)
	}
	var found Realm
	if err := db.QueryRow(ctx, "SELECT kind FROM realm WHERE id = 1").Scan(&found); err != nil {
		return fmt.Errorf("read the database's realm: %w", err)
	}
	if found != kind {
		return &RealmError{Database: found, Asked: kind}
	}
	return nil
}
