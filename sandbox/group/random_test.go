package group_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// walk is a long random sequence of requests, with a mirror of every group in
// the hands of every person, kept only by the notifications they get.
type walk struct {
	*town
	rng     *rand.Rand
	cast    []group.Person
	codes   []string
	mirrors map[types.JID]map[types.JID]*mirror // by person, by group
	last    map[types.JID]int64                 // participant versions
	done    map[string]int                      // successes by request
}

// mirror is what one person knows of one group.
type mirror struct {
	roles     map[types.JID]bool // members by LID, true for admins
	subject   string
	locked    bool
	announce  bool
	ephemeral uint32
}

// TestRandomWalk: whatever happens, the invariants hold and whoever follows the
// notifications knows the truth.
func TestRandomWalk(t *testing.T) {
	inBothModes(t, func(t *testing.T, town *town) {
		w := &walk{
			town: town, rng: rand.New(rand.NewPCG(4, 2)), cast: town.persons(0, 14),
			mirrors: map[types.JID]map[types.JID]*mirror{}, last: map[types.JID]int64{}, done: map[string]int{},
		}
		for _, p := range w.cast {
			w.mirrors[p.LID] = map[types.JID]*mirror{}
		}
		for name, value := range map[group.LimitName]int64{
			group.LimitParticipants: 9, group.LimitCommunityMembers: 12, group.LimitCommunityGroups: 4,
		} {
			if err := w.reg.SetLimit(name, value); err != nil {
				t.Fatal(err)
			}
		}
		for step := range 3000 {
			w.step()
			w.check()
			if step%50 == 0 {
				w.restart()
			}
			if t.Failed() {
				t.Fatalf("after step %d", step)
			}
		}
		for _, request := range []string{"create", "add", "remove", "promote", "demote", "leave", "invite", "links", "unlink", "delete_parent", "join_linked_group", "membership_requests_action", "cancel_membership_requests"} {
			if w.done[request] == 0 {
				t.Errorf("the walk never did %s", request)
			}
		}
	})
}

// step sends one random request by somebody about some group.
func (w *walk) step() {
	w.pass(time.Duration(w.rng.IntN(7200)) * time.Second)
	w.refuses = map[types.JID]int{w.pick().LID: 403, w.pick().LID: 401}
	actor, to := w.pick(), types.GroupServerJID
	all := w.reg.All()
	kind, child := "set", w.serviceRequest()
	if len(all) > 0 && w.rng.IntN(4) > 0 {
		g := all[w.rng.IntN(len(all))]
		to, child = g.JID, w.groupRequest(g)
		if ms := g.Members(); len(ms) > 0 && w.rng.IntN(5) > 0 {
			actor = ms[w.rng.IntN(len(ms))].Person
			if w.rng.IntN(2) == 0 {
				actor = ms[0].Person
			}
		}
	}
	before := map[types.JID][]types.JID{}
	for _, g := range all {
		before[g.JID] = members(g)
	}
	_, heard, refusal := w.ask(actor, to, kind, child)
	if refusal != nil {
		if refusal.Code == 500 || refusal.Code == 501 {
			w.t.Errorf("%v: %v", child, refusal)
		}
		return
	}
	w.done[child.Tag]++
	w.follow(heard, before)
}

func (w *walk) pick() group.Person { return w.cast[w.rng.IntN(len(w.cast))] }

func (w *walk) some() []group.Person {
	list := make([]group.Person, 1+w.rng.IntN(4))
	for i := range list {
		list[i] = w.pick()
	}
	return list
}

func (w *walk) someGroup() types.JID {
	all := w.reg.All()
	if len(all) == 0 {
		return types.NewJID("1", types.GroupServer)
	}
	return all[w.rng.IntN(len(all))].JID
}

func (w *walk) serviceRequest() stanza.Node {
	switch w.rng.IntN(4) {
	case 0:
		node := stanza.Node{Tag: "create", Attrs: stanza.Attrs{"subject": "Group", "addressing_mode": string(w.mode)}, Content: w.nodes("participant", w.some()...)}
		children := stanza.Children(&node)
		switch w.rng.IntN(6) {
		case 0, 1:
			children = append(children, stanza.Node{Tag: "parent"}, stanza.Node{Tag: "create_general_chat"})
		case 2, 3:
			children = append(children, stanza.Node{Tag: "linked_parent", Attrs: stanza.Attrs{"jid": w.someGroup()}})
		}
		if len(w.reg.All()) > 25 {
			return stanza.Node{Tag: "leave", Content: []stanza.Node{{Tag: "group", Attrs: stanza.Attrs{"id": w.someGroup()}}}}
		}
		node.Content = children
		return node
	case 1:
		return stanza.Node{Tag: "leave", Content: []stanza.Node{{Tag: "group", Attrs: stanza.Attrs{"id": w.someGroup()}}}}
	default:
		g, ok := w.reg.Get(w.someGroup())
		if !ok {
			return byCode("unknown")
		}
		w.codes = append(w.codes, g.InviteCode)
		return byCode(w.codes[w.rng.IntN(len(w.codes))])
	}
}

func (w *walk) groupRequest(g *group.Group) stanza.Node {
	on := []string{"on", "off"}[w.rng.IntN(2)]
	requests := []func() stanza.Node{
		func() stanza.Node { return w.change("add", w.some()...) },
		func() stanza.Node { return w.change("add", w.some()...) },
		func() stanza.Node { return w.change("remove", w.some()...) },
		func() stanza.Node { return w.change("promote", w.some()...) },
		func() stanza.Node { return w.change("demote", w.some()...) },
		func() stanza.Node { return textNode("subject", fmt.Sprint("Subject ", w.rng.IntN(100))) },
		func() stanza.Node { return description("", "", "Text") },
		func() stanza.Node { return stanza.Node{Tag: []string{"locked", "unlocked"}[w.rng.IntN(2)]} },
		func() stanza.Node {
			return stanza.Node{Tag: []string{"announcement", "not_announcement"}[w.rng.IntN(2)]}
		},
		func() stanza.Node { return ephemeral([]string{"0", "86400", "604800"}[w.rng.IntN(3)]) },
		func() stanza.Node {
			return stanza.Node{Tag: "membership_approval_mode", Content: []stanza.Node{{Tag: "group_join", Attrs: stanza.Attrs{"state": on}}}}
		},
		func() stanza.Node {
			return textNode("member_add_mode", []string{"admin_add", "all_member_add"}[w.rng.IntN(2)])
		},
		func() stanza.Node { return stanza.Node{Tag: "invite"} },
		func() stanza.Node {
			return decision([]string{"approve", "reject"}[w.rng.IntN(2)], w.change("", w.cast...))
		},
		func() stanza.Node { return w.change("cancel_membership_requests", w.some()...) },
		func() stanza.Node { return links(w.someGroup()) },
		func() stanza.Node {
			node := unlink(w.subOf(g))
			stanza.Children(&node)[0].Attrs["remove_orphaned_members"] = []string{"true", "false"}[w.rng.IntN(2)]
			return node
		},
		func() stanza.Node { return joinLinked(w.subOf(g)) },
	}
	if w.rng.IntN(60) == 0 {
		return stanza.Node{Tag: "delete_parent"}
	}
	if g.Parent && w.rng.IntN(2) == 0 {
		requests = requests[len(requests)-3:] // those about communities
	}
	return requests[w.rng.IntN(len(requests))]()
}

// subOf is mostly a group of the community, sometimes any group.
func (w *walk) subOf(g *group.Group) types.JID {
	if !g.Parent || w.rng.IntN(5) == 0 {
		return w.someGroup()
	}
	return g.Subs[w.rng.IntN(len(g.Subs))]
}

// follow brings the mirrors up to date, and checks who was told: members from
// before or after, nobody else.
func (w *walk) follow(heard heard, before map[types.JID][]types.JID) {
	for _, n := range heard {
		from, _ := stanza.JID(n.node, "from")
		after := []types.JID(nil)
		if g, ok := w.reg.Get(from); ok {
			after = members(g)
		}
		for _, lid := range n.to {
			if !slices.Contains(before[from], lid) && !slices.Contains(after, lid) {
				w.t.Errorf("<%s> from %s goes to outsider %s", n.child().Tag, from, lid)
			}
			w.apply(lid, from, n)
		}
	}
}

func (w *walk) lid(jid types.JID) types.JID { return w.people[jid].LID }

func (w *walk) apply(lid, from types.JID, n note) {
	if n.joined != nil {
		m := &mirror{
			roles: map[types.JID]bool{}, subject: n.joined.Name, locked: n.joined.IsLocked,
			announce: n.joined.IsAnnounce, ephemeral: n.joined.DisappearingTimer,
		}
		for _, p := range n.joined.Participants {
			m.roles[p.LID] = p.IsAdmin
		}
		w.mirrors[lid][from] = m
		return
	}
	m, e := w.mirrors[lid][from], n.change
	if m == nil {
		w.t.Errorf("%s hears <%s> of %s before joining it", lid, n.child().Tag, from)
		return
	}
	for _, jid := range e.Join {
		m.roles[w.lid(jid)] = false
	}
	for _, jid := range e.Promote {
		m.roles[w.lid(jid)] = true
	}
	for _, jid := range e.Demote {
		m.roles[w.lid(jid)] = false
	}
	for _, jid := range e.Leave {
		delete(m.roles, w.lid(jid))
		if w.lid(jid) == lid {
			delete(w.mirrors[lid], from)
		}
	}
	switch {
	case e.Name != nil:
		m.subject = e.Name.Name
	case e.Locked != nil:
		m.locked = e.Locked.IsLocked
	case e.Announce != nil:
		m.announce = e.Announce.IsAnnounce
	case e.Ephemeral != nil:
		m.ephemeral = e.Ephemeral.DisappearingTimer
	case e.Delete != nil:
		delete(w.mirrors[lid], from)
	}
}

// check compares all mirrors with the truth and the truth with the invariants.
func (w *walk) check() {
	checkInvariants(w.t, w.reg, w.last)
	for _, p := range w.cast {
		mine := w.reg.GroupsOf(p.LID)
		if len(mine) != len(w.mirrors[p.LID]) {
			w.t.Errorf("%s is in %d groups and knows of %d", p.Name, len(mine), len(w.mirrors[p.LID]))
		}
		for _, jid := range mine {
			m := w.mirrors[p.LID][jid]
			g, _ := w.reg.Get(jid)
			if m == nil || m.subject != g.Subject || m.locked != g.Locked || m.announce != g.Announce || m.ephemeral != g.Ephemeral || len(m.roles) != len(g.Roster) {
				w.t.Errorf("%s knows %+v of %+v", p.Name, m, g)
				continue
			}
			for _, member := range g.Roster {
				if admin, ok := m.roles[member.LID]; !ok || admin != member.Role.Admin() {
					w.t.Errorf("%s believes %v of %+v", p.Name, admin, member)
				}
			}
		}
	}
}

// checkInvariants checks what is always true of a registry.
func checkInvariants(t testing.TB, reg *group.Registry, last map[types.JID]int64) {
	t.Helper()
	codes := map[string]bool{}
	limits := map[group.LimitName]int64{}
	for _, l := range reg.Limits() {
		limits[l.Name] = l.Value
	}
	for _, g := range reg.All() {
		if codes[g.InviteCode] || len(g.InviteCode) != 22 {
			t.Errorf("%s: invite code %q", g.JID, g.InviteCode)
		}
		codes[g.InviteCode] = true
		if g.ParticipantVersion < last[g.JID] {
			t.Errorf("%s: version went from %d to %d", g.JID, last[g.JID], g.ParticipantVersion)
		}
		last[g.JID] = g.ParticipantVersion
		limit := limits[group.LimitParticipants]
		if g.Parent || g.DefaultSub {
			limit = limits[group.LimitCommunityMembers]
		}
		if int64(len(g.Roster)) > limit {
			t.Errorf("%s has %d members", g.JID, len(g.Roster))
		}
		checkRoster(t, g)
		checkCommunity(t, reg, g)
	}
}

func checkRoster(t testing.TB, g *group.Group) {
	t.Helper()
	seen := map[types.JID]bool{}
	admins, owners := 0, 0
	for _, m := range g.Roster {
		if seen[m.LID] {
			t.Errorf("%s: %s is in it twice", g.JID, m.LID)
		}
		seen[m.LID] = true
		if m.Role.Admin() {
			admins++
		}
		if m.Role == group.RoleSuperAdmin {
			owners++
		}
	}
	if len(g.Roster) > 0 && admins == 0 || owners > 1 {
		t.Errorf("%s: %d admins, %d superadmins among %d", g.JID, admins, owners, len(g.Roster))
	}
	for _, waiting := range g.Waiting {
		if seen[waiting.LID] {
			t.Errorf("%s: member %s waits to be let in", g.JID, waiting.LID)
		}
	}
	for _, request := range g.AddRequests {
		if seen[request.For.LID] {
			t.Errorf("%s: member %s is invited", g.JID, request.For.LID)
		}
	}
}

// checkCommunity: parent and announcement group have the same members and
// admins; whoever is in a sub-group is in the parent.
func checkCommunity(t testing.TB, reg *group.Registry, g *group.Group) {
	t.Helper()
	if g.LinkedParent.IsEmpty() {
		return
	}
	parent, ok := reg.Get(g.LinkedParent)
	if !ok || !slices.Contains(parent.Subs, g.JID) {
		t.Errorf("%s is not linked both ways", g.JID)
		return
	}
	for _, m := range g.Roster {
		p, in := parent.Member(m.LID)
		if !in || g.DefaultSub && p.Role != m.Role {
			t.Errorf("%s: %s is %s there and %q in the parent", g.JID, m.LID, m.Role, p.Role)
		}
	}
	if g.DefaultSub && len(g.Roster) != len(parent.Roster) {
		t.Errorf("%s: %d members, the parent has %d", g.JID, len(g.Roster), len(parent.Roster))
	}
}

// restart saves and restores the state.
func (w *walk) restart() {
	saved := w.snapshot()
	if err := w.reg.Restore([]byte(saved)); err != nil {
		w.t.Fatal(err)
	}
	if again := w.snapshot(); !bytes.Equal([]byte(again), []byte(saved)) {
		w.t.Errorf("round trip:\n%s\n%s", saved, again)
	}
}
