package service_test

import (
	"errors"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
	"muster/sandbox/stanza"
)

func TestDirectMessages(t *testing.T) {
	srv := world(t, alice, bob)
	a1, a2, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	aliceLID, bobLID := lid(t, srv, alice), lid(t, srv, bob)

	send(t, a1, pn(bob), text("hello bob"))
	got := b.Text(t, aliceLID, "hello bob")
	if got.Info.Sender != a1.Store.LID || got.Info.SenderAlt.ToNonAD() != pn(alice) || got.Info.IsFromMe || got.Info.IsGroup {
		t.Errorf("bob's client sees %+v", got.Info.MessageSource)
	}
	if m := inboxed(t, srv, bob, "hello bob"); m == nil || m.From != a1.Store.LID || m.Chat != aliceLID {
		t.Errorf("bob's phone has %+v", m)
	}
	own := a2.Text(t, bobLID, "hello bob")
	if !own.Info.IsFromMe || own.Info.RecipientAlt != pn(bob) {
		t.Errorf("alice's other client sees %+v", own.Info.MessageSource)
	}
	if m := inboxed(t, srv, alice, "hello bob"); m == nil || !m.FromMe || m.Chat != bobLID {
		t.Errorf("alice's phone has %+v", m)
	}

	if _, err := srv.SendText(bob, "+"+alice, "hello alice"); err != nil {
		t.Fatalf("bob's phone sends: %v", err)
	}
	for _, c := range []*sandboxtest.Client{a1, a2} {
		if got := c.Text(t, bobLID, "hello alice"); got.Info.Sender != bobLID {
			t.Errorf("sender %s, want bob's phone", got.Info.Sender)
		}
	}
	if m := inboxed(t, srv, alice, "hello alice"); m == nil || m.From != bobLID {
		t.Errorf("alice's phone has %+v", m)
	}
	if got := b.Text(t, aliceLID, "hello alice"); !got.Info.IsFromMe {
		t.Errorf("bob's client sees his phone's message as %+v", got.Info.MessageSource)
	}
	// And back once more, in the sessions that exist now.
	send(t, b, aliceLID, text("fine, and you?"))
	a1.Text(t, bobLID, "fine, and you?")
	send(t, a1, aliceLID, text("note to self"))
	if got := a2.Text(t, aliceLID, "note to self"); !got.Info.IsFromMe {
		t.Errorf("a note to self: %+v", got.Info.MessageSource)
	}
}

func TestGroupMessages(t *testing.T) {
	for _, mode := range []string{"lid", "pn"} {
		t.Run(mode, func(t *testing.T) {
			srv := world(t, alice, bob, carol)
			a1, a2, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
			group := newGroup(t, srv, mode, carol, alice, bob)
			address := func(c *sandboxtest.Client) types.JID {
				if mode == "pn" {
					return *c.Store.ID
				}
				return c.Store.LID
			}
			send(t, a1, group, text("one"))
			for _, c := range []*sandboxtest.Client{a2, b} {
				got := c.Text(t, group, "one")
				if got.Info.Sender != address(a1) || got.Info.SenderAlt.IsEmpty() || string(got.Info.AddressingMode) != mode {
					t.Errorf("%s sees %+v", c.Store.ID, got.Info.MessageSource)
				}
			}
			for _, number := range []string{alice, bob, carol} {
				if m := inboxed(t, srv, number, "one"); m == nil || m.From != a1.Store.LID || m.Chat != group {
					t.Errorf("phone %s has %+v", number, m)
				}
			}
			if _, err := srv.SendText(carol, group.String(), "two"); err != nil {
				t.Fatalf("carol's phone sends: %v", err)
			}
			for _, c := range []*sandboxtest.Client{a1, a2, b} {
				c.Text(t, group, "two")
			}
			if inboxed(t, srv, bob, "two") == nil {
				t.Error("bob's phone has not read carol's")
			}
			send(t, b, group, text("three"))
			a1.Text(t, group, "three")
		})
	}
}

func TestEditsRevokesAndReactionsPass(t *testing.T) {
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	group := newGroup(t, srv, "lid", alice, bob)
	for _, chat := range []types.JID{group, lid(t, srv, bob)} {
		seen := chat
		if chat != group {
			seen = lid(t, srv, alice)
		}
		id := send(t, a, chat, text("draft"))
		b.Text(t, seen, "draft")
		send(t, a, chat, a.BuildEdit(chat, id, text("final")))
		sandboxtest.Wait(t, b, "the edit", func(e *events.Message) bool {
			return e.Info.Chat == seen && e.IsEdit && e.Info.Edit == types.EditAttributeMessageEdit && e.Message.GetConversation() == "" &&
				e.Message.GetProtocolMessage().GetEditedMessage().GetConversation() == "final"
		})
		send(t, a, chat, a.BuildReaction(chat, a.Store.LID, id, "👍"))
		sandboxtest.Wait(t, b, "the reaction", func(e *events.Message) bool {
			return e.Info.Chat == seen && e.Message.GetReactionMessage().GetText() == "👍"
		})
		send(t, a, chat, a.BuildRevoke(chat, types.EmptyJID, id))
		sandboxtest.Wait(t, b, "the revocation", func(e *events.Message) bool {
			return e.Info.Chat == seen && e.Message.GetProtocolMessage().GetType() == waE2E.ProtocolMessage_REVOKE &&
				e.Info.Edit == types.EditAttributeSenderRevoke && e.Message.GetProtocolMessage().GetKey().GetID() == id
		})
	}
}

func TestMessageRefusals(t *testing.T) {
	srv := world(t, alice, bob, carol)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	refused := func(err error, code string) bool {
		return errors.Is(err, whatsmeow.ErrServerReturnedError) && err.Error() == whatsmeow.ErrServerReturnedError.Error()+" "+code
	}
	group := newGroup(t, srv, "lid", carol, alice, bob)
	send(t, b, group, text("before")) // bob's client knows the group from now on
	on := true
	if err := srv.SetSettings(carol, group, service.Settings{Announce: &on}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SendMessage(t.Context(), group, text("no")); !refused(err, "403") {
		t.Errorf("announcement group: %v, want 403", err)
	}
	var refusal *stanza.Error
	if _, err := srv.SendText(bob, group.String(), "no"); !errors.As(err, &refusal) || refusal.Code != 403 {
		t.Errorf("bob's phone in an announcement group: %v, want 403", err)
	}
	if _, err := srv.SendText(alice, "4900000000", "nobody"); !errors.Is(err, service.ErrUnknownRecipient) {
		t.Errorf("unknown number: %v, want ErrUnknownRecipient", err)
	}
	for _, code := range []int{463, 475, 479} {
		if _, err := srv.Faults().Add(fault.Fault{Match: fault.Match{Tag: "message", Account: alice}, Effect: fault.Script{Error: code}, Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, code := range []string{"463", "475", "479"} {
		if _, err := a.SendMessage(t.Context(), lid(t, srv, bob), text("refused")); !refused(err, code) {
			t.Errorf("scripted refusal: %v, want %s", err, code)
		}
	}
	if _, err := a.SendMessage(t.Context(), types.StatusBroadcastJID, text("status")); !refused(err, "405") {
		t.Errorf("status: %v, want 405", err)
	}
	if m := inboxed(t, srv, bob, "refused"); m != nil {
		t.Errorf("a refused message was delivered: %+v", m)
	}
}

func TestBlockedSenderIsNotDelivered(t *testing.T) {
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	if _, err := b.UpdateBlocklist(t.Context(), lid(t, srv, alice), events.BlocklistChangeActionBlock); err != nil {
		t.Fatal(err)
	}
	send(t, a, lid(t, srv, bob), text("hidden"))
	if inboxed(t, srv, bob, "hidden") != nil || inboxed(t, srv, alice, "hidden") == nil {
		t.Error("want the message on alice's phone and not on bob's")
	}
	if _, err := srv.SendText(bob, alice, "you are blocked"); err != nil {
		t.Fatal(err)
	}
	a.Text(t, lid(t, srv, bob), "you are blocked")
}

func TestNewDeviceGetsMessages(t *testing.T) {
	srv := world(t, alice, bob)
	a, b1 := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	group := newGroup(t, srv, "lid", alice, bob)
	send(t, a, group, text("one"))
	send(t, a, lid(t, srv, bob), text("direct one"))
	b1.Text(t, group, "one")
	b2 := linkSynced(t, srv, bob)
	// A group's message reaches the new device at once: it asks for the key.
	send(t, a, group, text("two"))
	b2.Text(t, group, "two")
	// A direct one does not, because whatsmeow keeps its device lists by LID and
	// ignores notifications for lists it keeps none of by phone number. But it
	// is told with the ack that its list is not the service's.
	send(t, a, lid(t, srv, bob), text("direct two"))
	send(t, a, lid(t, srv, bob), text("direct three"))
	b2.Text(t, lid(t, srv, alice), "direct three")
	// whatsmeow may still be noting who wrote, and being logged out meanwhile is
	// a race inside it: the device is unlinked while it is away.
	removed := *b2.Store.ID
	b2.Disconnect()
	if err := srv.Unlink(bob, &removed); err != nil {
		t.Fatal(err)
	}
	settled(t, srv, alice)
	send(t, a, group, text("three"))
	b1.Text(t, group, "three")
}

func TestPollKeepsItsParts(t *testing.T) {
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	group := newGroup(t, srv, "lid", alice, bob)
	send(t, a, group, a.BuildPollCreation("Lunch?", []string{"yes", "no"}, 1))
	poll := sandboxtest.Wait(t, b, "the poll", func(e *events.Message) bool {
		return e.Message.GetPollCreationMessage() != nil || e.Message.GetPollCreationMessageV3() != nil
	})
	if poll.Info.Type != "poll" {
		t.Errorf("type %q, want poll", poll.Info.Type)
	}
	vote, err := b.BuildPollVote(t.Context(), &poll.Info, []string{"yes"})
	if err != nil {
		t.Fatal(err)
	}
	send(t, b, group, vote)
	sandboxtest.Wait(t, a, "the vote", func(e *events.Message) bool {
		if e.Message.GetPollUpdateMessage() == nil {
			return false
		}
		opened, err := a.DecryptPollVote(t.Context(), e)
		return err == nil && len(opened.GetSelectedOptions()) == 1
	})
	send(t, a, group, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("rich")}})
	b.Text(t, group, "rich")
}

func TestRepeatedMessageIsDeliveredOnce(t *testing.T) {
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	cut := fault.Fault{Match: fault.Match{Tag: "message", Account: alice}, Effect: fault.Script{ApplyThenDisconnect: true}, Count: 1}
	if _, err := srv.Faults().Add(cut); err != nil {
		t.Fatal(err)
	}
	// whatsmeow connects again by itself and repeats the very same stanza.
	send(t, a, lid(t, srv, bob), text("once"))
	b.Text(t, lid(t, srv, alice), "once")
	send(t, a, lid(t, srv, bob), text("end"))
	b.Text(t, lid(t, srv, alice), "end")
	if n := srv.Stats().ByAccount[alice]["message"]; n != 3 {
		t.Errorf("alice sent %d messages, want the first one twice and the second", n)
	}
	settled(t, srv, bob)
	if n := srv.Stats().ByAccount[bob]["receipt:inactive"]; n != 2 {
		t.Errorf("bob's client got %d messages, want 2", n)
	}
}

func TestPhoneFillsInWhatACompanionCouldNotRead(t *testing.T) {
	srv := world(t, alice, bob)
	b := sandboxtest.Link(t, srv, bob)
	for _, mode := range []string{"lid", "pn"} {
		group := newGroup(t, srv, mode, alice, bob)
		id, err := srv.SendText(alice, group.String(), "in "+mode)
		if err != nil {
			t.Fatal(err)
		}
		got := b.Text(t, group, "in "+mode)
		request, err := b.SendPeerMessage(t.Context(), b.BuildUnavailableMessageRequest(group, got.Info.Sender, id))
		if err != nil {
			t.Fatal(err)
		}
		again := sandboxtest.Wait(t, b, "the phone's copy", func(e *events.Message) bool {
			return e.UnavailableRequestID == request.ID
		})
		if again.Info.ID != id || again.Info.Sender.ToNonAD() != got.Info.Sender.ToNonAD() || again.Message.GetConversation() != "in "+mode {
			t.Errorf("the phone's copy: %+v, want %+v", again.Info.MessageSource, got.Info.MessageSource)
		}
	}
}
