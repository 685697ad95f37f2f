package group

import (
	"slices"
	"strconv"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// ParticipantResult is what became of one requested participant.
type ParticipantResult struct {
	// JID is what was asked for, without device.
	JID types.JID `json:"jid"`
	// Person is who that is; its LID is empty for people not on WhatsApp.
	Person Person `json:"person"`
	// Code is 0 for success, else the participant's error. 421 means that the
	// add became a join request.
	Code int  `json:"code"`
	Role Role `json:"role,omitempty"`
	// AddRequest is the private invitation that goes with code 403.
	AddRequest *AddRequest `json:"add_request,omitempty"`
}

// userJIDs checks a list of requested people. One JID that cannot be a user
// fails the whole request with 400, as does an empty list.
func userJIDs(jids []types.JID) ([]types.JID, *stanza.Error) {
	if len(jids) == 0 {
		return nil, stanza.Refuse(400)
	}
	list := make([]types.JID, len(jids))
	for i, jid := range jids {
		jid = bare(jid)
		if jid.User == "" || jid.Server != types.DefaultUserServer && jid.Server != types.HiddenUserServer {
			return nil, stanza.Refuse(400)
		}
		list[i] = jid
	}
	return list, nil
}

// Add adds people. Each gets a result, in order: 404 not on WhatsApp, 409
// already in, 401 blocked, 403 privacy (with an add request), 408 left
// recently, 417 the community is full, 419 the group is full, 421 made a join
// request because the actor is no admin and approval is on.
func (r *Registry) Add(actor Person, group types.JID, people []types.JID) ([]ParticipantResult, []Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actAdd)
	if refusal != nil {
		return nil, nil, refusal
	}
	jids, refusal := userJIDs(people)
	if refusal != nil {
		return nil, nil, refusal
	}
	var results []ParticipantResult
	var joining, asking []Person
	for _, jid := range jids {
		result, refusal := r.tryAdd(g, actor, jid, "add", joining)
		if refusal != nil {
			return nil, nil, refusal
		}
		switch result.Code {
		case 0:
			joining = append(joining, result.Person)
		case 421:
			asking = append(asking, result.Person)
		}
		results = append(results, result)
	}
	pushes := r.admit(g, &actor, joining, "")
	return results, append(pushes, r.askAdmins(g, &actor, &actor, asking, MethodNonAdminAdd)...), nil
}

// tryAdd decides about one person and issues the add request that a privacy
// refusal carries. It changes no membership.
func (r *Registry) tryAdd(g *Group, actor Person, jid types.JID, action string, joining []Person) (ParticipantResult, *stanza.Error) {
	result := ParticipantResult{JID: jid, Role: RoleMember}
	target, known := r.find(g, jid)
	result.Person = target
	attempt := Attempt{Action: action, Group: g.JID, Actor: actor, Target: target}
	if !known {
		attempt.Target = unknownPerson(jid)
	}
	switch code := r.hooked(attempt); {
	case code != 0:
		result.Code = code
	case !known:
		result.Code = 404
	default:
		result.Code = r.addCode(g, actor, target, joining)
	}
	if result.Code == 403 && known {
		request, refusal := r.issueAddRequest(g, actor, target)
		if refusal != nil {
			return result, refusal
		}
		result.AddRequest = request
	}
	if result.Code != 0 {
		result.Role = ""
	}
	return result, nil
}

// addCode is the model's own decision about one person, in the order in which
// the reasons are checked.
func (r *Registry) addCode(g *Group, actor, target Person, joining []Person) int {
	if g.has(target.LID) || slices.ContainsFunc(joining, func(p Person) bool { return p.LID == target.LID }) {
		return 409
	}
	if code := r.dir.AddRefusal(actor, target); code != 0 {
		return code
	}
	gone, left := g.Gone[target.LID]
	if left && !gone.Removed && r.now().Sub(gone.At) < r.span(LimitRecentlyLeft) {
		return r.limit(LimitRecentlyLeft).Refusal
	}
	if code := r.fits(g, target, joining); code != 0 {
		return code
	}
	m, member := g.Member(actor.LID)
	switch {
	case !g.Approval || !member || m.Role.Admin():
		return 0
	case int64(len(g.Waiting)) >= r.limit(LimitRequests).Value && g.waitingIndex(target.LID) < 0:
		return r.limit(LimitRequests).Refusal
	}
	return 421
}

// fits tells whether one more can join after those who are about to: 417 when
// the community is full, 419 when the group is, 0 when there is room.
func (r *Registry) fits(g *Group, target Person, joining []Person) int {
	if parent := r.community(g); parent != nil && !g.Parent && !g.DefaultSub &&
		!parent.has(target.LID) && r.room(parent) <= len(parent.strangers(joining)) {
		return 417
	}
	if r.room(g) <= len(joining) {
		return 419
	}
	return 0
}

// unknownPerson carries the requested JID of somebody not on WhatsApp.
func unknownPerson(jid types.JID) Person {
	if jid.Server == types.HiddenUserServer {
		return Person{LID: jid}
	}
	return Person{PN: jid}
}

// Remove removes members: 404 not in the group, 405 the creator, 406 oneself.
// Out of a community's parent or announcement group is out of all its groups.
func (r *Registry) Remove(actor Person, group types.JID, people []types.JID) ([]ParticipantResult, []Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actRemove)
	if refusal != nil {
		return nil, nil, refusal
	}
	results, chosen, refusal := r.choose(g, actor, "remove", people, func(m Member) int {
		switch {
		case m.LID == actor.LID:
			return 406
		case m.Role == RoleSuperAdmin:
			return 405
		}
		return 0
	})
	if refusal != nil {
		return nil, nil, refusal
	}
	return results, r.expel(g, &actor, chosen, true), nil
}

// Promote makes members admins: 404 not in the group. Who is one already stays.
func (r *Registry) Promote(actor Person, group types.JID, people []types.JID) ([]ParticipantResult, []Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actPromote)
	if refusal != nil {
		return nil, nil, refusal
	}
	results, chosen, refusal := r.choose(g, actor, "promote", people, func(Member) int { return 0 })
	if refusal != nil {
		return nil, nil, refusal
	}
	chosen = slices.DeleteFunc(chosen, func(p Person) bool { return g.Roster[g.index(p.LID)].Role.Admin() })
	pushes := r.setRole(g, &actor, chosen, RoleAdmin)
	return g.withRoles(results), pushes, nil
}

// Demote makes admins plain members: 404 not in the group, 405 the creator, 406
// the last admin. Who is none stays.
func (r *Registry) Demote(actor Person, group types.JID, people []types.JID) ([]ParticipantResult, []Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actDemote)
	if refusal != nil {
		return nil, nil, refusal
	}
	left := len(g.adminLIDs())
	results, chosen, refusal := r.choose(g, actor, "demote", people, func(m Member) int {
		switch {
		case m.Role == RoleSuperAdmin:
			return 405
		case m.Role == RoleAdmin && left <= 1:
			return 406
		case m.Role == RoleAdmin:
			left--
		}
		return 0
	})
	if refusal != nil {
		return nil, nil, refusal
	}
	pushes := r.setRole(g, &actor, chosen, RoleMember)
	return g.withRoles(results), pushes, nil
}

// choose decides about each requested member and returns those to change, each
// once. Somebody asked for a second time is judged like the first time.
func (r *Registry) choose(g *Group, actor Person, action string, people []types.JID, judge func(Member) int) ([]ParticipantResult, []Person, *stanza.Error) {
	jids, refusal := userJIDs(people)
	if refusal != nil {
		return nil, nil, refusal
	}
	results := make([]ParticipantResult, len(jids))
	decided := map[types.JID]int{}
	var chosen []Person
	for i, jid := range jids {
		result := ParticipantResult{JID: jid}
		m, ok := g.Member(jid)
		if !ok {
			result.Code = 404
			if known, found := r.find(nil, jid); found {
				result.Person = known
			}
			results[i] = result
			continue
		}
		result.Person = m.Person
		code, again := decided[m.LID]
		if !again {
			if code = r.hooked(Attempt{Action: action, Group: g.JID, Actor: actor, Target: m.Person}); code == 0 {
				code = judge(m)
			}
			decided[m.LID] = code
			if code == 0 {
				chosen = append(chosen, m.Person)
			}
		}
		result.Code = code
		results[i] = result
	}
	return results, chosen, nil
}

// withRoles fills in the roles that members have after a change.
func (g *Group) withRoles(results []ParticipantResult) []ParticipantResult {
	for i := range results {
		if at := g.index(results[i].Person.LID); at >= 0 {
			results[i].Role = g.Roster[at].Role
		}
	}
	return results
}

// resultNodes renders results as <participant jid phone_number|lid error? type?/>.
func (g *Group) resultNodes(results []ParticipantResult) []stanza.Node {
	nodes := make([]stanza.Node, len(results))
	for i, result := range results {
		nodes[i] = g.resultNode(result)
	}
	return nodes
}

func (g *Group) resultNode(result ParticipantResult) stanza.Node {
	node := stanza.Node{Tag: "participant", Attrs: stanza.Attrs{"jid": result.JID}}
	if !result.Person.LID.IsEmpty() {
		node = g.personNode("participant", result.Person)
	}
	if result.Role.Admin() {
		node.Attrs["type"] = string(result.Role)
	}
	if result.Code != 0 {
		node.Attrs["error"] = strconv.Itoa(result.Code)
	}
	switch {
	case result.AddRequest != nil:
		node.Content = []stanza.Node{{Tag: "add_request", Attrs: stanza.Attrs{
			"code": result.AddRequest.Code, "expiration": unix(result.AddRequest.Expires),
		}}}
	case result.Code == 421:
		node.Content = []stanza.Node{{Tag: "membership_approval_request"}}
	}
	return node
}
