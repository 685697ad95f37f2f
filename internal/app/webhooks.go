package app

import (
	"context"

	"muster/webhooks"
)

// openWebhooks makes the webhooks, which hear of every event from the first one
// on: the log of events must be open, and the job queue not started.
func (a *App) openWebhooks(ctx context.Context) (err error) {
	c := a.config.Webhooks
	a.webhooks, err = webhooks.New(ctx, webhooks.Options{
		DB: a.db, Queue: a.jobs, Events: a.events, Log: a.log, Metrics: a.metrics, Encoders: a.formats(),
		AllowPrivate: c.AllowPrivate, Timeout: c.Timeout, Concurrency: c.Concurrency,
		FirstRetry: c.FirstRetry, RetryFor: c.RetryFor, PauseAfter: c.PauseAfter, LongestProbe: c.ProbeEvery,
		KeepAttempts: c.KeepAttempts, KeepAttemptsFor: c.AttemptsFor, KeepDead: c.KeepDead, KeepDeadFor: c.DeadFor,
	})
	if err != nil {
		return err
	}
	a.events.AddSink(a.webhooks.Sink)
	a.services.Webhooks = a.webhooks
	return nil
}

// startWebhooks begins to look after webhooks that do not answer. Deliveries
// begin with the job queue.
func (a *App) startWebhooks(ctx context.Context) error {
	a.webhooks.Start(ctx)
	a.onClose("webhooks", a.webhooks.Close)
	return nil
}
