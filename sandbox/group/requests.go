package group

import (
	"slices"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// Requests lists who waits to be let in, oldest first: 403 for non-admins.
func (r *Registry) Requests(actor Person, group types.JID) ([]Request, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actRequests)
	if refusal != nil {
		return nil, refusal
	}
	return slices.Clone(g.Waiting), nil
}

// Approve lets people in: 404 no request, 409 member already, 417 community
// full, 419 group full.
func (r *Registry) Approve(actor Person, group types.JID, people []types.JID) ([]ParticipantResult, []Push, *stanza.Error) {
	g, results, waiting, refusal := r.decide(actor, group, "approve", people)
	if refusal != nil {
		return nil, nil, refusal
	}
	var pushes []Push
	for _, reason := range []string{reasonInvite, "", reasonLinkedGroup} {
		var people []Person
		for _, w := range waiting {
			if arrivalReason(w.Method) == reason {
				people = append(people, w.Person)
			}
		}
		pushes = append(pushes, r.admit(g, &actor, people, reason)...)
	}
	return results, pushes, nil
}

// arrivalReason is the reason that an approved request gives for the arrival.
func arrivalReason(method RequestMethod) string {
	switch method {
	case MethodInviteLink:
		return reasonInvite
	case MethodLinkedGroup:
		return reasonLinkedGroup
	}
	return ""
}

// Reject turns people down: 404 no request. The admins hear of it.
func (r *Registry) Reject(actor Person, group types.JID, people []types.JID) ([]ParticipantResult, []Push, *stanza.Error) {
	g, results, waiting, refusal := r.decide(actor, group, "reject", people)
	if refusal != nil {
		return nil, nil, refusal
	}
	gone := make([]Person, len(waiting))
	for i, w := range waiting {
		gone[i] = w.Person
	}
	return results, r.dropRequests(g, &actor, gone), nil
}

// decide finds the requests that an admin decides about, each once.
func (r *Registry) decide(actor Person, group types.JID, action string, people []types.JID) (*Group, []ParticipantResult, []Request, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actDecide)
	if refusal != nil {
		return nil, nil, nil, refusal
	}
	jids, refusal := userJIDs(people)
	if refusal != nil {
		return nil, nil, nil, refusal
	}
	results := make([]ParticipantResult, len(jids))
	var waiting []Request
	var joining []Person
	for i, jid := range jids {
		p, known := r.find(g, jid)
		result := ParticipantResult{JID: jid, Person: p, Code: 404}
		at := g.waitingIndex(p.LID)
		switch {
		case !known:
		case g.has(p.LID):
			result.Code = 409
		case at >= 0 && !slices.ContainsFunc(joining, func(j Person) bool { return j.LID == p.LID }):
			result.Code = r.hooked(Attempt{Action: action, Group: g.JID, Actor: actor, Target: p})
			if result.Code == 0 && action == "approve" {
				result.Code = r.fits(g, p, joining)
			}
		}
		if result.Code == 0 {
			joining = append(joining, p)
			waiting = append(waiting, g.Waiting[at])
		}
		results[i] = result
	}
	return g, results, waiting, nil
}

// CancelRequest withdraws join requests: one's own (also with no people named),
// or those one made for others. 404 unknown group; per participant 404 no
// request, 403 somebody else's.
func (r *Registry) CancelRequest(actor Person, group types.JID, people []types.JID) ([]ParticipantResult, []Push, *stanza.Error) {
	g := r.groups[bare(group)]
	if g == nil || len(g.Roster) == 0 {
		return nil, nil, stanza.Refuse(404)
	}
	if len(people) == 0 {
		people = []types.JID{actor.LID}
	}
	jids, refusal := userJIDs(people)
	if refusal != nil {
		return nil, nil, refusal
	}
	results := make([]ParticipantResult, len(jids))
	var gone []Person
	for i, jid := range jids {
		p, known := r.find(g, jid)
		result := ParticipantResult{JID: jid, Person: p, Code: 404}
		if at := g.waitingIndex(p.LID); known && at >= 0 {
			w := g.Waiting[at]
			result.Code = 403
			if p.LID == actor.LID || w.By != nil && w.By.LID == actor.LID {
				result.Code = 0
			}
		}
		if result.Code == 0 && !slices.ContainsFunc(gone, func(q Person) bool { return q.LID == p.LID }) {
			gone = append(gone, p)
		}
		results[i] = result
	}
	return results, r.dropRequests(g, &actor, gone), nil
}

// dropRequests ends requests without membership and tells the admins: the actor
// tells a withdrawal from a rejection.
func (r *Registry) dropRequests(g *Group, actor *Person, people []Person) []Push {
	if len(people) == 0 {
		return nil
	}
	for _, p := range people {
		g.dropWaiting(p.LID)
	}
	return r.tellThem(g, g.adminLIDs(), actor, stanza.Node{
		Tag: "revoked_membership_requests", Content: g.personNodes("participant", people),
	})
}

// requestNodes renders the list of requests.
func (g *Group) requestNodes(requests []Request) []stanza.Node {
	nodes := make([]stanza.Node, len(requests))
	for i, w := range requests {
		node := g.personNode("membership_approval_request", w.Person)
		node.Attrs["request_time"] = unix(w.At)
		node.Attrs["request_method"] = string(w.Method)
		if w.By != nil {
			g.putAddress(node.Attrs, "requestor", "requestor_", *w.By)
		}
		nodes[i] = node
	}
	return nodes
}
