package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"muster/internal/fault"
	"muster/sandbox/demo"
	"muster/session"
)

const (
	// demoSession is the id of the session that the demo links.
	demoSession = "demo"
	// demoTimeout bounds the wait for the demo to be usable at the start.
	demoTimeout = time.Minute
	// settlePoll is how often a reconnecting session is looked at.
	settlePoll = 20 * time.Millisecond
)

// populate fills the demo world and links the demo session, so that the
// command that the start prints works, and then keeps the world alive until
// the context ends. Without a demo it does nothing.
func (a *App) populate(ctx context.Context, running *sync.WaitGroup) error {
	if !a.demo() {
		return nil
	}
	if err := demo.Fill(a.sandbox); err != nil {
		return fmt.Errorf("fill the demo world: %w", err)
	}
	linking, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	if err := a.linkDemo(linking); err != nil {
		return fmt.Errorf("link the demo session: %w", err)
	}
	log := a.log.With().Str("component", "demo").Logger()
	running.Go(func() { demo.Live(ctx, a.sandbox, log) })
	return nil
}

// linkDemo makes and links the demo session unless an earlier start did.
func (a *App) linkDemo(ctx context.Context) error {
	current, err := a.sessions.Get(ctx, demoSession)
	if fault.Is(err, fault.SessionNotFound) {
		current, err = a.sessions.Create(ctx, session.CreateRequest{ID: demoSession, Name: "Demo"})
	}
	if err != nil {
		return err
	}
	if current.LoggedIn {
		if current, err = a.settled(ctx); err != nil {
			return err
		}
	}
	if current.LoggedIn {
		if current.Status == session.StatusDisconnected {
			// Somebody disconnected it in an earlier run; the demo shall work.
			_, err = a.sessions.Connect(ctx, demoSession)
		}
		return err
	}
	return a.scanDemo(ctx)
}

// settled waits until all sessions have made their first attempt to connect.
// The demo's phone may have forgotten the device, when the simulator's file
// was deleted and the database was not: then it is logged out now.
func (a *App) settled(ctx context.Context) (session.Session, error) {
	ticker := time.NewTicker(settlePoll)
	defer ticker.Stop()
	for {
		if p := a.sessions.Progress(); p.Settled >= p.Total {
			return a.sessions.Get(ctx, demoSession)
		}
		select {
		case <-ctx.Done():
			return session.Session{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

// scanDemo lets the simulated phone scan the session's QR code.
func (a *App) scanDemo(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	codes, err := a.sessions.WatchQR(watching, demoSession)
	if err != nil {
		return err
	}
	for code := range codes {
		switch {
		case code.Done() && code.Status == session.StatusConnected:
			return nil
		case code.Done():
			return fmt.Errorf("it ended %s: %s %s", code.Status, code.Reason, code.Detail)
		}
		if _, err = a.sandbox.ScanQR(ctx, demo.Number, code.Code); err != nil {
			return fmt.Errorf("scan the QR code: %w", err)
		}
	}
	return errors.Join(errors.New("there was no result"), ctx.Err())
}
