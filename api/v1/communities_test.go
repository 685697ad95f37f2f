package v1_test

import (
	"fmt"
	"image/color"
	"net/http"
	"strings"
	"testing"

	"muster/sandbox"
	"muster/sandbox/service"
)

// links writes what became of groups as "Linked, Failed/not_admin".
func (a answer) links() string {
	list, _ := a.body["results"].([]any)
	var parts []string
	for _, each := range list {
		result, _ := each.(object)
		part := fmt.Sprint(result["status"])
		if failure, ok := result["error"].(object); ok {
			part += fmt.Sprint("/", failure["code"])
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// knows waits until the group's place among communities is known.
func (r *rig) knows(jid, community string) {
	r.t.Helper()
	if !r.soon(func() bool { return r.group(http.MethodGet, jid, "", nil).text("community") == community }) {
		r.t.Errorf("%s is not known to be in %q", jid, community)
	}
}

func TestCommunities(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob, cid)
	mine, other := r.create("Mine", ann), r.create("Other", bob)
	foreign := r.byPhone(cid, sandbox.GroupOptions{Name: "Cid's", Participants: []string{myNumber}})
	path := "/api/v1/sessions/" + mySession + "/communities"

	made := r.call(http.MethodPost, path, object{"name": "All", "description": "Everybody", "groups": []string{mine, foreign}}).status(http.StatusOK)
	if made.links() != "Linked, Failed/not_admin" || made.body["warnings"] != nil {
		t.Errorf("making it: %s", made.raw)
	}
	community, announcements := made.text("group_jid"), made.text("announcement_group_jid")
	info := r.group(http.MethodGet, community, "", nil).status(http.StatusOK)
	if info.body["is_community"] != true || info.text("topic") != "Everybody" || info.text("name") != "All" {
		t.Errorf("the community: %s", info.raw)
	}
	info = r.group(http.MethodGet, announcements, "", nil).status(http.StatusOK)
	if info.body["is_announcement_group"] != true || info.text("community") != community {
		t.Errorf("the announcement group: %s", info.raw)
	}
	r.knows(mine, community)

	link := func(method string, jids ...string) answer {
		return r.group(method, community, "/sub-groups", object{"groups": jids})
	}
	if got := link(http.MethodPost, other, mine, community, "120363999999999999@g.us").status(http.StatusOK).links(); got != "Linked, Failed/already_linked, Failed/is_community, Failed/group_not_found" {
		t.Errorf("linking: %s", got)
	}
	inside := r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/groups", object{
		"name": "Inside", "participants": []string{ann}, "community": community, "announce": true, "disappearing_seconds": 86400,
	}).status(http.StatusOK).text("group_jid")
	r.knows(inside, community)
	got := r.group(http.MethodGet, inside, "", nil)
	if got.body["announce"] != true || got.body["disappearing_seconds"] != float64(86400) {
		t.Errorf("inside: %s", got.raw)
	}

	subs := r.group(http.MethodGet, community, "/sub-groups", nil).status(http.StatusOK)
	list, _ := subs.body["groups"].([]any)
	first, _ := list[0].(object)
	if len(list) != 4 || subs.body["total"] != float64(4) || subs.text("announcement_group_jid") != announcements ||
		first["jid"] != announcements || first["is_announcement_group"] != true || first["participant_count"] != float64(3) {
		t.Errorf("its groups: %s", subs.raw)
	}
	people := r.group(http.MethodGet, community, "/participants", nil).status(http.StatusOK)
	if roles := rolesOf(people); people.body["total"] != float64(3) || roles != myNumber+" superadmin, "+ann+" member, "+bob+" member" {
		t.Errorf("its people: %s", roles)
	}
	if roles := rolesOf(r.group(http.MethodGet, other, "/participants", nil).status(http.StatusOK)); roles != myNumber+" superadmin, "+bob+" member" {
		t.Errorf("the people of a group: %s", roles)
	}

	r.group(http.MethodGet, community, "/photo", nil).refused(http.StatusNotFound, "not_found", "")
	r.upload(community, "image/png", inPNG(t, drawn(300, 300, color.Black))).status(http.StatusOK)
	r.shows(community, color.RGBA{0, 0, 0, 255})

	if got := link(http.MethodDelete, other, announcements, foreign).status(http.StatusOK).links(); got != "Unlinked, Failed/announcement_group, Failed/not_linked" {
		t.Errorf("unlinking: %s", got)
	}
	r.knows(other, "")
	r.group(http.MethodDelete, announcements, "", nil).refused(http.StatusConflict, "conflict", "")
	r.group(http.MethodDelete, community, "", nil).status(http.StatusOK).is(`{"success":true,"results":[],"remaining":0}`)
	r.knows(mine, "")
	if r.listed(community) != nil || r.listed(announcements) != nil {
		t.Error("the community is still in the list")
	}
}

// rolesOf writes participants as "62811 superadmin, 62812 member".
func rolesOf(a answer) string {
	list, _ := a.body["participants"].([]any)
	var parts []string
	for _, each := range list {
		p, _ := each.(object)
		parts = append(parts, fmt.Sprint(p["phone_number"], " ", p["role"]))
	}
	return strings.Join(parts, ", ")
}

// TestCommunitiesOfOthers checks what members and strangers are told.
func TestCommunitiesOfOthers(t *testing.T) {
	const boss = "628111000031"
	r := newRig(t)
	r.people(ann, boss)
	r.link("boss", boss)
	common := r.byPhone(boss, sandbox.GroupOptions{Name: "Common", Participants: []string{myNumber}})
	if !r.soon(func() bool {
		return r.call(http.MethodGet, "/api/v1/sessions/boss/groups/"+common, nil).code == http.StatusOK
	}) {
		t.Fatal("the boss does not know the group")
	}
	community := r.call(http.MethodPost, "/api/v1/sessions/boss/communities", object{"name": "The boss's", "groups": []string{common}}).status(http.StatusOK).text("group_jid")
	mine := r.create("Mine")
	if !r.soon(func() bool { return r.group(http.MethodGet, community, "", nil).code == http.StatusOK }) {
		t.Fatal("the community is not known")
	}

	r.group(http.MethodPost, community, "/sub-groups", object{"groups": []string{mine}}).refused(http.StatusForbidden, "not_admin", "")
	r.group(http.MethodDelete, community, "/sub-groups", object{"groups": []string{common}}).refused(http.StatusForbidden, "not_admin", "")
	r.group(http.MethodDelete, community, "", nil).refused(http.StatusForbidden, "not_admin", "")
	create := func(community string) answer {
		return r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/groups", object{"name": "x", "participants": []string{}, "community": community})
	}
	create(community).refused(http.StatusForbidden, "not_admin", "")
	create("120363999999999999@g.us").refused(http.StatusNotFound, "group_not_found", "")
	create(mine).refused(http.StatusUnprocessableEntity, "invalid", "community")
	r.group(http.MethodGet, community, "/sub-groups", nil).status(http.StatusOK)

	// An admin who has not founded it cannot dissolve it.
	r.act(boss, community, service.ActPromote, myNumber)
	r.group(http.MethodDelete, community, "", nil).refused(http.StatusForbidden, "not_admin", "")
	if got := r.group(http.MethodPost, community, "/sub-groups", object{"groups": []string{mine}}).status(http.StatusOK).links(); got != "Linked" {
		t.Errorf("linking as an admin: %s", got)
	}
}
