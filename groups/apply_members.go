package groups

import (
	"slices"
	"time"
)

// personView is a person in the history.
type personView struct {
	JID         string `json:"jid"`
	PhoneNumber string `json:"phone_number,omitempty"`
	LID         string `json:"lid,omitempty"`
	Role        Role   `json:"role,omitempty"`
}

// introduction is a group in the history of its coming and going.
type introduction struct {
	Subject          string `json:"subject"`
	ParticipantCount int    `json:"participant_count"`
}

func personOf(who Identity, role Role) personView {
	return personView{JID: who.JID, PhoneNumber: who.PhoneNumber, LID: who.LID, Role: role}
}

func personsOf(people []Identity, role Role) []personView {
	views := make([]personView, len(people))
	for i, who := range people {
		views[i] = personOf(who, role)
	}
	return views
}

// takeMembers applies a change of the members.
func (g *mirrored) takeMembers(c Change, me Identity, now time.Time) []effect {
	if c.Source == SourceEvent {
		switch g.order(c) {
		case present, older:
			return nil
		case gap:
			g.doubt()
		}
		if c.Version != "" {
			g.version = c.Version
		}
		g.note(membersStamp, stamp{At: c.At.Unix(), Here: now.Unix()})
	}
	var done []effect
	switch c.Kind {
	case ChangeAdded, ChangeArrived, ChangeApproved:
		done = g.admit(c)
	case ChangeExpelled, ChangeDeparted:
		if c.Source != SourceReconcile && slices.ContainsFunc(c.People, me.same) {
			return g.end(c.ofOurs())
		}
		done = g.expel(c)
	case ChangePromoted:
		done = g.rank(c, RoleAdmin)
	case ChangeDemoted:
		done = g.rank(c, RoleMember)
	}
	if len(done) > 0 {
		g.dirty = true
		g.count(me)
		if c.Source == SourceAPI && g.happenedSince(membersStamp, c.At) {
			g.doubt()
		}
	}
	return done
}

// ofOurs is the departure of a member as that of the session's own account.
func (c Change) ofOurs() Change {
	if c.Kind == ChangeDeparted {
		c.Kind = ChangeLeft
	} else {
		c.Kind = ChangeRemoved
	}
	c.Version, c.People = "", nil // the order has been seen to
	return c
}

// admit makes people members. Those who had asked to be let in were approved,
// if it was somebody else who did it.
func (g *mirrored) admit(c Change) []effect {
	var came, approved []personView
	for _, who := range c.People {
		had := g.dropRequest(who)
		if at := g.find(who); at >= 0 {
			g.touch(at, g.members[at].learn(who))
			continue
		}
		g.insert(Participant{Identity: who, Role: RoleMember})
		if had && !c.Actor.same(who) && c.Source != SourceReconcile {
			approved = append(approved, personOf(who, RoleMember))
		} else {
			came = append(came, personOf(who, RoleMember))
		}
	}
	var done []effect
	if len(came) > 0 {
		done = append(done, effect{kind: c.Kind, after: came})
	}
	if len(approved) > 0 {
		done = append(done, effect{kind: ChangeApproved, after: approved})
	}
	return done
}

func (g *mirrored) insert(p Participant) {
	var position int64
	for _, m := range g.members {
		position = max(position, m.position+1)
	}
	for _, taken := range g.removed {
		position = max(position, taken+1)
	}
	if len(g.members) == 0 && g.ParticipantCount > 0 {
		g.ParticipantCount++ // they are not listed
		return
	}
	g.members = append(g.members, memberRow{Participant: p, position: position, state: rowNew})
}

func (g *mirrored) touch(at int, changed bool) {
	if changed && g.members[at].state == rowSame {
		g.members[at].state = rowChanged
	}
	g.dirty = g.dirty || changed
}

func (g *mirrored) expel(c Change) []effect {
	var gone []personView
	for _, who := range c.People {
		at := g.find(who)
		if at < 0 {
			continue
		}
		m := g.members[at]
		m.learn(who)
		gone = append(gone, personOf(m.Identity, m.Role))
		if m.state != rowNew {
			g.removed = append(g.removed, m.position)
		}
		g.members = slices.Delete(g.members, at, at+1)
	}
	if len(gone) == 0 {
		return nil
	}
	return []effect{{kind: c.Kind, before: gone}}
}

// rank gives people a role. A superadmin stays one when promoted.
func (g *mirrored) rank(c Change, role Role) []effect {
	var before, after []personView
	for _, who := range c.People {
		at := g.find(who)
		if at < 0 {
			continue
		}
		m := &g.members[at]
		g.touch(at, m.learn(who))
		if m.Role.Admin() == role.Admin() {
			continue
		}
		before = append(before, personOf(m.Identity, m.Role))
		m.Role = role
		g.touch(at, true)
		after = append(after, personOf(m.Identity, role))
	}
	if len(after) == 0 {
		return nil
	}
	return []effect{{kind: c.Kind, before: before, after: after}}
}

// takeRequests applies a change of those who wait.
func (g *mirrored) takeRequests(c Change) []effect {
	var news, repeated []personView
	for _, who := range c.People {
		at := g.waiting(who)
		switch {
		case c.Kind == ChangeRequested && at < 0 && g.find(who) < 0:
			g.requests = append(g.requests, request{who: who, fresh: true})
			g.dirty = true
			news = append(news, personOf(who, ""))
		case c.Kind == ChangeRequested:
		case at >= 0:
			g.dropRequest(who)
			news = append(news, personOf(who, ""))
		default:
			// One that was never heard of, or the echo of our own decision.
			repeated = append(repeated, personOf(who, ""))
		}
	}
	var done []effect
	for i, people := range [][]personView{news, repeated} {
		if len(people) == 0 {
			continue
		}
		e := effect{kind: c.Kind, stateless: i == 1}
		if c.Kind == ChangeRequested {
			e.after = people
		} else {
			e.before = people
		}
		done = append(done, e)
	}
	return done
}

// dropRequest forgets somebody's request, and tells whether there was one.
func (g *mirrored) dropRequest(who Identity) bool {
	at := g.waiting(who)
	if at < 0 {
		return false
	}
	if !g.requests[at].fresh {
		g.dropped = append(g.dropped, g.requests[at].who)
	}
	g.requests = slices.Delete(g.requests, at, at+1)
	g.dirty = true
	return true
}
