package messages

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
)

func checkLimit(limit, most int) error {
	if limit < 0 || limit > most {
		return fault.Field("limit", "must be between 1 and %d", most)
	}
	return nil
}

// cursorOf names a place in the order of messages, for clients to hand back.
func cursorOf(seq int64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, seq, 36))
}

// readCursor is the way back; an empty cursor is 0.
func readCursor(field, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		var seq int64
		if seq, err = strconv.ParseInt(string(raw), 36, 64); err == nil && seq >= 0 {
			return seq, nil
		}
	}
	return 0, fault.Field(field, "is not one that a list answered with")
}

func chatAddress(field, text string) (types.JID, error) { return address.Chat(field, text) }

// chatNames are the names under which the chat that a request means is stored:
// one, unless nothing has been said since both names of a person were learnt.
func (b *Inbox) chatNames(ctx context.Context, sessionID, field, text string) ([]string, error) {
	jid, err := chatAddress(field, text)
	if err != nil {
		return nil, err
	}
	if jid.Server == types.GroupServer {
		return []string{jid.String()}, nil
	}
	who, err := b.complete(ctx, sessionID, identityOf(jid))
	if err != nil {
		return nil, err
	}
	if who.pn == "" || who.lid == "" {
		return []string{who.shown()}, nil
	}
	// With one name, the index gives the messages in their order.
	rows, err := b.db.Query(ctx, `SELECT jid FROM chats WHERE session_id = $1 AND jid IN ($2, $3)`, sessionID, who.pn, who.lid)
	names, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("look for the chat with %s: %w", who.pn, err)
	}
	if len(names) == 0 {
		names = []string{who.pn}
	}
	return names, nil
}

// Validate checks the page's size, the address and the cursors.
func (r ChatMessagesRequest) Validate() error {
	if err := checkLimit(r.Limit, MaxMessages); err != nil {
		return err
	}
	if r.Before != "" && r.After != "" {
		return fault.Field("after", "cannot be combined with before")
	}
	if _, err := chatAddress("chat", r.Chat); err != nil {
		return err
	}
	if _, err := readCursor("before", r.Before); err != nil {
		return err
	}
	_, err := readCursor("after", r.After)
	return err
}

// ChatMessages returns messages of one chat: the newest, or those before or
// after a place. A chat in which nothing was said has none.
func (b *Inbox) ChatMessages(ctx context.Context, req ChatMessagesRequest) (MessageList, error) {
	if err := req.Validate(); err != nil {
		return MessageList{}, err
	}
	if _, err := b.sessions.Get(ctx, req.SessionID); err != nil {
		return MessageList{}, err
	}
	names, err := b.chatNames(ctx, req.SessionID, "chat", req.Chat)
	if err != nil {
		return MessageList{}, err
	}
	list, values := placeholders([]any{req.SessionID}, names)
	where := `m.session_id = $1 AND m.chat IN (` + list + `)`
	limit := cmp.Or(req.Limit, DefaultMessages)
	order := fmt.Sprintf(` ORDER BY m.seq DESC LIMIT %d`, limit+1)
	var from int64
	switch {
	case req.Before != "":
		if from, err = readCursor("before", req.Before); err == nil {
			where += fmt.Sprintf(` AND m.seq < %d`, from)
		}
	case req.After != "":
		if from, err = readCursor("after", req.After); err == nil {
			where += fmt.Sprintf(` AND m.seq > %d`, from)
			order = fmt.Sprintf(` ORDER BY m.seq LIMIT %d`, limit+1)
		}
	}
	if err != nil {
		return MessageList{}, err
	}
	found, err := b.readMessages(ctx, req.SessionID, where+order, values...)
	if err != nil {
		return MessageList{}, fmt.Errorf("read the messages of a chat: %w", err)
	}
	return pageOf(found, limit, from, req.After != ""), nil
}

// pageOf makes a page of what was found, one message more than it has at most.
func pageOf(found []Message, limit int, from int64, forward bool) MessageList {
	more := len(found) > limit
	found = found[:min(limit, len(found))]
	if forward {
		slices.Reverse(found)
	}
	page := MessageList{Messages: found}
	if len(found) == 0 {
		page.Newer = cursorOf(max(from, 0))
		if forward {
			page.Older = cursorOf(from + 1)
		}
		return page
	}
	page.Newer = cursorOf(found[0].Seq)
	if more || forward {
		page.Older = cursorOf(found[len(found)-1].Seq)
	}
	return page
}

// Message returns one message with its receipts: fault not_found when the inbox
// does not have it (any more).
func (b *Inbox) Message(ctx context.Context, req MessageRequest) (Detail, error) {
	if req.ID == "" {
		return Detail{}, fault.Field("message_id", "must not be empty")
	}
	if _, err := b.sessions.Get(ctx, req.SessionID); err != nil {
		return Detail{}, err
	}
	where, values := `m.session_id = $1 AND m.id = $2`, []any{req.SessionID, plain(req.ID, maxID)}
	if req.Chat != "" {
		names, err := b.chatNames(ctx, req.SessionID, "chat", req.Chat)
		if err != nil {
			return Detail{}, err
		}
		list, more := placeholders(values, names)
		where, values = where+` AND m.chat IN (`+list+`)`, more
	}
	// Where somebody has taken the id of another's message, the first one counts.
	found, err := b.readMessages(ctx, req.SessionID, where+` ORDER BY m.from_me DESC, m.seq LIMIT 10`, values...)
	if err != nil {
		return Detail{}, fmt.Errorf("read message %s: %w", req.ID, err)
	}
	if len(found) == 0 {
		return Detail{}, fault.New(fault.NotFound, "the inbox has no such message")
	}
	for _, other := range found {
		if other.Chat != found[0].Chat {
			return Detail{}, fault.Field("chat", "several chats have a message of this id: say which is meant")
		}
	}
	detail := Detail{Message: found[0]}
	if detail.FromMe {
		if detail.Receipts, err = b.receipts(ctx, req.SessionID, detail.ID); err != nil {
			return Detail{}, err
		}
	}
	return detail, nil
}

// receipts are what each person has told of a message of ours.
func (b *Inbox) receipts(ctx context.Context, sessionID, id string) ([]Receipt, error) {
	names := b.newNames(sessionID)
	rows, err := b.db.Query(ctx, `SELECT pn, lid, delivered_at, read_at, played_at FROM message_receipts
		WHERE session_id = $1 AND message_id = $2 ORDER BY delivered_at, person`, sessionID, id)
	type row struct {
		who                     identity
		delivered, read, played int64
	}
	list, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (x row, err error) {
		return x, r.Scan(&x.who.pn, &x.who.lid, &x.delivered, &x.read, &x.played)
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the receipts of message %s: %w", id, err)
	}
	receipts := make([]Receipt, 0, len(list))
	at := map[string]int{}
	for _, x := range list {
		person, err := names.person(ctx, x.who, "")
		if err != nil {
			return nil, err
		}
		r := Receipt{Person: person, DeliveredAt: unixTime(x.delivered), ReadAt: unixTime(x.read), PlayedAt: unixTime(x.played)}
		// Somebody whose LID was learnt in between has told under two names.
		if i, twice := at[person.JID]; twice {
			receipts[i].add(r)
			continue
		}
		at[person.JID] = len(receipts)
		receipts = append(receipts, r)
	}
	return receipts, nil
}

func (r *Receipt) add(other Receipt) {
	if r.DeliveredAt.IsZero() {
		r.DeliveredAt = other.DeliveredAt
	}
	if r.ReadAt.IsZero() {
		r.ReadAt = other.ReadAt
	}
	if r.PlayedAt.IsZero() {
		r.PlayedAt = other.PlayedAt
	}
}

// Beginning is the cursor from which After gives a chat's oldest messages.
func Beginning() string { return cursorOf(0) }
