package messages

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// mutedForever is chats.muted_until of a chat that is muted without an end.
const mutedForever = -1

// Validate checks the page's size, the kind, the text and the cursor.
func (r ChatsRequest) Validate() error {
	if err := checkLimit(r.Limit, MaxChats); err != nil {
		return err
	}
	if r.Kind != "" && r.Kind != "group" && r.Kind != "person" {
		return fault.Field("kind", "must be group or person")
	}
	if len(r.Query) > maxQuery {
		return fault.Field("q", "has %d bytes; %d is the most", len(r.Query), maxQuery)
	}
	_, err := readCursor("cursor", r.Cursor)
	return err
}

// Chats returns the session's chats in which something was said, the one with
// the newest message first.
func (b *Inbox) Chats(ctx context.Context, req ChatsRequest) (ChatList, error) {
	if err := req.Validate(); err != nil {
		return ChatList{}, err
	}
	if _, err := b.sessions.Get(ctx, req.SessionID); err != nil || !b.retention.keeps() {
		return ChatList{}, err
	}
	limit := cmp.Or(req.Limit, DefaultChats)
	rows, err := b.chatRows(ctx, req, limit+1)
	if err != nil {
		return ChatList{}, fmt.Errorf("read the chats of %s: %w", req.SessionID, err)
	}
	var page ChatList
	if len(rows) > limit {
		rows = rows[:limit]
		page.NextCursor = cursorOf(rows[limit-1].lastSeq)
	}
	page.Chats, err = b.fillChats(ctx, req.SessionID, rows)
	return page, err
}

// chatRow is a row of chats.
type chatRow struct {
	Chat
	with    identity
	lastSeq int64
}

// chatRows reads some chats. What a text is looked for in, people see; so it is
// compared here, where all writings are folded in the same way.
func (b *Inbox) chatRows(ctx context.Context, req ChatsRequest, most int) (list []*chatRow, err error) {
	where, values := "", []any{req.SessionID}
	if req.Cursor != "" {
		before, err := readCursor("cursor", req.Cursor)
		if err != nil {
			return nil, err
		}
		where = fmt.Sprintf(" AND c.last_seq < %d", before)
	}
	if req.Unread {
		where += " AND (c.unread > 0 OR c.marked_unread)"
	}
	switch req.Kind {
	case "group":
		where += " AND c.jid LIKE '%@g.us'"
	case "person":
		where += " AND c.jid NOT LIKE '%@g.us'"
	}
	order := " ORDER BY c.last_seq DESC"
	if req.Query == "" {
		order += fmt.Sprintf(" LIMIT %d", most)
	}
	rows, err := b.db.Query(ctx, `SELECT c.jid, c.lid, COALESCE(g.subject, c.name), c.unread, c.marked_unread, c.last_seq, c.last_at,
			c.expiration_seconds, c.archived, c.pinned, c.muted_until
		FROM chats c LEFT JOIN mirror_groups g ON g.session_id = c.session_id AND g.jid = c.jid
		WHERE c.session_id = $1 AND c.last_seq > 0`+where+order, values...)
	wanted := chatFilter(req.Query)
	err = dbutil.NewRowIterWithError(rows, scanChat, err).Iter(func(c *chatRow) (bool, error) {
		if wanted(c) {
			list = append(list, c)
		}
		return len(list) < most, nil
	})
	return list, err
}

func scanChat(r dbutil.Scannable) (*chatRow, error) {
	c := &chatRow{}
	var lid string
	var lastAt, muted int64
	err := r.Scan(&c.JID, &lid, &c.Name, &c.Unread, &c.MarkedUnread, &c.lastSeq, &lastAt, &c.ExpirationSeconds, &c.Archived, &c.Pinned, &muted)
	c.LastAt = unixTime(lastAt)
	if c.MutedForever = muted == mutedForever; !c.MutedForever {
		c.MutedUntil = unixTime(muted)
	}
	switch {
	case strings.HasSuffix(c.JID, "@"+types.GroupServer):
		c.Group = true
	case strings.HasSuffix(c.JID, "@"+types.HiddenUserServer):
		c.with = identity{lid: c.JID}
	default:
		c.with = identity{pn: c.JID, lid: lid}
	}
	return c, err
}

// chatFilter finds chats by a part of the name, or of the number.
func chatFilter(query string) func(*chatRow) bool {
	if strings.TrimSpace(query) == "" {
		return func(*chatRow) bool { return true }
	}
	words := folded(query)
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, query)
	if strings.Trim(query, "+-() 0123456789") != "" {
		digits = ""
	}
	return func(c *chatRow) bool {
		number, _, _ := strings.Cut(c.JID, "@")
		return words != "" && strings.Contains(folded(c.Name), words) ||
			words == "" && strings.Contains(c.Name, query) ||
			digits != "" && strings.Contains(number, digits)
	}
}

// folded is a text with its words as the search has them.
func folded(text string) string {
	var words []string
	for _, run := range cut(text) {
		words = append(words, run.words...)
	}
	return strings.Join(words, " ")
}

// fillChats adds the people and the last messages.
func (b *Inbox) fillChats(ctx context.Context, sessionID string, rows []*chatRow) ([]Chat, error) {
	chats := make([]Chat, len(rows))
	if len(rows) == 0 {
		return chats, nil
	}
	numbers := make([]string, len(rows))
	for i, c := range rows {
		numbers[i] = fmt.Sprint(c.lastSeq)
	}
	last, err := b.readMessages(ctx, sessionID, `m.seq IN (`+strings.Join(numbers, ",")+`)`)
	if err != nil {
		return nil, fmt.Errorf("read the last messages: %w", err)
	}
	bySeq := make(map[int64]*Message, len(last))
	for i := range last {
		bySeq[last[i].Seq] = &last[i]
	}
	people := b.newNames(sessionID)
	for i, c := range rows {
		if !c.Group {
			if c.Person, err = people.person(ctx, c.with, c.Name); err != nil {
				return nil, err
			}
			c.JID = c.Person.JID
		}
		c.LastMessage = bySeq[c.lastSeq]
		chats[i] = c.Chat
	}
	return chats, nil
}
