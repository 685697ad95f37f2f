package service_test

import (
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
)

// cutAfter makes the service apply alice's next request of a kind and then cut
// the connection. whatsmeow connects again by itself and repeats the request.
func cutAfter(t *testing.T, srv *sandbox.Server, xmlns, kind, child string) {
	t.Helper()
	addFault(t, srv, fault.Fault{
		Match:  fault.Match{Tag: "iq", XMLNS: xmlns, Type: kind, Child: child, Account: alice},
		Effect: fault.Script{ApplyThenDisconnect: true}, Count: 1,
	})
}

func addFault(t *testing.T, srv *sandbox.Server, f fault.Fault) string {
	t.Helper()
	added, err := srv.Faults().Add(f)
	if err != nil {
		t.Fatal(err)
	}
	return added.ID
}

func TestRepeatedRequestIsAppliedOnce(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob, carol)
	a := sandboxtest.Link(t, srv, alice)
	cutAfter(t, srv, "w:g2", "set", "create")
	group, err := a.CreateGroup(t.Context(), whatsmeow.ReqCreateGroup{Name: "Once", Participants: []types.JID{pn(bob)}})
	if err != nil {
		t.Fatal(err)
	}
	if made := srv.Groups(); len(made) != 1 || made[0] != group.JID {
		t.Errorf("the groups are %v, the client was told of %s", made, group.JID)
	}
	cutAfter(t, srv, "w:g2", "set", "add")
	added, err := a.UpdateGroupParticipants(t.Context(), group.JID, []types.JID{pn(carol)}, whatsmeow.ParticipantChangeAdd)
	if err != nil || len(added) != 1 || added[0].Error != 0 {
		t.Errorf("adding carol: %+v, %v", added, err)
	}
	cutAfter(t, srv, "w:g2", "set", "leave")
	if err := a.LeaveGroup(t.Context(), group.JID); err != nil {
		t.Errorf("leaving: %v", err)
	}
	sent := srv.Stats().Stanzas
	for _, kind := range []string{"create", "add", "leave"} {
		if n := sent["iq:w:g2:set:"+kind]; n != 2 {
			t.Errorf("%s was sent %d times, want it repeated", kind, n)
		}
	}
}

func TestRepeatedFetchUsesNoMoreKeys(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	stock := func() int {
		t.Helper()
		count, err := b.DangerousInternals().GetServerPreKeyCount(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return count
	}
	before := stock()
	cutAfter(t, srv, "encrypt", "get", "key")
	keys := a.DangerousInternals().FetchPreKeysNoError(t.Context(), []types.JID{*b.Store.ID})
	if keys[*b.Store.ID] == nil {
		t.Fatalf("fetched %v", keys)
	}
	if after := stock(); after != before-1 {
		t.Errorf("bob's client had %d keys and has %d", before, after)
	}
}
