package group_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

func TestTruth(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 3)
		g := w.create(p[0], p[1])
		w.setApproval(p[0], g.JID, true)
		w.must(p[1], g.JID, "set", w.change("add", p[2]))
		w.must(p[0], g.JID, "set", description("D", "", "Hello"))
		request := w.private(p[0], g, p[3])
		renamed := p[1]
		renamed.Name = "New name"
		w.people[p[1].LID] = renamed

		truth, ok := w.reg.Truth(g.JID)
		if !ok {
			t.Fatal("no truth")
		}
		data, err := json.Marshal(truth)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		participants, _ := got["participants"].([]any)
		if len(participants) != 2 {
			t.Fatalf("participants %v", participants)
		}
		second, _ := participants[1].(map[string]any)
		if second["jid"] != p[1].PN.String() || second["lid"] != p[1].LID.String() || second["role"] != "member" || second["name"] != "New name" {
			t.Errorf("participant %v", second)
		}
		if got["jid"] != g.JID.String() || got["subject"] != "Neighbours" || got["addressing_mode"] != string(w.mode) ||
			got["invite_link"] != group.InviteLink(g.InviteCode) || got["membership_approval_mode"] != "on" ||
			got["created_at"] != float64(w.now.Unix()) || got["disappearing_seconds"] != float64(0) || got["community"] != nil {
			t.Errorf("truth %s", data)
		}
		if truth.Owner.JID != p[0].PN || truth.SubjectOwner.LID != p[0].LID || truth.Description.Text != "Hello" || truth.Description.By.JID != p[0].PN {
			t.Errorf("people of %s", data)
		}
		if len(truth.Requests) != 1 || truth.Requests[0].JID != p[2].PN || truth.Requests[0].RequestedBy.JID != p[1].PN {
			t.Errorf("requests %+v", truth.Requests)
		}
		if len(truth.AddRequests) != 1 || truth.AddRequests[0].Code != request["code"] || truth.AddRequests[0].By.JID != p[0].PN {
			t.Errorf("add requests %+v", truth.AddRequests)
		}
		if _, ok := w.reg.Truth(types.NewJID("1", types.GroupServer)); ok {
			t.Error("truth of an unknown group")
		}
	})
}

func TestSnapshot(t *testing.T) {
	w := newTown(t, types.AddressingModePN)
	p := w.persons(0, 4)
	g := w.create(p[0], p[1], p[2])
	w.private(p[0], g, p[3])
	w.setApproval(p[0], g.JID, true)
	w.must(p[1], g.JID, "set", w.change("add", p[4]))
	w.leave(p[2], g.JID)
	old := w.invite(p[0], g.JID)
	w.must(p[0], g.JID, "set", stanza.Node{Tag: "invite"})
	w.community(p[0])
	if err := w.reg.SetLimit(group.LimitSubject, 30); err != nil {
		t.Fatal(err)
	}
	saved := w.snapshot()

	w.reg.Reset()
	if len(w.reg.All()) != 0 {
		t.Error("Reset left groups")
	}
	if err := w.reg.Restore([]byte(saved)); err != nil {
		t.Fatal(err)
	}
	if again := w.snapshot(); again != saved {
		t.Errorf("round trip\n%s\n%s", saved, again)
	}
	w.refused(410, p[4], types.GroupServerJID, "get", byCode(old))
	w.refused(406, p[0], g.JID, "set", textNode("subject", strings.Repeat("x", 31)))
	reply, _ := w.must(p[0], g.JID, "set", w.change("add", p[2]))
	if got := codes(t, reply, "add"); got != "408" {
		t.Errorf("who left before the restart: %s", got)
	}
}

func TestRestoreRefusals(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 0)
	w.create(p[0])
	w.community(p[0])
	saved := w.snapshot()
	for _, bad := range []string{
		``, `[]`, `{}`, `{"version":2}`, `{"version":1,"groups":[null]}`, `{"version":1,"groups":[{"jid":"1@lid"}]}`,
		`{"version":1,"groups":[{"jid":"1@g.us"},{"jid":"1@g.us"}]}`,
		`{"version":1,"groups":[{"jid":"1@g.us","parent":true}]}`,
		`{"version":1,"groups":[{"jid":"1@g.us","linked_parent":"2@g.us"}]}`,
		`{"version":1,"groups":[{"jid":"1@g.us","parent":true,"subs":["2@g.us"]}]}`,
		`{"version":1,"limits":{"wings":2}}`,
	} {
		if err := w.reg.Restore([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
		if w.snapshot() != saved {
			t.Fatalf("%s changed the state", bad)
		}
	}
}

// repeated is a random source that always says the same.
type repeated struct{}

func (repeated) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestRandomSource: what cannot be drawn is an internal error, not a loop.
func TestRandomSource(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	me := w.person(0)
	for name, source := range map[string]io.Reader{"failing": iotest.ErrReader(errors.New("dry")), "repeating": repeated{}} {
		reg := group.NewRegistry(w, func() time.Time { return w.now }, source)
		var refusal *stanza.Error
		for range 2 {
			_, _, _, refusal = reg.Create(me, group.CreateRequest{Subject: "x"})
		}
		if refusal == nil || refusal.Code != 500 {
			t.Errorf("%s: %v", name, refusal)
		}
	}
}

// TestDeterminism: the same requests make the same state.
func TestDeterminism(t *testing.T) {
	run := func() string {
		w := newTown(t, types.AddressingModeLID)
		p := w.persons(0, 3)
		g := w.create(p[0], p[1:]...)
		w.must(p[0], g.JID, "set", w.change("promote", p[2], p[1]))
		w.community(p[1], stanza.Node{Tag: "create_general_chat"})
		w.leave(p[0], g.JID)
		return w.snapshot()
	}
	if first, second := run(), run(); first != second {
		t.Errorf("differs:\n%s\n%s", first, second)
	}
}
