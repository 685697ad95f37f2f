package groups

import (
	"context"
	"slices"

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
	// Settings are the modes that the group is to have; those not given are
	// WhatsApp's defaults.
	Settings Settings
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
	return parsePeople(r.Participants)
}

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
	var info *types.GroupInfo
	var results []Result
	err = s.write(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		if info, err = client.CreateGroup(ctx, req.order(jids)); err != nil {
			return refusedCreation(err)
		}
		rememberNames(ctx, client, info.Participants)
		results = settle(whatsmeow.ParticipantChangeAdd, present, others(client, info.Participants))
		return nil
	})
	if err != nil {
		return Created{}, err
	}
	created := Created{GroupJID: info.JID.String(), Results: withOthers(people, results)}
	s.invitePrivate(ctx, invitation{req.SessionID, info.JID, req.Name}, req.OnPrivate, created.Results)
	created.Warnings = s.ensureModes(ctx, req.SessionID, info.JID, req.Settings)
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
func (r CreateRequest) order(jids []types.JID) whatsmeow.ReqCreateGroup {
	return whatsmeow.ReqCreateGroup{
		Name:          r.Name,
		Participants:  jids,
		MemberAddMode: types.GroupMemberAddMode(r.Settings.MemberAdd),
		GroupMembershipApprovalMode: types.GroupMembershipApprovalMode{
			IsJoinApprovalRequired: r.Settings.MembershipApproval == ApprovalOn,
		},
	}
}

func refusedCreation(err error) error {
	switch iqCode(err) {
	case 401, 403:
		return fault.New(fault.Rejected, "WhatsApp does not let this account create groups at present").Because(err)
	case 404, 400:
		return fault.New(fault.Rejected, "WhatsApp does not accept this group; a participant may not exist").Because(err)
	}
	return refusedSubject("name", err)
}

// ensureModes reads a new group back and sets those modes that are not as
// asked. The group exists whatever happens here, so failures are warnings.
func (s *Service) ensureModes(ctx context.Context, sessionID string, group types.JID, want Settings) []Warning {
	if want == (Settings{}) {
		return nil
	}
	made, err := s.group(ctx, sessionID, group)
	if err == nil {
		if rest := made.Settings.differing(want); rest != (Settings{}) {
			_, err = s.apply(ctx, sessionID, group, rest)
		}
	}
	if err == nil {
		return nil
	}
	failure := fault.From(err)
	return []Warning{{
		Field: failure.Field, Code: failure.Code,
		Message: "the group was made, but its settings may not be as asked: " + failure.Message,
	}}
}
