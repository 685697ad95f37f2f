package messages

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/session"
)

// resolve finds the one name of a chat: of a person the phone JID where the
// phone is known. Whether a number that the session has never met has an
// account, WhatsApp is asked; with later, only if the session is connected.
func (s *Service) resolve(ctx context.Context, sessionID string, to types.JID, later bool) (types.JID, error) {
	if _, err := s.sessions.Get(ctx, sessionID); err != nil {
		return to, err
	}
	switch to.Server {
	case types.HiddenUserServer:
		phone, err := s.sessions.PNForLID(ctx, sessionID, to)
		if err != nil || phone.IsEmpty() {
			return to, err
		}
		return phone.ToNonAD(), nil
	case types.DefaultUserServer:
		lid, err := s.sessions.LIDForPN(ctx, sessionID, to)
		if err != nil || !lid.IsEmpty() {
			return to, err // a number whose LID is known has been met before
		}
		known := to
		err = s.sessions.Do(ctx, sessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) (err error) {
			known, err = lookUp(ctx, client, to)
			return err
		})
		if later && (fault.Is(err, fault.SessionNotConnected) || fault.Is(err, fault.NoAnswer)) {
			return to, nil
		}
		return known, err
	}
	return to, nil
}

// lookUp returns the number's canonical JID: some countries write one number in
// two ways.
func lookUp(ctx context.Context, client *whatsmeow.Client, to types.JID) (types.JID, error) {
	answers, err := client.IsOnWhatsApp(ctx, []string{"+" + to.User})
	if err != nil {
		return to, fmt.Errorf("ask whether the recipient is on WhatsApp: %w", err)
	}
	for _, answer := range answers {
		switch {
		case !answer.IsIn:
		case answer.PhoneNumber.Server == types.DefaultUserServer:
			return answer.PhoneNumber.ToNonAD(), nil
		case !answer.JID.IsEmpty():
			return answer.JID.ToNonAD(), nil
		}
	}
	return to, fault.Field("to", "there is no WhatsApp account with this number")
}

// refresh makes the client ask for a group's members anew.
func (s *Service) refresh(ctx context.Context, sessionID string, group types.JID) error {
	return s.sessions.Do(ctx, sessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) error {
		_, err := client.GetGroupInfo(ctx, group)
		return unreadable(err)
	})
}
