package messages

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/messages/content"
)

// names finds the other names of people, each once.
type names struct {
	inbox   *Inbox
	session string
	known   map[identity]identity
}

func (b *Inbox) newNames(sessionID string) *names {
	return &names{inbox: b, session: sessionID, known: map[identity]identity{}}
}

func (n *names) person(ctx context.Context, who identity, name string) (Person, error) {
	full, known := n.known[who]
	if !known {
		var err error
		if full, err = n.inbox.complete(ctx, n.session, who); err != nil {
			return Person{}, err
		}
		n.known[who] = full
	}
	return full.person(name), nil
}

// chat is a chat as answers name it: one whose phone was learnt after its last
// message is stored under the LID still.
func (n *names) chat(ctx context.Context, jid string) (string, error) {
	if !strings.HasSuffix(jid, "@"+types.HiddenUserServer) {
		return jid, nil
	}
	person, err := n.person(ctx, identity{lid: jid}, "")
	return person.JID, err
}

// stored is a row of messages.
type stored struct {
	Message
	chat   string // as it is stored
	sender identity
}

// readMessages returns the messages m that fit a condition, with everything
// that is said about them.
func (b *Inbox) readMessages(ctx context.Context, sessionID, where string, values ...any) ([]Message, error) {
	if !b.retention.keeps() {
		return nil, nil
	}
	rows, err := b.db.Query(ctx, `SELECT m.seq, m.chat, m.id, m.sender_pn, m.sender_lid, m.sender_name, m.from_me, m.at, m.received_at, m.kind,
			m.offline, m.content, m.state, m.error_code, m.error, m.request_id, m.edited_at, m.revoked_at, m.revoked_by, m.pinned_until,
			m.expires_at, f.state, f.hash, f.size, f.error_code, f.error
		FROM messages m LEFT JOIN message_media f ON f.message_seq = m.seq
		WHERE m.shown AND (m.expires_at = 0 OR m.expires_at > `+fmt.Sprint(b.now().Unix())+`) AND `+where, values...)
	list, err := dbutil.NewRowIterWithError(rows, scanMessage, err).AsList()
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if err = b.addRest(ctx, sessionID, list); err != nil {
		return nil, err
	}
	messages := make([]Message, len(list))
	people := b.newNames(sessionID)
	for i, m := range list {
		if m.Chat, err = people.chat(ctx, m.chat); err != nil {
			return nil, err
		}
		if m.Sender, err = people.person(ctx, m.sender, m.Sender.Name); err != nil {
			return nil, err
		}
		if !m.PinnedUntil.IsZero() && !m.PinnedUntil.After(b.now()) {
			m.PinnedUntil = time.Time{}
		}
		m.Media = b.present(m.Media)
		messages[i] = m.Message
	}
	return messages, nil
}

func scanMessage(r dbutil.Scannable) (*stored, error) {
	m := &stored{}
	var raw string
	var at, received, edited, revoked, pinned, expires int64
	var state, hash, code, text sql.NullString
	var size sql.NullInt64
	err := r.Scan(&m.Seq, &m.chat, &m.ID, &m.sender.pn, &m.sender.lid, &m.Sender.Name, &m.FromMe, &at, &received, &m.Kind,
		&m.Offline, &raw, &m.State, &m.ErrorCode, &m.Error, &m.RequestID, &edited, &revoked, &m.RevokedBy, &pinned,
		&expires, &state, &hash, &size, &code, &text)
	if err != nil {
		return nil, err
	}
	m.Timestamp, m.ReceivedAt, m.EditedAt, m.RevokedAt = unixTime(at), unixTime(received), unixTime(edited), unixTime(revoked)
	m.PinnedUntil, m.ExpiresAt = unixTime(pinned), unixTime(expires)
	m.Content = content.Content{Kind: m.Kind}
	if raw != "" {
		if err = json.Unmarshal([]byte(raw), &m.Content); err != nil {
			return nil, fmt.Errorf("message %d: %w", m.Seq, err)
		}
	}
	m.ViewOnce = m.Content.ViewOnce
	if state.Valid {
		m.Media = &MediaState{State: state.String, Hash: hash.String, Size: size.Int64, ErrorCode: code.String, Error: text.String}
	}
	return m, nil
}

// addRest adds what others have said about the messages.
func (b *Inbox) addRest(ctx context.Context, sessionID string, list []*stored) error {
	byID := map[string][]*stored{}
	var all, ours, polls []string
	for _, m := range list {
		if byID[m.ID] = append(byID[m.ID], m); len(byID[m.ID]) > 1 {
			continue
		}
		all = append(all, m.ID)
		if m.FromMe {
			ours = append(ours, m.ID)
		}
		if m.Kind == content.KindPoll {
			polls = append(polls, m.ID)
		}
	}
	people := b.newNames(sessionID)
	err := b.eachSaid(ctx, sessionID, "message_reactions", "emoji", all, func(s said) error {
		for _, m := range byID[s.id] {
			if m.chat != s.chat || s.value == "" {
				continue
			}
			person, err := people.person(ctx, s.who, s.name)
			if err != nil {
				return err
			}
			m.Reactions = append(m.Reactions, Reaction{Person: person, Emoji: s.value, At: s.at})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the reactions: %w", err)
	}
	err = b.eachSaid(ctx, sessionID, "poll_votes", "options", polls, func(s said) error {
		for _, m := range byID[s.id] {
			if m.chat != s.chat {
				continue
			}
			person, err := people.person(ctx, s.who, s.name)
			if err != nil {
				return err
			}
			vote := Vote{Person: person, At: s.at}
			if err = json.Unmarshal([]byte(s.value), &vote.Options); err != nil {
				return err
			}
			m.Votes = append(m.Votes, vote)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the votes: %w", err)
	}
	return b.addReach(ctx, sessionID, ours, byID)
}

// said is what somebody has said about a message.
type said struct {
	id, chat, name, value string
	who                   identity
	at                    time.Time
}

func (b *Inbox) eachSaid(ctx context.Context, sessionID, table, column string, ids []string, do func(said) error) error {
	if len(ids) == 0 {
		return nil
	}
	list, values := placeholders([]any{sessionID}, ids)
	rows, err := b.db.Query(ctx, `SELECT message_id, chat, pn, lid, name, `+column+`, at FROM `+table+`
		WHERE session_id = $1 AND message_id IN (`+list+`) ORDER BY at, person`, values...)
	found, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (s said, err error) {
		var at int64
		err = r.Scan(&s.id, &s.chat, &s.who.pn, &s.who.lid, &s.name, &s.value, &at)
		s.at = time.UnixMilli(at)
		return s, err
	}, err).AsList()
	if err != nil {
		return err
	}
	for _, s := range found {
		if err = do(s); err != nil {
			return err
		}
	}
	return nil
}

// addReach counts how far the messages of ours have come.
func (b *Inbox) addReach(ctx context.Context, sessionID string, ids []string, byID map[string][]*stored) error {
	if len(ids) == 0 {
		return nil
	}
	type row struct {
		id string
		Reach
	}
	list, values := placeholders([]any{sessionID}, ids)
	rows, err := b.db.Query(ctx, `SELECT message_id, SUM(CASE WHEN delivered_at > 0 THEN 1 ELSE 0 END),
			SUM(CASE WHEN read_at > 0 THEN 1 ELSE 0 END), SUM(CASE WHEN played_at > 0 THEN 1 ELSE 0 END)
		FROM message_receipts WHERE session_id = $1 AND message_id IN (`+list+`) GROUP BY message_id`, values...)
	found, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (x row, err error) {
		return x, r.Scan(&x.id, &x.Delivered, &x.Read, &x.Played)
	}, err).AsList()
	if err != nil {
		return fmt.Errorf("count the receipts: %w", err)
	}
	for _, x := range found {
		for _, m := range byID[x.id] {
			if m.FromMe {
				m.Reach = x.Reach
			}
		}
	}
	return nil
}
