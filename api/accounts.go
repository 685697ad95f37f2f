package api

import (
	"context"
	"sync/atomic"

	"muster/internal/auth"
	"muster/internal/fault"
	"muster/session"
)

// Accounts finds the session that a request means, among those that its token
// may use. Others do not exist for it.
type Accounts struct {
	sessions *atomic.Pointer[session.Manager]
}

// NewAccounts finds nothing before Attach.
func NewAccounts() Accounts { return Accounts{sessions: &atomic.Pointer[session.Manager]{}} }

// Attach gives it the sessions.
func (a Accounts) Attach(m *session.Manager) { a.sessions.Store(m) }

// Only is the session that a token is bound to, for vendors whose key stands
// for one account. For any other token, admin tokens among them, the error is
// the fault Forbidden.
func (a Accounts) Only(ctx context.Context) (session.Session, error) {
	principal := auth.From(ctx)
	if !principal.Admin && len(principal.Sessions) == 1 {
		return a.sessions.Load().Get(ctx, principal.Sessions[0])
	}
	return session.Session{}, fault.New(fault.Forbidden,
		"this key is not bound to exactly one session: make a token for the session that is meant")
}

// Find is the session with this id, or whose account has this phone number, in
// digits with or without a plus; of several with the number, a connected one.
// The error is the fault SessionNotFound.
func (a Accounts) Find(ctx context.Context, name string) (session.Session, error) {
	list, err := a.All(ctx)
	if err != nil {
		return session.Session{}, err
	}
	digits := name
	if len(digits) > 0 && digits[0] == '+' {
		digits = digits[1:]
	}
	var found *session.Session
	for i, s := range list {
		if s.ID == name {
			return s, nil
		}
		if s.PhoneNumber == "" || s.PhoneNumber != digits {
			continue
		}
		if found == nil || found.Status != session.StatusConnected && s.Status == session.StatusConnected {
			found = &list[i]
		}
	}
	if found == nil {
		return session.Session{}, fault.New(fault.SessionNotFound, "there is no session named %q, and none with this number", name)
	}
	return *found, nil
}

// All lists the sessions that the request's token may use.
func (a Accounts) All(ctx context.Context) ([]session.Session, error) {
	list, err := a.sessions.Load().List(ctx)
	if err != nil {
		return nil, err
	}
	principal := auth.From(ctx)
	var visible []session.Session
	for _, s := range list {
		if principal.May(s.ID) {
			visible = append(visible, s)
		}
	}
	return visible, nil
}

// Of is a session by its id, for encoders of webhooks, which work for nobody's
// token. ok is false for one that is not there.
func (a Accounts) Of(ctx context.Context, id string) (found session.Session, ok bool) {
	manager := a.sessions.Load()
	if manager == nil {
		return session.Session{}, false
	}
	found, err := manager.Get(ctx, id)
	return found, err == nil
}
