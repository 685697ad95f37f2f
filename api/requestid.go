package api

import (
	"context"
	"regexp"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"muster/internal/event"
)

const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// RequestID gives the id of the request that the context belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// saneID is what we accept from a caller: something that cannot break a log
// line, a header or a terminal.
var saneID = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,128}$`)

// ensureRequestID gives the request an id, on the answer and in its context,
// unless it has one. Errors of the HTTP parser come here without having passed
// any middleware.
func ensureRequestID(c *fiber.Ctx) context.Context {
	ctx := c.UserContext()
	if RequestID(ctx) != "" {
		return ctx
	}
	id := c.Get(requestIDHeader)
	if !saneID.MatchString(id) {
		id = uuid.NewString()
	}
	c.Set(requestIDHeader, id)
	ctx = event.WithRequest(context.WithValue(ctx, requestIDKey{}, id), id)
	log := zerolog.Ctx(ctx).With().Str("request_id", id).Logger()
	ctx = log.WithContext(ctx)
	c.SetUserContext(ctx)
	return ctx
}
