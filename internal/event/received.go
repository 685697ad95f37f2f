package event

import (
	"context"
	"time"
)

type receivedKey struct{}

// WithReceived notes when what the context's work is about came in from
// WhatsApp, for measuring how long it takes from there.
func WithReceived(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, receivedKey{}, at)
}

// Received is when that was; zero where nothing came in.
func Received(ctx context.Context) time.Time {
	at, _ := ctx.Value(receivedKey{}).(time.Time)
	return at
}
