package group

import (
	"slices"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// reasons that <add> and <create> give for somebody's arrival.
const (
	reasonInvite      = "invite"
	reasonLinkedGroup = "linked_group_join"
)

// twins are the groups whose members and roles are one: a community's parent
// and its announcement group. Any other group is alone.
func (r *Registry) twins(g *Group) []*Group {
	parent := g
	if g.DefaultSub {
		parent = r.groups[g.LinkedParent]
	}
	if parent == nil || !parent.Parent {
		return []*Group{g}
	}
	pair := []*Group{parent}
	if len(parent.Subs) > 0 {
		pair = append(pair, r.groups[parent.Subs[0]])
	}
	return pair
}

// community is the parent of the community the group belongs to, or nil.
func (r *Registry) community(g *Group) *Group {
	if g.Parent {
		return g
	}
	return r.groups[g.LinkedParent]
}

// subs lists a community's groups, the announcement group first.
func (r *Registry) subs(parent *Group) []*Group {
	list := make([]*Group, len(parent.Subs))
	for i, jid := range parent.Subs {
		list[i] = r.groups[jid]
	}
	return list
}

// admit makes people members of the group, and of the community it is part of.
func (r *Registry) admit(g *Group, actor *Person, people []Person, reason string) []Push {
	var pushes []Push
	if parent := r.community(g); parent != nil {
		for _, each := range r.twins(parent) {
			pushes = append(pushes, r.admitInto(each, actor, each.strangers(people), reason)...)
		}
	}
	return append(pushes, r.admitInto(g, actor, g.strangers(people), reason)...)
}

// admitInto adds people to this group alone. Those who were there hear of
// additions; those who come get the group itself.
func (r *Registry) admitInto(g *Group, actor *Person, people []Person, reason string) []Push {
	if len(people) == 0 {
		return nil
	}
	before, prev, at := g.lids(), g.ParticipantVersion, r.stamp()
	newcomers := make([]types.JID, len(people))
	for i, p := range people {
		newcomers[i] = p.LID
		g.Roster = append(g.Roster, Member{Person: p, Role: RoleMember, JoinedAt: at})
		delete(g.Gone, p.LID)
		g.dropWaiting(p.LID)
		g.dropAddRequests(p.LID)
	}
	g.ParticipantVersion = r.nextVersion()
	pushes := r.tellThem(g, before, actor, g.changeNode("add", prev, reason, people))
	return append(pushes, r.tellThem(g, newcomers, actor, r.createNode(g, "", "", reason))...)
}

// expel ends memberships. Who is out of a community's parent or announcement
// group is out of the whole community.
func (r *Registry) expel(g *Group, actor *Person, people []Person, removed bool) []Push {
	scope := []*Group{g}
	if g.Parent || g.DefaultSub {
		parent := r.community(g)
		scope = append([]*Group{parent}, r.subs(parent)...)
		slices.Reverse(scope)
	}
	var pushes []Push
	for _, each := range scope {
		pushes = append(pushes, r.expelFrom(each, actor, each.residents(people), removed)...)
	}
	for _, each := range scope {
		pushes = append(pushes, r.succeed(each)...)
	}
	return pushes
}

// expelFrom removes people from this group alone; they hear of it too.
func (r *Registry) expelFrom(g *Group, actor *Person, people []Person, removed bool) []Push {
	if len(people) == 0 {
		return nil
	}
	before, prev, at := g.lids(), g.ParticipantVersion, r.stamp()
	if g.Gone == nil {
		g.Gone = map[types.JID]departure{}
	}
	for _, p := range people {
		g.Roster = slices.DeleteFunc(g.Roster, func(m Member) bool { return m.LID == p.LID })
		g.Gone[p.LID] = departure{At: at, Removed: removed}
	}
	g.ParticipantVersion = r.nextVersion()
	return r.tellThem(g, before, actor, g.changeNode("remove", prev, "", people))
}

// succeed makes the longest-standing member an admin when a group has lost its
// last one, as WhatsApp does. It is the service's act, so it names no actor.
func (r *Registry) succeed(g *Group) []Push {
	if len(g.Roster) == 0 || g.hasRole(RoleAdmin, RoleSuperAdmin) {
		return nil
	}
	return r.setRole(g, nil, []Person{g.Roster[0].Person}, RoleAdmin)
}

// setRole gives members a role, in both twins of a community.
func (r *Registry) setRole(g *Group, actor *Person, people []Person, role Role) []Push {
	tag := "promote"
	if !role.Admin() {
		tag = "demote"
	}
	var pushes []Push
	for _, each := range r.twins(g) {
		var changed []Person
		for _, p := range people {
			if at := each.index(p.LID); at >= 0 && each.Roster[at].Role != role {
				each.Roster[at].Role = role
				changed = append(changed, p)
			}
		}
		if len(changed) == 0 {
			continue
		}
		prev := each.ParticipantVersion
		each.ParticipantVersion = r.nextVersion()
		pushes = append(pushes, r.tell(each, actor, each.changeNode(tag, prev, "", changed))...)
	}
	return pushes
}

func (g *Group) dropWaiting(lid types.JID) {
	g.Waiting = slices.DeleteFunc(g.Waiting, func(w Request) bool { return w.LID == lid })
}

func (g *Group) dropAddRequests(lid types.JID) {
	g.AddRequests = slices.DeleteFunc(g.AddRequests, func(a AddRequest) bool { return a.For.LID == lid })
}

// askAdmins records that people wait to be let in and tells the admins; by is
// who asked on their behalf, or nil. Who waits already is not recorded again.
func (r *Registry) askAdmins(g *Group, actor, by *Person, people []Person, method RequestMethod) []Push {
	var fresh []Person
	for _, p := range people {
		if g.waitingIndex(p.LID) >= 0 {
			continue
		}
		g.Waiting = append(g.Waiting, Request{Person: p, Method: method, By: by, At: r.stamp()})
		fresh = append(fresh, p)
	}
	if len(fresh) == 0 {
		return nil
	}
	return r.tellThem(g, g.adminLIDs(), actor, stanza.Node{
		Tag:     "created_membership_requests",
		Attrs:   stanza.Attrs{"request_method": string(method)},
		Content: g.personNodes("requested_user", fresh),
	})
}
