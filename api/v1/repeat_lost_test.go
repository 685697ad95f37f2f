package v1_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/group"
	"muster/sandbox/service"
)

// A create whose answer is lost, for whatever reason, makes one group, and its
// repetition gets what the first should have got.
func TestLostCreate(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]fault.Script{
		"no answer":                 {DropReply: true},
		"connection lost after it":  {ApplyThenDisconnect: true},
		"connection lost before it": {Close: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, soon, func(c *config.Config) { c.Sessions.WriteTimeout = 3 * time.Second })
			r.people(ann, bob)
			r.phone(cid, sandbox.PhoneOptions{Name: "Cid", GroupAdd: "contacts"})
			older := r.create("Lost", ann)
			create := func() answer {
				return r.keyed("k", http.MethodPost, myGroups, object{
					"name": "Lost", "participants": []string{ann, cid, nobod, bob}, "member_link_mode": "all_member_link",
				})
			}
			r.trouble("create", effect)
			create().refused(http.StatusGatewayTimeout, "outcome_unknown", "")
			r.online()
			settled := create().status(http.StatusOK)
			jid := settled.text("group_jid")
			if jid == older || settled.header.Get("Idempotent-Replayed") != "" {
				t.Errorf("the settled answer is %s", settled.raw)
			}
			if made := r.named("Lost"); len(made) != 2 {
				t.Errorf("there are %d groups", len(made))
			}
			want := ann + " Added, " + cid + " Failed/privacy/403, " + nobod + " Failed/not_on_whatsapp/0, " + bob + " Added"
			if got := summary(settled.outcomes("participants")); got != want {
				t.Errorf("the participants are %s, want %s", got, want)
			}
			truth := r.truth(jid)
			if truth.MemberLinkMode != "all_member_link" || len(truth.Participants) != 3 {
				t.Errorf("the group is %+v", truth)
			}
			create().replayed(settled)
		})
	}
}

// As long as WhatsApp may still be making the group, nothing is sent again.
func TestCreateThatComesLate(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) { c.Sessions.WriteTimeout = time.Second })
	create := func() answer {
		return r.keyed("k", http.MethodPost, myGroups, object{"name": "Late", "participants": []string{}})
	}
	r.trouble("create", fault.Script{DelayMS: 4000})
	create().refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	early := create().refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	if wait, err := strconv.Atoi(early.header.Get("Retry-After")); err != nil || wait < 1 {
		t.Errorf("try again after %q", early.header.Get("Retry-After"))
	}
	r.eventually("the late group", func() bool { return len(r.named("Late")) > 0 })
	if got, want := create().status(http.StatusOK).text("group_jid"), r.named("Late")[0].JID.String(); got != want {
		t.Errorf("the group is %s, not %s", got, want)
	}
	if made := len(r.wa.Groups()); made != 1 {
		t.Errorf("there are %d groups", made)
	}
}

// Two lost creations of one name get one group each, and neither takes one that
// a third request has made.
func TestLostCreatesOfOneName(t *testing.T) {
	t.Parallel()
	r := newRig(t, soon)
	r.people(ann, bob)
	create := func(key, person string) answer {
		return r.keyed(key, http.MethodPost, myGroups, object{"name": "Twins", "participants": []string{person}})
	}
	for _, lost := range []struct{ key, person string }{{"of ann", ann}, {"of-bob", bob}} {
		key := strings.ReplaceAll(lost.key, " ", "-")
		r.trouble("create", fault.Script{ApplyThenDisconnect: true})
		create(key, lost.person).refused(http.StatusGatewayTimeout, "outcome_unknown", "")
		r.online()
	}
	third := r.create("Twins", ann)
	for key, person := range map[string]string{"of-bob": bob, "of-ann": ann} {
		settled := create(key, person).status(http.StatusOK)
		members := r.truth(settled.text("group_jid")).Participants
		if settled.text("group_jid") == third || len(members) != 2 ||
			!slices.ContainsFunc(members, func(p group.TruthParticipant) bool { return p.JID.User == person }) {
			t.Errorf("%s got %s with %+v", key, settled.raw, members)
		}
	}
	if made := len(r.wa.Groups()); made != 3 {
		t.Errorf("there are %d groups", made)
	}
}

// A group that the account has left, or renamed, since its creation was lost is
// still the one.
func TestLostCreateThatMovedOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, soon)
	r.people(ann)
	for _, fate := range []string{"renamed", "left"} {
		create := func() answer {
			return r.keyed(fate, http.MethodPost, myGroups, object{"name": "To be " + fate, "participants": []string{ann}})
		}
		r.trouble("create", fault.Script{ApplyThenDisconnect: true})
		create().refused(http.StatusGatewayTimeout, "outcome_unknown", "")
		r.online()
		jid := r.named("To be " + fate)[0].JID
		// The event has come when the mirror has the group.
		r.settled("the group", func() bool {
			return r.group(http.MethodGet, jid.String(), "/changes", nil).code == http.StatusOK
		})
		var err error
		if fate == "renamed" {
			err = r.wa.SetSubject(myNumber, jid, "Renamed")
		} else {
			err = r.wa.LeaveGroup(myNumber, jid)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := create().status(http.StatusOK).text("group_jid"); got != jid.String() {
			t.Errorf("the group that was %s is taken for %s", fate, got)
		}
	}
	if made := len(r.wa.Groups()); made != 2 {
		t.Errorf("there are %d groups", made)
	}
}

// settled looks until the condition holds, for what nobody announces.
func (r *rig) settled(what string, holds func() bool) {
	r.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(patience)
	for !holds() {
		select {
		case <-ticker.C:
		case <-limit:
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// lostChange is a change of a group whose answer is lost.
type lostChange struct {
	name, child  string
	method, path string
	body         func(r *rig, jid string) any
	prepare      func(r *rig, jid string)
	want         string // of the answer, as far as it is fixed
	people       string // outcomes of the results
	done         func(truth group.Truth) bool
}

func member(truth group.Truth, number string) group.Role {
	for _, p := range truth.Participants {
		if p.JID.User == number {
			return p.Role
		}
	}
	return ""
}

func naming(numbers ...string) func(*rig, string) any {
	return func(*rig, string) any { return object{"participants": numbers} }
}

func lostChanges() []lostChange {
	fixed := func(o object) func(*rig, string) any { return func(*rig, string) any { return o } }
	return []lostChange{
		{name: "subject", child: "subject", method: http.MethodPut, path: "/subject", body: fixed(object{"subject": "New"}),
			want: `{"success":true}`, done: func(g group.Truth) bool { return g.Subject == "New" }},
		{name: "description", child: "description", method: http.MethodPut, path: "/description",
			body: func(r *rig, jid string) any {
				return object{"description": "New", "prev_id": r.truth(jid).Description.ID}
			},
			prepare: func(r *rig, jid string) {
				r.group(http.MethodPut, jid, "/description", object{"description": "Old"}).status(http.StatusOK)
			},
			want: `{"success":true}`, done: func(g group.Truth) bool { return g.Description.Text == "New" }},
		{name: "settings", child: "announcement", method: http.MethodPut, path: "/settings", body: fixed(object{"announce": true, "locked": true}),
			done: func(g group.Truth) bool { return g.Announcement && g.Locked }},
		{name: "several fields", child: "description", method: http.MethodPatch, path: "",
			body: fixed(object{"subject": "New", "description": "New", "locked": true}),
			done: func(g group.Truth) bool {
				return g.Subject == "New" && g.Description.Text == "New" && g.Locked
			}},
		{name: "add", child: "add", method: http.MethodPost, path: "/participants", body: naming(cid, dee),
			people: cid + " Added, " + dee + " Failed/privacy/403", done: func(g group.Truth) bool { return member(g, cid) != "" }},
		{name: "add a member", child: "add", method: http.MethodPost, path: "/participants", body: naming(ann, cid),
			people: ann + " Failed/already_member/409, " + cid + " Added", done: func(g group.Truth) bool { return member(g, cid) != "" }},
		{name: "remove a stranger", child: "remove", method: http.MethodDelete, path: "/participants", body: naming(cid, bob),
			people: cid + " Failed/not_member/404, " + bob + " Removed", done: func(g group.Truth) bool { return member(g, bob) == "" }},
		{name: "remove", child: "remove", method: http.MethodDelete, path: "/participants", body: naming(ann),
			people: ann + " Removed", done: func(g group.Truth) bool { return member(g, ann) == "" }},
		{name: "promote", child: "promote", method: http.MethodPost, path: "/admins", body: naming(ann, bob),
			people: ann + " Promoted, " + bob + " Promoted", done: func(g group.Truth) bool { return member(g, ann) == group.RoleAdmin }},
		{name: "demote", child: "demote", method: http.MethodDelete, path: "/admins", body: naming(bob),
			prepare: func(r *rig, jid string) {
				r.group(http.MethodPost, jid, "/admins", object{"participants": []string{bob}}).status(http.StatusOK)
			},
			people: bob + " Demoted", done: func(g group.Truth) bool { return member(g, bob) == group.RoleMember }},
		{name: "leave", child: "leave", method: http.MethodPost, path: "/leave", want: `{"success":true}`,
			done: func(g group.Truth) bool { return member(g, myNumber) == "" }},
		{name: "invite link", child: "invite", method: http.MethodGet, path: "/invite-link?reset=true",
			done: func(g group.Truth) bool { return g.InviteCode != "" }},
	}
}

// Every change whose answer is lost says so; its repetition finds out, does what
// is still to be done, and answers as if nothing had been lost.
func TestLostChanges(t *testing.T) {
	t.Parallel()
	for applied, effect := range map[string]fault.Script{"applied": {ApplyThenDisconnect: true}, "not applied": {Close: true}} {
		t.Run(applied, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, soon)
			r.people(ann, bob, cid)
			r.phone(dee, sandbox.PhoneOptions{Name: "Dee", GroupAdd: "contacts"})
			for _, change := range lostChanges() {
				t.Run(change.name, func(t *testing.T) { change.test(r.with(t), effect) })
			}
		})
	}
}

func (l lostChange) test(r *rig, effect fault.Script) {
	r.t.Helper()
	jid := r.create("Old", ann, bob)
	if l.prepare != nil {
		l.prepare(r, jid)
	}
	var body any
	if l.body != nil {
		body = l.body(r, jid)
	}
	ask := func() answer { return r.keyed(l.name[:3]+jid, l.method, myGroups+"/"+jid+l.path, body) }
	r.trouble(l.child, effect)
	ask().refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	r.online()
	settled := ask().status(http.StatusOK)
	if l.want != "" {
		settled.is(l.want)
	}
	if strings.Contains(string(settled.raw), "outcome_unknown") {
		r.t.Errorf("the settled answer is %s", settled.raw)
	}
	if l.people != "" {
		if got := summary(settled.outcomes("results")); got != l.people {
			r.t.Errorf("the results are %s, want %s", got, l.people)
		}
	}
	if truth := r.truth(jid); !l.done(truth) {
		r.t.Errorf("after %s the group is %+v", settled.raw, truth)
	}
	ask().replayed(settled)
}

// A message whose confirmation is lost is sent again as the same message.
func TestLostMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, soon)
	r.people(ann)
	send := func() answer {
		return r.keyed("k", http.MethodPost, "/api/v1/sessions/"+mySession+"/messages/text", object{"to": ann, "text": "once"})
	}
	r.addFault(fault.Fault{Match: fault.Match{Tag: "message"}, Effect: fault.Script{ApplyThenDisconnect: true}, Count: 1})
	send().refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	r.online()
	settled := send().status(http.StatusOK)
	send().replayed(settled)
	ids := map[string]bool{}
	inbox, err := r.wa.Inbox(ann)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range inbox {
		if m.Text == "once" {
			ids[m.ID] = true
		}
	}
	if len(ids) != 1 || !ids[settled.text("message_id")] {
		t.Errorf("the phone got %v, the answer is %s", ids, settled.raw)
	}
}

// People who were let in or turned down by a lost decision are not asked about
// again, and those about whom there was nothing to decide are not said to have been.
func TestLostDecision(t *testing.T) {
	t.Parallel()
	r := newRig(t, soon)
	r.people(ann, bob, cid, dee)
	jid := r.create("Guarded", cid)
	r.group(http.MethodPut, jid, "/settings", object{"membership_approval_mode": "on"}).status(http.StatusOK)
	link := r.group(http.MethodGet, jid, "/invite-link", nil).status(http.StatusOK).text("invite_link")
	for _, number := range []string{ann, bob} {
		if _, status, err := r.wa.Join(number, link); err != nil || status != service.Requested {
			t.Fatalf("%s joins: %v, %v", number, status, err)
		}
	}
	for _, decision := range []struct{ path, number, idle, want string }{
		{"approve", ann, cid, ann + " Approved, " + cid + " Failed/already_member/409"},
		{"reject", bob, dee, bob + " Rejected, " + dee + " Failed/no_request/404"},
	} {
		people := object{"participants": []string{decision.number, decision.idle}}
		ask := func() answer {
			return r.keyed(decision.path, http.MethodPost, myGroups+"/"+jid+"/join-requests/"+decision.path, people)
		}
		r.trouble("membership_requests_action", fault.Script{ApplyThenDisconnect: true})
		ask().refused(http.StatusGatewayTimeout, "outcome_unknown", "")
		r.online()
		settled := ask().status(http.StatusOK)
		if got := summary(settled.outcomes("results")); got != decision.want {
			t.Errorf("the results are %s, want %s", got, decision.want)
		}
		ask().replayed(settled)
	}
	if truth := r.truth(jid); member(truth, ann) == "" || member(truth, bob) != "" || len(truth.Requests) != 0 {
		t.Errorf("the group is %+v", truth)
	}
}

// lostEntry is a change that is not about one group that is there before, or
// not only.
type lostEntry struct {
	name, child  string // no child: it is about the picture
	method, path string
	body         object
	done         func(r *rig, a answer) bool
}

// What makes, joins, links and ends groups is settled as well.
func TestLostEntries(t *testing.T) {
	t.Parallel()
	r := newRig(t, soon)
	r.people(ann, bob)
	foreign := r.byPhone(ann, sandbox.GroupOptions{Name: "Ann's"})
	link := r.truth(foreign).InviteLink
	part := r.create("Part")
	doomed := r.create("Doomed", ann, bob)
	pictured := r.create("Pictured")
	var community string
	isPart := func(r *rig) bool { return r.truth(part).Community != nil }
	for _, e := range []lostEntry{
		{"community", "create", http.MethodPost, "/api/v1/sessions/" + mySession + "/communities", object{"name": "Commons", "description": "x"},
			func(r *rig, a answer) bool {
				community = a.text("group_jid")
				made := slices.DeleteFunc(r.named("Commons"), func(g group.Truth) bool { return g.JID.String() != community })
				return len(made) == 1 && made[0].Description.Text == "x" && a.text("announcement_group_jid") != ""
			}},
		{"link", "links", http.MethodPost, "COMMUNITY/sub-groups", object{"groups": []string{part}},
			func(r *rig, a answer) bool { return isPart(r) && strings.Contains(string(a.raw), `"Linked"`) }},
		{"unlink", "unlink", http.MethodDelete, "COMMUNITY/sub-groups", object{"groups": []string{part}},
			func(r *rig, a answer) bool { return !isPart(r) && strings.Contains(string(a.raw), `"Unlinked"`) }},
		{"dissolve", "delete_parent", http.MethodDelete, "COMMUNITY", nil,
			func(r *rig, a answer) bool { return a.body["success"] == true }},
		{"join", "invite", http.MethodPost, myGroups + "/join", object{"link": link},
			func(r *rig, a answer) bool {
				return a.text("group_jid") == foreign && a.text("status") == "joined" && member(r.truth(foreign), myNumber) != ""
			}},
		{"delete", "leave", http.MethodDelete, myGroups + "/" + doomed, nil,
			func(r *rig, a answer) bool { return a.body["success"] == true && !inGroup(r, doomed) }},
		{"picture", "", http.MethodDelete, myGroups + "/" + pictured + "/photo", nil,
			func(*rig, answer) bool { return true }},
	} {
		for _, effect := range []fault.Script{{Close: true}, {ApplyThenDisconnect: true}} {
			if effect.Close && slices.Contains([]string{"link", "unlink", "dissolve", "join", "delete"}, e.name) {
				continue // it cannot be done twice, and having been done is harder
			}
			e.test(r, community, effect)
		}
	}
}

func inGroup(r *rig, jid string) bool {
	for _, known := range r.wa.Groups() {
		if known.String() == jid {
			return member(r.truth(jid), myNumber) != ""
		}
	}
	return false
}

func (e lostEntry) test(r *rig, community string, effect fault.Script) {
	r.t.Helper()
	path := strings.Replace(e.path, "COMMUNITY", myGroups+"/"+community, 1)
	var body any
	if e.body != nil {
		body = e.body
	}
	key := e.name + strconv.FormatBool(effect.Close)
	ask := func() answer { return r.keyed(key, e.method, path, body) }
	match := fault.Match{Type: "set", Child: e.child}
	if e.child == "" {
		match.XMLNS = "w:profile:picture"
	}
	r.addFault(fault.Fault{Match: match, Effect: effect, Count: 1})
	if lost := ask(); lost.code != http.StatusGatewayTimeout && !strings.Contains(string(lost.raw), "outcome_unknown") {
		r.t.Errorf("%s: the lost change is answered with %d %s", e.name, lost.code, lost.raw)
	}
	r.online()
	settled := ask()
	if settled.code/100 != 2 || !e.done(r, settled) {
		r.t.Errorf("%s: the repetition got %d %s", e.name, settled.code, settled.raw)
	}
	ask().replayed(settled)
}
