// Package groups is everything a session can do with WhatsApp groups: reading
// them, creating and changing them, and their memberships. Each operation is a
// method of Service that takes a request which validates itself.
package groups

import (
	"context"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/session"
)

// Service performs the group operations of every session. It holds no state of
// its own and is safe for concurrent use.
type Service struct {
	sessions *session.Manager
}

// NewService makes the service. The manager is its only way to WhatsApp.
func NewService(sessions *session.Manager) *Service {
	return &Service{sessions: sessions}
}

// operation is what runs inside session.Manager.Do.
type operation = func(ctx context.Context, client *whatsmeow.Client) error

// read runs an operation that changes nothing: when it fails, nothing happened.
func (s *Service) read(ctx context.Context, sessionID string, op operation) error {
	return s.sessions.Do(ctx, sessionID, session.Read, op)
}

// write runs an operation that changes something. Questions that precede a
// change belong in a read of their own, so that a lost answer to them is not
// taken for a change whose outcome is unknown.
func (s *Service) write(ctx context.Context, sessionID string, op operation) error {
	return s.sessions.Do(ctx, sessionID, session.Write, op)
}

// group and groups are the one place where this package gets group data from.
// In this release both ask WhatsApp.
func (s *Service) group(ctx context.Context, sessionID string, jid types.JID) (group Group, err error) {
	err = s.read(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		group, err = queryGroup(ctx, client, jid)
		return err
	})
	return group, err
}

func (s *Service) groups(ctx context.Context, sessionID string) (groups []Group, err error) {
	err = s.read(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		groups, err = queryGroups(ctx, client)
		return err
	})
	return groups, err
}
