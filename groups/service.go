// Package groups is everything a session can do with WhatsApp groups: reading
// them, creating and changing them, and their memberships. Each operation is a
// method of Service that takes a request which validates itself.
package groups

import (
	"context"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/turns"
	"muster/session"
)

// Service performs the group operations of every session. It is safe for
// concurrent use.
type Service struct {
	sessions *session.Manager
	mirror   *Mirror
	turns    turns.Lines[turnKey]
	darkroom chan struct{} // holds who prepares a picture at the moment
}

// NewService makes the service. The manager is its only way to WhatsApp; its
// handlers must include the mirror's Apply.
func NewService(sessions *session.Manager, mirror *Mirror) *Service {
	mirror.sessions = sessions
	return &Service{sessions: sessions, mirror: mirror, darkroom: make(chan struct{}, 1)}
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
	err := s.sessions.Do(ctx, sessionID, session.Write, op)
	s.noteLoss(ctx, err)
	return err
}

// group returns a group as the mirror has it, and asks WhatsApp about one that
// the mirror does not have or is not sure of. See fresh for what must not be
// out of date.
func (s *Service) group(ctx context.Context, sessionID string, jid types.JID) (Group, error) {
	g, err := s.mirror.snapshot(ctx, sessionID, jid.String(), true)
	if err != nil {
		return Group{}, err
	}
	if live, err := s.live(ctx, sessionID); err == nil && live && g.known && !g.stale {
		return g.listed(true).Group, nil
	}
	return s.mirror.fetch(ctx, sessionID, jid, reasonAsked, nil)
}

// groups returns the groups of a session as the mirror has them, without
// their members.
func (s *Service) groups(ctx context.Context, sessionID string) ([]Group, error) {
	rows, err := s.mirror.readGroups(ctx, sessionID)
	groups := make([]Group, len(rows))
	for i, g := range rows {
		groups[i] = g.Group
	}
	return groups, err
}
