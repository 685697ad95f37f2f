package truth_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/service"
)

// agrees fails the test where any of the three reads of a group differs from
// the truth.
func (s session) agrees(jid types.JID) {
	s.t.Helper()
	for _, difference := range s.differences(jid) {
		s.t.Errorf("%s, %s: %s", s.id, jid, difference)
	}
}

// agreesInAll is agrees for every group there is, and for which groups the
// session's account is in.
func (s session) agreesInAll() {
	s.t.Helper()
	for _, jid := range s.wa.Groups() {
		s.agrees(jid)
	}
}

// differences compares everything that the API says of a group with the truth.
func (s session) differences(jid types.JID) []string {
	s.t.Helper()
	truth, err := s.wa.GroupTruth(jid)
	want, member := s.expected(truth)
	if errors.Is(err, service.ErrUnknownGroup) {
		member = false // it has been dissolved
	} else if err != nil {
		return []string{err.Error()}
	}
	get, info, listed := s.group(http.MethodGet, jid, "", nil), s.group(http.MethodGet, jid, "/info", nil), s.listed(jid)
	if !member {
		return s.absent(get, info, listed)
	}
	if get.status != http.StatusOK || info.status != http.StatusOK || listed == nil {
		return []string{fmt.Sprintf("is a member; the answers are %d %d, listed %v: %s", get.status, info.status, listed != nil, get.raw)}
	}
	if truth.Description.Text == "" && get.body["topic_id"] == truth.Description.ID {
		// A description that was deleted has left its version, to those who saw it go.
		want["topic_id"] = truth.Description.ID
	}
	found := compare("get", get.body, want)
	found = append(found, compare("info", info.body, want)...)
	found = append(found, compare("list", listed, want)...)
	return append(found, compareMembers(info.body, truth)...)
}

// absent is what is wrong about a group that the account is not in.
func (s session) absent(get, info answer, listed object) (found []string) {
	if listed != nil {
		found = append(found, "is listed, and the account is not in it")
	}
	for _, a := range []answer{get, info} {
		if a.status != http.StatusForbidden && a.status != http.StatusNotFound {
			found = append(found, fmt.Sprintf("the account is not in it, and %s answers %d %s", a.what, a.status, a.raw))
		}
	}
	return found
}

// expected is a group as the API should show it, and whether the session's
// account is in it.
func (s session) expected(truth group.Truth) (want object, member bool) {
	want = object{
		"jid": truth.JID.String(), "name": truth.Subject, "subject": truth.Subject, "topic": truth.Description.Text,
		"owner": truth.Owner.JID.String(), "created_at": float64(truth.CreatedAt),
		"participant_count": float64(len(truth.Participants)), "addressing_mode": truth.AddressingMode,
		"membership_approval_mode": truth.MembershipApprovalMode,
		"member_add_mode":          truth.MemberAddMode, "member_link_mode": truth.MemberLinkMode,
		"announce": truth.Announcement, "locked": truth.Locked, "disappearing_seconds": float64(truth.Ephemeral),
		"suspended": truth.Suspended, "is_community": false, "is_announcement_group": false, "community": nil, "topic_id": nil,
	}
	if truth.Description.Text != "" {
		want["topic_id"] = truth.Description.ID
	}
	if c := truth.Community; c != nil {
		want["is_community"], want["is_announcement_group"] = c.IsParent, c.IsAnnouncement
		if !c.IsParent {
			want["community"] = c.Parent.String()
		}
	}
	for _, p := range truth.Participants {
		if p.JID.User == s.number {
			want["my_role"], member = string(p.Role), true
		}
	}
	return want, member
}

// compare names the fields that differ.
func compare(where string, got, want object) (found []string) {
	for _, field := range slices.Sorted(maps.Keys(want)) {
		if got[field] != want[field] {
			found = append(found, fmt.Sprintf("%s: %s is %v, in truth %v", where, field, got[field], want[field]))
		}
	}
	return found
}

// compareMembers compares who is in a group under which names, and their roles.
func compareMembers(info object, truth group.Truth) (found []string) {
	list, _ := info["participants"].([]any)
	got := map[string]bool{}
	for _, each := range list {
		p, _ := each.(object)
		got[fmt.Sprint(p["jid"], " ", p["phone_number"], " ", p["lid"], " ", p["role"])] = true
	}
	if len(got) < len(list) {
		found = append(found, "info: somebody is named twice")
	}
	for _, p := range truth.Participants {
		name := fmt.Sprint(p.JID, " ", p.JID.User, " ", p.LID, " ", p.Role)
		if !got[name] {
			found = append(found, "info: lacks the participant "+name)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		found = append(found, "info: has in vain the participants "+strings.Join(slices.Sorted(maps.Keys(got)), ", "))
	}
	return found
}

// listed is the group's entry in the session's list, or nil.
func (s session) listed(jid types.JID) object {
	s.t.Helper()
	list, err := s.list()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, g := range list.Groups {
		if g["jid"] == jid.String() {
			return g
		}
	}
	return nil
}
