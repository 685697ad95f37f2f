package messages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muster/internal/fault"
	"muster/messages"
	"muster/messages/content"
	"muster/sandbox"
)

func about(id string) *sandbox.Reference { return &sandbox.Reference{ID: id} }

// reactions writes a message's reactions as "number emoji".
func reactions(m messages.Detail) string {
	var list []string
	for _, r := range m.Reactions {
		list = append(list, r.Person.PhoneNumber+" "+r.Emoji)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func TestActsChangeTheirMessage(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := r.group().String()
		said := r.says(bob, group, sandbox.Content{Text: "the lake is frozen"})
		r.told()
		r.acts(cid, group, sandbox.Content{Kind: "reaction", Text: "👍", Target: about(said.ID)})
		r.eventually("a reaction", func() bool { return reactions(r.message(said.ID)) == cid+" 👍" })
		r.acts(cid, group, sandbox.Content{Kind: "reaction", Text: "🐟", Target: about(said.ID)})
		r.acts(ann, group, sandbox.Content{Kind: "reaction", Text: "❤️", Target: about(said.ID)})
		r.eventually("two reactions", func() bool { return reactions(r.message(said.ID)) == ann+" ❤️, "+cid+" 🐟" })
		r.acts(cid, group, sandbox.Content{Kind: "reaction", Target: about(said.ID)})
		r.eventually("one reaction", func() bool { return reactions(r.message(said.ID)) == ann+" ❤️" })
		if got, want := r.told("emoji", "from_me"), "message.reaction \"👍\" false\nmessage.reaction \"🐟\" false\nmessage.reaction \"❤️\" false\nmessage.reaction \"\" false"; got != want {
			r.t.Errorf("told:\n%s", got)
		}
		r.acts(bob, group, sandbox.Content{Kind: "edit", Text: "the lake is thawing", Target: about(said.ID)})
		r.eventually("the edit", func() bool { return r.message(said.ID).Content.Text == "the lake is thawing" })
		if m := r.message(said.ID); m.EditedAt.IsZero() || len(m.Content.Secret) == 0 || m.Seq != said.Seq {
			r.t.Errorf("edited: %+v", m)
		}
		if r.found("frozen") != 0 || r.found("thawing") != 1 {
			r.t.Error("the search does not find the new text alone")
		}
		r.acts(cid, group, sandbox.Content{Kind: "pin", Pin: &sandbox.Pin{Seconds: 86400}, Target: about(said.ID)})
		r.eventually("the pin", func() bool { return !r.message(said.ID).PinnedUntil.IsZero() })
		r.acts(cid, group, sandbox.Content{Kind: "pin", Pin: &sandbox.Pin{Unpin: true}, Target: about(said.ID)})
		r.eventually("no pin", func() bool { return r.message(said.ID).PinnedUntil.IsZero() })
		r.acts(ann, group, sandbox.Content{Kind: "revoke", Target: about(said.ID)}) // an admin
		r.eventually("the revocation", func() bool { return !r.message(said.ID).RevokedAt.IsZero() })
		m := r.message(said.ID)
		if m.Content.Text != "" || m.RevokedBy != ann+"@s.whatsapp.net" || len(m.Reactions) != 0 || r.found("thawing") != 0 {
			r.t.Errorf("revoked: %+v", m)
		}
		if got, want := r.told("text", "previous_text"), "message.edited \"the lake is thawing\" \"the lake is frozen\"\nmessage.revoked null null"; got != want {
			r.t.Errorf("told:\n%s", got)
		}
		if chat := r.chat(group); chat.Unread != 1 || chat.LastMessage.ID != said.ID {
			r.t.Errorf("what acts is counted as a message: %+v", chat)
		}
	})
}

func (r *rig) found(query string) int {
	r.t.Helper()
	list, err := r.inbox.Search(r.t.Context(), messages.SearchRequest{SessionID: mine, Query: query})
	r.must(err)
	return len(list.Messages)
}

// votes writes a poll's votes as "number options".
func votes(m messages.Detail) string {
	var list []string
	for _, v := range m.Votes {
		list = append(list, fmt.Sprint(v.Person.PhoneNumber, v.Options))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func TestVotesAreCounted(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := r.group()
		ours := &waE2E.Message{
			PollCreationMessageV3: &waE2E.PollCreationMessage{
				Name: proto.String("When?"), SelectableOptionsCount: proto.Uint32(0),
				Options: []*waE2E.PollCreationMessage_Option{{OptionName: proto.String("today")}, {OptionName: proto.String("tomorrow")}},
			},
			MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: content.NewSecret()},
		}
		for to, id := range map[string]string{
			group.String(): r.says(bob, group.String(), sandbox.Content{Kind: "poll", Text: "Where?", Poll: &sandbox.Poll{Options: []string{"today", "tomorrow"}}}).ID,
			group.User:     r.send(group, ours),
			me:             r.send(phoneJID(cid), ours),
		} {
			if to == group.User {
				to = group.String()
			}
			r.acts(cid, to, sandbox.Content{Kind: "poll_vote", Votes: []string{"today"}, Target: about(id)})
			r.eventually("a vote", func() bool { return votes(r.message(id)) == cid+"[today]" })
			r.acts(cid, to, sandbox.Content{Kind: "poll_vote", Votes: []string{"tomorrow", "today"}, Target: about(id)})
			r.eventually("another choice", func() bool { return votes(r.message(id)) == cid+"[today tomorrow]" })
			r.acts(cid, to, sandbox.Content{Kind: "poll_vote", Target: about(id)})
			r.eventually("the vote taken back", func() bool { return votes(r.message(id)) == cid+"[]" })
		}
		if got := strings.Count(r.told(), "message.poll_vote"); got != 9 {
			r.t.Errorf("%d votes were told", got)
		}
	})
}

func TestOurActs(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := r.group()
		id := r.send(group, &waE2E.Message{Conversation: proto.String("tpyo")})
		key := &waCommon.MessageKey{RemoteJID: proto.String(group.String()), FromMe: proto.Bool(true), ID: proto.String(id)}
		r.send(group, &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: key, EditedMessage: &waE2E.Message{Conversation: proto.String("typo")},
		}}}})
		r.send(group, &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key, Text: proto.String("🙂")}})
		if m := r.message(id); m.Content.Text != "typo" || reactions(m) != me+" 🙂" {
			r.t.Errorf("%+v", m)
		}
		r.send(group, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: key}})
		if m := r.message(id); m.RevokedAt.IsZero() || m.RevokedBy != me+"@s.whatsapp.net" {
			r.t.Errorf("%+v", m)
		}
	})
}

// spoken makes an event of what somebody says in a group, as whatsmeow does.
func spoken(id string, group types.JID, from types.JID, message *waE2E.Message) *events.Message {
	return &events.Message{RawMessage: message, Message: message, Info: types.MessageInfo{
		ID: id, Timestamp: time.Unix(1_800_000_000, 0), PushName: "Somebody",
		MessageSource: types.MessageSource{Chat: group, Sender: from, IsGroup: group.Server == types.GroupServer},
	}}
}

func text(words string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(words)} }

func TestOthersCannotTouchAMessage(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := types.NewJID("120363000000000001", types.GroupServer)
		r.apply(spoken("A", group, phoneJID(bob), text("mine")))
		ofBob := &waCommon.MessageKey{RemoteJID: proto.String(group.String()), ID: proto.String("A"), Participant: proto.String(bob + "@s.whatsapp.net")}
		asOwn := &waCommon.MessageKey{RemoteJID: proto.String(group.String()), ID: proto.String("A"), FromMe: proto.Bool(true)}
		for i, key := range []*waCommon.MessageKey{ofBob, asOwn} {
			r.apply(spoken(fmt.Sprint("edit", i), group, phoneJID(cid), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
				Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: key, EditedMessage: text("forged"),
			}}))
			r.apply(spoken(fmt.Sprint("revoke", i), group, phoneJID(cid), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
				Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: key,
			}}))
		}
		r.apply(spoken("A", group, phoneJID(cid), text("under the same id")))
		r.apply(spoken("A", group, phoneJID(bob), text("a repetition")))
		list, err := r.inbox.ChatMessages(r.t.Context(), messages.ChatMessagesRequest{SessionID: mine, Chat: group.String()})
		r.must(err)
		if len(list.Messages) != 2 || list.Messages[1].Content.Text != "mine" || !list.Messages[1].RevokedAt.IsZero() || list.Messages[0].Content.Text != "under the same id" {
			r.t.Errorf("%+v", list.Messages)
		}
		if got := r.told(); got != "message.received\nmessage.received" {
			r.t.Errorf("told:\n%s", got)
		}
	})
}

func TestChatIsOneUnderBothNames(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		lid, pn := types.NewJID("77777777777", types.HiddenUserServer), phoneJID("628999000111")
		r.apply(spoken("1", lid, lid, text("who am I?")))
		if chat := r.chat(lid.String()); chat == nil || chat.Person.PhoneNumber != "" {
			r.t.Fatalf("the chat under the LID is %+v", chat)
		}
		r.apply(spoken("2", pn, pn, text("and who is this?"))) // nobody knows yet that it is the same person
		known := spoken("3", lid, lid, text("it is me"))
		known.Info.SenderAlt = pn
		r.apply(known)
		r.apply(spoken("4", pn, pn, text("still me")))
		chat := r.chat(pn.String())
		if chat == nil || chat.Unread != 4 || chat.Person.LID != lid.String() || r.chat(lid.String()) != nil {
			r.t.Fatalf("the chat under the phone is %+v", chat)
		}
		for _, name := range []string{"628999000111", "+628999000111", pn.String()} {
			list, err := r.inbox.ChatMessages(r.t.Context(), messages.ChatMessagesRequest{SessionID: mine, Chat: name})
			r.must(err)
			if len(list.Messages) != 4 {
				r.t.Errorf("%s has %d messages", name, len(list.Messages))
			}
		}
		r.must(r.inbox.MarkRead(r.t.Context(), mine, pn, "3"))
		if chat = r.chat(pn.String()); chat.Unread != 1 {
			r.t.Errorf("%d are unread", chat.Unread)
		}
		r.must(r.inbox.MarkRead(r.t.Context(), mine, pn, "1"))
		if chat = r.chat(pn.String()); chat.Unread != 1 {
			r.t.Errorf("an older receipt makes %d unread", chat.Unread)
		}
		r.must(r.inbox.MarkRead(r.t.Context(), mine, pn))
		if chat = r.chat(pn.String()); chat.Unread != 0 {
			r.t.Errorf("%d are unread", chat.Unread)
		}
	})
}

func TestWhateverStrangersSayIsStorable(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		evt := spoken("\x00bad\xff"+strings.Repeat("x", 400), phoneJID(bob), phoneJID(bob), text("nul \x00 and \xff"))
		evt.Info.PushName = "\x00\xff"
		r.apply(evt)
		r.apply(evt)
		for i, hostile := range []string{
			"क" + strings.Repeat("\u093f", 30000), strings.Repeat("\ufdfa", 20000), strings.Repeat("字", 20000), strings.Repeat("a ", 30000),
			strings.Repeat("x", 60000), `\' & | ! <-> ( :* "`, "a\u0000b' :1A",
		} {
			r.apply(spoken(fmt.Sprint("hostile", i), phoneJID(cid), phoneJID(cid), text(hostile)))
			r.message(fmt.Sprint("hostile", i))
		}
		receipt := &events.Receipt{MessageIDs: []string{"\x00\xff"}, MessageSource: types.MessageSource{Chat: phoneJID(bob), Sender: phoneJID(bob)}}
		r.apply(receipt)
		list, err := r.inbox.ChatMessages(r.t.Context(), messages.ChatMessagesRequest{SessionID: mine, Chat: bob})
		r.must(err)
		if len(list.Messages) != 1 {
			r.t.Errorf("%+v", list.Messages)
		}
	})
}

func TestDoneOnAnotherDevice(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		said := r.says(bob, me, sandbox.Content{Text: "one"})
		r.says(bob, me, sandbox.Content{Text: "two"})
		from := phoneJID(bob)
		own := types.MessageSource{Chat: from, Sender: phoneJID(me), IsFromMe: true}
		r.apply(&events.Receipt{MessageSource: own, MessageIDs: []string{said.ID}, Type: types.ReceiptTypeReadSelf})
		if chat := r.chat(from.String()); chat.Unread != 1 {
			r.t.Errorf("%d are unread", chat.Unread)
		}
		r.apply(&events.DeleteForMe{ChatJID: from, MessageID: said.ID})
		if _, err := r.inbox.Message(r.t.Context(), messages.MessageRequest{SessionID: mine, ID: said.ID}); err == nil {
			r.t.Error("a deleted message is there still")
		}
		r.apply(&events.ClearChat{JID: from, Timestamp: time.Now()})
		if chat := r.chat(from.String()); chat == nil || chat.Unread != 0 || chat.LastMessage != nil {
			r.t.Errorf("a cleared chat is %+v", chat)
		}
		r.apply(&events.DeleteChat{JID: from, Timestamp: time.Now()})
		if chat := r.chat(from.String()); chat != nil {
			r.t.Errorf("a deleted chat is %+v", chat)
		}
	})
}

// A sender's key that comes alone tells of its sender's message only.
func TestKeysOfOthersHideNothing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		group := types.NewJID("120363000000000001", types.GroupServer)
		lost := spoken("U", group, phoneJID(bob), nil)
		r.apply(&events.UndecryptableMessage{Info: lost.Info})
		key := &waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{GroupID: proto.String(group.String())}}
		r.apply(spoken("U", group, phoneJID(cid), key))
		if kind := r.message("U").Kind; kind != messages.KindUndecryptable {
			r.t.Errorf("it is %s", kind)
		}
		r.apply(spoken("U", group, phoneJID(bob), key))
		if _, err := r.inbox.Message(r.t.Context(), messages.MessageRequest{SessionID: mine, ID: "U"}); !fault.Is(err, fault.NotFound) {
			r.t.Errorf("what was none after all is shown: %v", err)
		}
	})
}
