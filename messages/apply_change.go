package messages

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// applyChange takes what the account has done to its chats on another device.
func (b *Inbox) applyChange(ctx context.Context, sessionID string, evt any) error {
	switch evt := evt.(type) {
	case *events.MarkChatAsRead:
		if evt.Action.GetRead() {
			return b.MarkRead(ctx, sessionID, evt.JID)
		}
		return b.setChat(ctx, sessionID, evt.JID, "marked_unread", true)
	case *events.Archive:
		return b.setChat(ctx, sessionID, evt.JID, "archived", evt.Action.GetArchived())
	case *events.Pin:
		return b.setChat(ctx, sessionID, evt.JID, "pinned", evt.Action.GetPinned())
	case *events.Mute:
		return b.setChat(ctx, sessionID, evt.JID, "muted_until", mutedUntil(evt))
	case *events.ClearChat:
		return b.clear(ctx, sessionID, evt.JID, evt.Timestamp, false)
	case *events.DeleteChat:
		return b.clear(ctx, sessionID, evt.JID, evt.Timestamp, true)
	case *events.DeleteForMe:
		return b.deleteForMe(ctx, sessionID, evt)
	}
	return nil
}

// mutedUntil reads the end of a chat's silence, which the wire has in
// milliseconds, and -1 for none.
func mutedUntil(evt *events.Mute) int64 {
	end := evt.Action.GetMuteEndTimestamp()
	switch {
	case !evt.Action.GetMuted():
		return 0
	case end <= 0:
		return mutedForever
	}
	return end / time.Second.Milliseconds()
}

// setChat sets one column of a chat, which may not be there yet.
func (b *Inbox) setChat(ctx context.Context, sessionID string, chat types.JID, column string, value any) error {
	if !b.retention.keeps() || !concerns(&types.MessageInfo{MessageSource: types.MessageSource{Chat: chat}}) {
		return nil
	}
	p, err := b.placeOf(ctx, sessionID, chat)
	if err != nil {
		return err
	}
	_, err = b.db.Exec(ctx, `INSERT INTO chats (session_id, jid, lid, `+column+`) VALUES ($1, $2, $3, $4)
		ON CONFLICT (session_id, jid) DO UPDATE SET `+column+` = excluded.`+column, sessionID, p.jid, p.with.lid, value)
	if err != nil {
		return fmt.Errorf("note a change of the chat %s: %w", p.jid, err)
	}
	return nil
}

// clear deletes what was said in a chat up to a time, and the chat itself.
func (b *Inbox) clear(ctx context.Context, sessionID string, chat types.JID, upTo time.Time, gone bool) error {
	if err := b.lock(ctx, sessionID); err != nil {
		return err
	}
	p, err := b.placeOf(ctx, sessionID, chat)
	if err != nil {
		return err
	}
	if _, err = b.remove(ctx, `m.session_id = $1 AND m.chat = $2 AND m.at <= $3`, sessionID, p.jid, upTo.Unix()); err != nil {
		return fmt.Errorf("clear the chat %s: %w", p.jid, err)
	}
	if err = b.recount(ctx, sessionID, p.jid); err != nil {
		return err
	}
	if gone {
		_, err = b.db.Exec(ctx, `DELETE FROM chats WHERE session_id = $1 AND jid = $2
			AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.session_id = $1 AND m.chat = $2 AND m.shown)`, sessionID, p.jid)
		if err != nil {
			return fmt.Errorf("delete the chat %s: %w", p.jid, err)
		}
	}
	return nil
}

func (b *Inbox) deleteForMe(ctx context.Context, sessionID string, evt *events.DeleteForMe) error {
	if err := b.lock(ctx, sessionID); err != nil {
		return err
	}
	p, err := b.placeOf(ctx, sessionID, evt.ChatJID)
	if err != nil {
		return err
	}
	// In a group, two people may have used one id.
	who, err := b.complete(ctx, sessionID, identityOf(evt.SenderJID))
	if err != nil {
		return err
	}
	condition := `m.session_id = $1 AND m.chat = $2 AND m.id = $3 AND m.from_me = $4`
	values := []any{sessionID, p.jid, plain(evt.MessageID, maxID), evt.IsFromMe}
	if p.group && !evt.IsFromMe {
		condition += ` AND (m.sender_lid <> '' AND m.sender_lid = $5 OR m.sender_pn <> '' AND m.sender_pn = $6)`
		values = append(values, who.lid, who.pn)
	}
	if _, err = b.remove(ctx, condition, values...); err != nil {
		return fmt.Errorf("delete message %s: %w", evt.MessageID, err)
	}
	return b.recount(ctx, sessionID, p.jid)
}

// recount corrects what a chat knows of its messages after some were deleted.
func (b *Inbox) recount(ctx context.Context, sessionID, chat string) error {
	_, err := b.db.Exec(ctx, `UPDATE chats SET
			last_seq = COALESCE((SELECT MAX(m.seq) FROM messages m WHERE m.session_id = $1 AND m.chat = $2 AND m.shown), last_seq),
			unread = (SELECT COUNT(*) FROM messages m WHERE m.session_id = $1 AND m.chat = $2 AND m.seq > chats.read_seq AND m.shown AND NOT m.from_me)
		WHERE session_id = $1 AND jid = $2`, sessionID, chat)
	if err != nil {
		return fmt.Errorf("recount the chat %s: %w", chat, err)
	}
	return nil
}
