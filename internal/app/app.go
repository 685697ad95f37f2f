// Package app is the composition root: it builds the program from its parts,
// in order, and takes it down in the opposite order. The command line runs it,
// and so do tests, on port 0.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/api"
	v1 "muster/api/v1"
	"muster/groups"
	"muster/internal/auth"
	"muster/internal/config"
	"muster/internal/event"
	"muster/internal/idempotency"
	"muster/internal/queue"
	"muster/internal/signallog"
	"muster/messages/media"
	"muster/sandbox"
	"muster/sandbox/wire"
	"muster/session"
	"muster/store"
	"muster/webhooks"
)

// Surroundings is what the program gets from where it runs.
type Surroundings struct {
	// Version is shown in the OpenAPI document.
	Version string
	Log     zerolog.Logger
	// Out receives what a person wants to know at the start, the token among
	// it, and nothing else; nil is nobody.
	Out io.Writer
	// Alone: the process does nothing else, and its garbage collector may be tuned.
	Alone bool
	// Identity is the key material of the sandbox inside, for tests that run
	// several in one process; nil makes or restores one.
	Identity *wire.Identity
}

// App is one server with all its parts.
type App struct {
	config   config.Config
	around   Surroundings
	log      zerolog.Logger
	db       *dbutil.Database
	sandbox  *sandbox.Server // nil unless it runs inside
	media    *media.Library
	talk     conversation
	sessions *session.Manager
	mirror   *groups.Mirror
	events   *event.Log
	webhooks *webhooks.Service
	services *api.Services
	foreign  []dialect
	metrics  *prometheus.Registry
	jobs     *queue.Queue
	keys     *idempotency.Keys
	server   *api.Server
	listener net.Listener
	token    string // to show at the start, or ""

	closeOnce sync.Once
	closers   []closer
	closeErr  error
}

// closer is the end of one part. Its context has what is left of the
// shutdown's time.
type closer struct {
	name string
	end  func(context.Context) error
}

// New builds the server and listens; Run serves. The context bounds the start
// only. After an error everything is closed again.
func New(ctx context.Context, c config.Config, around Surroundings) (*App, error) {
	if around.Out == nil {
		around.Out = io.Discard
	}
	a := &App{config: c, around: around, log: around.Log, metrics: prometheus.NewRegistry()}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) build(ctx context.Context) error {
	signallog.Install(a.log)
	lock, err := lockDir(a.config.DataDir)
	if err != nil {
		return err
	}
	a.onClose("data directory", func(context.Context) error { return lock.Close() })
	tokens, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	if err = a.openMedia(); err != nil {
		return err
	}
	if err = a.openQueue(ctx); err != nil {
		return err
	}
	a.openDialects()
	a.openEvents(ctx)
	if err = a.openBroker(ctx); err != nil {
		return err
	}
	if err = a.openWebhooks(ctx); err != nil {
		return err
	}
	if err = a.openInbox(ctx); err != nil {
		return err
	}
	if err = a.openSessions(ctx); err != nil {
		return err
	}
	if a.server, err = api.New(a.apiOptions(tokens)); err != nil {
		return err
	}
	v1.RegisterTokens(a.server.Huma(), tokens)
	v1.RegisterSessions(a.server.Huma(), a.server.Router(), a.sessions, tokens)
	service := groups.NewService(a.sessions, a.mirror)
	a.services.Groups = service
	a.mirror.Start(ctx)
	a.onClose("mirror", a.mirror.Close)
	v1.RegisterGroups(a.server.Huma(), a.server.Router(), service)
	v1.RegisterPhotos(a.server, service)
	a.registerEvents()
	v1.RegisterWebhooks(a.server.Huma(), a.webhooks)
	v1.RegisterJobs(a.server.Huma(), a.openJobs(service))
	if err = a.openMessages(); err != nil {
		return err
	}
	if err = a.openInvitations(); err != nil {
		return err
	}
	if err = a.mountDialects(); err != nil {
		return err
	}
	a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", a.config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.onClose("listener", func(context.Context) error { return ignoreClosed(a.listener.Close()) })
	return nil
}

// openStore opens the database for this server alone, and the way in.
func (a *App) openStore(ctx context.Context) (*auth.Tokens, error) {
	var err error
	if a.db, err = OpenDatabase(ctx, a.config, a.log); err != nil {
		return nil, err
	}
	a.onClose("database", func(context.Context) error { return a.db.Close() })
	unlock, err := store.Lock(ctx, a.db)
	if err != nil {
		return nil, err
	}
	a.onClose("database lock", func(context.Context) error { return unlock() })
	if err = store.ClaimRealm(ctx, a.db, realm(a.config)); err != nil {
		return nil, err
	}
	a.keys = idempotency.NewKeys(idempotency.Options{DB: a.db, SettleAfter: a.config.Sessions.SettleAfter})
	if err = a.keys.Recover(ctx); err != nil {
		return nil, err
	}
	tokens := auth.NewTokens(a.db, a.config.AdminToken, time.Now)
	a.token, err = adminToken(ctx, a.config, tokens)
	return tokens, err
}

func (a *App) openSessions(ctx context.Context) error {
	world, err := openWorld(ctx, a.config, a.around)
	if err != nil {
		return err
	}
	if a.sandbox = world.sandbox; a.sandbox != nil {
		a.onClose("sandbox", func(context.Context) error { return a.sandbox.Close() })
	}
	a.mirror = groups.NewMirror(groups.MirrorOptions{
		DB: a.db, Log: a.log, Metrics: a.metrics, Events: a.events, ReconcileEvery: a.config.Groups.ReconcileEvery,
		Retention: groups.Retention{Age: a.config.Groups.HistoryAge, Count: a.config.Groups.HistoryCount},
	})
	limits := a.config.Sessions
	a.sessions, err = session.NewManager(ctx, session.Options{
		DB: a.db, Network: world.network, Log: a.log, Handlers: append([]session.Handler{a.mirror.Apply}, a.talkHandlers()...), Events: a.events, Metrics: a.metrics,
		StartParallel: limits.StartParallel, StartJitter: limits.StartJitter,
		ReadTimeout: limits.ReadTimeout, WriteTimeout: limits.WriteTimeout, TransferTimeout: limits.TransferTimeout,
		ReadPace:  session.Pace{Rate: limits.ReadRate, Burst: limits.ReadBurst},
		WritePace: session.Pace{Rate: limits.WriteRate, Burst: limits.WriteBurst}, PaceWait: limits.PaceWait,
		SilenceLimit: limits.SilenceAfter, ProbeTimeout: limits.ProbeTimeout, DegradedLimit: limits.ReconnectAfter,
	})
	if err != nil {
		return err
	}
	a.services.Sessions = a.sessions
	a.services.Accounts.Attach(a.sessions)
	a.onClose("sessions", a.sessions.Close)
	return nil
}

func (a *App) apiOptions(tokens *auth.Tokens) api.Options {
	limits := a.config.HTTP
	return api.Options{
		Tokens: tokens, Keys: a.keys, Metrics: a.metrics, Log: a.log.With().Str("component", "api").Logger(), Version: a.around.Version,
		Healthy: func(ctx context.Context) error { return a.db.RawDB.PingContext(ctx) },
		Progress: func() api.Progress {
			p := a.sessions.Progress()
			return api.Progress{Total: p.Total, Settled: p.Settled}
		},
		Limits: api.Limits{
			Body: int(limits.BodyLimit), Header: int(limits.HeaderLimit),
			Read: limits.ReadTimeout, Write: limits.WriteTimeout, Idle: limits.IdleTimeout,
			Transfer: limits.TransferTimeout, Uploads: int64(limits.UploadMemory),
			Connections: limits.MaxConnections,
		},
	}
}

// Addr is where the API listens, as host:port.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Token is the token that the start shows, or "".
func (a *App) Token() string { return a.token }

// Sandbox is the simulator inside this server, or nil.
func (a *App) Sandbox() *sandbox.Server { return a.sandbox }

// Run serves until the context ends, and then shuts down within the configured
// time; however it ends, everything is closed. It returns nil after a shutdown
// that was asked for.
func (a *App) Run(ctx context.Context) error {
	// What the sessions hear may become jobs: those who take them begin first.
	for _, start := range []func(context.Context) error{a.jobs.Start, a.startWebhooks, a.startMessages, a.sessions.Start} {
		if err := start(ctx); err != nil {
			return errors.Join(err, a.Close())
		}
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { failed <- a.server.Serve(a.listener) })
	running.Go(func() { trim(working) })
	running.Go(func() { a.media.Store().Run(working) })
	if a.around.Alone {
		running.Go(func() { pack(working, trimInterval, a.tried) })
	}
	a.onClose("HTTP server", func(ctx context.Context) error {
		stop()
		return errors.Join(a.endRequests(ctx), ignoreClosed(a.listener.Close()), ended(ctx, &running))
	})
	if err := a.populate(working, &running); err != nil && ctx.Err() == nil {
		return errors.Join(err, a.Close())
	}
	a.announce()
	select {
	case <-ctx.Done():
		a.log.Info().Msg("shutting down")
		return a.Close()
	case err := <-failed:
		return errors.Join(err, a.Close())
	}
}

// tried tells whether every session has made its first attempt to connect.
func (a *App) tried() bool {
	p := a.sessions.Progress()
	return p.Settled == p.Total
}

// endRequests lets the requests in work finish, but not for longer than a third
// of the shutdown's time: one that waits for WhatsApp must not leave the
// sessions without time for a clean end.
func (a *App) endRequests(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.config.ShutdownTimeout/3)
	defer cancel()
	return a.server.Shutdown(ctx)
}

// ended waits for goroutines that were told to end.
func ended(ctx context.Context, running *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onClose notes how to end a part; Close goes through the notes backwards.
func (a *App) onClose(name string, end func(context.Context) error) {
	a.closers = append(a.closers, closer{name, end})
}

// Close ends everything, newest part first, within the configured time. It is
// safe to call again.
func (a *App) Close() error {
	a.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), a.config.ShutdownTimeout)
		defer cancel()
		for _, part := range slices.Backward(a.closers) {
			if err := part.end(ctx); err != nil {
				a.closeErr = errors.Join(a.closeErr, fmt.Errorf("close the %s: %w", part.name, err))
			}
		}
	})
	return a.closeErr
}

// ignoreClosed lets a listener be closed by whoever comes first.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
