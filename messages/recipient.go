package messages

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/session"
)

// resolve prepares sending to a chat: it makes the client know a group's
// members, and finds out whether a number that it has never met has an account.
// All of that happens in a read, so that what fails here is not taken for a
// message that may have been sent.
func (s *Service) resolve(ctx context.Context, sessionID string, to types.JID) (types.JID, error) {
	err := s.sessions.Do(ctx, sessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) (err error) {
		switch to.Server {
		case types.GroupServer:
			_, err = client.DangerousInternals().GetCachedGroupData(ctx, to)
			err = unreadable(err)
		case types.DefaultUserServer:
			to, err = resolveNumber(ctx, client, to)
		}
		return err
	})
	return to, err
}

// resolveNumber returns the number's canonical JID: some countries write one
// number in two ways. A number whose LID is known has been met before and is
// not asked about again.
func resolveNumber(ctx context.Context, client *whatsmeow.Client, to types.JID) (types.JID, error) {
	lid, err := client.Store.LIDs.GetLIDForPN(ctx, to)
	if err != nil {
		return to, fmt.Errorf("look up the LID of the recipient: %w", err)
	}
	if !lid.IsEmpty() {
		return to, nil
	}
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
