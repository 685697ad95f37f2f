package groups

import (
	"context"
	"errors"
	"strings"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// SettingsRequest asks to change some of a group's modes.
type SettingsRequest struct {
	Target
	Settings Settings
}

// Validate checks the group and the modes. None at all is a change of nothing.
func (r SettingsRequest) Validate() error {
	if err := r.Target.Validate(); err != nil {
		return err
	}
	return r.Settings.Validate()
}

// SetSettings changes the modes one after the other and reads the group back.
// It returns what all three are now, as WhatsApp has them. When one cannot be
// changed the error names it, and says which others were.
func (s *Service) SetSettings(ctx context.Context, req SettingsRequest) (Settings, error) {
	if err := req.Validate(); err != nil {
		return Settings{}, err
	}
	group, err := req.group()
	if err != nil {
		return Settings{}, err
	}
	return s.apply(ctx, req.SessionID, group, req.Settings)
}

// mode is one mode to be set.
type mode struct {
	field string
	set   func(ctx context.Context, client *whatsmeow.Client, group types.JID) error
}

// modes lists those that are asked for, in the order they are set.
func (s Settings) modes() (list []mode) {
	if s.MembershipApproval != "" {
		list = append(list, mode{fieldApproval, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return client.SetGroupJoinApprovalMode(ctx, group, s.MembershipApproval == ApprovalOn)
		}})
	}
	if s.MemberAdd != "" {
		list = append(list, mode{fieldAdd, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return client.SetGroupMemberAddMode(ctx, group, types.GroupMemberAddMode(s.MemberAdd))
		}})
	}
	if s.MemberLink != "" {
		list = append(list, mode{fieldLink, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return setLinkMode(ctx, client, group, s.MemberLink)
		}})
	}
	return list
}

func (s *Service) apply(ctx context.Context, sessionID string, group types.JID, want Settings) (Settings, error) {
	var done []string
	for _, mode := range want.modes() {
		err := s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
			return refused(mode.set(ctx, client, group))
		})
		if err != nil {
			return Settings{}, incomplete(s.explain(ctx, sessionID, group, err), mode.field, done)
		}
		done = append(done, mode.field)
	}
	now, err := s.group(ctx, sessionID, group)
	if err != nil {
		return Settings{}, incomplete(err, "", done)
	}
	if want.MemberLink != "" && now.Settings.MemberLink != "" && now.Settings.MemberLink != want.MemberLink {
		// The mutation was accepted and did nothing: try the other way.
		if now, err = s.linkModeByStanza(ctx, sessionID, group, want.MemberLink); err != nil {
			return Settings{}, incomplete(err, fieldLink, done[:len(done)-1])
		}
	}
	// What WhatsApp does not show cannot be checked, and is not called a failure.
	if wrong := now.Settings.differing(now.Settings.known(want)).modes(); len(wrong) > 0 {
		return now.Settings, notTaken(wrong[0].field, done)
	}
	return now.Settings, nil
}

// incomplete says in an error which modes had been set before it. The field is
// the one that failed, or empty when only reading back did. An error that came
// before anything was done and is about no mode in particular stays as it is.
func incomplete(err error, field string, done []string) error {
	if len(done) == 0 && !fault.Is(err, fault.Rejected) && !fault.Is(err, fault.OutcomeUnknown) {
		return err
	}
	failure := *fault.From(err)
	failure.Field = field
	if len(done) > 0 {
		failure.Message += "; already changed: " + strings.Join(done, ", ")
	}
	return failure.Because(err)
}

// notTaken is the error for a mode that WhatsApp accepted without effect.
func notTaken(field string, done []string) error {
	failure := fault.New(fault.Rejected, "WhatsApp accepted the change and did not make it; sent were: %s", strings.Join(done, ", "))
	failure.Field = field
	return failure
}

// linkModeMutation is the id of the GraphQL document with which WhatsApp's own
// clients change a group's property since 2025. Clients written by others send
// it, or the older stanza; which one a server heeds can only be seen by
// reading back.
const linkModeMutation = "9418211574894172"

// setLinkMode sends the mutation and, where WhatsApp refuses it, the stanza.
func setLinkMode(ctx context.Context, client *whatsmeow.Client, group types.JID, mode LinkMode) error {
	_, err := client.DangerousInternals().SendMexIQ(ctx, linkModeMutation, map[string]any{
		"group_id": group.String(),
		"update":   map[string]string{"member_link_mode": strings.ToUpper(string(mode))},
	})
	var graphQL types.GraphQLErrors
	if err == nil || iqCode(err) == 0 && !errors.As(err, &graphQL) {
		return err
	}
	zerolog.Ctx(ctx).Debug().Err(err).Msg("member_link_mode mutation was refused, sending the stanza")
	return sendLinkMode(ctx, client, group, mode)
}

func sendLinkMode(ctx context.Context, client *whatsmeow.Client, group types.JID, mode LinkMode) error {
	_, err := client.DangerousInternals().SendGroupIQ(ctx, "set", group, waBinary.Node{
		Tag:     "member_link_mode",
		Content: []byte(mode),
	})
	return err
}

// linkModeByStanza sets the mode with the stanza and reads the group back.
func (s *Service) linkModeByStanza(ctx context.Context, sessionID string, group types.JID, mode LinkMode) (Group, error) {
	err := s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		return refused(sendLinkMode(ctx, client, group, mode))
	})
	if err != nil {
		return Group{}, s.explain(ctx, sessionID, group, err)
	}
	return s.group(ctx, sessionID, group)
}
