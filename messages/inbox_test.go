package messages_test

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muster/messages"
	"muster/messages/content"
	"muster/sandbox"
)

func TestPhonesSayEveryKind(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := r.group().String()
		for _, to := range []string{group, me} {
			text := r.says(bob, to, sandbox.Content{Text: "Selamat pagi, semua!"})
			if text.Content.Text != "Selamat pagi, semua!" || text.Sender.PhoneNumber != bob || text.Sender.LID == "" || text.Sender.Name != "Person 2" || text.FromMe {
				r.t.Errorf("%+v", text)
			}
			said := []messages.Detail{
				text,
				r.says(bob, to, sandbox.Content{Text: "an answer", Quoted: &sandbox.Reference{ID: text.ID}}),
				r.says(bob, to, sandbox.Content{Kind: "image", Text: "a fish", Media: &sandbox.Media{Data: []byte("\xff\xd8\xffa fish")}}),
				r.says(bob, to, sandbox.Content{Kind: "document", Media: &sandbox.Media{Data: []byte("%PDF-1.7"), FileName: "rules.pdf"}}),
				r.says(bob, to, sandbox.Content{Kind: "audio", Media: &sandbox.Media{Data: []byte("OggS"), Voice: true, Seconds: 3}}),
				r.says(bob, to, sandbox.Content{Kind: "location", Location: &sandbox.Location{Latitude: -6.2, Longitude: 106.8, Name: "Monas"}}),
				r.says(bob, to, sandbox.Content{Kind: "contact", Contacts: []sandbox.Contact{{Name: "Cid", VCard: "BEGIN:VCARD\nVERSION:3.0\nFN:Cid\nEND:VCARD"}}}),
				r.says(bob, to, sandbox.Content{Kind: "poll", Text: "When?", Poll: &sandbox.Poll{Options: []string{"today", "tomorrow"}, Selectable: 1}}),
			}
			if said[1].Content.ReplyTo == nil || said[1].Content.ReplyTo.ID != text.ID {
				r.t.Errorf("the answer answers %+v", said[1].Content.ReplyTo)
			}
			if said[7].Content.Poll == nil || len(said[7].Content.Secret) == 0 {
				r.t.Errorf("the poll is %+v", said[7].Content)
			}
			page, err := r.inbox.ChatMessages(r.t.Context(), messages.ChatMessagesRequest{SessionID: mine, Chat: map[bool]string{true: group, false: bob}[to == group]})
			r.must(err)
			if got := kindsOf(page.Messages); got != "poll contact location audio document image text text" {
				r.t.Errorf("the chat has %s", got)
			}
		}
		chats, err := r.inbox.Chats(r.t.Context(), messages.ChatsRequest{SessionID: mine})
		r.must(err)
		if len(chats.Chats) != 2 || chats.Chats[0].JID != bob+"@s.whatsapp.net" || chats.Chats[1].JID != group || chats.Chats[0].Unread != 8 ||
			chats.Chats[0].Name != "Person 2" || chats.Chats[1].LastMessage == nil || chats.Chats[1].LastMessage.Kind != content.KindPoll {
			r.t.Errorf("chats: %+v", chats.Chats)
		}
	})
}

func TestOwnPhoneIsHeard(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		id, err := r.wa.SendText(me, ann, "from my phone")
		r.must(err)
		said := r.arrival(id)
		if !said.FromMe || said.Chat != ann+"@s.whatsapp.net" || said.Sender.PhoneNumber != me {
			r.t.Errorf("%+v", said)
		}
		if chat := r.chat(said.Chat); chat == nil || chat.Unread != 0 {
			r.t.Errorf("the chat is %+v", chat)
		}
		r.eventually("the receipts of ann", func() bool { return r.message(id).Reach.Delivered == 1 })
		if got := r.told("source", "text", "status"); got != "message.sent \"device\" \"from my phone\" null\nmessage.receipt null null \"delivered\"" {
			r.t.Errorf("told:\n%s", got)
		}
	})
}

func TestViewOnceIsNotKept(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		said := r.says(bob, me, sandbox.Content{Kind: "image", Text: "secret", ViewOnce: true, Media: &sandbox.Media{Data: []byte("\xff\xd8\xffx")}})
		if said.Kind != content.KindImage || !said.ViewOnce || said.Content.Text != "" || said.Content.Media != nil || said.Media != nil {
			r.t.Errorf("%+v", said)
		}
		if got := r.told("kind", "view_once", "text", "media"); got != `message.received "image" true null null` {
			r.t.Errorf("told: %s", got)
		}
		var raw string
		r.must(r.db.QueryRow(r.t.Context(), `SELECT content FROM messages WHERE id = $1`, said.ID).Scan(&raw))
		if raw != `{"kind":"image","view_once":true}` {
			r.t.Errorf("kept: %s", raw)
		}
	})
}

func TestUndecryptableIsRepaired(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := r.group().String()
		for _, to := range []string{me, group} {
			r.says(bob, to, sandbox.Content{Text: "before"}) // keys are known
			r.told()
			id, err := r.wa.Send(bob, to, sandbox.Outgoing{Spoilt: true, Content: sandbox.Content{Text: "spoilt"}})
			r.must(err)
			r.eventually("the repair", func() bool { return r.arrival(id).Kind == content.KindText })
			if said := r.message(id); said.Content.Text != "spoilt" {
				r.t.Errorf("%+v", said)
			}
			if chat := r.chat(r.message(id).Chat); chat.Unread != 2 || chat.LastMessage.ID != id {
				r.t.Errorf("the chat is %+v", chat)
			}
			if got := r.told("kind", "repaired"); got != "message.received \"undecryptable\" null\nmessage.received \"text\" true" {
				r.t.Errorf("told:\n%s", got)
			}
		}
	})
}

func TestOurMessages(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := r.group()
		id := r.send(group, &waE2E.Message{Conversation: proto.String("hello from us")})
		said := r.message(id)
		if !said.FromMe || said.State != messages.StateSent || said.RequestID != "req-"+id || said.Chat != group.String() {
			r.t.Errorf("%+v", said)
		}
		r.eventually("everybody's receipt", func() bool { return r.message(id).Reach == messages.Reach{Delivered: 3} })
		r.must(r.wa.MarkRead(bob, []string{id}, false))
		r.eventually("that bob has read it", func() bool { return r.message(id).Reach == messages.Reach{Delivered: 3, Read: 1} })
		for _, receipt := range r.message(id).Receipts {
			if receipt.DeliveredAt.IsZero() || receipt.ReadAt.IsZero() != (receipt.Person.PhoneNumber != bob) || !receipt.PlayedAt.IsZero() {
				r.t.Errorf("%+v", receipt)
			}
		}
		// What is told again is no news.
		before := r.message(id)
		r.must(r.inbox.RecordSent(r.t.Context(), messages.Outgoing{
			SessionID: mine, Chat: group, ID: id, Timestamp: time.Now(), Message: &waE2E.Message{Conversation: proto.String("hello from us")},
		}))
		if after := r.message(id); after.Seq != before.Seq || !after.Timestamp.Equal(before.Timestamp) {
			r.t.Errorf("recorded twice: %+v", after)
		}
	})
}
