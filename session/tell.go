package session

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/event"
	"muster/store"
)

// tellState adds a change of state to the log of events, in the transaction
// that stores it. before is the session as it was.
func (m *Manager) tellState(ctx context.Context, before Session, change StateChange) error {
	if m.options.Events == nil {
		return nil
	}
	account := event.Account{JID: before.AccountJID(), LID: before.AccountLID(), PhoneNumber: before.PhoneNumber}
	err := m.options.Events.Append(ctx, event.Event{
		Type: event.SessionStatus, SessionID: before.ID, At: change.At,
		Data: event.Status{
			Account: account, Name: before.Name, Status: string(change.Status), PreviousStatus: string(before.Status),
			Reason: change.Reason, Detail: change.Detail,
		},
	})
	if err != nil || !change.unlinked() {
		return err
	}
	if account.JID == "" && account.PhoneNumber != "" { // its keys are deleted already
		account.JID = types.NewJID(account.PhoneNumber, types.DefaultUserServer).String()
	}
	return m.options.Events.Append(ctx, event.Event{
		Type: event.SessionLoggedOut, SessionID: before.ID, At: change.At,
		Data: event.LoggedOut{Account: account, Reason: change.Reason, Detail: change.Detail},
	})
}

// unlinked tells whether after the change no phone is linked any more.
func (c StateChange) unlinked() bool {
	return c.Status == StatusLoggedOut || c.Status == StatusBanned && c.Reason == ReasonAccountBanned
}

// tellTimeout bounds the writing of an event that nothing waits for.
const tellTimeout = 10 * time.Second

// tellCode adds a code that is to be scanned or typed to the log of events.
// Linking goes on when it cannot be written.
func (s *serving) tellCode(code event.QR) {
	m := s.c.m
	if m.options.Events == nil {
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, tellTimeout)
	defer cancel()
	code.Status = string(s.c.snapshot().Status)
	err := store.Txn(ctx, m.options.DB, func(ctx context.Context) error {
		return m.options.Events.Append(ctx, event.Event{
			Type: event.SessionQR, SessionID: s.c.id, At: m.now(), Data: code,
		})
	})
	if err != nil {
		m.log.Error().Err(fmt.Errorf("tell of a code: %w", err)).Str("session", s.c.id).Msg("an event could not be written")
	}
}
