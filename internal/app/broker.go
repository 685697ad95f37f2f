package app

import (
	"context"

	"muster/internal/broker"
)

// openBroker begins to pass the events on to a message broker, if there is one.
func (a *App) openBroker(ctx context.Context) error {
	c := a.config.NATS
	if c.URL == "" {
		return nil
	}
	publisher, err := broker.Start(ctx, broker.Options{
		DB: a.db, Events: a.events, Log: a.log, Metrics: a.metrics,
		URL: c.URL, Credentials: c.Credentials, Stream: c.Stream, Subject: c.Subject,
	})
	if err != nil {
		return err
	}
	a.onClose("message broker", publisher.Close)
	return nil
}
