package messages

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"muster/internal/fault"
)

// maxQuery bounds what is searched for, in bytes.
const maxQuery = 1000

// Validate checks the words, the page's size, the chat and the cursor.
func (r SearchRequest) Validate() error {
	if strings.TrimSpace(r.Query) == "" {
		return fault.Field("q", "must not be empty")
	}
	if len(r.Query) > maxQuery {
		return fault.Field("q", "has %d bytes; %d is the most", len(r.Query), maxQuery)
	}
	if len(parseQuery(r.Query)) == 0 {
		return fault.Field("q", "has neither letters nor digits")
	}
	if err := checkLimit(r.Limit, MaxMessages); err != nil {
		return err
	}
	if r.Chat != "" {
		if _, err := chatAddress("chat", r.Chat); err != nil {
			return err
		}
	}
	_, err := readCursor("cursor", r.Cursor)
	return err
}

// Search returns the messages that contain all of the words, the newest first.
// Words are found whatever their case and accents, the last one also as the
// beginning of a longer one; Chinese, Japanese and Thai in the midst of a text.
func (b *Inbox) Search(ctx context.Context, req SearchRequest) (MessageList, error) {
	if err := req.Validate(); err != nil {
		return MessageList{}, err
	}
	if _, err := b.sessions.Get(ctx, req.SessionID); err != nil {
		return MessageList{}, err
	}
	before, err := readCursor("cursor", req.Cursor)
	if err != nil {
		return MessageList{}, err
	}
	condition, text := b.index.matches(parseQuery(req.Query), 2)
	where := `m.session_id = $1 AND ` + condition
	values := []any{req.SessionID, text}
	if req.Chat != "" {
		names, err := b.chatNames(ctx, req.SessionID, "chat", req.Chat)
		if err != nil {
			return MessageList{}, err
		}
		list, more := placeholders(values, names)
		where, values = where+` AND m.chat IN (`+list+`)`, more
	}
	if before > 0 {
		values = append(values, before)
		where += fmt.Sprintf(` AND m.seq < $%d`, len(values))
	}
	limit := cmp.Or(req.Limit, DefaultMessages)
	list, err := b.readMessages(ctx, req.SessionID, where+fmt.Sprintf(` ORDER BY m.seq DESC LIMIT %d`, limit+1), values...)
	if err != nil {
		return MessageList{}, fmt.Errorf("search the messages of %s: %w", req.SessionID, err)
	}
	page := MessageList{Messages: list}
	if len(list) > limit {
		page.Messages = list[:limit]
		page.Older = cursorOf(list[limit-1].Seq)
	}
	return page, nil
}
