package group

import (
	"slices"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// LinkResult is what became of one group that was to be linked or unlinked.
type LinkResult struct {
	Group types.JID `json:"group"`
	Code  int       `json:"code"`
}

// Link and unlink types, as seen from the group that is told.
const (
	linkParent  = "parent_group"
	linkSub     = "sub_group"
	linkSibling = "sibling_group"

	unlinkGroup  = "unlink_group"
	deleteParent = "delete_parent"
)

// Link puts groups into a community: 400 not a community; per group 404
// unknown, 403 not its admin, 405 a community itself, 409 in one already, 406
// no place for the group or its members. Its members become members of the
// community.
func (r *Registry) Link(actor Person, community types.JID, groups []types.JID) ([]LinkResult, []Push, *stanza.Error) {
	parent, refusal := r.authorizeCommunity(actor, community, actLink)
	if refusal != nil {
		return nil, nil, refusal
	}
	var results []LinkResult
	var pushes []Push
	for _, jid := range groups {
		g, code := r.linkable(actor, parent, jid)
		if code == 0 {
			pushes = append(pushes, r.link(parent, g, &actor)...)
		}
		results = append(results, LinkResult{Group: bare(jid), Code: code})
	}
	return results, pushes, nil
}

// authorizeCommunity is authorize for requests that only communities know.
func (r *Registry) authorizeCommunity(actor Person, jid types.JID, a act) (*Group, *stanza.Error) {
	parent, refusal := r.authorize(actor, jid, a)
	if refusal == nil && !parent.Parent {
		refusal = stanza.Refuse(400)
	}
	return parent, refusal
}

func (r *Registry) linkable(actor Person, parent *Group, jid types.JID) (*Group, int) {
	g, refusal := r.authorize(actor, jid, actLinkOwn)
	switch {
	case refusal != nil:
		return nil, refusal.Code
	case g.Parent:
		return nil, 405
	case !g.LinkedParent.IsEmpty():
		return nil, 409
	case int64(len(parent.Subs)) >= r.limit(LimitCommunityGroups).Value,
		len(parent.strangers(g.people())) > r.room(parent):
		return nil, r.limit(LimitCommunityGroups).Refusal
	}
	return g, 0
}

func (r *Registry) link(parent, g *Group, actor *Person) []Push {
	g.LinkedParent = parent.JID
	parent.Subs = append(parent.Subs, g.JID)
	var pushes []Push
	for _, each := range r.twins(parent) {
		pushes = append(pushes, r.admitInto(each, actor, each.strangers(g.people()), "")...)
	}
	pushes = append(pushes, r.tell(g, actor, linkNode(linkParent, parent))...)
	return append(pushes, r.linkPushes(parent, g, actor)...)
}

// linkPushes tells the community of a group that is now part of it: the parent
// names a sub-group, the announcement group a sibling.
func (r *Registry) linkPushes(parent, g *Group, actor *Person) []Push {
	pushes := r.tell(parent, actor, linkNode(linkSub, g))
	return append(pushes, r.tell(r.groups[parent.Subs[0]], actor, linkNode(linkSibling, g))...)
}

func linkNode(kind string, target *Group) stanza.Node {
	return stanza.Node{Tag: "link", Attrs: stanza.Attrs{"link_type": kind}, Content: []stanza.Node{targetNode(target)}}
}

func unlinkNode(kind, reason string, target *Group) stanza.Node {
	return stanza.Node{Tag: "unlink", Attrs: stanza.Attrs{"unlink_type": kind, "unlink_reason": reason},
		Content: []stanza.Node{targetNode(target)}}
}

// UnlinkTarget is one group to take out of a community.
type UnlinkTarget struct {
	Group types.JID
	// RemoveOrphans takes those out of the community who are in no other of its
	// groups, except its admins.
	RemoveOrphans bool
}

// Unlink takes groups out of a community: 400 not a community; per group 404
// not in it, 405 its announcement group.
func (r *Registry) Unlink(actor Person, community types.JID, targets []UnlinkTarget) ([]LinkResult, []Push, *stanza.Error) {
	parent, refusal := r.authorizeCommunity(actor, community, actUnlink)
	if refusal != nil {
		return nil, nil, refusal
	}
	var results []LinkResult
	var pushes []Push
	for _, target := range targets {
		result := LinkResult{Group: bare(target.Group)}
		g := r.groups[result.Group]
		switch {
		case g == nil || g.LinkedParent != parent.JID:
			result.Code = 404
		case g.DefaultSub:
			result.Code = 405
		default:
			pushes = append(pushes, r.unlink(parent, g, &actor, target.RemoveOrphans)...)
		}
		results = append(results, result)
	}
	return results, pushes, nil
}

func (r *Registry) unlink(parent, g *Group, actor *Person, removeOrphans bool) []Push {
	g.LinkedParent, g.General = types.EmptyJID, false
	parent.Subs = slices.DeleteFunc(parent.Subs, func(jid types.JID) bool { return jid == g.JID })
	pushes := r.tell(g, actor, unlinkNode(linkParent, unlinkGroup, parent))
	pushes = append(pushes, r.tell(parent, actor, unlinkNode(linkSub, unlinkGroup, g))...)
	pushes = append(pushes, r.tell(r.groups[parent.Subs[0]], actor, unlinkNode(linkSibling, unlinkGroup, g))...)
	if removeOrphans {
		pushes = append(pushes, r.expel(parent, actor, r.orphans(parent, g), true)...)
	}
	return pushes
}

// orphans are the members of a group that was unlinked who are in none of the
// community's other groups.
func (r *Registry) orphans(parent, g *Group) []Person {
	var list []Person
	for _, m := range g.Roster {
		at := parent.index(m.LID)
		if at < 0 || parent.Roster[at].Role.Admin() {
			continue
		}
		elsewhere := slices.ContainsFunc(r.subs(parent), func(s *Group) bool { return !s.DefaultSub && s.has(m.LID) })
		if !elsewhere {
			list = append(list, m.Person)
		}
	}
	return list
}

// SubGroups lists a community's groups, the announcement group first: 400 not
// a community.
func (r *Registry) SubGroups(actor Person, community types.JID) ([]*Group, *stanza.Error) {
	parent, refusal := r.authorizeCommunity(actor, community, actSubGroups)
	if refusal != nil {
		return nil, refusal
	}
	return r.subs(parent), nil
}

// JoinLinked joins a group of a community whose member one is: 404 not a group
// of it, else as for Join. With approval on it becomes a join request.
func (r *Registry) JoinLinked(actor Person, community, group types.JID) (JoinResult, []Push, *stanza.Error) {
	parent, refusal := r.authorizeCommunity(actor, community, actJoinLinked)
	if refusal != nil {
		return JoinResult{}, nil, refusal
	}
	g := r.groups[bare(group)]
	if g == nil || g.LinkedParent != parent.JID || len(g.Roster) == 0 {
		return JoinResult{}, nil, stanza.Refuse(404)
	}
	if refusal := r.mayEnter(g, actor); refusal != nil {
		return JoinResult{}, nil, refusal
	}
	return r.enter(g, actor, arrival{g.Approval, reasonLinkedGroup, MethodLinkedGroup, nil})
}

// DeleteParent dissolves a community: its announcement group goes with it, its
// other groups go on alone. 400 not a community, 403 not its owner.
func (r *Registry) DeleteParent(actor Person, community types.JID) ([]Push, *stanza.Error) {
	parent, refusal := r.authorizeCommunity(actor, community, actDelete)
	if refusal != nil {
		return nil, refusal
	}
	var pushes []Push
	gone := stanza.Node{Tag: "delete", Attrs: stanza.Attrs{"reason": deleteParent}}
	subs := r.subs(parent)
	slices.Reverse(subs) // the announcement group last
	for _, g := range subs {
		if g.DefaultSub {
			pushes = append(pushes, r.tell(g, &actor, gone)...)
			r.forget(g)
			continue
		}
		g.LinkedParent, g.General = types.EmptyJID, false
		pushes = append(pushes, r.tell(g, &actor, unlinkNode(linkParent, deleteParent, parent))...)
	}
	pushes = append(pushes, r.tell(parent, &actor, gone)...)
	r.forget(parent)
	return pushes, nil
}

// Leave leaves a group: 404 unknown, 403 not a member. Leaving a community's
// parent or announcement group is leaving all of it.
func (r *Registry) Leave(actor Person, group types.JID) ([]Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actLeave)
	if refusal != nil {
		return nil, refusal
	}
	return r.expel(g, &actor, []Person{actor}, false), nil
}

// people lists the members as persons.
func (g *Group) people() []Person {
	list := make([]Person, len(g.Roster))
	for i, m := range g.Roster {
		list[i] = m.Person
	}
	return list
}
