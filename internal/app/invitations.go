package app

import (
	"context"
	"path/filepath"

	"muster/groups/invitations"
	"muster/internal/fault"
	"muster/messages"
)

// openInvitations makes invitations possible, whose history begins here: no
// session must be connected yet.
func (a *App) openInvitations() error {
	library, err := invitations.Load(filepath.Join(a.config.DataDir, "invitation-templates"))
	if err != nil {
		return err
	}
	a.services.Invitations = invitations.NewService(invitations.Options{
		DB: a.db, Groups: a.services.Groups, Send: a.sendInvitation, Library: library,
		Max: a.config.Zoko.MaxInvitations, Pause: a.config.Zoko.InvitationPause,
	})
	a.events.AddSink(a.services.Invitations.Sink)
	return nil
}

func (a *App) sendInvitation(ctx context.Context, sessionID, to, text string) error {
	_, err := a.talk.send.SendText(ctx, messages.TextRequest{Envelope: messages.Envelope{SessionID: sessionID, To: to}, Text: text})
	if fault.Is(err, fault.OutcomeUnknown) {
		return nil // it is sent again until WhatsApp confirms it
	}
	return err
}
