package v1_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/service"
)

// The people of the tests.
const (
	ann   = "628111000001"
	bob   = "628111000002"
	cid   = "628111000003"
	dee   = "628111000004"
	nobod = "628199999999" // not on WhatsApp
)

// agrees compares everything that the API says of a group with the simulated
// service's truth, in all three reads.
func (r *rig) agrees(jid string) {
	r.t.Helper()
	if difference := r.differs(jid); difference != "" {
		r.t.Error(difference)
	}
}

// follows waits until what others did is in the mirror.
func (r *rig) follows(jid string) {
	r.t.Helper()
	difference := ""
	if !r.soon(func() bool { difference = r.differs(jid); return difference == "" }) {
		r.t.Error(difference)
	}
}

// soon looks until the condition holds, for what nobody announces here.
func (r *rig) soon(holds func() bool) bool {
	limit := time.After(patience)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-limit:
			return false
		}
	}
	return true
}

// differs says where a read and the truth disagree, or "".
func (r *rig) differs(jid string) string {
	r.t.Helper()
	want, members := r.expected(jid)
	for _, rest := range []string{"", "/info"} {
		a := r.group(http.MethodGet, jid, rest, nil)
		if a.code != http.StatusOK {
			return fmt.Sprintf("%s: %d %s", a.what, a.code, a.raw)
		}
		if rest == "/info" {
			list, _ := a.body["participants"].([]any)
			var seen []string
			for _, each := range list {
				p, _ := each.(object)
				seen = append(seen, fmt.Sprint(p["jid"], p["phone_number"], p["lid"], p["role"]))
			}
			slices.Sort(seen)
			if !slices.Equal(members, seen) {
				return fmt.Sprintf("the participants are\n%v, in truth\n%v", seen, members)
			}
		}
		if got := described(a.body); got != fmt.Sprint(want) {
			return fmt.Sprintf("%s is\n%v, in truth\n%v", a.what, got, want)
		}
	}
	if got := described(r.listed(jid)); got != fmt.Sprint(want) {
		return fmt.Sprintf("in the list the group is\n%v, in truth\n%v", got, want)
	}
	return ""
}

// described is what an answer says of the group itself.
func described(body object) string {
	g := maps.Clone(body)
	delete(g, "participants")
	delete(g, "synced_at")
	delete(g, "stale")
	if g["topic"] == "" {
		delete(g, "topic_id") // of a deleted description, which not everybody knows
	}
	return fmt.Sprint(g)
}

// expected is what an answer about a group should say, and its members.
func (r *rig) expected(jid string) (want object, members []string) {
	r.t.Helper()
	truth, err := r.wa.GroupTruth(r.jid(jid))
	if err != nil {
		r.t.Fatal(err)
	}
	approval := "off"
	if truth.MembershipApprovalMode == "on" {
		approval = "on"
	}
	want = object{
		"jid": jid, "name": truth.Subject, "subject": truth.Subject, "topic": truth.Description.Text,
		"owner": truth.Owner.JID.String(), "created_at": float64(truth.CreatedAt),
		"participant_count": float64(len(truth.Participants)), "addressing_mode": truth.AddressingMode,
		"membership_approval_mode": approval, "member_add_mode": truth.MemberAddMode, "member_link_mode": truth.MemberLinkMode,
		"announce": truth.Announcement, "locked": truth.Locked, "disappearing_seconds": float64(truth.Ephemeral),
		"suspended": truth.Suspended, "is_community": false, "is_announcement_group": false,
	}
	if truth.Description.Text != "" {
		want["topic_id"] = truth.Description.ID
	}
	for _, p := range truth.Participants {
		if p.JID.User == myNumber {
			want["my_role"] = string(p.Role)
		}
		members = append(members, fmt.Sprint(p.JID, p.JID.User, p.LID, string(p.Role)))
	}
	slices.Sort(members)
	return want, members
}

// listed is the group's entry in the list, or nil.
func (r *rig) listed(jid string) object {
	r.t.Helper()
	list := r.call(http.MethodGet, "/api/v1/sessions/"+mySession+"/groups", nil).status(http.StatusOK)
	all, _ := list.body["groups"].([]any)
	for _, each := range all {
		if g, _ := each.(object); g["jid"] == jid {
			return g
		}
	}
	return nil
}

// create makes a group over the API and returns its JID.
func (r *rig) create(name string, participants ...string) string {
	r.t.Helper()
	if participants == nil {
		participants = []string{}
	}
	return r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/groups", object{
		"name": name, "participants": participants,
	}).status(http.StatusOK).text("group_jid")
}

// byPhone lets a phone make a group.
func (r *rig) byPhone(number string, o sandbox.GroupOptions) string {
	r.t.Helper()
	jid, _, _, err := r.wa.CreateGroup(number, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return jid.String()
}

// act lets a phone change people of a group, and waits until every client has
// taken it in: whatsmeow changes the member list that it sends to in place, and
// sending at the same moment is a race inside whatsmeow.
func (r *rig) act(number, jid string, act service.PeopleAct, people ...string) {
	r.t.Helper()
	if _, err := r.wa.ChangePeople(number, r.jid(jid), act, people); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("everybody to know of it", func() bool {
		for _, p := range r.wa.Phones() {
			for _, d := range p.Devices {
				if d.Online && d.Queued > 0 {
					return false
				}
			}
		}
		return true
	})
}

func (r *rig) jid(text string) types.JID {
	r.t.Helper()
	jid, err := types.ParseJID(text)
	if err != nil {
		r.t.Fatal(err)
	}
	return jid
}

func people(list ...string) object { return object{"participants": list} }

func TestEveryOperationInBothAddressings(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob, cid, dee)
	for _, mode := range []string{"lid", "pn"} {
		t.Run(mode, func(t *testing.T) {
			r := r.with(t)
			jid := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Anglers", Participants: []string{ann}, AddressingMode: mode})
			r.follows(jid)
			r.runMembership(jid)
			r.runTexts(jid)
			r.runSettings(jid)
			r.runInviteLink(jid)
			r.group(http.MethodPost, jid, "/leave", nil).status(http.StatusOK).is(`{"success":true}`)
			if r.listed(jid) != nil {
				t.Error("the group is still in the list after leaving it")
			}
			r.group(http.MethodGet, jid, "/info", nil).refused(http.StatusForbidden, "not_in_group", "")
			r.group(http.MethodPost, jid, "/leave", nil).refused(http.StatusForbidden, "not_in_group", "")
		})
	}
}

func (r *rig) runMembership(jid string) {
	r.t.Helper()
	added := r.group(http.MethodPost, jid, "/participants", people("+"+bob, cid+"@s.whatsapp.net")).status(http.StatusOK).outcomes("results")
	if got := summary(added); got != bob+" Added, "+cid+" Added" {
		r.t.Errorf("adding: %s", got)
	}
	if bobInfo, _ := r.wa.Phone(bob); added[0].PhoneNumber != bob || added[0].LID != bobInfo.LID || added[0].Input != "+"+bob {
		r.t.Errorf("adding: %+v", added[0])
	}
	r.agrees(jid)
	annInfo, _ := r.wa.Phone(ann)
	r.group(http.MethodPost, jid, "/admins", people(annInfo.LID, bob)).status(http.StatusOK)
	r.agrees(jid)
	demoted := r.group(http.MethodDelete, jid, "/admins", people(bob+"@c.us")).status(http.StatusOK)
	if demoted.body["success"] != true || summary(demoted.outcomes("results")) != bob+" Demoted" {
		r.t.Errorf("demoting: %s", demoted.raw)
	}
	r.agrees(jid)
	removed := r.group(http.MethodDelete, jid, "/participants", people(annInfo.LID, cid)).status(http.StatusOK).outcomes("results")
	if got := summary(removed); got != ann+" Removed, "+cid+" Removed" {
		r.t.Errorf("removing: %s", got)
	}
	r.agrees(jid)
}

func (r *rig) runTexts(jid string) {
	r.t.Helper()
	r.group(http.MethodPut, jid, "/subject", object{"subject": "Fly anglers ½"}).status(http.StatusOK).is(`{"success":true}`)
	r.agrees(jid)
	set := func(body string) answer { return r.group(http.MethodPut, jid, "/description", body) }
	set(`{"description":"One","prev_id":null}`).status(http.StatusOK).is(`{"success":true}`)
	r.agrees(jid)
	first := r.group(http.MethodGet, jid, "", nil).text("topic_id")
	set(`{"description":"Two","prev_id":"` + first + `"}`).status(http.StatusOK)
	r.agrees(jid)
	set(`{"description":"Three","prev_id":"`+first+`"}`).refused(http.StatusConflict, "description_conflict", "")
	set(`{"description":null}`).status(http.StatusOK).is(`{"success":true}`)
	r.agrees(jid)
	set(`{"description":"Four"}`).status(http.StatusOK)
	r.agrees(jid)
}

func (r *rig) runSettings(jid string) {
	r.t.Helper()
	for _, step := range []struct{ body, approval, add, link string }{
		{`{"membership_approval_mode":"on","member_add_mode":"admin_add","member_link_mode":"all_member_link"}`, "on", "admin_add", "all_member_link"},
		{`{"membership_approval_mode":"off"}`, "off", "admin_add", "all_member_link"},
		{`{"member_add_mode":"all_member_add","member_link_mode":null}`, "off", "all_member_add", "all_member_link"},
		{`{"member_link_mode":"admin_link"}`, "off", "all_member_add", "admin_link"},
	} {
		r.group(http.MethodPut, jid, "/settings", step.body).status(http.StatusOK).is(fmt.Sprintf(
			`{"success":true,"settings":{"membership_approval_mode":%q,"member_add_mode":%q,"member_link_mode":%q,
				"announce":false,"locked":false,"disappearing_seconds":0}}`,
			step.approval, step.add, step.link))
		r.agrees(jid)
	}
	on, week := true, uint32(604800)
	if err := r.wa.SetSettings(myNumber, r.jid(jid), sandbox.Settings{Announce: &on, Locked: &on, Ephemeral: &week}); err != nil {
		r.t.Fatal(err)
	}
	r.follows(jid)
}

func (r *rig) runInviteLink(jid string) {
	r.t.Helper()
	link := func(query string) string {
		r.t.Helper()
		return r.group(http.MethodGet, jid, "/invite-link"+query, nil).status(http.StatusOK).text("invite_link")
	}
	truth := func() string {
		r.t.Helper()
		truth, err := r.wa.GroupTruth(r.jid(jid))
		if err != nil {
			r.t.Fatal(err)
		}
		return truth.InviteLink
	}
	before := truth()
	if link("") != before || link("?reset=false") != before || !strings.HasPrefix(before, "https://chat.whatsapp.com/") {
		r.t.Errorf("the link is %s, in truth %s", link(""), before)
	}
	after := link("?reset=true")
	if after == before || after != truth() || after != link("") {
		r.t.Errorf("the link is %s after a reset, in truth %s", after, truth())
	}
}

func TestCreate(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	annInfo, _ := r.wa.Phone(ann)
	path := "/api/v1/sessions/" + mySession + "/groups"

	t.Run("with everything", func(t *testing.T) {
		r := r.with(t)
		created := r.call(http.MethodPost, path, object{
			"name": "My New Group", "participants": []string{"+" + ann, bob, annInfo.LID, myNumber},
			"membership_approval_mode": "on", "member_add_mode": "admin_add", "member_link_mode": "all_member_link",
		}).status(http.StatusOK)
		if got := summary(created.outcomes("participants")); got != ann+" Added, "+bob+" Added, "+myNumber+" Added" {
			t.Errorf("participants: %s", got)
		}
		if created.body["warnings"] != nil {
			t.Errorf("warnings: %s", created.raw)
		}
		jid := created.text("group_jid")
		r.agrees(jid)
		info := r.group(http.MethodGet, jid, "/info", nil)
		if info.text("member_link_mode") != "all_member_link" || info.text("member_add_mode") != "admin_add" || info.text("membership_approval_mode") != "on" {
			t.Errorf("modes: %s", info.raw)
		}
	})
	t.Run("alone", func(t *testing.T) {
		r := r.with(t)
		jid := r.create("Just me")
		r.agrees(jid)
	})
	t.Run("a number without an account fails alone", func(t *testing.T) {
		r := r.with(t)
		created := r.call(http.MethodPost, path, object{"name": "Some", "participants": []string{nobod, ann}}).status(http.StatusOK)
		if got := summary(created.outcomes("participants")); got != nobod+" Failed/not_on_whatsapp/0, "+ann+" Added" {
			t.Errorf("participants: %s", got)
		}
		r.agrees(created.text("group_jid"))
	})
	t.Run("nobody has an account", func(t *testing.T) {
		r := r.with(t)
		before := len(r.wa.Groups())
		r.call(http.MethodPost, path, object{"name": "Some", "participants": []string{nobod}}).
			refused(http.StatusUnprocessableEntity, "invalid", "participants")
		if len(r.wa.Groups()) != before {
			t.Error("a group was made all the same")
		}
	})
	t.Run("a mode that cannot be set is a warning", func(t *testing.T) {
		r := r.with(t)
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:mex"}, Effect: sandbox.FaultEffect{Error: 500}})
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "member_link_mode"}, Effect: sandbox.FaultEffect{Error: 405}})
		created := r.call(http.MethodPost, path, object{
			"name": "Warned", "participants": []string{ann}, "member_link_mode": "all_member_link",
		}).status(http.StatusOK)
		warnings, _ := created.body["warnings"].([]any)
		if len(warnings) != 1 || !strings.Contains(fmt.Sprint(warnings), "member_link_mode") {
			t.Errorf("warnings: %s", created.raw)
		}
		r.agrees(created.text("group_jid"))
	})
}

// fault puts a rule in force until the test ends.
func (r *rig) fault(f sandbox.Fault) {
	r.t.Helper()
	if _, err := r.wa.Faults().Add(f); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.wa.ClearFaults)
}

func TestListPages(t *testing.T) {
	r := newRig(t)
	path := "/api/v1/sessions/" + mySession + "/groups"
	r.call(http.MethodGet, path, nil).status(http.StatusOK).text("next_cursor")
	var want []string
	for i := range 5 {
		want = append(want, r.create(fmt.Sprintf("Group %d", i)))
	}
	slices.Sort(want)
	var got []string
	cursor, pages := "", 0
	for {
		page := r.call(http.MethodGet, path+"?limit=2&cursor="+cursor, nil).status(http.StatusOK)
		all, _ := page.body["groups"].([]any)
		for _, each := range all {
			g, _ := each.(object)
			got = append(got, fmt.Sprint(g["jid"]))
		}
		if page.body["total"] != float64(5) {
			t.Errorf("total: %s", page.raw)
		}
		pages++
		if cursor = page.text("next_cursor"); cursor == "" {
			break
		}
	}
	if pages != 3 || !slices.Equal(got, want) {
		t.Errorf("%d pages: %v, want %v", pages, got, want)
	}
	r.call(http.MethodGet, path+"?limit=0", nil).refused(http.StatusUnprocessableEntity, "invalid", "limit")
	r.call(http.MethodGet, path+"?limit=2001", nil).refused(http.StatusUnprocessableEntity, "invalid", "limit")
	r.call(http.MethodGet, path+"?cursor=abc", nil).refused(http.StatusUnprocessableEntity, "invalid", "cursor")
}

// TestChangesByOthers checks that what other members do is seen.
func TestChangesByOthers(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob, cid)
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Ann's", Participants: []string{myNumber, bob}, Description: "Hers"})
	r.follows(jid)
	if err := r.wa.SetSubject(ann, r.jid(jid), "Ann's own"); err != nil {
		t.Fatal(err)
	}
	if err := r.wa.SetDescription(ann, r.jid(jid), "Still hers"); err != nil {
		t.Fatal(err)
	}
	r.act(ann, jid, service.ActAdd, cid)
	r.act(ann, jid, service.ActPromote, myNumber)
	r.follows(jid)
	if err := r.wa.LeaveGroup(bob, r.jid(jid)); err != nil {
		t.Fatal(err)
	}
	on := true
	if err := r.wa.SetSettings(ann, r.jid(jid), sandbox.Settings{Suspended: &on}); err != nil {
		t.Fatal(err)
	}
	r.follows(jid)
	r.group(http.MethodPut, jid, "/subject", object{"subject": "x"}).refused(http.StatusUnprocessableEntity, "rejected", "")
}
