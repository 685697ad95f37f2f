package messages

import (
	"context"
	"fmt"
	"strings"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/event"
	"muster/store"
)

// reached is what a receipt says has become of messages of ours.
type reached struct {
	status string
	// Whoever has read a message has been delivered it, and so on.
	delivered, read, played bool
}

// reachedBy reads the type of a receipt. Others are between devices.
func reachedBy(kind types.ReceiptType) (reached, bool) {
	switch kind {
	case types.ReceiptTypeDelivered, types.ReceiptTypeInactive:
		return reached{"delivered", true, false, false}, true
	case types.ReceiptTypeRead:
		return reached{"read", true, true, false}, true
	case types.ReceiptTypePlayed:
		return reached{"played", true, true, true}, true
	}
	return reached{}, false
}

func (b *Inbox) applyReceipt(ctx context.Context, sessionID string, evt *events.Receipt) error {
	if !concerns(&types.MessageInfo{MessageSource: evt.MessageSource}) || len(evt.MessageIDs) == 0 {
		return nil
	}
	if evt.IsFromMe {
		switch evt.Type {
		case types.ReceiptTypeRead, types.ReceiptTypeReadSelf, types.ReceiptTypePlayed, types.ReceiptTypePlayedSelf:
			return b.MarkRead(ctx, sessionID, evt.Chat, evt.MessageIDs...)
		}
		return nil
	}
	what, ok := reachedBy(evt.Type)
	if !ok {
		return nil
	}
	who, err := b.complete(ctx, sessionID, identityOf(evt.Sender, evt.SenderAlt))
	if err != nil || who == (identity{}) {
		return err
	}
	chat := place{jid: evt.Chat.String(), group: true}
	if evt.Chat.Server != types.GroupServer {
		chat = place{jid: who.shown(), with: who}
	}
	at := evt.Timestamp
	if at.IsZero() {
		at = b.now()
	}
	e := &entry{session: sessionID, id: evt.MessageIDs[0], chat: chat, at: at, offline: event.Offline(ctx)}
	news, err := b.noteReceipt(ctx, e, who, what, evt.MessageIDs)
	if err != nil || len(news) == 0 {
		return err
	}
	return b.emit(ctx, e, event.MessageReceipt, event.Receipt{
		Chat: chat.jid, MessageIDs: news, Status: what.status, Person: who.person("").Payload(), Timestamp: at.Unix(),
	})
}

// maxIDs bounds how many messages one statement is about.
const maxIDs = 500

// noteReceipt stores what somebody has told of messages, and returns those of
// ours for which it is news. A receipt can be faster than the answer to the
// sending: messages that are being sent count, too.
func (b *Inbox) noteReceipt(ctx context.Context, e *entry, who identity, what reached, ids []string) (news []string, err error) {
	at := func(on bool) int64 {
		if on {
			return e.at.Unix()
		}
		return 0
	}
	for len(ids) > 0 {
		n := min(len(ids), maxIDs)
		values := []any{e.session, who.key(), who.pn, who.lid, at(what.delivered), at(what.read), at(what.played)}
		list, values := placeholders(values, ids[:n])
		ids = ids[n:]
		rows, err := b.db.Query(ctx, `INSERT INTO message_receipts (session_id, message_id, person, pn, lid, delivered_at, read_at, played_at)
			SELECT CAST($1 AS TEXT), sent.id, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT),
				CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS BIGINT)
			FROM (
				SELECT id FROM messages WHERE session_id = $1 AND id IN (`+list+`) AND from_me AND shown
				UNION SELECT id FROM outbox WHERE session_id = $1 AND id IN (`+list+`) AND state = 'sending'
			) AS sent WHERE true
			ON CONFLICT (session_id, message_id, person) DO UPDATE SET
				delivered_at = CASE WHEN message_receipts.delivered_at = 0 THEN excluded.delivered_at ELSE message_receipts.delivered_at END,
				read_at = CASE WHEN message_receipts.read_at = 0 THEN excluded.read_at ELSE message_receipts.read_at END,
				played_at = CASE WHEN message_receipts.played_at = 0 THEN excluded.played_at ELSE message_receipts.played_at END
			WHERE message_receipts.delivered_at = 0 AND excluded.delivered_at > 0
				OR message_receipts.read_at = 0 AND excluded.read_at > 0
				OR message_receipts.played_at = 0 AND excluded.played_at > 0
			RETURNING message_id`, values...)
		some, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
		if err != nil {
			return nil, fmt.Errorf("store a receipt from %s: %w", who.shown(), err)
		}
		news = append(news, some...)
	}
	return news, nil
}

// placeholders appends the items to a statement's values, and returns their
// places in it as a list.
func placeholders(values []any, items []string) (string, []any) {
	var list strings.Builder
	for i, item := range items {
		if i > 0 {
			list.WriteByte(',')
		}
		values = append(values, plain(item, maxID))
		fmt.Fprintf(&list, "$%d", len(values))
	}
	return list.String(), values
}

// MarkRead notes that we have read a chat up to the newest of the messages; with
// no ids, all of it. It joins the context's transaction, or runs in one of its own.
func (b *Inbox) MarkRead(ctx context.Context, sessionID string, chat types.JID, ids ...string) error {
	return store.Txn(ctx, b.db, func(ctx context.Context) error {
		if err := b.lock(ctx, sessionID); err != nil {
			return err
		}
		p, err := b.placeOf(ctx, sessionID, chat)
		if err != nil {
			return err
		}
		upTo := `last_seq`
		values := []any{sessionID, p.jid}
		if len(ids) > 0 {
			list, more := placeholders(values, ids[:min(len(ids), maxIDs)])
			values = more
			upTo = `COALESCE((SELECT MAX(seq) FROM messages WHERE session_id = $1 AND chat = $2 AND id IN (` + list + `)), 0)`
		}
		_, err = b.db.Exec(ctx, `UPDATE chats SET marked_unread = false,
				unread = (SELECT COUNT(*) FROM messages m WHERE m.session_id = $1 AND m.chat = $2 AND m.seq > `+upTo+` AND m.shown AND NOT m.from_me),
				read_seq = `+upTo+`
			WHERE session_id = $1 AND jid = $2 AND read_seq <= `+upTo, values...)
		if err != nil {
			return fmt.Errorf("note that the chat %s is read: %w", p.jid, err)
		}
		return nil
	})
}
