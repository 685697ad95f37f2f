package groups

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/internal/fault"
	"muster/session"
)

// InviteLinkRequest asks for a group's invite link.
type InviteLinkRequest struct {
	Target
	// Reset revokes the present link and makes a new one.
	Reset bool
}

// InviteLink returns the link, "https://chat.whatsapp.com/…".
func (s *Service) InviteLink(ctx context.Context, req InviteLinkRequest) (link string, err error) {
	group, err := req.group()
	if err != nil {
		return "", err
	}
	kind := session.Read
	if req.Reset {
		kind = session.Write
	}
	ctx, done, err := s.exclusive(ctx, req.SessionID, group)
	if err != nil {
		return "", err
	}
	defer done()
	ctx, expected := s.expect(ctx, req.SessionID, group, "", as(ChangeInviteLink))
	defer expected()
	repeatable(ctx) // who never got the first new link needs another one
	err = s.sessions.Do(ctx, req.SessionID, kind, func(ctx context.Context, client *whatsmeow.Client) error {
		link, err = client.GetGroupInviteLink(ctx, group, req.Reset)
		return refused(err)
	})
	if err != nil {
		return "", s.explain(ctx, req.SessionID, group, err)
	}
	if req.Reset {
		change := s.own(req.SessionID, group, ChangeInviteLink)
		change.Text = link
		s.recorded(ctx, change)
	}
	return link, nil
}

// OnPrivate says what to do about people whose privacy settings do not let
// them be added.
type OnPrivate string

// What can be done. Empty means OnPrivateFail.
const (
	OnPrivateFail   OnPrivate = "fail"
	OnPrivateInvite OnPrivate = "invite" // send them an invite message
)

func (o OnPrivate) validate() error {
	switch o {
	case "", OnPrivateFail, OnPrivateInvite:
		return nil
	}
	return fault.Field("on_private", "must be %q or %q", OnPrivateFail, OnPrivateInvite)
}

// invitation is what the invite messages of one request have in common.
type invitation struct {
	sessionID string
	group     types.JID
	subject   string // asked of WhatsApp when empty
}

// invitePrivate sends invite messages to the people who could not be added for
// privacy, if that is wished, and says so in their results. Where a message
// cannot be sent the person's result stays Failed and says that as well.
func (s *Service) invitePrivate(ctx context.Context, inv invitation, wish OnPrivate, results []Result) {
	if wish != OnPrivateInvite {
		return
	}
	for i := range results {
		result := &results[i]
		if result.offer == nil {
			continue
		}
		if err := s.invite(ctx, &inv, *result.offer); err != nil {
			result.Failure.Reason += fmt.Sprintf("; no invite message was sent either (%s)", fault.From(err).Message)
			zerolog.Ctx(ctx).Warn().Err(err).Str("group", inv.group.String()).Msg("invite message was not sent")
			continue
		}
		result.Status, result.Failure, result.Invite = StatusInvited, nil, &result.offer.ticket
	}
}

func (s *Service) invite(ctx context.Context, inv *invitation, to offer) error {
	if inv.subject == "" {
		group, err := s.group(ctx, inv.sessionID, inv.group)
		if err != nil {
			return err
		}
		inv.subject = group.Subject
	}
	return s.write(ctx, inv.sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		_, err := client.SendMessage(ctx, to.to, &waE2E.Message{
			GroupInviteMessage: &waE2E.GroupInviteMessage{
				GroupJID:         proto.String(inv.group.String()),
				GroupName:        proto.String(inv.subject),
				GroupType:        waE2E.GroupInviteMessage_DEFAULT.Enum(),
				InviteCode:       proto.String(to.ticket.Code),
				InviteExpiration: proto.Int64(to.ticket.ExpiresAt.Unix()),
			},
		}, whatsmeow.SendRequestExtra{ID: to.messageID})
		return err
	})
}
