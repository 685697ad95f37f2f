package groups

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
)

// Prospect is somebody who may be added to a group, as WhatsApp knew them just
// before.
type Prospect struct {
	// Input is the person as the request spelled it.
	Input string
	Identity
	// Absent: the number belongs to no WhatsApp account.
	Absent bool
	// Member: the person is in the group.
	Member bool
}

// Prospects finds out about people without changing anything, one entry for
// each participant of the request and in its order. It always asks WhatsApp:
// once about all phone numbers and once for the group, so that what it says of
// memberships includes changes whose answers were lost. The faults are those
// of reading a group.
func (s *Service) Prospects(ctx context.Context, req MembershipRequest) ([]Prospect, error) {
	jid, entries, err := req.parse()
	if err != nil {
		return nil, err
	}
	var prospects []Prospect
	err = s.read(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		people, err := identifyEach(ctx, client, entries, true)
		if err != nil {
			return err
		}
		group, err := queryGroup(ctx, client, jid)
		if err != nil {
			return err
		}
		prospects = survey(people, group.Participants)
		return nil
	})
	return prospects, err
}

// survey tells who of the people is a member.
func survey(people []person, members []Participant) []Prospect {
	known := make(map[string]Identity, 2*len(members))
	for _, m := range members {
		for _, name := range []string{m.PhoneNumber, m.LID} {
			if name != "" {
				known[name] = m.Identity
			}
		}
	}
	prospects := make([]Prospect, len(people))
	for i, p := range people {
		id := identity(p.pn, p.lid)
		member, found := known[id.LID]
		if !found {
			member, found = known[id.PhoneNumber]
		}
		if found {
			id = member
		}
		prospects[i] = Prospect{Input: p.input, Identity: id, Absent: p.absent && !found, Member: found}
	}
	return prospects
}

// AddProspects adds people whom Prospects has told about, in one change and
// without asking about them again. Those who are absent or members fail
// without WhatsApp being asked. People whose privacy forbids it fail; their
// results have an Offer.
func (s *Service) AddProspects(ctx context.Context, target Target, prospects []Prospect) ([]Result, error) {
	group, err := target.group()
	if err != nil {
		return nil, err
	}
	var people []person
	for _, p := range prospects {
		if p.Failed() != nil {
			continue
		}
		pn, lid, err := p.names()
		if err != nil {
			return nil, err
		}
		people = append(people, person{input: p.Input, pn: pn, lid: lid})
	}
	var mode types.AddressingMode
	err = s.read(ctx, target.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		mode, err = addressing(ctx, client, group)
		return err
	})
	if err != nil {
		return nil, err
	}
	answered, err := s.changeMembers(ctx, target.SessionID, group, people, mode, whatsmeow.ParticipantChangeAdd)
	if err != nil {
		return nil, err
	}
	results := make([]Result, 0, len(prospects))
	for _, p := range prospects {
		if failed := p.Failed(); failed != nil {
			results = append(results, *failed)
			continue
		}
		results, answered = append(results, answered[0]), answered[1:]
	}
	return results, nil
}

// Failed is the result of a prospect whom there is no use in asking WhatsApp
// about; nil for all others.
func (p Prospect) Failed() *Result {
	var number int
	switch {
	case p.Member:
		number = numberMember
	case p.Absent:
		number = numberAbsent
	default:
		return nil
	}
	failure := addFailures[number]
	return &Result{Input: p.Input, Identity: p.Identity, Status: StatusFailed, Failure: &failure}
}

// NewIdentity makes an Identity of a phone number's digits and a LID; either
// may be empty.
func NewIdentity(phone, lid string) Identity {
	id := Identity{JID: lid, PhoneNumber: phone, LID: lid}
	if phone != "" {
		id.JID = types.NewJID(phone, types.DefaultUserServer).String()
	}
	return id
}

// names reads the person's JIDs back from how they are shown.
func (id Identity) names() (pn, lid types.JID, err error) {
	if id.PhoneNumber != "" {
		pn = types.NewJID(id.PhoneNumber, types.DefaultUserServer)
	}
	if id.LID != "" {
		lid, err = address.Person("lid", id.LID)
	}
	if err == nil && pn.IsEmpty() && lid.IsEmpty() {
		err = fault.New(fault.Internal, "a person without a name cannot be added")
	}
	return pn, lid, err
}

// Offer is the means to invite a person whom privacy settings kept from being
// added; false when WhatsApp gave none.
func (r Result) Offer() (Ticket, bool) {
	if r.offer == nil {
		return Ticket{}, false
	}
	return r.offer.ticket, true
}

// InviteRequest is an invite message to one person.
type InviteRequest struct {
	Target
	To     Identity
	Ticket Ticket
	// MessageID names the message, see NewMessageID. A message that is sent
	// again under its id reaches the person once.
	MessageID string
}

// Invite sends an invite message with a ticket from an Offer.
func (s *Service) Invite(ctx context.Context, req InviteRequest) error {
	group, err := req.group()
	if err != nil {
		return err
	}
	pn, lid, err := req.To.names()
	if err != nil {
		return err
	}
	to := person{pn: pn, lid: lid}.address(types.AddressingModePN)
	return s.invite(ctx, &invitation{sessionID: req.SessionID, group: group}, offer{ticket: req.Ticket, to: to, messageID: req.MessageID})
}

// NewMessageID makes an id for a message that is yet to be sent, in the form
// that WhatsApp's web client uses.
func NewMessageID() string {
	var random [9]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	return whatsmeow.WebMessageIDPrefix + strings.ToUpper(hex.EncodeToString(random[:]))
}
