package v1_test

import (
	"fmt"
	"net/http"
	"testing"

	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/service"
)

// TestDelete removes more people than fit into one request, and leaves.
func TestDelete(t *testing.T) {
	r := newRig(t)
	var crowd []string
	for i := range 130 {
		crowd = append(crowd, fmt.Sprintf("628222%06d", i))
	}
	r.people(crowd...)
	for _, mode := range []string{"lid", "pn"} {
		jid := r.byPhone(myNumber, sandbox.GroupOptions{Name: "The end", Participants: crowd, AddressingMode: mode})
		r.act(myNumber, jid, service.ActPromote, crowd[5])
		before := r.wa.Stats().ByAccount[myNumber]["iq:w:g2:set:remove"]
		deleted := r.group(http.MethodDelete, jid, "", nil).status(http.StatusOK)
		results := deleted.outcomes("results")
		if deleted.body["success"] != true || deleted.body["remaining"] != float64(0) || len(results) != len(crowd) {
			t.Errorf("deleting: %.300s", deleted.raw)
		}
		for _, result := range results {
			if result.Status != "Removed" {
				t.Fatalf("%+v", result)
			}
		}
		truth, err := r.wa.GroupTruth(r.jid(jid))
		if err != nil || len(truth.Participants) != 0 {
			t.Errorf("%d are left, %v", len(truth.Participants), err)
		}
		if r.listed(jid) != nil {
			t.Error("the group is still in the list")
		}
		if more := r.wa.Stats().ByAccount[myNumber]["iq:w:g2:set:remove"] - before; more != 2 {
			t.Errorf("%d requests for %d people", more, len(crowd))
		}
		if code := r.group(http.MethodDelete, jid, "", nil).code; code != http.StatusForbidden && code != http.StatusNotFound {
			t.Errorf("deleting it again: %d", code)
		}
	}
}

// TestDeleteThatCannotFinish checks that nobody is removed for nothing, that the
// account stays, and that it is said why.
func TestDeleteThatCannotFinish(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob, cid)
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Ann's", Participants: []string{myNumber, bob, cid}})
	r.act(ann, jid, service.ActPromote, myNumber)
	r.follows(jid)
	stopped := r.group(http.MethodDelete, jid, "", nil).status(http.StatusOK)
	if got := summary(stopped.outcomes("results")); stopped.body["success"] != false || stopped.body["remaining"] != float64(3) || got != ann+" Failed/creator/405" {
		t.Errorf("against the creator: %s", stopped.raw)
	}
	r.agrees(jid)

	mine := r.create("Mine", ann, bob, cid)
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "remove"}, Effect: sandbox.FaultEffect{Error: 429}, Count: 1})
	r.group(http.MethodDelete, mine, "", nil).refused(http.StatusTooManyRequests, "rate_limited", "")
	r.agrees(mine)
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "leave"}, Effect: sandbox.FaultEffect{Error: 429}, Count: 1})
	left := r.group(http.MethodDelete, mine, "", nil).status(http.StatusOK)
	failure, _ := left.body["error"].(object)
	if left.body["success"] != false || left.body["remaining"] != float64(0) || failure["code"] != "rate_limited" || len(left.outcomes("results")) != 3 {
		t.Errorf("without leaving: %s", left.raw)
	}
	r.agrees(mine)
	r.group(http.MethodDelete, mine, "", nil).status(http.StatusOK).is(`{"success":true,"results":[],"remaining":0}`)
}

// TestDeleteHalfWay checks that an unknown outcome is the answer as a whole, with
// what became of the people until then.
func TestDeleteHalfWay(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	for child, want := range map[string]int{"remove": 0, "leave": 2} {
		jid := r.create("Mine", ann, bob)
		r.trouble(child, fault.Script{ApplyThenDisconnect: true})
		lost := r.group(http.MethodDelete, jid, "", nil).refused(http.StatusGatewayTimeout, "outcome_unknown", "")
		known, _ := lost.body["results"].([]any)
		if len(known) != want {
			t.Errorf("%s: %s", child, lost.raw)
		}
		for _, each := range known {
			if each.(object)["status"] != "Removed" {
				t.Errorf("%s: %s", child, lost.raw)
			}
		}
		r.online()
	}
}
