package v1_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"muster/sandbox"
	"muster/sandbox/fault"
)

// fields writes the answer to a PATCH as "subject Changed, locked Failed/not_admin".
func (a answer) fields() string {
	list, _ := a.body["results"].([]any)
	var parts []string
	for _, each := range list {
		result, _ := each.(object)
		part := fmt.Sprint(result["field"], " ", result["status"])
		if failure, ok := result["error"].(object); ok {
			part += fmt.Sprint("/", failure["code"])
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func TestPatch(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	for _, mode := range []string{"lid", "pn"} {
		jid := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Anglers", Description: "Old", Participants: []string{ann}, AddressingMode: mode})
		r.follows(jid)
		patch := func(body any) answer { return r.group(http.MethodPatch, jid, "", body) }
		all := patch(object{
			"subject": "Fly anglers", "description": "New", "membership_approval_mode": "on", "member_add_mode": "admin_add",
			"member_link_mode": "all_member_link", "announce": true, "locked": true, "disappearing_seconds": 86400,
		}).status(http.StatusOK)
		if got := all.fields(); all.body["success"] != true || got != "subject Changed, description Changed, membership_approval_mode Changed, "+
			"member_add_mode Changed, member_link_mode Changed, announce Changed, locked Changed, disappearing_seconds Changed" {
			t.Errorf("everything: %s", all.raw)
		}
		r.agrees(jid)
		patch(`{"description":null,"announce":false,"disappearing_seconds":0,"subject":null}`).status(http.StatusOK)
		r.agrees(jid)
		if topic := r.group(http.MethodGet, jid, "", nil).text("topic"); topic != "" {
			t.Errorf("the topic is %q", topic)
		}
		patch(`{"description":"Newer"}`).status(http.StatusOK)

		// One that fails does not keep the others from being done, and is told.
		some := patch(object{"description": "No", "prev_id": "OLD", "locked": false}).status(http.StatusOK)
		if got := some.fields(); some.body["success"] != false || got != "description Failed/description_conflict, locked Changed" {
			t.Errorf("some: %s", some.raw)
		}
		r.agrees(jid)
		patch(object{"description": "No", "prev_id": "OLD"}).refused(http.StatusConflict, "description_conflict", "")
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "subject"}, Effect: sandbox.FaultEffect{Error: 406}, Count: 1})
		patch(object{"subject": "x"}).refused(http.StatusUnprocessableEntity, "invalid", "subject")

		// What the rest would meet too is not tried again and again.
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "announcement"}, Effect: sandbox.FaultEffect{Error: 429}, Count: 1})
		slow := patch(object{"subject": "Slow", "announce": true, "locked": true}).status(http.StatusOK)
		if got := slow.fields(); got != "subject Changed, announce Failed/rate_limited, locked NotTried/rate_limited" {
			t.Errorf("too fast: %s", slow.raw)
		}
		r.agrees(jid)
	}
}

// TestPatchHalfWay checks that an unknown outcome is the answer as a whole, with
// what is known of the fields, wherever among them it comes.
func TestPatchHalfWay(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	jid := r.create("Anglers", ann)
	for child, want := range map[string]string{
		"subject":      "subject Failed/outcome_unknown, description NotTried/outcome_unknown, announce NotTried/outcome_unknown",
		"description":  "subject Changed, description Failed/outcome_unknown, announce NotTried/outcome_unknown",
		"announcement": "subject Changed, description Changed, announce Failed/outcome_unknown",
	} {
		r.trouble(child, fault.Script{ApplyThenDisconnect: true})
		lost := r.group(http.MethodPatch, jid, "", object{"subject": "After " + child, "description": child, "announce": true})
		lost.refused(http.StatusGatewayTimeout, "outcome_unknown", strings.TrimSuffix(child, "ment"))
		if got := lost.fields(); got != want {
			t.Errorf("%s: %s", child, lost.raw)
		}
		r.online()
		r.group(http.MethodPatch, jid, "", object{"announce": false}).status(http.StatusOK)
	}
	r.agrees(jid)
}

// TestPatchByAMember checks that a member changes what members may, and is told
// about the rest.
func TestPatchByAMember(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Ann's", Participants: []string{myNumber}})
	r.follows(jid)
	before := r.wa.Stats().ByAccount[myNumber]
	done := r.group(http.MethodPatch, jid, "", object{
		"subject": "Ours", "membership_approval_mode": "on", "member_add_mode": "admin_add", "announce": true, "locked": true, "disappearing_seconds": 604800,
	}).status(http.StatusOK)
	if got := done.fields(); got != "subject Changed, membership_approval_mode Failed/not_admin, member_add_mode Failed/not_admin, "+
		"announce Failed/not_admin, locked Failed/not_admin, disappearing_seconds Changed" {
		t.Errorf("%s", done.raw)
	}
	r.agrees(jid)
	const query = "iq:w:g2:get:query"
	queries := r.wa.Stats().ByAccount[myNumber][query] - before[query]
	if queries < 1 || queries > 4 { // not once for each refusal
		t.Errorf("WhatsApp was asked %d times for the group", queries)
	}
}
