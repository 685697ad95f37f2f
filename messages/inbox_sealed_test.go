package messages_test

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/fault"
	"muster/messages"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

// In the groups where communities make their announcements, reactions are
// encrypted once more; whatsmeow's own client makes them here.
func TestSealedReactionsAreOpened(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		for _, mode := range []string{"pn", "lid"} {
			group, _, _, err := r.wa.CreateGroup(ann, sandbox.GroupOptions{Name: "News", Participants: []string{me, bob, cid}, AddressingMode: mode})
			r.must(err)
			client := sandboxtest.Link(r.t, r.wa, cid)
			said := r.says(bob, group.String(), sandbox.Content{Text: "to be reacted to in " + mode})
			root := sandboxtest.Wait(r.t, client, "the message", func(e *events.Message) bool { return e.Info.ID == said.ID && e.Message.GetConversation() != "" })
			sealed, err := client.EncryptReaction(r.t.Context(), &root.Info, client.BuildReaction(group, root.Info.Sender, said.ID, "🎣").GetReactionMessage())
			r.must(err)
			_, err = client.SendMessage(r.t.Context(), group, &waE2E.Message{EncReactionMessage: sealed})
			r.must(err)
			r.eventually("the reaction", func() bool { return reactions(r.message(said.ID)) == cid+" 🎣" })
		}
	})
}

func TestAnotherAccountBeginsAnew(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.says(bob, me, sandbox.Content{Text: "for the old account"})
		r.apply(&events.PairSuccess{ID: phoneJID(me)})
		if r.rows("messages") != 1 {
			r.t.Fatal("linking the same account again has emptied the inbox")
		}
		r.apply(&events.PairSuccess{ID: phoneJID("628999000111")})
		if r.rows("messages")+r.rows("chats") != 0 || r.found("account") != 0 {
			r.t.Error("the new account has the old one's messages")
		}
		list, err := r.inbox.Chats(r.t.Context(), messages.ChatsRequest{SessionID: mine})
		if r.must(err); len(list.Chats) != 0 {
			r.t.Errorf("%+v", list)
		}
	})
}

func TestPendingMessages(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		o := messages.Outgoing{SessionID: mine, Chat: phoneJID(bob), ID: "3EB0PENDING", Message: text("soon"), State: messages.StatePending}
		r.must(r.inbox.RecordSent(r.t.Context(), o))
		if m := r.message(o.ID); m.State != messages.StatePending || r.told() != "" {
			r.t.Errorf("%+v", m)
		}
		r.must(r.inbox.SetState(r.t.Context(), mine, o.ID, messages.StateFailed, refusal()))
		if m := r.message(o.ID); m.State != messages.StateFailed || m.ErrorCode != "not_admin" || m.Error == "" {
			r.t.Errorf("%+v", m)
		}
		r.must(r.inbox.SetState(r.t.Context(), mine, o.ID, messages.StateFailed, refusal())) // says nothing new
		if got := r.told("message_id", "error_code"); got != `message.failed "3EB0PENDING" "not_admin"` {
			r.t.Errorf("told:\n%s", got)
		}
		o.State = messages.StateSent
		for range 2 {
			r.must(r.inbox.RecordSent(r.t.Context(), o))
		}
		if m := r.message(o.ID); m.State != messages.StateSent || m.ErrorCode != "" {
			r.t.Errorf("%+v", m)
		}
		r.must(r.inbox.SetState(r.t.Context(), mine, o.ID, messages.StateFailed, refusal()))
		if m := r.message(o.ID); m.State != messages.StateSent {
			r.t.Errorf("what was sent became %s", m.State)
		}
		if got := r.told("text"); got != `message.sent "soon"` {
			r.t.Errorf("told:\n%s", got)
		}
	})
}

func refusal() *fault.Error { return fault.New(fault.NotAdmin, "only admins may post") }
