package api

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/groups/bulk"
	"muster/groups/invitations"
	"muster/internal/event"
	"muster/internal/fault"
	"muster/internal/idempotency"
	"muster/internal/notes"
	"muster/internal/queue"
	"muster/messages"
	"muster/messages/media"
	"muster/session"
	"muster/webhooks"
)

// Dialect is another vendor's API over the same sessions. Below its prefix
// everything is the vendor's: how clients name themselves, and how errors look,
// those of the router, of authentication and of the body limit included. What
// this server adds is the same everywhere: X-Request-Id, Idempotency-Key, the
// headers of the session's pace, and the access log.
type Dialect interface {
	// Name is also that of the dialect's format of webhooks: "meta".
	Name() string
	// Prefix is where its paths begin: "/meta".
	Prefix() string
	// Credential is the token as the vendor's clients send it, or "". header
	// gives a header of the request, "" for one that is not there.
	Credential(header func(name string) string) string
	// Render answers with the vendor's form of an error. The error has been
	// logged, and is or wraps a *fault.Error (see fault.From).
	Render(c *fiber.Ctx, err error) error
	// Routes registers the dialect's paths; the router is at the prefix, behind
	// authentication. Handlers return errors.
	Routes(r fiber.Router)
	// OpenAPI is the dialect's document in JSON, served at the prefix +
	// "/openapi.json".
	OpenAPI() ([]byte, error)
}

// Services are what the handlers of dialects translate to. The fields are
// filled in while the program is built: a dialect keeps the pointer, and looks
// at them when a request or an event comes, not before.
type Services struct {
	// Accounts finds sessions. It is there from the start.
	Accounts Accounts
	Sessions *session.Manager
	Groups   *groups.Service
	Bulk     *bulk.Service
	// Invitations asks people into groups by message.
	Invitations *invitations.Service
	Messages    *messages.Service
	Inbox       *messages.Inbox
	Events      *event.Log
	Webhooks    *webhooks.Service
	// Notes keep what clients store and WhatsApp has no place for, Media files.
	Notes *notes.Notes
	Media *media.Library
	// Queue and Keys are for what has to be carried out whatever happens to the
	// request and to this server.
	Queue *queue.Queue
	Keys  *idempotency.Keys
}

// Uploader is a dialect some of whose requests may have larger bodies.
type Uploader interface {
	// Uploads tells how large, and which: see Server.Uploads.
	Uploads() (limit int, accepts func(method, path string) bool)
}

const dialectDocument = "/openapi.json"

// Mount adds a dialect. It is called before Serve.
func (s *Server) Mount(d Dialect) error {
	document, err := d.OpenAPI()
	if err != nil {
		return fmt.Errorf("mount the dialect %s: %w", d.Name(), err)
	}
	s.dialects = append(s.dialects, d)
	s.app.Get(d.Prefix()+dialectDocument, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(document)
	})
	if u, ok := d.(Uploader); ok {
		s.Uploads(u.Uploads())
	}
	router := s.app.Group(d.Prefix(), showPace, s.repeatable)
	d.Routes(router)
	return nil
}

// dialect is the one that a path belongs to, or nil for our own API.
func (s *Server) dialect(path string) Dialect {
	for _, d := range s.dialects {
		if rest, below := strings.CutPrefix(path, d.Prefix()); below && (rest == "" || rest[0] == '/') {
			return d
		}
	}
	return nil
}

// renderForeign answers with an error in the form of a dialect.
func renderForeign(c *fiber.Ctx, d Dialect, err error) error {
	ctx := ensureRequestID(c)
	err = fromFiber(err)
	failure := fault.From(err)
	status := statusOf(failure.Code)
	if status == 0 {
		status = fiber.StatusInternalServerError
	}
	logProblem(ctx, status, failure, err)
	if failure.RetryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(failure.RetryAfter.Seconds()))))
	}
	c.Locals(failureKey{}, failure)
	var coded *fault.Error
	if !errors.As(err, &coded) {
		err = failure
	}
	return d.Render(c, err)
}

// failureKey is where the error of a dialect's answer is kept, whose form only
// the dialect knows.
type failureKey struct{}

// failureOf is the error that a dialect has answered with, or nil.
func failureOf(c *fiber.Ctx) *fault.Error {
	failure, _ := c.Locals(failureKey{}).(*fault.Error)
	return failure
}
