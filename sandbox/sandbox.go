// Package sandbox is an offline WhatsApp: a service on loopback that speaks the
// wire protocol of WhatsApp Web to unmodified clients, with simulated phones to
// link them to, groups, encrypted messages and scripted trouble.
//
// Tests start one with [Start] and act on it through the methods of [Server];
// programs in other languages use the control API on the same port, described
// at /control/v1/openapi.json.
//
// The sandbox listens on loopback only. It imitates what is known of the real
// service from its clients; what the real service allows and refuses was never
// compared with it.
package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"muster/sandbox/control"
	"muster/sandbox/fault"
	"muster/sandbox/phone"
	"muster/sandbox/service"
	"muster/sandbox/wire"
)

// What the world's methods take and give, named here so that importers need
// one package.
type (
	PhoneOptions = service.PhoneOptions
	PhoneInfo    = service.PhoneInfo
	GroupOptions = service.GroupOptions
	Settings     = service.Settings
	Outgoing     = service.Outgoing
	Receipt      = service.Receipt
	Content      = phone.Content
	Received     = phone.Received
	Media        = phone.Media
	Location     = phone.Location
	Contact      = phone.Contact
	Poll         = phone.Poll
	Pin          = phone.Pin
	Invite       = phone.Invite
	Reference    = phone.Reference
	Fault        = fault.Fault
	FaultMatch   = fault.Match
	FaultEffect  = fault.Script
)

// Options configure a sandbox; the zero value is an empty, unseeded one on a
// free port that keeps nothing.
type Options struct {
	// Listen is the address, which must be on loopback; "" is "127.0.0.1:0".
	Listen string
	// StateFile keeps the world between runs, and the key that clients trust.
	// A missing file is made; "" keeps nothing.
	StateFile string
	// Seed makes ids, codes and references repeatable; 0 means random.
	Seed uint64
	// Identity is the service's key material. It wins over the state file's.
	Identity *wire.Identity
	// Now is the clock of all that the service stamps and expires.
	Now func() time.Time
	Log zerolog.Logger
}

// Server is a running sandbox. It has the methods of the simulated world.
type Server struct {
	*service.World
	identity *wire.Identity
	listener net.Listener
	http     *http.Server
	state    *stateFile

	cancel context.CancelFunc
	done   sync.WaitGroup
	closed sync.Once
	err    error
}

// Start brings a sandbox up. It runs until Close; ctx bounds only the start.
func Start(ctx context.Context, opts Options) (*Server, error) {
	listener, err := listenLoopback(ctx, opts.Listen)
	if err != nil {
		return nil, err
	}
	s, err := build(opts, listener)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.done.Add(2)
	go func() {
		defer s.done.Done()
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			opts.Log.Error().Err(err).Msg("Sandbox listener ended")
		}
	}()
	go func() {
		defer s.done.Done()
		s.keepState(running, opts.Log)
	}()
	return s, nil
}

func build(opts Options, listener net.Listener) (s *Server, failure error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s = &Server{listener: listener, identity: opts.Identity}
	var saved *savedState
	if opts.StateFile != "" {
		state, read, err := openState(opts.StateFile)
		if err != nil {
			return nil, err
		}
		defer func() {
			if s == nil {
				failure = errors.Join(failure, state.close())
			}
		}()
		s.state, saved = state, read
	}
	if s.identity == nil && saved != nil {
		s.identity = saved.Identity
	}
	if s.identity == nil {
		made, err := wire.NewIdentity(rand.Reader, opts.Now())
		if err != nil {
			return nil, fmt.Errorf("make the service's keys: %w", err)
		}
		s.identity = made
	}
	settings := service.Options{
		Identity: s.identity, Seed: opts.Seed, Now: opts.Now, Log: opts.Log,
		MediaHost: listener.Addr().String(),
	}
	if s.state != nil {
		settings.Persist = s.persist
	}
	world, err := service.New(settings)
	if err != nil {
		return nil, err
	}
	s.World = world
	if saved != nil {
		if err := s.state.restore(saved, world); err != nil {
			return nil, err
		}
	}
	// A place where nothing can be written is found out now and not later.
	if err := world.Save(); err != nil {
		return nil, err
	}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	return s, nil
}

// routes is everything the sandbox serves on its one port.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws/chat", s.chat)
	mux.Handle("/mms/", s.Media().Handler())
	mux.Handle("/control/v1/", guard(control.New(s.World, control.Info{Endpoint: s.Endpoint(), RootKey: s.RootKey()})))
	mux.HandleFunc("GET /{$}", landing)
	return mux
}

// landing is the page a client reads the current web revision from
// (whatsmeow's GetLatestVersion looks for "client_revision":<digits>).
func landing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprint(w, `<!doctype html><title>Muster sandbox</title><script type="application/json">{"client_revision":1023000000,}</script><p>An offline WhatsApp. Its control API is at /control/v1/openapi.json.</p>`)
}

// chat takes a client's web socket.
func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	ws, err := wire.Upgrade(w, r)
	if err != nil {
		return // it has answered
	}
	// A hijacked connection outlives its request's context; Close ends it.
	s.Serve(context.WithoutCancel(r.Context()), ws)
}

// Addr is the address the sandbox listens on, as host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the base of the control API's paths, without a slash at the end.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Endpoint is the web socket address for clients.
func (s *Server) Endpoint() string { return "ws://" + s.Addr() + "/ws/chat" }

// RootKey is the public key that signs the service's certificates; clients must
// trust it instead of the real service's.
func (s *Server) RootKey() [32]byte { return s.identity.RootPublic() }

// Close disconnects everybody, writes the state and frees the port.
func (s *Server) Close() error {
	s.closed.Do(func() {
		s.World.Close()
		s.err = s.http.Close()
		s.cancel()
		s.done.Wait()
	})
	return s.err
}

// listenLoopback opens the port, on loopback or not at all: nobody but this
// machine may talk to a service that believes every phone.
func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("sandbox address %q: %w", address, err)
	}
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("sandbox address %q: the sandbox listens on loopback only, such as 127.0.0.1", address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return listener, nil
}
