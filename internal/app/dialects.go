package app

import (
	"context"
	"time"

	"muster/api"
	"muster/api/dialog360"
	"muster/api/meta"
	"muster/api/zernio"
	"muster/api/zoko"
	"muster/internal/notes"
	"muster/webhooks"
)

// dialect is another vendor's API, and its format of webhooks.
type dialect interface {
	api.Dialect
	webhooks.Encoder
}

// dialects are the other vendors' APIs, a line each. What they are given is
// filled in while the program is built.
func (a *App) dialects() []dialect {
	cloud := meta.New(a.services, meta.Options{
		TextTimestamps: a.config.Meta.TextTimestamps, MaxUpload: int(a.largestFile()), SettleAfter: a.config.Sessions.SettleAfter,
	})
	return []dialect{
		cloud,
		dialog360.New(a.services, cloud, dialog360.Options{AddParticipants: a.config.Dialog360.AddParticipants}),
		zernio.New(a.services),
		zoko.New(a.services, zoko.Options{PendingAfter: a.config.Zoko.PendingAfter}),
	}
}

// openDialects makes the dialects, before anything else can ask for them.
func (a *App) openDialects() {
	a.services = &api.Services{
		Accounts: api.NewAccounts(), Notes: notes.New(a.db, time.Now), Media: a.media, Queue: a.jobs, Keys: a.keys,
	}
	a.foreign = a.dialects()
}

// formats are the dialects' formats of webhooks.
func (a *App) formats() map[string]webhooks.Encoder {
	formats := map[string]webhooks.Encoder{}
	for _, d := range a.foreign {
		formats[d.Name()] = d
	}
	return formats
}

// mountDialects puts the dialects on the server. Everything that they
// translate to must be there.
func (a *App) mountDialects() error {
	for _, d := range a.foreign {
		if err := a.server.Mount(d); err != nil {
			return err
		}
		if busy, ok := d.(interface{ Close(context.Context) error }); ok {
			a.onClose(d.Name(), busy.Close)
		}
	}
	return nil
}
