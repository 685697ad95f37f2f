package group

import (
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// invitePrefix is what invite links begin with (whatsmeow.InviteLinkPrefix).
const invitePrefix = "https://chat.whatsapp.com/"

// InviteLink is the link that shares an invite code.
func InviteLink(code string) string { return invitePrefix + code }

// InviteCodeOf takes the code out of an invite link, or returns a bare code as
// it is. Queries that shared links carry are dropped.
func InviteCodeOf(link string) string {
	code := strings.TrimPrefix(link, invitePrefix)
	code, _, _ = strings.Cut(code, "?")
	return strings.TrimSuffix(code, "/")
}

// JoinResult is what came of joining: membership, or a request for it.
type JoinResult struct {
	Group     types.JID `json:"group"`
	Requested bool      `json:"requested"`
}

// Invite reads the group's invite code, after replacing it when reset is set:
// 401 without the right. The code before a reset is gone for good.
func (r *Registry) Invite(actor Person, group types.JID, reset bool) (string, []Push, *stanza.Error) {
	a := actInviteGet
	if reset {
		a = actInviteReset
	}
	g, refusal := r.authorize(actor, group, a)
	if refusal != nil {
		return "", nil, refusal
	}
	if !reset {
		return g.InviteCode, nil, nil
	}
	if refusal := r.renewInvite(g); refusal != nil {
		return "", nil, refusal
	}
	node := stanza.Node{Tag: "invite", Attrs: stanza.Attrs{"code": g.InviteCode}}
	return g.InviteCode, r.tell(g, &actor, node), nil
}

// Invited resolves an invite code: 406 malformed, 410 revoked or nobody left in
// the group, 404 never issued.
func (r *Registry) Invited(code string) (*Group, *stanza.Error) {
	if len(code) != inviteCodeLength || strings.Trim(code, base62) != "" {
		return nil, stanza.Refuse(406)
	}
	known, ok := r.codes[code]
	if !ok {
		return nil, stanza.Refuse(404)
	}
	g := r.groups[known.Group]
	if known.Revoked || g == nil || len(g.Roster) == 0 {
		return nil, stanza.Refuse(410)
	}
	return g, nil
}

// Join joins by invite code: what Invited refuses, 409 already a member, 405
// removed by an admin before, 412 community full, 419 group full, 423
// suspended. With approval on it becomes a join request.
func (r *Registry) Join(actor Person, code string) (JoinResult, []Push, *stanza.Error) {
	g, refusal := r.Invited(code)
	if refusal != nil {
		return JoinResult{}, nil, refusal
	}
	if refusal := r.mayEnter(g, actor); refusal != nil {
		return JoinResult{}, nil, refusal
	}
	return r.enter(g, actor, arrival{g.Approval, reasonInvite, MethodInviteLink, nil})
}

// mayEnter tells whether somebody may come in on their own.
func (r *Registry) mayEnter(g *Group, actor Person) *stanza.Error {
	switch gone := g.Gone[actor.LID]; {
	case g.has(actor.LID):
		return stanza.Refuse(409)
	case g.Suspended:
		return stanza.Refuse(423)
	case gone.Removed:
		return stanza.Refuse(405)
	}
	switch code := r.fits(g, actor, nil); code {
	case 0:
		return nil
	case 417:
		return r.beyond(LimitCommunityMembers)
	default:
		return r.beyond(r.capacity(g))
	}
}

// arrival is how somebody comes in on their own.
type arrival struct {
	ask    bool          // an admin must approve
	reason string        // of the notification, when not
	method RequestMethod // of the request, when so
	by     *Person       // who invited, where that was a member
}

// enter admits somebody who comes on their own, or has them wait for approval.
func (r *Registry) enter(g *Group, actor Person, how arrival) (JoinResult, []Push, *stanza.Error) {
	result := JoinResult{Group: g.JID, Requested: how.ask}
	if !how.ask {
		return result, r.admit(g, &actor, []Person{actor}, how.reason), nil
	}
	if int64(len(g.Waiting)) >= r.limit(LimitRequests).Value && g.waitingIndex(actor.LID) < 0 {
		return JoinResult{}, nil, r.beyond(LimitRequests)
	}
	return result, r.askAdmins(g, &actor, how.by, []Person{actor}, how.method), nil
}

// issueAddRequest makes the private invitation for somebody whose privacy
// setting refuses the actor's add; it replaces an earlier one.
func (r *Registry) issueAddRequest(g *Group, actor, target Person) (*AddRequest, *stanza.Error) {
	code, refusal := r.draw(addCodeLength, base62)
	if refusal != nil {
		return nil, refusal
	}
	request := AddRequest{Code: code, Expires: r.stamp().Add(r.span(LimitAddRequest)), Admin: actor, For: target}
	g.dropAddRequests(target.LID)
	g.AddRequests = append(g.AddRequests, request)
	return &request, nil
}

// Credential is what an invite message holds.
type Credential struct {
	Code    string
	Expires time.Time
	Admin   types.JID
}

// AddRequestGroup resolves an invite message that was sent to the actor: 404
// unknown group, 406 incomplete, 410 not valid (any more).
func (r *Registry) AddRequestGroup(actor Person, group types.JID, c Credential) (*Group, *stanza.Error) {
	g, _, refusal := r.addRequest(actor, group, c)
	return g, refusal
}

func (r *Registry) addRequest(actor Person, group types.JID, c Credential) (*Group, AddRequest, *stanza.Error) {
	g := r.groups[bare(group)]
	switch {
	case g == nil || len(g.Roster) == 0:
		return nil, AddRequest{}, stanza.Refuse(404)
	case c.Code == "" || c.Expires.IsZero() || c.Admin.IsEmpty():
		return nil, AddRequest{}, stanza.Refuse(406)
	}
	at := slices.IndexFunc(g.AddRequests, func(a AddRequest) bool {
		return a.Code == c.Code && a.For.LID == actor.LID && a.Expires.Equal(c.Expires)
	})
	if at < 0 {
		return nil, AddRequest{}, stanza.Refuse(410)
	}
	request := g.AddRequests[at]
	admin, known := r.find(g, c.Admin)
	if !known || admin.LID != request.Admin.LID || !g.has(admin.LID) || !r.now().Before(request.Expires) {
		return nil, AddRequest{}, stanza.Refuse(410)
	}
	return g, request, nil
}

// Accept joins by an invite message: what AddRequestGroup and Join refuse. The
// invitation of somebody who is no admin still needs approval where it is on.
func (r *Registry) Accept(actor Person, group types.JID, c Credential) (JoinResult, []Push, *stanza.Error) {
	g, request, refusal := r.addRequest(actor, group, c)
	if refusal != nil {
		return JoinResult{}, nil, refusal
	}
	if refusal := r.mayEnter(g, actor); refusal != nil {
		return JoinResult{}, nil, refusal
	}
	inviter, _ := g.Member(request.Admin.LID)
	ask := g.Approval && !inviter.Role.Admin()
	return r.enter(g, actor, arrival{ask, reasonInvite, MethodNonAdminAdd, &inviter.Person})
}

// Revoke takes back the add requests of people: 404 where there is none.
func (r *Registry) Revoke(actor Person, group types.JID, people []types.JID) ([]ParticipantResult, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actRevoke)
	if refusal != nil {
		return nil, refusal
	}
	jids, refusal := userJIDs(people)
	if refusal != nil {
		return nil, refusal
	}
	results := make([]ParticipantResult, len(jids))
	for i, jid := range jids {
		results[i] = ParticipantResult{JID: jid, Code: 404}
		p, known := r.find(g, jid)
		if !known {
			continue
		}
		results[i].Person = p
		if slices.ContainsFunc(g.AddRequests, func(a AddRequest) bool { return a.For.LID == p.LID }) {
			results[i].Code = 0
			g.dropAddRequests(p.LID)
		}
	}
	return results, nil
}
