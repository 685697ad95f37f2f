package group_test

import (
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// FuzzHandleIQ sends arbitrary decoded nodes into a lively town. Nothing may
// panic, break an invariant, or notify with what whatsmeow cannot parse. steer
// chooses actor, addressee and type, so that more inputs get past the front
// door; with its high bit set the node itself is taken as the iq.
func FuzzHandleIQ(f *testing.F) {
	for _, node := range fuzzSeeds() {
		data, err := waBinary.Marshal(node)
		if err != nil {
			f.Fatal(err)
		}
		for steer := range byte(8) {
			f.Add(steer, data[1:])
		}
	}
	f.Fuzz(func(t *testing.T, steer byte, data []byte) {
		child, err := decode(data)
		if err != nil {
			return // not a node
		}
		w := newTown(t, types.AddressingModeLID)
		people := w.persons(0, 3)
		g := w.create(people[0], people[1])
		parent, _ := w.community(people[0], w.nodes("participant", people[1])...)
		last := map[types.JID]int64{}
		checkInvariants(t, w.reg, last)

		iq := child
		if steer < 128 {
			to := []types.JID{types.GroupServerJID, g.JID, parent.JID, parent.Subs[0]}[steer>>1&3]
			kind := []string{"set", "get"}[steer>>3&1]
			iq = &stanza.Node{Tag: "iq", Attrs: stanza.Attrs{"to": to, "type": kind}, Content: []stanza.Node{*child}}
		}
		reply, pushes, refusal := w.reg.HandleIQ(people[steer&1], iq)
		if refusal == nil {
			w.wire(stanza.Node{Tag: "iq", Content: reply})
			w.hear(pushes)
		}
		checkInvariants(t, w.reg, last)
		saved := w.snapshot()
		if err := w.reg.Restore([]byte(saved)); err != nil || w.snapshot() != saved {
			t.Errorf("round trip: %v", err)
		}
	})
}

// decode reads a node. whatsmeow's decoder panics on some malformed input,
// which is the transport's affair and not the model's.
func decode(data []byte) (node *stanza.Node, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("decoder panic: %v", caught)
		}
	}()
	return waBinary.Unmarshal(data)
}

// fuzzSeeds are requests of every kind, as whatsmeow and Baileys make them.
func fuzzSeeds() []stanza.Node {
	user := types.NewJID("200000000000002", types.HiddenUserServer)
	participants := []stanza.Node{{Tag: "participant", Attrs: stanza.Attrs{"jid": user, "phone_number": types.NewJID("4915100000002", types.DefaultUserServer)}}}
	seeds := []stanza.Node{
		{Tag: "create", Attrs: stanza.Attrs{"subject": "Fuzz", "key": "K"}, Content: append(participants,
			textNode("member_add_mode", "admin_add"), stanza.Node{Tag: "parent"}, ephemeral("86400"),
			stanza.Node{Tag: "locked"}, stanza.Node{Tag: "description", Content: []stanza.Node{textNode("body", "x")}})},
		{Tag: "participating", Content: []stanza.Node{{Tag: "participants"}, {Tag: "description"}}},
		byCode("AAAAAAAAAAAAAAAAAAAAAA"), {Tag: "invite"},
		{Tag: "leave", Content: []stanza.Node{{Tag: "group", Attrs: stanza.Attrs{"id": types.NewJID("120363000000000000", types.GroupServer)}}}},
		{Tag: "query", Content: []stanza.Node{{Tag: "add_request", Attrs: stanza.Attrs{"code": "c", "expiration": "1", "admin": user}}}},
		{Tag: "accept", Attrs: stanza.Attrs{"code": "c", "expiration": "1", "admin": user}},
		textNode("subject", "Fuzz"), description("D", "", "Fuzz"), description("D", "", ""), ephemeral("604800"),
		{Tag: "locked"}, {Tag: "announcement"}, {Tag: "not_ephemeral"}, {Tag: "delete_parent"}, {Tag: "sub_groups"},
		{Tag: "membership_approval_mode", Content: []stanza.Node{{Tag: "group_join", Attrs: stanza.Attrs{"state": "on"}}}},
		textNode("member_link_mode", "all_member_link"), textNode("member_share_group_history_mode", "all_member_share"),
		{Tag: "membership_approval_requests"}, decision("approve", stanza.Node{Content: participants}),
		links(types.NewJID("120363000000000000", types.GroupServer)), unlink(types.NewJID("120363000000000000", types.GroupServer)),
		joinLinked(types.NewJID("120363000000000000", types.GroupServer)), {Tag: "linked_groups_participants"},
	}
	for _, tag := range []string{"add", "remove", "promote", "demote", "revoke", "cancel_membership_requests"} {
		seeds = append(seeds, stanza.Node{Tag: tag, Content: participants})
	}
	return seeds
}
