package store

import (
	"context"
	"embed"
	"fmt"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/store/sqlstore/upgrades"
	waLog "go.mau.fi/whatsmeow/util/log"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Upgrade brings our own tables and whatsmeow's to the newest schema. Each
// migration runs in a transaction of its own. A database made by a newer
// release is refused.
func Upgrade(ctx context.Context, db *dbutil.Database) error {
	own := db.Child("muster_version", dbutil.BuildUpgradeTable().WithFSPath(migrations, "migrations").Finish(), nil)
	if err := own.Upgrade(ctx); err != nil {
		return fmt.Errorf("upgrade the database: %w", err)
	}
	if err := Devices(db, zerolog.Nop()).Upgrade(ctx); err != nil {
		return fmt.Errorf("upgrade the device store: %w", err)
	}
	return nil
}

// Devices is whatsmeow's device store on the same database and the same
// transactions: inside db.DoTxn its writes belong to the transaction.
func Devices(db *dbutil.Database, log zerolog.Logger) *sqlstore.Container {
	return sqlstore.NewWithWrappedDB(db.Child("whatsmeow_version", upgrades.Table, nil), waLog.Zerolog(log))
}
