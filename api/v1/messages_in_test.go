package v1_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muster/sandbox"
	"muster/sandbox/phone"
)

// TestEveryKindArrives has a phone send every kind, to the group and to the
// account alone, and finds it in the inbox as it was sent.
func TestEveryKindArrives(t *testing.T) {
	k := newTalk(t)
	for _, chat := range []struct{ name, to, jid string }{
		{"group", k.group, k.group}, {"person", myNumber, pnOf(ann).String()},
	} {
		t.Run(chat.name, func(t *testing.T) {
			k := &talk{rig: k.with(t), client: k.client, group: chat.to}
			arrives := func(c phone.Content, fits func(message) bool) string {
				t.Helper()
				id := k.says(ann, c)
				m := k.inbox(id, "a message of the kind "+c.Kind, func(m message) bool { return m.Kind == c.Kind && fits(m) })
				if m.Chat != chat.jid || m.FromMe || !k.isPerson(m.Sender, ann) || m.Sender.Name != "N01" || m.Timestamp > now() {
					t.Errorf("%s came from %+v in %s at %d", c.Kind, m.Sender, m.Chat, m.Timestamp)
				}
				return id
			}
			k.arriveWords(arrives)
			k.arriveFiles(arrives)
		})
	}
}

func (k *talk) arriveWords(arrives func(phone.Content, func(message) bool) string) {
	week := uint32(604800)
	first := arrives(phone.Content{Kind: phone.KindText, Text: "first"}, func(m message) bool { return m.Text == "first" })
	arrives(phone.Content{Kind: phone.KindText, Text: "second", Quoted: &phone.Reference{ID: first}, ForwardingScore: 2, Expires: &week},
		func(m message) bool {
			return m.Text == "second" && m.ReplyTo != nil && m.ReplyTo.ID == first && m.ReplyTo.Sender != nil && k.isPerson(*m.ReplyTo.Sender, ann) &&
				m.ReplyTo.Text == "first" && m.Forwarded == 2 && m.Expiration == 604800
		})
	arrives(phone.Content{Kind: phone.KindText, Text: "all", Mentions: []string{myNumber}, MentionAll: true}, func(m message) bool {
		return m.MentionAll && len(m.Mentions) == 1 && k.isPerson(m.Mentions[0], myNumber)
	})
	for _, live := range []bool{false, true} {
		arrives(phone.Content{Kind: phone.KindLocation, Location: &phone.Location{Latitude: 1.5, Longitude: -2.5, Name: "Here", Live: live}}, func(m message) bool {
			return m.Location != nil && m.Location.Latitude == 1.5 && m.Location.Longitude == -2.5 && m.Location.Live == live && (live || m.Location.Name == "Here")
		})
	}
	card := phone.Contact{Name: "Dee", VCard: "BEGIN:VCARD\nVERSION:3.0\nFN:Dee\nTEL;waid=628111000004:+62 811\nEND:VCARD"}
	for count := 1; count <= 2; count++ {
		arrives(phone.Content{Kind: phone.KindContact, Contacts: slices.Repeat([]phone.Contact{card}, count)}, func(m message) bool {
			return len(m.Contacts) == count && m.Contacts[0].Name == "Dee" && m.Contacts[0].VCard == card.VCard
		})
	}
	for _, selectable := range []uint32{0, 1, 2} {
		arrives(phone.Content{Kind: phone.KindPoll, Text: "Q?", Poll: &phone.Poll{Options: []string{"a", "b"}, Selectable: selectable}}, func(m message) bool {
			return m.Poll != nil && m.Poll.Name == "Q?" && slices.Equal(m.Poll.Options, []string{"a", "b"}) && m.Poll.Selectable == int(selectable) && len(m.PollResults) == 2
		})
	}
	arrives(phone.Content{Kind: phone.KindInvite, Invite: &phone.Invite{Group: "120363000000000000@g.us", Code: "abc", Expires: now() + 1000}}, func(m message) bool {
		return m.Invite != nil && m.Invite.Code == "abc"
	})
}

func (k *talk) arriveFiles(arrives func(phone.Content, func(message) bool) string) {
	picture := jpegFile(k.t)
	for kind, media := range map[string]phone.Media{
		phone.KindImage:    {Data: picture, Width: 40, Height: 30},
		phone.KindVideo:    {Data: videoFile(), Seconds: 2},
		phone.KindAudio:    {Data: voiceFile(1), Voice: true, Seconds: 1, Waveform: bytes.Repeat([]byte{5}, 64)},
		phone.KindDocument: {Data: []byte("pages"), FileName: "a.txt", Mimetype: "text/plain"},
		phone.KindSticker:  {Data: stickerFile(), Width: 512, Height: 512},
	} {
		id := arrives(phone.Content{Kind: kind, Media: &media}, func(m message) bool {
			return m.Media != nil && m.Media.Size == int64(len(media.Data)) && m.Media.Width == int(media.Width) &&
				m.Media.Seconds == int(media.Seconds) && m.Media.Filename == media.FileName && m.Media.PTT == media.Voice
		})
		if _, file := k.download(id); !bytes.Equal(file, media.Data) {
			k.t.Errorf("the %s is downloaded as %d bytes, want %d", kind, len(file), len(media.Data))
		}
	}
	captioned := arrives(phone.Content{Kind: phone.KindImage, Text: "look", Media: &phone.Media{Data: picture}}, func(m message) bool { return m.Text == "look" })
	if contentType, _ := k.download(captioned); contentType != "image/jpeg" {
		k.t.Errorf("a picture is downloaded as %s", contentType)
	}
	for _, kind := range []string{phone.KindImage, phone.KindVideo, phone.KindAudio} {
		id := arrives(phone.Content{Kind: kind, Text: "secret", ViewOnce: true, Media: &phone.Media{Data: picture, Voice: kind == phone.KindAudio}},
			func(m message) bool { return m.ViewOnce && m.Text == "" && m.Media == nil })
		k.call(http.MethodGet, messagesPath+"/"+id+"/media", nil).refused(http.StatusNotFound, "not_found", "")
	}
}

// TestChangesUpdateTheRightMessage: edits, revocations, reactions, votes and
// pins of others change the message that they are about and no other.
func TestChangesUpdateTheRightMessage(t *testing.T) {
	k := newTalk(t)
	mine, other := k.post("text", object{"text": "mine"}), k.post("text", object{"text": "other"})
	theirs := k.says(ann, phone.Content{Kind: phone.KindText, Text: "draft"})
	k.inbox(theirs, "the draft", func(m message) bool { return m.Text == "draft" })
	about := func(number, kind, text, id string) {
		t.Helper()
		k.says(number, phone.Content{Kind: kind, Text: text, Target: &phone.Reference{ID: id}})
	}
	about(ann, phone.KindReaction, "👍", mine)
	about(bob, phone.KindReaction, "🎉", mine)
	reacted := k.inbox(mine, "two reactions", func(m message) bool { return len(m.Reactions) == 2 })
	for _, reaction := range reacted.Reactions {
		want := map[string]string{"👍": ann, "🎉": bob}[reaction.Emoji]
		if want == "" || !k.isPerson(reaction.Person, want) {
			t.Errorf("a reaction is %+v", reaction)
		}
	}
	about(ann, phone.KindReaction, "😮", mine)
	about(bob, phone.KindReaction, "", mine)
	k.inbox(mine, "one reaction", func(m message) bool { return len(m.Reactions) == 1 && m.Reactions[0].Emoji == "😮" })
	about(ann, phone.KindEdit, "final", theirs)
	k.inbox(theirs, "the edit", func(m message) bool { return m.Text == "final" && m.EditedAt > 0 })
	about(bob, phone.KindPin, "", theirs)
	k.inbox(theirs, "the pin", func(m message) bool { return m.PinnedUntil > now()+6*86400 })
	about(ann, phone.KindRevoke, "", theirs)
	k.inbox(theirs, "the revocation", func(m message) bool { return m.RevokedAt > 0 && m.Text == "" })
	if m := k.inbox(other, "the other message", func(message) bool { return true }); len(m.Reactions) > 0 || m.EditedAt > 0 || m.RevokedAt > 0 || m.Text != "other" {
		t.Errorf("the other message became %+v", m)
	}
	// What only its author may do does nothing in others' names: the phones
	// refuse to send it, so it is made by hand.
	forged := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: &waE2E.Message{Conversation: proto.String("forged")},
		Key: k.client.BuildMessageKey(k.jid(k.group), pnOf(bob), other),
	}}
	if _, err := k.wa.SendRaw(bob, k.group, "", &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: forged}}); err != nil {
		t.Fatal(err)
	}
	after := k.says(bob, phone.Content{Kind: phone.KindText, Text: "after the forgery"})
	k.inbox(after, "what came after", func(m message) bool { return m.Text == "after the forgery" })
	if m := k.inbox(other, "the other message", func(message) bool { return true }); m.Text != "other" || m.EditedAt > 0 {
		t.Errorf("bob has edited another's message: %+v", m)
	}
}

// TestVotesAreCounted: polls of the account and of others are counted, by
// person, and a new vote replaces the old one.
func TestVotesAreCounted(t *testing.T) {
	k := newTalk(t)
	options := []string{"Soto", "Rendang", "Pecel"}
	mine := k.post("poll", object{"name": "Lunch?", "options": options, "selectable_count": 2})
	theirs := k.says(ann, phone.Content{Kind: phone.KindPoll, Text: "Dinner?", Poll: &phone.Poll{Options: options}})
	vote := func(number, poll string, choice ...string) {
		t.Helper()
		k.says(number, phone.Content{Kind: phone.KindVote, Votes: choice, Target: &phone.Reference{ID: poll}})
	}
	counts := func(m message) (list []int) {
		for _, result := range m.PollResults {
			list = append(list, result.Count)
		}
		return list
	}
	for _, poll := range []string{mine, theirs} {
		vote(ann, poll, "Soto", "Pecel")
		// A vote by an unmodified client, which knows the poll from its own side.
		built, err := k.client.BuildPollVote(t.Context(), &k.atClient(poll, "the poll").Info, []string{"Soto"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = k.client.SendMessage(t.Context(), k.jid(k.group), built); err != nil {
			t.Fatal(err)
		}
		counted := k.inbox(poll, "both votes", func(m message) bool { return slices.Equal(counts(m), []int{2, 0, 1}) })
		if !k.isPerson(counted.PollResults[2].Voters[0], ann) {
			t.Errorf("the results are %+v", counted.PollResults)
		}
		vote(ann, poll, "Rendang")
		k.inbox(poll, "the new vote", func(m message) bool { return slices.Equal(counts(m), []int{1, 1, 0}) })
		vote(ann, poll)
		k.inbox(poll, "the vote taken back", func(m message) bool { return slices.Equal(counts(m), []int{1, 0, 0}) })
	}
}

// TestReceiptsArePerPerson: what becomes of a message is kept for each who got it.
func TestReceiptsArePerPerson(t *testing.T) {
	k := newTalk(t)
	id := k.post("audio", object{"audio": data(voiceFile(1)), "ptt": true})
	k.inbox(id, "both deliveries", func(m message) bool { return m.Status == "delivered" && m.Reach.Delivered == 2 })
	k.atPhone(ann, id, "the voice note")
	if err := k.wa.MarkRead(ann, []string{id}, false); err != nil {
		t.Fatal(err)
	}
	k.inbox(id, "that it was read", func(m message) bool { return m.Status == "read" && m.Reach.Read == 1 })
	if err := k.wa.MarkRead(ann, []string{id}, true); err != nil {
		t.Fatal(err)
	}
	done := k.inbox(id, "that it was played", func(m message) bool { return m.Status == "played" && m.Reach.Played == 1 })
	for _, r := range done.Receipts {
		byAnn := k.isPerson(r.Person, ann)
		if r.DeliveredAt == 0 || byAnn != (r.ReadAt > 0) || byAnn != (r.PlayedAt > 0) || !byAnn && !k.isPerson(r.Person, bob) {
			t.Errorf("a receipt is %+v", r)
		}
	}
	if len(done.Receipts) != 2 {
		t.Errorf("there are %d receipts, want 2", len(done.Receipts))
	}
}

// TestRepeatsAreOneMessage: what arrives twice under its id is stored once.
func TestRepeatsAreOneMessage(t *testing.T) {
	k := newTalk(t)
	const id = "3EB0AAAABBBBCCCC"
	for _, text := range []string{"once", "once", "changed"} {
		if _, err := k.wa.Send(ann, k.group, sandbox.Outgoing{ID: id, Content: phone.Content{Kind: phone.KindText, Text: text}}); err != nil {
			t.Fatal(err)
		}
	}
	last := k.says(ann, phone.Content{Kind: phone.KindText, Text: "last"})
	k.inbox(last, "the last one", func(m message) bool { return m.Text == "last" })
	if list := k.listMessages(""); len(list) != 2 || list[1].Text != "once" {
		t.Errorf("the chat has %+v", list)
	}
}

// listMessages are the messages of the group's chat, the newest first.
func (k *talk) listMessages(query string) []message {
	k.t.Helper()
	answer := k.call(http.MethodGet, "/api/v1/sessions/"+mySession+"/chats/"+url.PathEscape(k.group)+"/messages"+query, nil).status(http.StatusOK)
	var list struct{ Messages []message }
	if err := json.Unmarshal(answer.raw, &list); err != nil {
		k.t.Fatal(err)
	}
	return list.Messages
}

// TestUndecryptableIsRepaired: a message that nobody can read is asked for
// again, and becomes what it was to say.
func TestUndecryptableIsRepaired(t *testing.T) {
	k := newTalk(t)
	for _, to := range []string{k.group, myNumber} {
		id, err := k.wa.Send(ann, to, sandbox.Outgoing{Spoilt: true, Content: phone.Content{Kind: phone.KindText, Text: "at second sight"}})
		if err != nil {
			t.Fatal(err)
		}
		k.inbox(id, "the repaired message", func(m message) bool { return m.Kind == "text" && m.Text == "at second sight" })
	}
}

// TestSearchFindsWords in Indonesian, Arabic and Chinese.
func TestSearchFindsWords(t *testing.T) {
	k := newTalk(t)
	texts := map[string]string{
		"id": "Rapat besok pagi di kantor pusat", "ar": "الاِجْتِمَاعُ غَدًا في المكتب", "zh": "明天早上在总部开会", "none": "nothing to see",
	}
	ids := map[string]string{}
	for language, text := range texts {
		ids[language] = k.says(ann, phone.Content{Kind: phone.KindText, Text: text})
	}
	ids["mine"] = k.post("text", object{"text": "Rapat dibatalkan"})
	for language, id := range ids {
		k.inbox(id, language, func(m message) bool { return m.Text != "" })
	}
	for query, want := range map[string][]string{
		"besok": {"id"}, "RAPAT": {"id", "mine"}, "kantor bes": {"id"}, "rapat batal": nil, "الاجتماع": {"ar"}, "غدا": {"ar"}, "开会": {"zh"}, "总部": {"zh"}, "会开": nil,
	} {
		answer := k.call(http.MethodGet, messagesPath+"?q="+url.QueryEscape(query), nil).status(http.StatusOK)
		var found struct{ Messages []message }
		if err := json.Unmarshal(answer.raw, &found); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range found.Messages {
			for language, id := range ids {
				if m.ID == id {
					got = append(got, language)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
}
