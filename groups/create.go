package groups

import (
	"context"
	"slices"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
)

// CreateRequest asks for a new group.
type CreateRequest struct {
	SessionID string
	Name      string // 1 to MaxSubject characters
	// Participants are phone JIDs, LIDs or phone numbers; repeated ones count
	// once. The session's account is always a member and need not be named. Nil is
	// refused; an empty list makes a group of one.
	Participants []string
	OnPrivate    OnPrivate
	// Settings are those that the group is to have; those not given are
	// WhatsApp's defaults.
	Settings SettingsChange
	// Community is the JID of the community that the group is to be part of; the
	// session's account must be its admin. Empty is none.
	Community string
}

// Validate checks everything that can be checked without WhatsApp.
func (r CreateRequest) Validate() error {
	_, err := r.parse()
	return err
}

func (r CreateRequest) parse() ([]address.Entry, error) {
	if err := checkSubject("name", r.Name); err != nil {
		return nil, err
	}
	if r.Participants == nil {
		return nil, fault.Field("participants", "is required")
	}
	if err := r.OnPrivate.validate(); err != nil {
		return nil, err
	}
	if err := r.Settings.Validate(); err != nil {
		return nil, err
	}
	if _, err := r.community(); err != nil {
		return nil, err
	}
	return parsePeople(r.Participants)
}

// community is the parsed JID, or empty.
func (r CreateRequest) community() (types.JID, error) {
	if r.Community == "" {
		return types.EmptyJID, nil
	}
	return address.Group(fieldCommunity, r.Community)
}

const fieldCommunity = "community"

// Created is the outcome of making a group.
type Created struct {
	GroupJID string
	// Results has what became of each participant, in the order asked.
	Results []Result
	// Warnings has what was asked for beyond the group and its members and could
	// not be done. The group exists all the same.
	Warnings []Warning
}

// Warning is something that failed after the main thing was done.
type Warning struct {
	Field   string // what it is about, as in the request; empty when it is about all
	Code    fault.Code
	Message string
}

// Create makes a group. Phone numbers are looked up first, so that one that is
// not on WhatsApp fails alone; when none of them is, no group is made.
func (s *Service) Create(ctx context.Context, req CreateRequest) (Created, error) {
	entries, err := req.parse()
	if err != nil {
		return Created{}, err
	}
	people, err := s.lookUp(ctx, req.SessionID, entries)
	if err != nil {
		return Created{}, err
	}
	present, jids := reachable(people, types.AddressingModeLID)
	if len(present) == 0 && slices.ContainsFunc(people, func(p person) bool { return p.absent }) {
		return Created{}, fault.Field("participants", "none of these numbers is on WhatsApp; no group was made")
	}
	ctx, expected := s.expect(ctx, req.SessionID, types.EmptyJID, req.Name, as(ChangeCreated))
	defer expected()
	var results []Result
	want := newcomer{session: req.SessionID, subject: req.Name, people: present}
	jid, found, err := s.makeOnce(ctx, want, func() (jid types.JID, err error) {
		jid, results, err = s.create(ctx, req, present, jids)
		return jid, err
	})
	if err != nil {
		return Created{}, err
	}
	made, lookup := s.introduce(ctx, req.SessionID, jid, ChangeCreated)
	if found {
		results = s.catchUp(ctx, req.SessionID, jid, made, present)
	}
	created := Created{GroupJID: jid.String(), Results: withOthers(people, results)}
	s.invitePrivate(ctx, invitation{sessionID: req.SessionID, group: jid, subject: req.Name}, req.OnPrivate, created.Results)
	created.Warnings = s.ensureSettings(ctx, req, jid, made, lookup)
	return created, nil
}

// others leaves out the session's own account, which the answer to a creation
// lists among the members.
func others(client *whatsmeow.Client, members []types.GroupParticipant) []types.GroupParticipant {
	own := person{pn: client.Store.GetJID().ToNonAD(), lid: client.Store.GetLID().ToNonAD()}
	return slices.DeleteFunc(slices.Clone(members), func(m types.GroupParticipant) bool {
		return own.is(pair(m.JID, m.PhoneNumber, m.LID))
	})
}

// create has WhatsApp make the group, and returns what became of the people.
func (s *Service) create(ctx context.Context, req CreateRequest, present []person, jids []types.JID) (group types.JID, results []Result, err error) {
	order, err := req.order(jids)
	if err != nil {
		return group, nil, err
	}
	err = s.write(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		info, err := client.CreateGroup(ctx, order)
		if err != nil {
			return refusedCreation(err, req.Community != "")
		}
		rememberNames(ctx, client, info.Participants)
		group, results = info.JID, settle(whatsmeow.ParticipantChangeAdd, present, others(client, info.Participants))
		return nil
	})
	return group, results, err
}

// introduce asks for a group that the account has just come into, and records
// it. Where it cannot be asked for, the event that follows makes it known.
func (s *Service) introduce(ctx context.Context, sessionID string, jid types.JID, kind ChangeKind) (Group, error) {
	group, err := s.ask(ctx, sessionID, jid)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("group", jid.String()).Msg("a new group could not be read")
		return Group{}, err
	}
	change := s.own(sessionID, jid, kind)
	change.Info = &group
	s.recorded(ctx, change)
	return group, nil
}

// lookUp identifies the people of a new group. Its creator is a member in any
// case and is not sent along.
func (s *Service) lookUp(ctx context.Context, sessionID string, entries []address.Entry) (people []person, err error) {
	err = s.read(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		if people, err = identify(ctx, client, entries, true); err != nil {
			return err
		}
		pn, lid := client.Store.GetJID().ToNonAD(), client.Store.GetLID().ToNonAD()
		for i := range people {
			people[i].self = people[i].is(pn, lid)
		}
		return nil
	})
	return people, err
}

// order is the request as the client sends it. The link mode cannot be given
// at creation: the client's stanza has no place for it.
func (r CreateRequest) order(jids []types.JID) (whatsmeow.ReqCreateGroup, error) {
	parent, err := r.community()
	if err != nil {
		return whatsmeow.ReqCreateGroup{}, err
	}
	order := whatsmeow.ReqCreateGroup{
		Name:          r.Name,
		Participants:  jids,
		MemberAddMode: types.GroupMemberAddMode(r.Settings.MemberAdd),
		GroupMembershipApprovalMode: types.GroupMembershipApprovalMode{
			IsJoinApprovalRequired: r.Settings.MembershipApproval == ApprovalOn,
		},
		GroupAnnounce:     types.GroupAnnounce{IsAnnounce: r.Settings.Announce != nil && *r.Settings.Announce},
		GroupLocked:       types.GroupLocked{IsLocked: r.Settings.Locked != nil && *r.Settings.Locked},
		GroupLinkedParent: types.GroupLinkedParent{LinkedParentJID: parent},
	}
	if seconds := r.Settings.DisappearingSeconds; seconds != nil && *seconds > 0 {
		order.GroupEphemeral = types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: *seconds}
	}
	return order, nil
}

// refusedCreation gives the refusals of <create> their codes. In a community
// they may be the community's.
func refusedCreation(err error, community bool) error {
	switch code := iqCode(err); {
	case community && (code == 401 || code == 403):
		return fault.New(fault.NotAdmin, "this account may not add groups to the community: it is not an admin of it, or not in it").Because(err)
	case community && code == 404:
		return fault.New(fault.GroupNotFound, "WhatsApp knows no such community, or a participant does not exist").Because(err)
	case community && code == 400:
		return fault.Field(fieldCommunity, "WhatsApp does not accept this as a community").Because(err)
	case code == 401, code == 403:
		return fault.New(fault.Rejected, "WhatsApp does not let this account create groups at present").Because(err)
	case code == 404, code == 400:
		return fault.New(fault.Rejected, "WhatsApp does not accept this group; a participant may not exist").Because(err)
	}
	return refusedSubject("name", err)
}

// ensureSettings sets those settings of a new group that are not as asked. The
// group exists whatever happens here, so failures are warnings; lookup is why
// the group could not be read.
func (s *Service) ensureSettings(ctx context.Context, req CreateRequest, jid types.JID, made Group, lookup error) []Warning {
	if req.Settings.empty() {
		return nil
	}
	err := lookup
	if err == nil {
		if rest := made.differing(req.Settings); !rest.empty() {
			_, err = s.apply(ctx, req.SessionID, jid, rest)
		}
	}
	if err == nil {
		return nil
	}
	return []Warning{warningOf(err, "the group was made, but its settings may not be as asked: ")}
}

// warningOf makes a warning of an error.
func warningOf(err error, beginning string) Warning {
	failure := fault.From(err)
	return Warning{Field: failure.Field, Code: failure.Code, Message: beginning + failure.Message}
}
