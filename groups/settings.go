package groups

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// SettingsChange is what a request wants to change of a group's settings. What
// is empty, or nil, is left as it is.
type SettingsChange struct {
	Settings
	// Announce and Locked are as in Group.
	Announce, Locked *bool
	// DisappearingSeconds is one of DisappearingTimers.
	DisappearingSeconds *uint32
}

// The names of the other settings in the API.
const (
	fieldAnnounce     = "announce"
	fieldLocked       = "locked"
	fieldDisappearing = "disappearing_seconds"
)

// DisappearingTimers are the lifetimes of messages that WhatsApp offers, in
// seconds: for ever, a day, a week and 90 days. Its server refuses others.
func DisappearingTimers() []uint32 { return []uint32{0, 86400, 604800, 7776000} }

// Validate refuses values that do not exist, naming the field.
func (c SettingsChange) Validate() error {
	if c.DisappearingSeconds != nil && !slices.Contains(DisappearingTimers(), *c.DisappearingSeconds) {
		return fault.Field(fieldDisappearing, "must be 0, 86400, 604800 or 7776000")
	}
	return c.Settings.Validate()
}

// empty tells whether nothing is to be changed.
func (c SettingsChange) empty() bool { return c == SettingsChange{} }

// known leaves of the wanted settings those that the group says something about.
func (g Group) known(want SettingsChange) SettingsChange {
	want.Settings = g.Settings.known(want.Settings)
	return want
}

// differing returns those of the wanted settings that the group does not have.
func (g Group) differing(want SettingsChange) SettingsChange {
	rest := SettingsChange{Settings: g.Settings.differing(want.Settings)}
	if want.Announce != nil && *want.Announce != g.Announce {
		rest.Announce = want.Announce
	}
	if want.Locked != nil && *want.Locked != g.Locked {
		rest.Locked = want.Locked
	}
	if want.DisappearingSeconds != nil && *want.DisappearingSeconds != g.DisappearingSeconds {
		rest.DisappearingSeconds = want.DisappearingSeconds
	}
	return rest
}

// SettingsRequest asks to change some of a group's settings.
type SettingsRequest struct {
	Target
	Settings SettingsChange
}

// Validate checks the group and the settings. None at all is a change of nothing.
func (r SettingsRequest) Validate() error {
	if err := r.Target.Validate(); err != nil {
		return err
	}
	return r.Settings.Validate()
}

// SetSettings changes the settings one after the other and reads the group
// back. It returns the group as WhatsApp has it now. When a setting cannot be
// changed the error names it, and says which others were.
func (s *Service) SetSettings(ctx context.Context, req SettingsRequest) (Group, error) {
	if err := req.Validate(); err != nil {
		return Group{}, err
	}
	group, err := req.group()
	if err != nil {
		return Group{}, err
	}
	return s.apply(ctx, req.SessionID, group, req.Settings)
}

// mode is one setting to be set.
type mode struct {
	field string
	set   func(ctx context.Context, client *whatsmeow.Client, group types.JID) error
}

// modes lists the settings that are asked for, in the order they are set.
func (c SettingsChange) modes() (list []mode) {
	add := func(field string, set func(ctx context.Context, client *whatsmeow.Client, group types.JID) error) {
		list = append(list, mode{field, set})
	}
	if c.MembershipApproval != "" {
		add(fieldApproval, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return client.SetGroupJoinApprovalMode(ctx, group, c.MembershipApproval == ApprovalOn)
		})
	}
	if c.MemberAdd != "" {
		add(fieldAdd, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return client.SetGroupMemberAddMode(ctx, group, types.GroupMemberAddMode(c.MemberAdd))
		})
	}
	if c.MemberLink != "" {
		add(fieldLink, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return setLinkMode(ctx, client, group, c.MemberLink)
		})
	}
	if c.Announce != nil {
		add(fieldAnnounce, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return client.SetGroupAnnounce(ctx, group, *c.Announce)
		})
	}
	if c.Locked != nil {
		add(fieldLocked, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return client.SetGroupLocked(ctx, group, *c.Locked)
		})
	}
	if c.DisappearingSeconds != nil {
		add(fieldDisappearing, func(ctx context.Context, client *whatsmeow.Client, group types.JID) error {
			return client.SetDisappearingTimer(ctx, group, time.Duration(*c.DisappearingSeconds)*time.Second, time.Time{})
		})
	}
	return list
}

// kinds are the kinds of change that the settings are.
func (c SettingsChange) kinds() (list []ChangeKind) {
	for _, mode := range c.modes() {
		list = append(list, ChangeKind(mode.field)) // they are named like the fields
	}
	return list
}

// setMode sets one setting.
func (s *Service) setMode(ctx context.Context, sessionID string, group types.JID, m mode) error {
	repeatable(ctx)
	return s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		return refused(m.set(ctx, client, group))
	})
}

func (s *Service) apply(ctx context.Context, sessionID string, group types.JID, want SettingsChange) (Group, error) {
	ctx, expected := s.expect(ctx, sessionID, group, "", as(want.kinds()...))
	defer expected()
	var done []string
	for _, mode := range want.modes() {
		if err := s.setMode(ctx, sessionID, group, mode); err != nil {
			s.recordSettings(ctx, sessionID, group, done, want)
			return Group{}, incomplete(s.explain(ctx, sessionID, group, err), mode.field, done)
		}
		done = append(done, mode.field)
	}
	now, err := s.readBack(ctx, sessionID, group, done, want)
	if err != nil {
		return Group{}, incomplete(err, fault.From(err).Field, done)
	}
	// What WhatsApp does not show cannot be checked, and is not called a failure.
	if wrong := now.differing(now.known(want)).modes(); len(wrong) > 0 {
		return now, notTaken(wrong[0].field, done)
	}
	return now, nil
}

// readBack records the settings that WhatsApp has accepted, and asks for the
// group to see whether it has really changed them.
func (s *Service) readBack(ctx context.Context, sessionID string, group types.JID, done []string, want SettingsChange) (Group, error) {
	s.recordSettings(ctx, sessionID, group, done, want)
	now, err := s.fresh(ctx, sessionID, group)
	if err != nil || !slices.Contains(done, fieldLink) || now.Settings.MemberLink == "" || now.Settings.MemberLink == want.MemberLink {
		return now, err
	}
	// The mutation was accepted and did nothing: try the other way.
	after, err := s.linkModeByStanza(ctx, sessionID, group, want)
	if err != nil {
		return now, err
	}
	return after, nil
}

// recordSettings records the fields with their values.
func (s *Service) recordSettings(ctx context.Context, sessionID string, group types.JID, fields []string, now SettingsChange) {
	var changes []Change
	for _, field := range fields {
		change := s.own(sessionID, group, ChangeKind(field)) // see kinds
		switch field {
		case fieldApproval:
			change.Text = string(now.MembershipApproval)
		case fieldAdd:
			change.Text = string(now.MemberAdd)
		case fieldLink:
			change.Text = string(now.MemberLink)
		case fieldAnnounce:
			change.On = *now.Announce
		case fieldLocked:
			change.On = *now.Locked
		case fieldDisappearing:
			change.Seconds = *now.DisappearingSeconds
		}
		changes = append(changes, change)
	}
	if len(changes) > 0 {
		s.recorded(ctx, changes...)
	}
}

// incomplete says in an error which settings had been set before it. The field
// is the one that failed, or empty when only reading back did. An error that
// came before anything was done and is about no setting in particular stays as
// it is.
func incomplete(err error, field string, done []string) error {
	if len(done) == 0 && !fault.Is(err, fault.Rejected) && !fault.Is(err, fault.OutcomeUnknown) {
		return err
	}
	failure := *fault.From(err)
	failure.Field = field
	done = slices.DeleteFunc(slices.Clone(done), func(name string) bool { return name == field })
	if len(done) > 0 {
		failure.Message += "; already changed: " + strings.Join(done, ", ")
	}
	return failure.Because(err)
}

// notTaken is the error for a setting that WhatsApp accepted without effect.
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
func (s *Service) linkModeByStanza(ctx context.Context, sessionID string, group types.JID, want SettingsChange) (Group, error) {
	err := s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		return refused(sendLinkMode(ctx, client, group, want.MemberLink))
	})
	if err != nil {
		failure := *fault.From(s.explain(ctx, sessionID, group, err))
		failure.Field = fieldLink
		return Group{}, failure.Because(err)
	}
	s.recordSettings(ctx, sessionID, group, []string{fieldLink}, want)
	return s.fresh(ctx, sessionID, group)
}
