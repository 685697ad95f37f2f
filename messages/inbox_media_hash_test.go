package messages_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muster/internal/fault"
	"muster/messages"
	"muster/messages/content"
	"muster/messages/media"
	"muster/sandbox"
)

// claiming is a message that says it brings a file with this hash. No such file
// was uploaded for it.
func claiming(id string, sum media.Sum) *events.Message {
	return spoken(id, phoneJID(bob), phoneJID(bob), &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		FileSHA256: sum[:], FileEncSHA256: sum[:], MediaKey: sum[:], FileLength: proto.Uint64(3),
		FileName: proto.String("mine.txt"), Mimetype: proto.String("text/plain"), DirectPath: proto.String("/v/nothing-is-here?x=1"),
	}})
}

// Whoever knows the hash of another session's file does not get the file for it.
func TestHashIsNoKey(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		secret, _, err := r.files.Put(r.t.Context(), "media", bytes.NewReader([]byte("another session's file")), 1<<20)
		r.must(err)
		r.apply(claiming("CLAIM", secret))
		if state := r.message("CLAIM").Media; state == nil || state.State == messages.MediaStored {
			r.t.Errorf("a file that only its hash was told of: %+v", state)
		}
	})
}

// Nor by forwarding the message, which would send the file.
func TestForwardedHashIsNoKey(t *testing.T) {
	t.Parallel()
	sending(t, func(s *sender) {
		secret, _, err := s.files.Put(s.t.Context(), "media", bytes.NewReader([]byte("another session's file")), 1<<20)
		s.must(err)
		(&rig{t: s.t, db: s.db, inbox: s.inbox}).apply(claiming("CLAIM", secret))
		sent, err := s.service.Forward(t.Context(), messages.ForwardRequest{
			Envelope: messages.Envelope{SessionID: mine, To: ann}, MessageID: "CLAIM",
		})
		s.must(err)
		forwarded, err := s.inbox.Message(t.Context(), messages.MessageRequest{SessionID: mine, ID: sent.ID})
		s.must(err)
		if forwarded.Content.Media.DirectPath != "/v/nothing-is-here?x=1" || forwarded.Media.State == messages.MediaStored {
			t.Errorf("the file was sent: %+v, %+v", forwarded.Content.Media, forwarded.Media)
		}
	})
}

// A file is as long as it is, whatever the message says that brought it again.
func TestFileSizeIsItsOwn(t *testing.T) {
	t.Parallel()
	sending(t, func(s *sender) {
		data := []byte("what is really in it")
		sent, err := s.service.SendMedia(t.Context(), messages.MediaRequest{
			Envelope: messages.Envelope{SessionID: mine, To: ann}, Kind: content.KindDocument, Filename: "a.txt", File: media.Source{Data: data},
		})
		s.must(err)
		own, err := s.inbox.Message(t.Context(), messages.MessageRequest{SessionID: mine, ID: sent.ID})
		s.must(err)
		sum, err := media.ParseSum(own.Media.Hash)
		s.must(err)
		(&rig{t: s.t, db: s.db, inbox: s.inbox}).apply(claiming("AGAIN", sum))
		file, err := s.service.OpenFile(t.Context(), messages.MessageRequest{SessionID: mine, ID: "AGAIN"})
		s.must(err)
		s.must(file.Close())
		if file.Size != int64(len(data)) {
			t.Errorf("its size is %d, want %d", file.Size, len(data))
		}
	})
}

// With a retention of nothing, what people react with is not kept either.
func TestNothingIsKeptOfReactions(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		id := r.send(phoneJID(bob), text("hello"))
		r.acts(bob, me, sandbox.Content{Kind: "reaction", Target: about(id), Text: "👍"})
		r.eventually("the reaction", func() bool { return strings.Contains(r.told("emoji"), "👍") })
		if n := r.rows("message_reactions"); n != 0 {
			r.t.Errorf("%d reactions are kept", n)
		}
	}, func(o *messages.InboxOptions) { o.Retention = messages.Retention{} })
}

// What one account was to send later, another one does not send.
func TestScheduleIsOfItsAccount(t *testing.T) {
	t.Parallel()
	sending(t, func(s *sender) {
		sent, err := s.service.SendText(t.Context(), messages.TextRequest{
			Envelope: messages.Envelope{SessionID: mine, To: ann, SendAt: time.Now().Add(2 * time.Second)}, Text: "later",
		})
		s.must(err)
		var account string
		s.must(s.db.QueryRow(t.Context(), "SELECT account FROM outbox WHERE id = $1", sent.ID).Scan(&account))
		if account != phoneJID(me).String() {
			t.Fatalf("it is of %q", account)
		}
		_, err = s.db.Exec(t.Context(), "UPDATE outbox SET account = $1 WHERE id = $2", phoneJID(bob).String(), sent.ID)
		s.must(err)
		s.state(sent.ID, messages.OutboxFailed, string(fault.Rejected))
	})
}
