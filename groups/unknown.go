package groups

import (
	"context"
	"maps"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

const (
	// absentFor is how long it is remembered that WhatsApp does not show the
	// account a group: a program that reads such a group in a loop must not have
	// WhatsApp asked in a loop.
	absentFor = 30 * time.Second
	// absentMost bounds how many such groups are remembered, over all sessions.
	absentMost = 10_000
)

// absences remembers of which groups WhatsApp has just said that an account is
// not in them. It is safe for concurrent use.
type absences struct {
	mu   sync.Mutex
	last map[absenceKey]absence
}

type absenceKey struct{ session, account, group string }

type absence struct {
	refusal error
	until   time.Time
}

// recall is WhatsApp's refusal, or nil when nothing is remembered.
func (a *absences) recall(key absenceKey, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := a.last[key]; now.Before(last.until) {
		return last.refusal
	}
	return nil
}

func (a *absences) note(key absenceKey, refusal error, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.last) >= absentMost {
		maps.DeleteFunc(a.last, func(_ absenceKey, old absence) bool { return !now.Before(old.until) })
	}
	if len(a.last) >= absentMost || a.last == nil {
		a.last = map[absenceKey]absence{}
	}
	a.last[key] = absence{refusal, now.Add(absentFor)}
}

// seek asks WhatsApp for a group that the mirror does not have, which can have
// missed it: once for all who want it at the same time, and not again for a
// while when the account is not in it. Without an error the mirror has it now.
func (s *Service) seek(ctx context.Context, sessionID string, jid types.JID) error {
	current, err := s.sessions.Get(ctx, sessionID)
	if err != nil {
		return err
	}
	m := s.mirror
	key := absenceKey{sessionID, current.AccountJID(), jid.String()}
	if err = m.absences.recall(key, m.now()); err == nil {
		err = m.share(ctx, "seek "+sessionID+" "+key.group, func(ctx context.Context) error { return m.find(ctx, key, jid) })
	}
	switch {
	case err == nil:
		return nil
	case isAbsent(err):
		return s.absent(ctx, sessionID, jid, fault.From(err).Message)
	case isOffline(err):
		return s.absent(ctx, sessionID, jid, "and WhatsApp cannot be asked: "+fault.From(err).Message)
	}
	return err
}

// find is seek for one of those who share it.
func (m *Mirror) find(ctx context.Context, key absenceKey, jid types.JID) error {
	if err := m.absences.recall(key, m.now()); err != nil {
		return err // somebody was faster
	}
	if g, err := m.readGroup(ctx, key.session, key.group); err != nil || g.known {
		return err
	}
	_, err := m.fetch(ctx, key.session, jid, reasonSought, nil)
	if isAbsent(err) {
		m.absences.note(key, err, m.now())
	}
	return err
}

// absent is the refusal for a group that the mirror does not have, and WhatsApp
// did not show either.
func (s *Service) absent(ctx context.Context, sessionID string, jid types.JID, why string) error {
	left, err := s.mirror.lastEnding(ctx, sessionID, jid.String())
	switch {
	case err != nil:
		return err
	case left:
		return fault.New(fault.NotInGroup, "the session's account is no longer in this group")
	default:
		return fault.New(fault.GroupNotFound, "no such group is known here; %s", why)
	}
}
