package api

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"

	"muster/internal/auth"
	"muster/internal/fault"
)

// enter gives a request its context, logger and id.
func (s *Server) enter(c *fiber.Ctx) error {
	c.SetUserContext(s.base)
	ensureRequestID(c)
	return c.Next()
}

// readableText refuses bodies that are compressed, because a small one may be
// endless when it is unpacked, and JSON that is not UTF-8: the decoder would
// put question marks where the client had something else.
func readableText(c *fiber.Ctx) error {
	if coding := c.Get(fiber.HeaderContentEncoding); coding != "" && !strings.EqualFold(coding, "identity") {
		return fault.New(fault.UnsupportedMedia, "the body must not be compressed: Content-Encoding is not supported")
	}
	if body := c.Request().Body(); len(body) > 0 && strings.Contains(c.Get(fiber.HeaderContentType), "json") && !utf8.Valid(body) {
		return fault.New(fault.Malformed, "the body is not valid UTF-8")
	}
	return c.Next()
}

// logAccess writes one line for each request: never its body, its query (it
// may carry an invite code) or its token.
func (s *Server) logAccess(c *fiber.Ctx) error {
	start := time.Now()
	if err := c.Next(); err != nil {
		// Rendering here, not in Fiber after us, shows us the final status.
		if err = s.renderError(c, err); err != nil {
			return err
		}
	}
	status := c.Response().StatusCode()
	event := zerolog.Ctx(c.UserContext()).Info()
	if status >= fiber.StatusInternalServerError {
		event = zerolog.Ctx(c.UserContext()).Warn()
	}
	if !c.Response().IsBodyStream() { // asking for a stream's body would read it to its end
		event.Int("bytes", len(c.Response().Body()))
	}
	event.Str("method", c.Method()).Str("route", c.Route().Path).
		Int("status", status).
		Dur("took", time.Since(start)).Str("remote", c.IP()).
		Str("token_id", auth.From(c.UserContext()).TokenID).
		Msg("request")
	return nil
}

// recoverPanic turns a defect in a handler into an error with its stack.
func recoverPanic(c *fiber.Ctx) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return c.Next()
}

// secureHeaders are right for an API; the reference page loosens its own.
func secureHeaders(c *fiber.Ctx) error {
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
	return c.Next()
}
