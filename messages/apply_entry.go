package messages

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/messages/content"
)

// entry is one message on its way into the inbox, whoever has sent it.
type entry struct {
	session string
	chat    place
	id      string
	sender  identity
	from    types.JID // the sender as the message addresses them, without device
	me      identity
	name    string // what the sender calls themselves
	fromMe  bool
	ours    bool // this server has sent it
	at      time.Time
	offline bool
	said    content.Content
	shown   bool
	// adminAct: WhatsApp lets its sender delete the messages of others.
	adminAct bool

	// Of a message of ours:
	state     State
	request   string
	confirmed bool // it was recorded as pending before
	fileKept  bool // its file was taken in here

	seq      int64  // of its row, once there is one
	repaired bool   // it could not be decrypted before
	chatName string // once it is known
}

// Bounds of what strangers choose freely, in bytes.
const (
	maxID   = 255
	maxName = 200
)

// plain makes a text storable: PostgreSQL takes neither NUL nor broken UTF-8,
// and what cannot be stored would be delivered again for ever.
func plain(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// known is the row of a message that was recorded before.
type known struct {
	seq     int64
	kind    content.Kind
	state   State
	shown   bool
	revoked bool
}

// record writes a message, unless it is there already.
func (b *Inbox) record(ctx context.Context, e *entry) error {
	if e.at.IsZero() || e.at.Unix() < 0 {
		e.at = b.now()
	}
	row, err := b.recorded(ctx, e)
	switch {
	case err != nil:
		return err
	case row == nil:
		return b.insert(ctx, e)
	case row.kind == KindUndecryptable && e.said.Kind != KindUndecryptable && !row.revoked:
		return b.repair(ctx, e, row)
	case row.state != StateSent && e.state == StateSent:
		return b.confirm(ctx, e, row)
	}
	return nil // a repetition
}

// recorded finds the row of the same message: two people may use one id.
func (b *Inbox) recorded(ctx context.Context, e *entry) (*known, error) {
	rows, err := b.db.Query(ctx, `SELECT seq, kind, state, shown, revoked_at > 0, chat, sender_pn, sender_lid, from_me
		FROM messages WHERE session_id = $1 AND id = $2`, e.session, e.id)
	var row *known
	err = dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (*known, error) {
		var found known
		var chat string
		var sender identity
		var fromMe bool
		err := r.Scan(&found.seq, &found.kind, &found.state, &found.shown, &found.revoked, &chat, &sender.pn, &sender.lid, &fromMe)
		if err == nil && chat == e.chat.jid && (fromMe && e.fromMe || sender.same(e.sender)) {
			row = &found
		}
		return nil, err
	}, err).Iter(func(*known) (bool, error) { return true, nil })
	if err != nil {
		return nil, fmt.Errorf("look for message %s: %w", e.id, err)
	}
	return row, nil
}

// kept is what is stored of the message's content, and of its words.
func (b *Inbox) kept(e *entry) (text, words string, err error) {
	if !b.retention.keeps() || !e.shown || e.said.Kind == KindUndecryptable && !e.said.ViewOnce {
		return "", "", nil
	}
	keep := e.said
	if keep.ViewOnce {
		keep = keep.Bare()
	} else {
		words = wordsOf(keep)
	}
	raw, err := json.Marshal(keep)
	if err != nil {
		return "", "", fmt.Errorf("encode message %s: %w", e.id, err)
	}
	return string(raw), words, nil
}

func (e *entry) expiry() int64 {
	if e.said.ExpirationSeconds <= 0 {
		return 0
	}
	return e.at.Unix() + e.said.ExpirationSeconds
}

func (b *Inbox) insert(ctx context.Context, e *entry) error {
	text, words, err := b.kept(e)
	if err != nil {
		return err
	}
	values := []any{
		e.session, e.chat.jid, e.id, e.sender.pn, e.sender.lid, e.name, e.fromMe, e.at.Unix(), b.now().Unix(),
		string(e.said.Kind), e.shown, e.offline, text, string(e.state), e.request, e.expiry(),
	}
	err = b.db.QueryRow(ctx, b.index.insertion(), b.index.with(values, words)...).Scan(&e.seq)
	if err != nil {
		return fmt.Errorf("store message %s: %w", e.id, err)
	}
	if e.said.Kind.ChangesTarget() {
		return b.act(ctx, e)
	}
	return b.show(ctx, e, words, !e.fromMe && e.shown)
}

// repair gives a message that could not be decrypted its content.
func (b *Inbox) repair(ctx context.Context, e *entry, row *known) error {
	e.seq, e.repaired = row.seq, row.shown
	text, words, err := b.kept(e)
	if err != nil {
		return err
	}
	values := []any{e.seq, string(e.said.Kind), e.shown, text, e.expiry(), e.name}
	if _, err = b.db.Exec(ctx, b.index.repair(), b.index.with(values, words)...); err != nil {
		return fmt.Errorf("repair message %s: %w", e.id, err)
	}
	if !e.said.Kind.ChangesTarget() {
		return b.show(ctx, e, words, !e.fromMe && !row.shown)
	}
	if row.shown {
		if err = b.hide(ctx, e); err != nil {
			return err
		}
	}
	return b.act(ctx, e)
}

// confirm notes that a message of ours has been sent after all.
func (b *Inbox) confirm(ctx context.Context, e *entry, row *known) error {
	e.seq, e.confirmed = row.seq, true
	_, err := b.db.Exec(ctx, `UPDATE messages SET state = $2, at = $3, expires_at = $4, request_id = $5, error_code = '', error = '' WHERE seq = $1`,
		e.seq, string(e.state), e.at.Unix(), e.expiry(), e.request)
	if err != nil {
		return fmt.Errorf("note that message %s was sent: %w", e.id, err)
	}
	if e.said.Kind.ChangesTarget() {
		return b.act(ctx, e)
	}
	return b.show(ctx, e, "", false)
}

// show puts a message into its chat and tells of it.
func (b *Inbox) show(ctx context.Context, e *entry, words string, unread bool) error {
	if !e.shown {
		return nil
	}
	if b.retention.keeps() {
		if err := b.touch(ctx, e, unread); err != nil {
			return err
		}
		if err := b.index.add(ctx, e.seq, words); err != nil {
			return fmt.Errorf("index message %s: %w", e.id, err)
		}
		if err := b.needFile(ctx, e); err != nil {
			return err
		}
	}
	if e.state == StatePending {
		return nil
	}
	return b.tell(ctx, e)
}

// touch makes the message its chat's newest, and the chat if it is new.
func (b *Inbox) touch(ctx context.Context, e *entry, unread bool) error {
	name := e.name
	if e.chat.group || e.fromMe {
		name = ""
	}
	more := 0
	if unread {
		more = 1
	}
	// A group's name is what the mirror of the groups has. The packages know
	// nothing of each other, and share the database.
	err := b.db.QueryRow(ctx, `INSERT INTO chats (session_id, jid, lid, name, last_seq, last_at, unread)
		VALUES ($1, $2, $3, COALESCE((SELECT subject FROM mirror_groups WHERE session_id = $1 AND jid = $2), $4), $5, $6, $7)
		ON CONFLICT (session_id, jid) DO UPDATE SET
			lid = CASE WHEN excluded.lid <> '' THEN excluded.lid ELSE chats.lid END,
			name = CASE WHEN excluded.name <> '' THEN excluded.name ELSE chats.name END,
			last_at = CASE WHEN excluded.last_seq >= chats.last_seq THEN excluded.last_at ELSE chats.last_at END,
			last_seq = CASE WHEN excluded.last_seq > chats.last_seq THEN excluded.last_seq ELSE chats.last_seq END,
			unread = chats.unread + excluded.unread
		RETURNING name`,
		e.session, e.chat.jid, e.chat.with.lid, name, e.seq, e.at.Unix(), more).Scan(&e.chatName)
	if err != nil {
		return fmt.Errorf("note message %s in its chat: %w", e.id, err)
	}
	return nil
}

// hide takes a message out of its chat that was none after all.
func (b *Inbox) hide(ctx context.Context, e *entry) error {
	less := 1
	if e.fromMe {
		less = 0
	}
	_, err := b.db.Exec(ctx, `UPDATE chats SET unread = CASE WHEN unread > $3 THEN unread - $3 ELSE 0 END,
		last_seq = COALESCE((SELECT MAX(seq) FROM messages WHERE session_id = $1 AND chat = $2 AND shown), 0)
		WHERE session_id = $1 AND jid = $2`, e.session, e.chat.jid, less)
	if err != nil {
		return fmt.Errorf("take message %s out of its chat: %w", e.id, err)
	}
	return nil
}

// unsay hides a message that could not be decrypted, and that now turns out to
// say nothing.
func (b *Inbox) unsay(ctx context.Context, sessionID string, info *types.MessageInfo) error {
	if err := b.lock(ctx, sessionID); err != nil {
		return err
	}
	// Somebody else may have used the id.
	who, err := b.complete(ctx, sessionID, identityOf(info.Sender, info.SenderAlt))
	if err != nil {
		return err
	}
	var fromMe bool
	var chat string
	err = b.db.QueryRow(ctx, `UPDATE messages SET shown = false WHERE session_id = $1 AND id = $2 AND kind = $3 AND shown AND from_me = $4
			AND (from_me OR sender_lid <> '' AND sender_lid = $5 OR sender_pn <> '' AND sender_pn = $6) RETURNING from_me, chat`,
		sessionID, plain(info.ID, maxID), string(KindUndecryptable), info.IsFromMe, who.lid, who.pn).Scan(&fromMe, &chat)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hide message %s: %w", info.ID, err)
	}
	return b.hide(ctx, &entry{session: sessionID, id: info.ID, fromMe: fromMe, chat: place{jid: chat}})
}
