// Package api is the HTTP edge: the server with its limits and timeouts,
// authentication, request ids, the access log, problem documents, health, and
// the OpenAPI document with its reference page. What the API offers is
// registered by the packages below it, api/v1 first.
package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"muster/internal/auth"
	"muster/internal/idempotency"
)

// Options is what a server needs.
type Options struct {
	Tokens *auth.Tokens
	Log    zerolog.Logger
	// Version of the program, shown in the OpenAPI document.
	Version string
	// Healthy says whether the database answers; nil means that there is
	// nothing to ask.
	Healthy func(context.Context) error
	// Progress says how far the sessions' start is; nil means that there is
	// none to wait for.
	Progress func() Progress
	Limits   Limits
	// Keys are those of repeatable requests; without them, no request is.
	Keys *idempotency.Keys
	// Metrics are shown at /metrics; nil shows none.
	Metrics prometheus.Gatherer
}

// Limits bound what one request may take.
type Limits struct {
	// Body and Header are bytes.
	Body, Header int
	// Read bounds the arrival of a request, Write the sending of an answer,
	// Idle the silence between two requests of a connection.
	Read, Write, Idle time.Duration
	// Transfer is in place of Read and Write where files come and go.
	Transfer time.Duration
	// Uploads is how much memory the requests that bring files may take together.
	Uploads int64
	// Connections bounds how many are open at once.
	Connections int
}

// DefaultLimits are used for what Options leaves zero.
func DefaultLimits() Limits {
	return Limits{
		Body: 1 << 20, Header: 16 << 10,
		Read: 30 * time.Second, Write: time.Minute, Idle: 2 * time.Minute,
		Transfer: 10 * time.Minute, Uploads: 512 << 20,
		Connections: 4096,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	pick := func(value *int, standard int) {
		if *value <= 0 {
			*value = standard
		}
	}
	wait := func(value *time.Duration, standard time.Duration) {
		if *value <= 0 {
			*value = standard
		}
	}
	pick(&l.Body, d.Body)
	pick(&l.Header, d.Header)
	pick(&l.Connections, d.Connections)
	wait(&l.Read, d.Read)
	wait(&l.Write, d.Write)
	wait(&l.Idle, d.Idle)
	wait(&l.Transfer, d.Transfer)
	if l.Uploads <= 0 {
		l.Uploads = d.Uploads
	}
	return l
}

// Server is the HTTP server. Routes are added through Huma and Router before
// Serve is called.
type Server struct {
	app      *fiber.App
	huma     huma.API
	options  Options
	uploads  []upload
	files    []func(method, path string) bool
	room     *room
	dialects []Dialect
	// base is the parent of every request's context; stop ends requests that
	// outlive the shutdown's patience.
	base    context.Context
	stop    context.CancelFunc
	streams *streams
}

// New builds the server with everything but the API's own routes.
func New(o Options) (*Server, error) {
	o.Limits = o.Limits.orDefault()
	s := &Server{options: o, streams: &streams{}, room: newRoom(o.Limits.Uploads)}
	s.streams.closing, s.streams.cancel = context.WithCancel(context.Background())
	base := context.WithValue(o.Log.WithContext(context.Background()), streamsKey{}, s.streams)
	s.base, s.stop = context.WithCancel(base)
	s.app = fiber.New(fiber.Config{
		AppName:               "Muster",
		DisableStartupMessage: true,
		// fasthttp reuses the memory of a request; handlers keep strings.
		Immutable: true,
		// JIDs arrive percent-encoded from careful clients.
		UnescapePath:  true,
		CaseSensitive: true,
		BodyLimit:     o.Limits.Body,
		// One read buffer has to hold the request line and all headers.
		ReadBufferSize: o.Limits.Header,
		ReadTimeout:    o.Limits.Read,
		WriteTimeout:   o.Limits.Write,
		IdleTimeout:    o.Limits.Idle,
		Concurrency:    o.Limits.Connections,
		ErrorHandler:   s.renderError,
	})
	s.app.Server().HeaderReceived = s.headerReceived
	s.app.Use(s.inRoom, s.enter, s.logAccess, recoverPanic, secureHeaders)
	s.app.Get("/livez", s.live)
	s.app.Get("/healthz", s.health)
	s.app.Get("/readyz", s.ready)
	s.app.Use(s.authenticate, readableText)
	s.app.Use("/api/v1/sessions/:"+sessionParam, guardSession)
	s.app.Use(apiPrefix, showPace, s.repeatable)
	s.mountMetrics(o.Metrics)
	s.huma = newHuma(s.app, o.Version)
	if err := s.mountDocs(); err != nil {
		return nil, err
	}
	return s, nil
}

// Huma is where typed operations are registered.
func (s *Server) Huma() huma.API { return s.huma }

// Router is where plain handlers are registered: streams, images, files. They
// are behind the same authentication as everything else.
func (s *Server) Router() fiber.Router { return s.app }

// Serve answers on the listener until Shutdown, and takes the listener over.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.app.Listener(listener); err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Shutdown stops accepting, ends streams, lets other requests finish until the
// context ends, and then ends them too.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.stop()
	s.streams.end()
	defer context.AfterFunc(ctx, s.stop)()
	err := s.app.ShutdownWithContext(ctx)
	s.streams.wait(ctx)
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil // requests that did not finish in time were ended, as asked
	}
	return fmt.Errorf("shut the HTTP server down: %w", err)
}

// renderError answers with a problem document, or with what stands for one in
// the dialect that the path belongs to. Requests that the HTTP parser refused
// come here without having passed enter.
func (s *Server) renderError(c *fiber.Ctx, err error) error {
	if RequestID(c.UserContext()) == "" {
		c.SetUserContext(s.base)
	}
	if s.room.refused(&c.Request().Header) && errors.Is(err, fiber.ErrRequestEntityTooLarge) {
		err = errNoRoom()
	}
	if d := s.dialect(c.Path()); d != nil {
		return renderForeign(c, d, err)
	}
	return renderProblem(c, err)
}
