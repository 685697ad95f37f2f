// Package auth knows who calls: bearer tokens, what each may see, and the
// caller's identity in a context.
package auth

import (
	"context"
	"slices"
)

// Principal is the bearer of an accepted token.
type Principal struct {
	// TokenID names the token in logs; it is not the secret. The fixed admin
	// token of the configuration has the ID "config".
	TokenID string
	Name    string
	// Admin may do everything. Others see only the sessions they are bound to.
	Admin    bool
	Sessions []string
}

// May tells whether the principal may see and use the session.
func (p Principal) May(sessionID string) bool {
	return p.Admin || slices.Contains(p.Sessions, sessionID)
}

type contextKey struct{}

// WithPrincipal puts the caller into the context of a request.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From gives the caller of a request. Without one it is the zero Principal,
// which may do nothing.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}
