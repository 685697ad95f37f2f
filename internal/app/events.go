package app

import (
	"context"

	v1 "muster/api/v1"
	"muster/internal/event"
)

// openEvents makes the log of events, which everything else writes to. Its
// sinks have to be added before the sessions are opened: what their last run
// has left is put right then, and that is told already.
func (a *App) openEvents(ctx context.Context) {
	keep := a.config.Events
	a.events = event.NewLog(event.Options{
		DB: a.db, Log: a.log, Metrics: a.metrics, KeepFor: keep.KeepFor, Keep: int64(keep.Keep),
	})
	a.services.Events = a.events
	a.events.Start(ctx)
	a.onClose("log of events", a.events.Close)
}

func (a *App) registerEvents() {
	v1.RegisterEvents(a.server, a.events, a.sessions, int64(a.config.Events.StreamLag))
}
