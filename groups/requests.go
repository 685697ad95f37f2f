package groups

import (
	"context"
	"slices"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/idempotency"
)

// The two decisions about requests to join. The stanza has its own tags for
// them; what becomes of each person is read like the other changes of members.
const (
	approve = whatsmeow.ParticipantChange(whatsmeow.ParticipantChangeApprove)
	reject  = whatsmeow.ParticipantChange(whatsmeow.ParticipantChangeReject)
)

// JoinRequest is somebody who waits to be let in.
type JoinRequest struct {
	Identity
	RequestedAt time.Time
	// Method is how they asked, as WhatsApp spells it: "invite_link",
	// "non_admin_add", "linked_group_join"; empty when it does not say.
	Method string
	// RequestedBy is the member who asked for them; the zero value when they
	// asked themselves.
	RequestedBy Identity
}

// JoinRequestsRequest asks who waits to be let into a group.
type JoinRequestsRequest struct{ Target }

// JoinRequests lists who waits to be let in, oldest first. WhatsApp tells admins
// only: fault not_admin otherwise.
func (s *Service) JoinRequests(ctx context.Context, req JoinRequestsRequest) (requests []JoinRequest, err error) {
	group, err := req.group()
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		requests, err = queryRequests(ctx, client, group)
		return refused(err)
	})
	if err != nil {
		return nil, s.explain(ctx, req.SessionID, group, err)
	}
	return requests, nil
}

// queryRequests does what the client's GetGroupRequestParticipants does, and
// keeps what that one drops: the phones, and how each of them asked.
func queryRequests(ctx context.Context, client *whatsmeow.Client, group types.JID) ([]JoinRequest, error) {
	const tag = "membership_approval_requests"
	answer, err := client.DangerousInternals().SendGroupIQ(ctx, "get", group, waBinary.Node{Tag: tag})
	if err != nil {
		return nil, err
	}
	list, ok := answer.GetOptionalChildByTag(tag)
	if !ok {
		return nil, &whatsmeow.ElementMissingError{Tag: tag, In: "the answer to the query of join requests"}
	}
	var requests []JoinRequest
	for _, node := range list.GetChildrenByTag("membership_approval_request") {
		attrs := node.AttrGetter()
		request := JoinRequest{RequestedAt: attrs.OptionalUnixTime("request_time"), Method: attrs.OptionalString("request_method")}
		if request.Identity, err = whoIs(ctx, client, attrs, "jid", "phone_number", "lid"); err != nil {
			return nil, err
		}
		if request.RequestedBy, err = whoIs(ctx, client, attrs, "requestor", "requestor_pn", "requestor_lid"); err != nil {
			return nil, err
		}
		requests = append(requests, request)
	}
	slices.SortStableFunc(requests, func(a, b JoinRequest) int { return a.RequestedAt.Compare(b.RequestedAt) })
	return requests, nil
}

// whoIs reads the person whom attributes name in some of several ways.
func whoIs(ctx context.Context, client *whatsmeow.Client, attrs *waBinary.AttrUtility, names ...string) (Identity, error) {
	jids := make([]types.JID, len(names))
	for i, name := range names {
		jids[i] = attrs.OptionalJIDOrEmpty(name)
	}
	pn, lid := pair(jids...)
	pn, lid, err := complete(ctx, client.Store.LIDs, pn, lid)
	return identity(pn, lid), err
}

// Approve lets people in who have asked, and answers for each of them, in the
// order asked.
func (s *Service) Approve(ctx context.Context, req MembershipRequest) ([]Result, error) {
	return s.decide(ctx, req, whatsmeow.ParticipantChangeApprove)
}

// Reject turns people down who have asked, and answers for each of them, in the
// order asked.
func (s *Service) Reject(ctx context.Context, req MembershipRequest) ([]Result, error) {
	return s.decide(ctx, req, whatsmeow.ParticipantChangeReject)
}

func (s *Service) decide(ctx context.Context, req MembershipRequest, decision whatsmeow.ParticipantRequestChange) ([]Result, error) {
	group, entries, err := req.parse()
	if err != nil {
		return nil, err
	}
	var people []person
	var mode types.AddressingMode
	err = s.read(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		if mode, err = addressing(ctx, client, group); err != nil {
			return err
		}
		people, err = identify(ctx, client, entries, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, end, err := s.exclusive(ctx, req.SessionID, group)
	if err != nil {
		return nil, err
	}
	defer end()
	// To those who are let in, WhatsApp says the same as of those who are added.
	echo := becoming{ChangeAdded: ChangeApproved, ChangeArrived: ChangeApproved}
	if decision == whatsmeow.ParticipantChangeReject {
		echo = as(ChangeRejected)
	}
	ctx, expected := s.expect(ctx, req.SessionID, group, "", echo)
	defer expected()
	done, err := s.decided(ctx, req.SessionID, group, people, whatsmeow.ParticipantChange(decision))
	if err != nil {
		return nil, err
	}
	rest, jids := reachable(without(people, done), mode)
	if len(rest) == 0 {
		return merged(len(people), done, nil), nil
	}
	if err = s.foreseeDecision(ctx, req.SessionID, group, rest, whatsmeow.ParticipantChange(decision)); err != nil {
		return nil, err
	}
	var results []Result
	err = s.write(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		answer, err := client.UpdateGroupRequestParticipants(ctx, group, jids, decision)
		if err != nil {
			return refused(err)
		}
		rememberNames(ctx, client, answer)
		results = settle(whatsmeow.ParticipantChange(decision), rest, answer)
		return nil
	})
	if err != nil {
		return nil, s.explain(ctx, req.SessionID, group, err)
	}
	s.recordMembers(ctx, req.SessionID, group, results)
	return merged(len(people), done, results), nil
}

// decided is reached for decisions: whoever has been let in is a member, and
// whoever was turned down does not wait any more.
func (s *Service) decided(ctx context.Context, sessionID string, group types.JID, people []person, decision whatsmeow.ParticipantChange) (map[int]Result, error) {
	done, err := s.reached(ctx, sessionID, group, people, decision)
	if err != nil || done == nil || decision != reject {
		return done, err
	}
	waiting, err := s.waiting(ctx, sessionID, group)
	if err != nil {
		return nil, err
	}
	before, err := idle(ctx)
	if err != nil {
		return nil, err
	}
	for i, p := range people {
		if !waiting(p) {
			done[i] = settled(p, reject, before)
		}
	}
	return done, nil
}

// waiting asks WhatsApp who waits to be let in.
func (s *Service) waiting(ctx context.Context, sessionID string, group types.JID) (func(person) bool, error) {
	var requests []JoinRequest
	err := s.read(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) (err error) {
		requests, err = queryRequests(ctx, client, group)
		return refused(err)
	})
	return func(p person) bool {
		who := identity(p.pn, p.lid)
		return slices.ContainsFunc(requests, func(r JoinRequest) bool { return r.same(who) })
	}, err
}

// foreseeDecision is foresee for decisions: there is no turning down of those who
// do not wait.
func (s *Service) foreseeDecision(ctx context.Context, sessionID string, group types.JID, people []person, decision whatsmeow.ParticipantChange) error {
	attempt := idempotency.From(ctx)
	if decision != reject || attempt == nil || attempt.Resumed() {
		return s.foresee(ctx, sessionID, group, people, decision)
	}
	waiting, err := s.waiting(ctx, sessionID, group)
	if err != nil {
		return s.explain(ctx, sessionID, group, err)
	}
	return note(ctx, people, func(p person) bool { return !waiting(p) })
}
