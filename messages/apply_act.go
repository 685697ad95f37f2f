package messages

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/event"
	"muster/messages/content"
)

// target is the message that another one acts on.
type target struct {
	id     string
	author identity
	name   string
	fromMe bool

	// Of its row; seq is 0 when the inbox does not have it.
	seq     int64
	kind    content.Kind
	said    content.Content // zero when none is kept
	at      time.Time
	revoked bool
}

func (t *target) key(chat string) event.MessageKey {
	return event.MessageKey{MessageID: t.id, Chat: chat, FromMe: t.fromMe, Sender: t.author.person(t.name).Payload()}
}

// act does what a message does to another one. What is about a message that
// the inbox does not have (it is older than the link, or past its retention) is
// told all the same, as far as the act itself says it.
func (b *Inbox) act(ctx context.Context, e *entry) error {
	t, forged, err := b.targetOf(ctx, e)
	if err != nil || forged {
		return err
	}
	if e.said.Sealed != nil && e.said.Kind != content.KindPollVote && !unsealInto(&e.said, t, e) {
		b.log.Debug().Str("session", e.session).Str("message", e.id).Msg("what a message does to another one is sealed with a key that is not here")
		return nil
	}
	switch e.said.Kind {
	case content.KindReaction:
		return b.react(ctx, e, t)
	case content.KindEdit:
		return b.edit(ctx, e, t)
	case content.KindRevoke:
		return b.revoke(ctx, e, t)
	case content.KindPollVote:
		return b.vote(ctx, e, t)
	case content.KindPin:
		return b.pin(ctx, e, t)
	}
	return nil
}

// targetOf finds the message that an entry is about. A forged one names
// somebody as its author who is not: it must not touch anything.
func (b *Inbox) targetOf(ctx context.Context, e *entry) (t *target, forged bool, err error) {
	pn, lid := e.me.jids()
	me := lid
	if e.from.Server == types.DefaultUserServer {
		me = pn
	}
	author, err := b.complete(ctx, e.session, identityOf(e.said.Target.Author(e.chat.wire, e.from, me)))
	if err != nil {
		return nil, false, err
	}
	id := plain(e.said.Target.ID, maxID)
	rows, err := b.db.Query(ctx, `SELECT seq, kind, content, at, revoked_at > 0, sender_pn, sender_lid, sender_name, from_me
		FROM messages WHERE session_id = $1 AND id = $2 AND chat = $3`, e.session, id, e.chat.jid)
	found, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (*target, error) {
		t := &target{id: id}
		var raw string
		var at int64
		err := r.Scan(&t.seq, &t.kind, &raw, &at, &t.revoked, &t.author.pn, &t.author.lid, &t.name, &t.fromMe)
		if err == nil && raw != "" {
			err = json.Unmarshal([]byte(raw), &t.said)
		}
		t.at = unixTime(at)
		return t, err
	}, err).AsList()
	if err != nil {
		return nil, false, fmt.Errorf("look for message %s, which %s is about: %w", id, e.id, err)
	}
	for _, t = range found {
		if author == (identity{}) || t.author.same(author) || t.fromMe && author.same(e.me) {
			return t, false, nil
		}
	}
	return &target{id: id, author: author, fromMe: author.same(e.me)}, len(found) > 0, nil
}

func (b *Inbox) react(ctx context.Context, e *entry, t *target) error {
	if b.retention.keeps() && !t.revoked {
		if err := b.setByPerson(ctx, "message_reactions", "emoji", e, t, e.said.Emoji); err != nil {
			return fmt.Errorf("store the reaction %s: %w", e.id, err)
		}
	}
	return b.emit(ctx, e, event.MessageReaction, event.Reaction{
		MessageKey: t.key(e.chat.jid), Actor: e.sender.person(e.name).Payload(), Emoji: e.said.Emoji, Timestamp: e.at.Unix(),
	})
}

// setByPerson stores what somebody has now said about a message. An older word
// does not replace a newer one.
func (b *Inbox) setByPerson(ctx context.Context, table, column string, e *entry, t *target, value string) error {
	if t.seq == 0 {
		return nil
	}
	_, err := b.db.Exec(ctx, `INSERT INTO `+table+` (session_id, chat, message_id, person, pn, lid, name, `+column+`, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (session_id, message_id, chat, person) DO UPDATE SET
			pn = excluded.pn, lid = excluded.lid, name = excluded.name, `+column+` = excluded.`+column+`, at = excluded.at
		WHERE excluded.at >= `+table+`.at`,
		e.session, e.chat.jid, t.id, e.sender.key(), e.sender.pn, e.sender.lid, e.name, value, e.at.UnixMilli())
	return err
}

// edit replaces the text of a message, which only its author can.
func (b *Inbox) edit(ctx context.Context, e *entry, t *target) error {
	if !t.author.same(e.sender) || t.revoked {
		return nil
	}
	if t.seq != 0 && b.retention.keeps() {
		if err := b.rewrite(ctx, e, t); err != nil {
			return fmt.Errorf("edit message %s: %w", t.id, err)
		}
	}
	return b.emit(ctx, e, event.MessageEdited, event.Edited{
		MessageKey: t.key(e.chat.jid), Text: e.said.Text, PreviousText: t.said.Text, Timestamp: e.at.Unix(),
	})
}

func (b *Inbox) rewrite(ctx context.Context, e *entry, t *target) error {
	if t.said.ViewOnce {
		return nil
	}
	now := t.said
	edited := e.said.Edited
	switch {
	case edited != nil && t.kind == KindUndecryptable:
		now = *edited
	case edited != nil && edited.Kind == content.KindText:
		now.Text, now.Mentions, now.MentionAll, now.Link = e.said.Text, edited.Mentions, edited.MentionAll, edited.Link
	default:
		now.Text, now.Mentions, now.MentionAll = e.said.Text, e.said.Mentions, e.said.MentionAll
	}
	now.Kind = cmp.Or(now.Kind, t.kind)
	raw, err := json.Marshal(now)
	if err != nil {
		return err
	}
	words := wordsOf(now)
	values := []any{t.seq, string(now.Kind), string(raw), e.at.Unix()}
	if _, err = b.db.Exec(ctx, b.index.rewriting(), b.index.with(values, words)...); err != nil {
		return err
	}
	return b.index.replace(ctx, t.seq, words)
}

// revoke empties a message: for its author, or for an admin of the group, as
// WhatsApp marks the message that does it.
func (b *Inbox) revoke(ctx context.Context, e *entry, t *target) error {
	allowed := t.author.same(e.sender) || e.adminAct && e.chat.group
	if !allowed || t.revoked {
		return nil
	}
	if t.seq != 0 {
		if err := b.empty(ctx, e, t); err != nil {
			return fmt.Errorf("revoke message %s: %w", t.id, err)
		}
	}
	return b.emit(ctx, e, event.MessageRevoked, event.Revoked{
		MessageKey: t.key(e.chat.jid), Actor: e.sender.person(e.name).Payload(), Timestamp: e.at.Unix(),
	})
}

func (b *Inbox) empty(ctx context.Context, e *entry, t *target) error {
	_, err := b.db.Exec(ctx, b.index.emptying(), t.seq, e.at.Unix(), e.sender.shown())
	if err != nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM message_reactions WHERE session_id = $1 AND message_id = $2 AND chat = $3`,
		`DELETE FROM poll_votes WHERE session_id = $1 AND message_id = $2 AND chat = $3`,
	} {
		if _, err = b.db.Exec(ctx, statement, e.session, t.id, e.chat.jid); err != nil {
			return err
		}
	}
	if _, err = b.db.Exec(ctx, `DELETE FROM message_media WHERE message_seq = $1`, t.seq); err != nil {
		return err
	}
	return b.index.replace(ctx, t.seq, "")
}

// vote counts a vote: somebody's newest replaces the one before.
func (b *Inbox) vote(ctx context.Context, e *entry, t *target) error {
	if t.said.Poll == nil {
		b.log.Debug().Str("session", e.session).Str("message", e.id).Msg("a vote in a poll that is not in the inbox cannot be read")
		return nil
	}
	options, ok := openVote(e, t)
	if !ok {
		b.log.Debug().Str("session", e.session).Str("message", e.id).Msg("a vote cannot be decrypted")
		return nil
	}
	raw, err := json.Marshal(options)
	if err == nil {
		err = b.setByPerson(ctx, "poll_votes", "options", e, t, string(raw))
	}
	if err != nil {
		return fmt.Errorf("store the vote %s: %w", e.id, err)
	}
	return b.emit(ctx, e, event.MessagePollVote, event.PollVote{
		MessageKey: t.key(e.chat.jid), Voter: e.sender.person(e.name).Payload(), Options: options, Timestamp: e.at.Unix(),
	})
}

// defaultPin is how long a message stays pinned whose pin does not say it, as
// WhatsApp's clients have it.
const defaultPin = 7 * 24 * time.Hour

func (b *Inbox) pin(ctx context.Context, e *entry, t *target) error {
	if t.seq == 0 || e.said.Pin == nil {
		return nil
	}
	var until int64
	if !e.said.Pin.Unpin {
		until = e.at.Add(defaultPin).Unix()
		if e.said.Pin.Seconds > 0 {
			until = e.at.Unix() + e.said.Pin.Seconds
		}
	}
	if _, err := b.db.Exec(ctx, `UPDATE messages SET pinned_until = $2 WHERE seq = $1`, t.seq, until); err != nil {
		return fmt.Errorf("pin message %s: %w", t.id, err)
	}
	return nil
}
