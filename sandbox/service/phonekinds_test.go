package service_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muster/sandbox"
	"muster/sandbox/phone"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// stage is a phone, bob's, and the client of somebody else, alice, in a chat.
type stage struct {
	t      *testing.T
	srv    *sandbox.Server
	client *sandboxtest.Client
	to     string    // the chat as bob's phone names it
	chat   types.JID // the chat as alice's client names it
	bob    types.JID // bob as the chat addresses him
}

// stages runs a test in a chat of two and in groups of both addressings.
func stages(t *testing.T, test func(stage)) {
	for _, mode := range []string{"direct", "lid", "pn"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			srv := world(t, alice, bob)
			s := stage{t: t, srv: srv, client: sandboxtest.Link(t, srv, alice), bob: lid(t, srv, bob)}
			if mode == "direct" {
				s.to, s.chat = alice, s.bob
			} else {
				s.chat = newGroup(t, srv, mode, bob, alice)
				s.to = s.chat.String()
			}
			if mode == "pn" {
				s.bob = pn(bob)
			}
			test(s)
		})
	}
}

// say has the phone send something and returns what the client got.
func (s stage) say(out service.Outgoing) *events.Message {
	s.t.Helper()
	id, err := s.srv.Send(bob, s.to, out)
	if err != nil {
		s.t.Fatalf("the phone cannot send %+v: %v", out.Content, err)
	}
	got := sandboxtest.Wait(s.t, s.client, out.Kind+" "+out.Text, func(e *events.Message) bool {
		return e.Info.ID == id && phone.Read(e.Message).Kind != phone.KindSenderKey
	})
	if got.Info.Chat != s.chat || got.Info.Sender != s.bob {
		s.t.Errorf("%s came as %+v", out.Kind, got.Info.MessageSource)
	}
	return got
}

// attachment is the part of a message that its file belongs to.
func attachment(m *waE2E.Message) whatsmeow.DownloadableMessage {
	switch {
	case m.ImageMessage != nil:
		return m.ImageMessage
	case m.VideoMessage != nil:
		return m.VideoMessage
	case m.AudioMessage != nil:
		return m.AudioMessage
	case m.StickerMessage != nil:
		return m.StickerMessage
	}
	return m.GetDocumentMessage()
}

func content(kind, text string) phone.Content { return phone.Content{Kind: kind, Text: text} }

func file(data string, m phone.Media) *phone.Media {
	m.Data = []byte(data)
	return &m
}

func TestPhoneSendsFiles(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		for _, c := range []phone.Content{
			{Kind: phone.KindImage, Text: "a caption", Media: file("picture", phone.Media{Width: 40, Height: 30, Thumbnail: []byte("small")})},
			{Kind: phone.KindVideo, Text: "moving", Media: file("film", phone.Media{Seconds: 7, Mimetype: "video/mp4"})},
			{Kind: phone.KindVideo, Media: file("loop", phone.Media{GIF: true})},
			{Kind: phone.KindAudio, Media: file("song", phone.Media{Seconds: 180})},
			{Kind: phone.KindAudio, Media: file("voice", phone.Media{Voice: true, Seconds: 3, Waveform: bytes.Repeat([]byte{7}, 64)})},
			{Kind: phone.KindDocument, Media: file("pages", phone.Media{FileName: "a.pdf", Mimetype: "application/pdf"})},
			{Kind: phone.KindDocument, Text: "read this", Media: file("pages", phone.Media{FileName: "b.pdf"})},
			{Kind: phone.KindSticker, Media: file("sticker", phone.Media{Width: 512, Height: 512, Animated: true})},
			{Kind: phone.KindImage, Text: "once", ViewOnce: true, Media: file("secret", phone.Media{})},
			{Kind: phone.KindVideo, ViewOnce: true, Media: file("secret film", phone.Media{})},
			{Kind: phone.KindAudio, ViewOnce: true, Media: file("secret voice", phone.Media{Voice: true})},
		} {
			got := s.say(service.Outgoing{Content: c})
			if got.IsViewOnce != c.ViewOnce || got.Info.Type != "media" {
				s.t.Errorf("%s %q: view once %v, type %s", c.Kind, c.Text, got.IsViewOnce, got.Info.Type)
			}
			data, err := s.client.Download(s.t.Context(), attachment(got.Message))
			if err != nil || !bytes.Equal(data, c.Media.Data) {
				s.t.Errorf("%s: the client downloads %q, %v", c.Kind, data, err)
			}
			if again, err := s.srv.Download(bob, got.Info.ID); err != nil || !bytes.Equal(again, c.Media.Data) {
				s.t.Errorf("%s: the phone has %q, %v", c.Kind, again, err)
			}
		}
		voice := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindAudio, Media: file("v", phone.Media{Voice: true, Seconds: 2, Waveform: []byte{1, 2}})}})
		if a := voice.Message.GetAudioMessage(); !a.GetPTT() || a.GetSeconds() != 2 || len(a.GetWaveform()) != 2 || a.GetMimetype() != "audio/ogg; codecs=opus" || voice.Info.MediaType != "ptt" {
			s.t.Errorf("a voice note came as %v (%s)", a, voice.Info.MediaType)
		}
	})
}

func TestPhoneSendsWords(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		first := s.say(service.Outgoing{Content: content(phone.KindText, "first")})
		seconds := uint32(86400)
		reply := s.say(service.Outgoing{Content: phone.Content{
			Kind: phone.KindText, Text: "hello @all", Quoted: &phone.Reference{ID: first.Info.ID}, Mentions: []string{"+" + alice},
			MentionAll: true, ForwardingScore: 3, Expires: &seconds,
		}})
		context := reply.Message.GetExtendedTextMessage().GetContextInfo()
		want := lid(s.t, s.srv, alice)
		if s.bob.Server == types.DefaultUserServer {
			want = pn(alice)
		}
		if context.GetStanzaID() != first.Info.ID || context.GetParticipant() != s.bob.String() || context.GetQuotedMessage().GetConversation() != "first" ||
			len(context.GetMentionedJID()) != 1 || context.GetMentionedJID()[0] != want.String() || context.GetNonJIDMentions() != 1 ||
			context.GetForwardingScore() != 3 || context.GetExpiration() != 86400 {
			s.t.Errorf("the reply has the context %v", context)
		}
		place := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindLocation, Location: &phone.Location{Latitude: -6.2, Longitude: 106.8, Name: "Monas", Address: "Jakarta"}}})
		if l := place.Message.GetLocationMessage(); l.GetDegreesLatitude() != -6.2 || l.GetDegreesLongitude() != 106.8 || l.GetName() != "Monas" || l.GetAddress() != "Jakarta" {
			s.t.Errorf("the location came as %v", l)
		}
		live := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindLocation, Text: "on my way", Location: &phone.Location{Latitude: 1, Longitude: 2, Live: true}}})
		if l := live.Message.GetLiveLocationMessage(); l.GetDegreesLatitude() != 1 || l.GetCaption() != "on my way" {
			s.t.Errorf("the live location came as %v", l)
		}
		card := phone.Contact{Name: "Ann", VCard: "BEGIN:VCARD\nEND:VCARD"}
		one := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindContact, Contacts: []phone.Contact{card}}})
		two := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindContact, Contacts: []phone.Contact{card, card}}})
		if one.Message.GetContactMessage().GetVcard() != card.VCard || len(two.Message.GetContactsArrayMessage().GetContacts()) != 2 {
			s.t.Errorf("the contacts came as %v and %v", one.Message, two.Message)
		}
		invite := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindInvite, Text: "come", Invite: &phone.Invite{Group: "1@g.us", Code: "abc", Expires: 5}}})
		if i := invite.Message.GetGroupInviteMessage(); i.GetInviteCode() != "abc" || i.GetCaption() != "come" {
			s.t.Errorf("the invitation came as %v", i)
		}
	})
}

func TestPhoneActsOnMessages(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		own := s.say(service.Outgoing{Content: content(phone.KindText, "draft")})
		about := func(kind, text, id string) service.Outgoing {
			return service.Outgoing{Content: phone.Content{Kind: kind, Text: text, Target: &phone.Reference{ID: id}}}
		}
		edit := s.say(about(phone.KindEdit, "final", own.Info.ID))
		if p := edit.Message.GetProtocolMessage(); !edit.IsEdit || edit.Info.Edit != types.EditAttributeMessageEdit ||
			p.GetKey().GetID() != own.Info.ID || p.GetEditedMessage().GetConversation() != "final" {
			s.t.Errorf("the edit came as %v", edit.Message)
		}
		image := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindImage, Text: "old", Media: file("x", phone.Media{})}})
		caption := s.say(about(phone.KindEdit, "new", image.Info.ID))
		if i := caption.Message.GetProtocolMessage().GetEditedMessage().GetImageMessage(); i.GetCaption() != "new" || i.GetDirectPath() == "" {
			s.t.Errorf("the new caption came as %v", caption.Message)
		}
		id := send(s.t, s.client, s.chat, text("from alice"))
		reaction := s.say(about(phone.KindReaction, "👍", id))
		if r := reaction.Message.GetReactionMessage(); r.GetText() != "👍" || r.GetKey().GetID() != id || r.GetKey().GetFromMe() || reaction.Info.Type != "reaction" {
			s.t.Errorf("the reaction came as %v", r)
		}
		if gone := s.say(about(phone.KindReaction, "", id)); gone.Info.Edit != types.EditAttributeSenderRevoke {
			s.t.Errorf("a reaction is taken back with edit %q", gone.Info.Edit)
		}
		pin := s.say(about(phone.KindPin, "", id))
		if p := pin.Message.GetPinInChatMessage(); p.GetType() != waE2E.PinInChatMessage_PIN_FOR_ALL || p.GetKey().GetID() != id ||
			pin.Info.Edit != types.EditAttributePinInChat || pin.Message.GetMessageContextInfo().GetMessageAddOnDurationInSecs() != 7*86400 {
			s.t.Errorf("the pin came as %v", pin.Message)
		}
		unpin := about(phone.KindPin, "", id)
		unpin.Pin = &phone.Pin{Unpin: true}
		if p := s.say(unpin).Message.GetPinInChatMessage(); p.GetType() != waE2E.PinInChatMessage_UNPIN_FOR_ALL {
			s.t.Errorf("the unpin came as %v", p)
		}
		revoke := s.say(about(phone.KindRevoke, "", own.Info.ID))
		if p := revoke.Message.GetProtocolMessage(); p.GetType() != waE2E.ProtocolMessage_REVOKE || p.GetKey().GetID() != own.Info.ID || revoke.Info.Edit != types.EditAttributeSenderRevoke {
			s.t.Errorf("the revocation came as %v", revoke.Message)
		}
		if s.chat.Server != types.GroupServer {
			return
		}
		if admin := s.say(about(phone.KindRevoke, "", id)); admin.Info.Edit != types.EditAttributeAdminRevoke || admin.Message.GetProtocolMessage().GetKey().GetParticipant() == "" {
			s.t.Errorf("an admin's revocation came as %v", admin.Message)
		}
	})
}

func TestPollsAndVotes(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		for _, selectable := range []uint32{1, 0} {
			poll := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindPoll, Text: "Tea?", Poll: &phone.Poll{Options: []string{"yes", "no"}, Selectable: selectable}}})
			if poll.Info.Type != "poll" {
				s.t.Errorf("the poll came as %s", poll.Info.Type)
			}
			vote, err := s.client.BuildPollVote(s.t.Context(), &poll.Info, []string{"no"})
			if err != nil {
				s.t.Fatal(err)
			}
			s.arrives(send(s.t, s.client, s.chat, vote), func(c phone.Content) bool {
				return c.Kind == phone.KindVote && !c.Sealed && reflect.DeepEqual(c.Votes, []string{"no"}) && c.Target.ID == poll.Info.ID
			})
		}
		id := send(s.t, s.client, s.chat, s.client.BuildPollCreation("Coffee?", []string{"black", "white"}, 2))
		s.arrives(id, func(c phone.Content) bool {
			return c.Kind == phone.KindPoll && c.Text == "Coffee?" && reflect.DeepEqual(*c.Poll, phone.Poll{Options: []string{"black", "white"}, Selectable: 2})
		})
		for _, choice := range [][]string{{"white", "black"}, {}} {
			vote := s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindVote, Votes: choice, Target: &phone.Reference{ID: id}}})
			opened, err := s.client.DecryptPollVote(s.t.Context(), vote)
			if err != nil || fmt.Sprint(opened.GetSelectedOptions()) != fmt.Sprint(whatsmeow.HashPollOptions(choice)) {
				s.t.Errorf("the vote came as %v, %v", opened, err)
			}
		}
	})
}

// arrives waits until the phone has read a message that fits.
func (s stage) arrives(id string, fits func(phone.Content) bool) *phone.Received {
	s.t.Helper()
	inbox, err := s.srv.Inbox(bob) // phones read before the sender has its acknowledgement
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range inbox {
		if m.ID == id {
			if !fits(m.Content) {
				s.t.Errorf("the phone reads %+v", m.Content)
			}
			return &m
		}
	}
	s.t.Fatalf("the phone has not got %s", id)
	return nil
}

func TestPhoneReadsWhatClientsSend(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		up, err := s.client.Upload(s.t.Context(), []byte("a picture"), whatsmeow.MediaImage)
		if err != nil {
			s.t.Fatal(err)
		}
		image := &waE2E.ImageMessage{
			Mimetype: proto.String("image/png"), Caption: proto.String("look"), Width: proto.Uint32(3), ViewOnce: proto.Bool(true),
			DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
		}
		id := send(s.t, s.client, s.chat, &waE2E.Message{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: image}}})
		s.arrives(id, func(c phone.Content) bool {
			return c.Kind == phone.KindImage && c.Text == "look" && c.ViewOnce && c.Media.Mimetype == "image/png" && c.Media.Width == 3 && c.Media.Size == 9
		})
		if data, err := s.srv.Download(bob, id); err != nil || string(data) != "a picture" {
			s.t.Errorf("the phone downloads %q, %v", data, err)
		}
		image.FileSHA256 = make([]byte, 32)
		id = send(s.t, s.client, s.chat, &waE2E.Message{ImageMessage: image})
		if _, err := s.srv.Download(bob, id); !errors.Is(err, phone.ErrNoFile) {
			s.t.Errorf("a file with another hash: %v", err)
		}
		first := send(s.t, s.client, s.chat, text("one"))
		id = send(s.t, s.client, s.chat, s.client.BuildReaction(s.chat, types.EmptyJID, first, "🎉"))
		s.arrives(id, func(c phone.Content) bool {
			return c.Kind == phone.KindReaction && c.Text == "🎉" && c.Target.ID == first && c.Target.FromMe
		})
		id = send(s.t, s.client, s.chat, s.client.BuildEdit(s.chat, first, text("two")))
		s.arrives(id, func(c phone.Content) bool { return c.Kind == phone.KindEdit && c.Text == "two" && c.Target.ID == first })
		id = send(s.t, s.client, s.chat, s.client.BuildRevoke(s.chat, types.EmptyJID, first))
		s.arrives(id, func(c phone.Content) bool { return c.Kind == phone.KindRevoke && c.Target.ID == first })
	})
}

func TestRepeatsAreDropped(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		for _, words := range []string{"once", "once", "twice"} {
			if _, err := s.client.SendMessage(s.t.Context(), s.chat, text(words), whatsmeow.SendRequestExtra{ID: "3EB0REPEAT"}); err != nil {
				s.t.Fatal(err)
			}
		}
		inbox, err := s.srv.Inbox(bob)
		if err != nil || len(inbox) != 1 || inbox[0].Text != "once" {
			s.t.Errorf("the phone has %+v, %v", inbox, err)
		}
	})
}

func TestSpoiltMessagesAreAskedForAgain(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		s.say(service.Outgoing{Content: content(phone.KindText, "plain"), Spoilt: true})
		s.say(service.Outgoing{Content: phone.Content{Kind: phone.KindPoll, Text: "Q", Poll: &phone.Poll{Options: []string{"a", "b"}}}, Spoilt: true})
		sandboxtest.Wait(s.t, s.client, "an undecryptable message", func(*events.UndecryptableMessage) bool { return true })
		s.say(service.Outgoing{Content: content(phone.KindText, "after")})
	})
}

// A phone that has lost a message gets it again from whoever sent it.
func TestLostMessagesAreAskedForAgain(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		id := send(s.t, s.client, s.chat, text("keep this"))
		if err := s.srv.AskAgain(bob, id); err != nil {
			s.t.Fatal(err)
		}
		eventually(s.t, "the message again", func() bool { return inboxed(s.t, s.srv, bob, "keep this") != nil })
		if err := s.srv.AskAgain(bob, "nonsense"); !errors.Is(err, service.ErrUnknownMessage) {
			s.t.Errorf("asking for nothing: %v", err)
		}
	})
}

func TestReceiptsOfPhones(t *testing.T) {
	t.Parallel()
	stages(t, func(s stage) {
		mine := s.say(service.Outgoing{Content: content(phone.KindText, "from bob")}).Info.ID
		if err := s.client.MarkRead(s.t.Context(), []string{mine}, s.client.LastSuccessfulConnect, s.chat, s.bob); err != nil {
			s.t.Fatal(err)
		}
		for _, kind := range []string{"delivered", "read"} {
			eventually(s.t, kind, func() bool {
				receipts, err := s.srv.Receipts(bob)
				if err != nil {
					s.t.Fatal(err)
				}
				for _, r := range receipts {
					if r.Kind == kind && r.IDs[0] == mine && r.From.User == lid(s.t, s.srv, alice).User {
						return true
					}
				}
				return false
			})
		}
		theirs := send(s.t, s.client, s.chat, text("from alice"))
		for _, played := range []bool{false, true} {
			if err := s.srv.MarkRead(bob, []string{theirs}, played); err != nil {
				s.t.Fatal(err)
			}
		}
		for _, kind := range []types.ReceiptType{types.ReceiptTypeDelivered, types.ReceiptTypeRead, types.ReceiptTypePlayed} {
			got := sandboxtest.Wait(s.t, s.client, "a receipt "+string(kind), func(e *events.Receipt) bool {
				return e.Type == kind && e.MessageIDs[0] == theirs && e.Sender.ToNonAD() == s.bob
			})
			if got.Chat != s.chat {
				s.t.Errorf("the receipt came as %+v", got.MessageSource)
			}
		}
		if err := s.srv.MarkRead(bob, []string{"nonsense"}, false); !errors.Is(err, service.ErrUnknownMessage) {
			s.t.Errorf("reading nothing: %v", err)
		}
	})
}

func TestPhonesRefuseNonsense(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	id, err := srv.SendText(alice, bob, "hello")
	if err != nil {
		t.Fatal(err)
	}
	for field, c := range map[string]phone.Content{
		"text":                  content(phone.KindText, ""),
		"type":                  content("shout", "loud"),
		"media.data":            content(phone.KindImage, "no image"),
		"location":              content(phone.KindLocation, ""),
		"location.latitude":     {Kind: phone.KindLocation, Location: &phone.Location{Latitude: 91}},
		"contacts":              content(phone.KindContact, ""),
		"contacts[0]":           {Kind: phone.KindContact, Contacts: []phone.Contact{{Name: "x"}}},
		"poll.options":          {Kind: phone.KindPoll, Text: "q", Poll: &phone.Poll{Options: []string{"a"}}},
		"poll.options[1]":       {Kind: phone.KindPoll, Text: "q", Poll: &phone.Poll{Options: []string{"a", "a"}}},
		"poll.selectable_count": {Kind: phone.KindPoll, Text: "q", Poll: &phone.Poll{Options: []string{"a", "b"}, Selectable: 3}},
		"target":                {Kind: phone.KindReaction, Text: "👍", Target: &phone.Reference{ID: "unknown"}},
		"quoted":                {Kind: phone.KindText, Text: "x", Quoted: &phone.Reference{ID: "unknown"}},
		"pin.seconds":           {Kind: phone.KindPin, Pin: &phone.Pin{Seconds: 5}, Target: &phone.Reference{ID: id}},
		"view_once":             {Kind: phone.KindText, Text: "x", ViewOnce: true},
		"mentions[0]":           {Kind: phone.KindText, Text: "x", Mentions: []string{"everybody"}},
		"invite":                content(phone.KindInvite, ""),
	} {
		if _, err := srv.Send(bob, alice, service.Outgoing{Content: c}); err == nil || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
	for name, c := range map[string]phone.Content{
		"somebody else's message is edited": {Kind: phone.KindEdit, Text: "x", Target: &phone.Reference{ID: id}},
		"a vote about no poll":              {Kind: phone.KindVote, Target: &phone.Reference{ID: id}},
	} {
		if _, err := srv.Send(bob, alice, service.Outgoing{Content: c}); err == nil || !strings.HasPrefix(err.Error(), "target:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a phone has read, with votes and files, is there after a restart.
func TestReadMessagesSurvive(t *testing.T) {
	t.Parallel()
	srv, file, copied := kept(t, alice, bob)
	poll, err := srv.Send(bob, alice, service.Outgoing{Content: phone.Content{Kind: phone.KindPoll, Text: "Q", Poll: &phone.Poll{Options: []string{"a", "b"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []phone.Content{
		{Kind: phone.KindVote, Votes: []string{"b"}, Target: &phone.Reference{ID: poll}},
		{Kind: phone.KindImage, Media: &phone.Media{Data: []byte("picture")}},
	} {
		if _, err := srv.Send(alice, bob, service.Outgoing{Content: c}); err != nil {
			t.Fatal(err)
		}
	}
	before, err := srv.Inbox(bob)
	if err != nil || len(before) != 2 || len(before[0].Content.Votes) != 1 {
		t.Fatalf("the phone has %+v, %v", before, err)
	}
	copied()
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	again := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = file })
	after, err := again.Inbox(bob)
	if err != nil || len(after) != 2 {
		t.Fatalf("after the restart the phone has %+v, %v", after, err)
	}
	for i := range after {
		if !reflect.DeepEqual(after[i].Content, before[i].Content) {
			t.Errorf("%+v became %+v", before[i].Content, after[i].Content)
		}
	}
	if data, err := again.Download(bob, after[1].ID); err != nil || string(data) != "picture" {
		t.Errorf("the file is %q, %v", data, err)
	}
}
