package messages_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muster/internal/fault"
	"muster/messages"
	"muster/sandbox"
)

// clock is a time that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

func (r *rig) rows(table string) (count int) {
	r.t.Helper()
	r.must(r.db.QueryRow(r.t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&count))
	return count
}

func (r *rig) prune() int64 {
	r.t.Helper()
	deleted, err := r.inbox.Prune(r.t.Context())
	r.must(err)
	return deleted
}

func TestRetentionByAge(t *testing.T) {
	t.Parallel()
	storeClock := &clock{}
	everywhere(t, func(r *rig) {
		id := r.send(phoneJID(bob), text("old"))
		r.eventually("a receipt", func() bool { return r.message(id).Reach.Delivered == 1 })
		r.acts(bob, me, sandbox.Content{Kind: "reaction", Text: "👍", Target: about(id)})
		r.eventually("a reaction", func() bool { return len(r.message(id).Reactions) == 1 })
		if got := r.prune(); got != 0 {
			r.t.Errorf("%d new messages were deleted", got)
		}
		storeClock.advance(49 * time.Hour)
		r.apply(spoken("new", phoneJID(bob), phoneJID(bob), text("new")))
		if got := r.prune(); got != 2 {
			r.t.Errorf("%d messages were deleted, want the old one and what reacted", got)
		}
		if r.rows("messages") != 1 || r.rows("message_receipts") != 0 || r.rows("message_reactions") != 0 {
			r.t.Error("something of the old messages is left")
		}
		if r.found("old") != 0 || r.found("new") != 1 {
			r.t.Error("the search does not fit what is kept")
		}
		storeClock.advance(49 * time.Hour)
		r.prune()
		if chat := r.chat(bob + "@s.whatsapp.net"); chat == nil || chat.LastMessage != nil || chat.LastAt.IsZero() {
			r.t.Errorf("the chat whose messages are gone is %+v", chat)
		}
	}, func(o *messages.InboxOptions) { o.Now, o.Retention.Age = storeClock.now, 48*time.Hour })
}

func TestRetentionByCount(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		for i := range 1205 {
			r.apply(spoken(fmt.Sprint(i), phoneJID(bob), phoneJID(bob), text("x")))
		}
		if got := r.prune(); got != 1195 || r.rows("messages") != 10 {
			r.t.Errorf("%d were deleted, %d are left", got, r.rows("messages"))
		}
		if _, err := r.inbox.Message(r.t.Context(), messages.MessageRequest{SessionID: mine, ID: "1195"}); err != nil {
			r.t.Error("the newest ones are not those that are left")
		}
	}, func(o *messages.InboxOptions) { o.Retention.Count = 10 })
}

func TestDisappearingMessages(t *testing.T) {
	t.Parallel()
	now := &clock{}
	everywhere(t, func(r *rig) {
		r.apply(spoken("gone", phoneJID(bob), phoneJID(bob), &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String("not for long"), ContextInfo: &waE2E.ContextInfo{Expiration: proto.Uint32(86400)},
		}}))
		if m := r.message("gone"); !m.ExpiresAt.Equal(m.Timestamp.Add(24 * time.Hour)) {
			r.t.Errorf("it disappears at %s", m.ExpiresAt)
		}
		now.advance(time.Until(time.Unix(1_800_000_000, 0).Add(25 * time.Hour)))
		if _, err := r.inbox.Message(r.t.Context(), messages.MessageRequest{SessionID: mine, ID: "gone"}); !fault.Is(err, fault.NotFound) {
			r.t.Errorf("it can be read still: %v", err)
		}
		if got := r.prune(); got != 1 || r.rows("messages") != 0 {
			r.t.Errorf("%d were deleted", got)
		}
		now.ahead.Store(0)
	}, func(o *messages.InboxOptions) { o.Now = now.now })
}

func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	now := &clock{}
	everywhere(t, func(r *rig) {
		evt := spoken("1", phoneJID(bob), phoneJID(bob), text("hush"))
		r.apply(evt)
		r.apply(evt)
		id := r.send(phoneJID(bob), text("hush, too"))
		told := ""
		r.eventually("the receipt", func() bool {
			told += r.told("text", "status") + "\n"
			return strings.Contains(told, `message.receipt null "delivered"`)
		})
		if !strings.Contains(told, `message.sent "hush, too" null`) || strings.Count(told, `message.received "hush" null`) != 1 {
			r.t.Errorf("told: %s", told)
		}
		var kept string
		r.must(r.db.QueryRow(r.t.Context(), `SELECT MAX(content) FROM messages`).Scan(&kept))
		if kept != "" || r.rows("chats") != 0 {
			r.t.Errorf("kept: %s", kept)
		}
		if _, err := r.inbox.Message(r.t.Context(), messages.MessageRequest{SessionID: mine, ID: id}); !fault.Is(err, fault.NotFound) {
			r.t.Errorf("it can be read: %v", err)
		}
		if chats, err := r.inbox.Chats(r.t.Context(), messages.ChatsRequest{SessionID: mine}); err != nil || len(chats.Chats) != 0 {
			r.t.Errorf("%+v %v", chats, err)
		}
		now.advance(15 * 24 * time.Hour)
		r.prune()
		if r.rows("messages")+r.rows("message_receipts") != 0 {
			r.t.Error("ids are kept for longer than anything is repeated")
		}
	}, func(o *messages.InboxOptions) { o.Now, o.Retention = now.now, messages.Retention{} })
}
