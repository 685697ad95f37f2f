package group

import (
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// handleQuery shows a group to its members, and by <add_request> to somebody
// who holds an invite message.
func handleQuery(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	child := stanza.Child(n, "add_request")
	if child == nil {
		return r.groupView(actor, group)
	}
	g, refusal := r.AddRequestGroup(actor, group, credential(child))
	if refusal != nil {
		return nil, nil, refusal
	}
	return []stanza.Node{r.groupNode(g, outsideView)}, nil, nil
}

func handleAccept(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	result, pushes, refusal := r.Accept(actor, group, credential(n))
	return joinReply(result, refusal), pushes, refusal
}

// credential reads <… code expiration admin/>; what is missing stays zero.
func credential(n *stanza.Node) Credential {
	c := Credential{Code: stanza.Text(n, "code")}
	if at, ok := stanza.Int(n, "expiration"); ok {
		c.Expires = time.Unix(at, 0).UTC()
	}
	if admin, ok := stanza.JID(n, "admin"); ok {
		c.Admin = admin
	}
	return c
}

func handleRevoke(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	people, refusal := r.people(n)
	if refusal != nil {
		return nil, nil, refusal
	}
	results, refusal := r.Revoke(actor, group, people)
	if refusal != nil {
		return nil, nil, refusal
	}
	return r.resultReply(group, results, n.Tag), nil, nil
}

// resultReply nests results into the tags of the request.
func (r *Registry) resultReply(group types.JID, results []ParticipantResult, tags ...string) []stanza.Node {
	nodes := r.groups[group].resultNodes(results)
	for i := len(tags) - 1; i >= 0; i-- {
		nodes = []stanza.Node{{Tag: tags[i], Content: nodes}}
	}
	return nodes
}

// participantHandler answers the changes that have one result per participant.
func participantHandler(change func(*Registry, Person, types.JID, []types.JID) ([]ParticipantResult, []Push, *stanza.Error)) handler {
	return func(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
		people, refusal := r.people(n)
		if refusal != nil {
			return nil, nil, refusal
		}
		results, pushes, refusal := change(r, actor, group, people)
		if refusal != nil {
			return nil, nil, refusal
		}
		return r.resultReply(group, results, n.Tag), pushes, nil
	}
}

func handleInvite(reset bool) handler {
	return func(r *Registry, actor Person, group types.JID, _ *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
		code, pushes, refusal := r.Invite(actor, group, reset)
		if refusal != nil {
			return nil, nil, refusal
		}
		return []stanza.Node{{Tag: "invite", Attrs: stanza.Attrs{"code": code}}}, pushes, nil
	}
}

func handleRequests(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	requests, refusal := r.Requests(actor, group)
	if refusal != nil {
		return nil, nil, refusal
	}
	return []stanza.Node{{Tag: n.Tag, Content: r.groups[group].requestNodes(requests)}}, nil, nil
}

// handleDecision answers <membership_requests_action><approve|reject>.
func handleDecision(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	decisions := map[string]handler{
		"approve": participantHandler((*Registry).Approve),
		"reject":  participantHandler((*Registry).Reject),
	}
	child := stanza.First(n)
	if child == nil || decisions[child.Tag] == nil {
		return nil, nil, stanza.Refuse(400)
	}
	inner, pushes, refusal := decisions[child.Tag](r, actor, group, child)
	if refusal != nil {
		return nil, nil, refusal
	}
	return []stanza.Node{{Tag: n.Tag, Content: inner}}, pushes, nil
}

func handleCancel(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	return participantHandler((*Registry).CancelRequest)(r, actor, group, n)
}

func handleSubGroups(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	subs, refusal := r.SubGroups(actor, group)
	if refusal != nil {
		return nil, nil, refusal
	}
	nodes := make([]stanza.Node, len(subs))
	for i, g := range subs {
		node := targetNode(g)
		delete(node.Attrs, "jid")
		node.Attrs["id"], node.Attrs["size"] = g.JID.User, strconv.Itoa(len(g.Roster))
		nodes[i] = node
	}
	return []stanza.Node{{Tag: n.Tag, Content: nodes}}, nil, nil
}

// handleCommunityParticipants lists everybody in a community: the parent's
// members, since whoever is in one of its groups is in the parent.
func handleCommunityParticipants(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	parent, refusal := r.authorizeCommunity(actor, group, actSubGroups)
	if refusal != nil {
		return nil, nil, refusal
	}
	return []stanza.Node{{Tag: n.Tag, Content: parent.personNodes("participant", parent.people())}}, nil, nil
}

// handleLinks answers <links><link link_type="sub_group"><group jid/>.
func handleLinks(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	links := stanza.Children(n, "link")
	var jids []types.JID
	for _, link := range links {
		targets, refusal := linkTargets(&link, "link_type")
		if refusal != nil {
			return nil, nil, refusal
		}
		for _, target := range targets {
			jids = append(jids, target.Group)
		}
	}
	if len(jids) == 0 {
		return nil, nil, stanza.Refuse(400)
	}
	results, pushes, refusal := r.Link(actor, group, jids)
	if refusal != nil {
		return nil, nil, refusal
	}
	link := stanza.Node{Tag: "link", Attrs: stanza.Attrs{"link_type": linkSub}, Content: linkNodes(results)}
	return []stanza.Node{{Tag: n.Tag, Content: []stanza.Node{link}}}, pushes, nil
}

func handleUnlink(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	targets, refusal := linkTargets(n, "unlink_type")
	if refusal != nil {
		return nil, nil, refusal
	}
	if len(targets) == 0 {
		return nil, nil, stanza.Refuse(400)
	}
	results, pushes, refusal := r.Unlink(actor, group, targets)
	if refusal != nil {
		return nil, nil, refusal
	}
	return []stanza.Node{{Tag: n.Tag, Attrs: stanza.Attrs{"unlink_type": linkSub}, Content: linkNodes(results)}}, pushes, nil
}

// linkTargets reads the groups to link or unlink; only sub-groups can be.
func linkTargets(n *stanza.Node, kind string) ([]UnlinkTarget, *stanza.Error) {
	if stanza.Text(n, kind) != linkSub {
		return nil, stanza.Refuse(400)
	}
	var targets []UnlinkTarget
	for _, child := range stanza.Children(n, "group") {
		jid, ok := groupJID(&child, "jid")
		if !ok {
			return nil, stanza.Refuse(400)
		}
		targets = append(targets, UnlinkTarget{Group: jid, RemoveOrphans: stanza.Text(&child, "remove_orphaned_members") == "true"})
	}
	return targets, nil
}

func linkNodes(results []LinkResult) []stanza.Node {
	nodes := make([]stanza.Node, len(results))
	for i, result := range results {
		nodes[i] = stanza.Node{Tag: "group", Attrs: stanza.Attrs{"jid": result.Group}}
		if result.Code != 0 {
			nodes[i].Attrs["error"] = strconv.Itoa(result.Code)
		}
	}
	return nodes
}

// handleJoinLinked answers with the joined group itself, or with the request.
func handleJoinLinked(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	jid, ok := groupJID(n, "jid")
	if !ok {
		return nil, nil, stanza.Refuse(400)
	}
	result, pushes, refusal := r.JoinLinked(actor, group, jid)
	if refusal != nil || result.Requested {
		return joinReply(result, refusal), pushes, refusal
	}
	joined := []stanza.Node{r.groupNode(r.groups[result.Group], fullView)}
	return []stanza.Node{{Tag: "linked_group", Content: joined}}, pushes, nil
}

func handleDeleteParent(r *Registry, actor Person, group types.JID, _ *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	pushes, refusal := r.DeleteParent(actor, group)
	return nil, pushes, refusal
}
