package messages

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/event"
)

// pending reads what is to be told of a message of ours that is pending; found
// is false where there is none of this id.
func (b *Inbox) pending(ctx context.Context, sessionID, id string) (e *entry, found bool, err error) {
	me, err := b.account(ctx, sessionID)
	if err != nil {
		return nil, false, err
	}
	e = &entry{session: sessionID, id: id, sender: me, me: me, fromMe: true, ours: true, at: b.now()}
	row := b.db.QueryRow(ctx, `SELECT chat, request_id FROM messages
		WHERE session_id = $1 AND id = $2 AND from_me AND state = 'pending'`, sessionID, id)
	err = row.Scan(&e.chat.jid, &e.request)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	e.chat.group = strings.HasSuffix(e.chat.jid, "@"+types.GroupServer)
	return e, err == nil, err
}

// tellFailed tells that a message was given up.
func (b *Inbox) tellFailed(ctx context.Context, e *entry, code, text string) error {
	return b.emit(ctx, e, event.MessageFailed, event.Failed{
		MessageKey: event.MessageKey{MessageID: e.id, Chat: e.chat.jid, FromMe: true, Sender: e.sender.person("").Payload()},
		ErrorCode:  code, Error: text, Timestamp: e.at.Unix(),
	})
}
