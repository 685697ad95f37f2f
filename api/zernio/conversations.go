package zernio

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/fault"
	"muster/messages"
	"muster/session"
)

const (
	defaultConversations, maxConversations = 50, 500 // in one page

	statusActive   = "active"
	statusArchived = "archived"

	orderAsc  = "asc"
	orderDesc = "desc"
)

type conversation struct {
	ID              string `json:"id"`
	Platform        string `json:"platform"`
	AccountID       string `json:"accountId"`
	AccountUsername string `json:"accountUsername,omitempty"`
	ParticipantID   string `json:"participantId"`
	ParticipantName string `json:"participantName"`
	LastMessage     string `json:"lastMessage"`
	UpdatedTime     string `json:"updatedTime"`
	Status          string `json:"status"`
	UnreadCount     int    `json:"unreadCount"`
	IsGroup         bool   `json:"isGroup"`
}

type pagination struct {
	HasMore    bool    `json:"hasMore"`
	NextCursor *string `json:"nextCursor"` // null on the last page
}

func pages(next string) pagination {
	if next == "" {
		return pagination{}
	}
	return pagination{true, &next}
}

type conversationList struct {
	Data       []conversation `json:"data"`
	Pagination pagination     `json:"pagination"`
	Meta       struct {
		AccountsQueried int      `json:"accountsQueried"`
		AccountsFailed  int      `json:"accountsFailed"`
		FailedAccounts  []string `json:"failedAccounts"` // none ever does
		LastUpdated     string   `json:"lastUpdated"`
	} `json:"meta"`
}

// conversationQuery is what a list of conversations was asked for by.
type conversationQuery struct {
	accounts []session.Session
	archived *bool // nil: either
	asc      bool
	limit    int
	cursor   string
}

func (d *Dialect) conversationQuery(c *fiber.Ctx) (q conversationQuery, err error) {
	switch status := c.Query("status"); status {
	case "":
	case statusActive, statusArchived:
		archived := status == statusArchived
		q.archived = &archived
	default:
		return q, invalid("status", "must be active or archived")
	}
	switch order := c.Query("sortOrder"); order {
	case "", orderDesc:
	case orderAsc:
		q.asc = true
	default:
		return q, invalid("sortOrder", "must be asc or desc")
	}
	q.cursor = c.Query("cursor")
	if q.limit, err = limitOf(c, defaultConversations, maxConversations); err != nil {
		return q, err
	}
	// Each account is a profile of its own here.
	id, profile := c.Query("accountId"), c.Query("profileId")
	if wanted := cmp.Or(id, profile); wanted != "" {
		s, err := d.services.Accounts.Find(c.UserContext(), wanted)
		if err != nil {
			return q, err
		}
		if id == "" || profile == "" || profile == s.ID || profile == s.PhoneNumber {
			q.accounts = []session.Session{s}
		}
	} else if q.accounts, err = d.services.Accounts.All(c.UserContext()); err != nil {
		return q, err
	}
	if p := c.Query("platform"); p != "" && p != platform {
		q.accounts = nil
	}
	return q, nil
}

// listConversations lists the chats in which something was said.
func (d *Dialect) listConversations(c *fiber.Ctx) error {
	q, err := d.conversationQuery(c)
	if err != nil {
		return err
	}
	list := conversationList{Data: []conversation{}}
	var next string
	if len(q.accounts) == 1 && !q.asc {
		list.Data, next, err = d.newest(c.UserContext(), q)
	} else {
		list.Data, next, err = d.sorted(c.UserContext(), q)
	}
	if err != nil {
		return err
	}
	list.Pagination = pages(next)
	list.Meta.AccountsQueried, list.Meta.FailedAccounts = len(q.accounts), []string{}
	list.Meta.LastUpdated = iso(d.now())
	return c.JSON(list)
}

// The cursors of the two ways of listing tell which of them they are of.
const (
	newestCursor = "n."
	sortedCursor = "s."
)

func (q conversationQuery) wants(chat messages.Chat) bool {
	return q.archived == nil || *q.archived == chat.Archived
}

// newest is a page of one account's conversations, the newest first: the order
// in which the inbox has them.
func (d *Dialect) newest(ctx context.Context, q conversationQuery) (list []conversation, next string, err error) {
	s := q.accounts[0]
	cursor, ok := strings.CutPrefix(q.cursor, newestCursor)
	if q.cursor != "" && !ok {
		return nil, "", invalid("cursor", "is not one that this list answered with")
	}
	list = []conversation{}
	for {
		page, err := d.services.Inbox.Chats(ctx, messages.ChatsRequest{SessionID: s.ID, Limit: q.limit - len(list), Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		for _, chat := range page.Chats {
			if q.wants(chat) {
				list = append(list, viewChat(s, chat))
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			return list, "", nil
		}
		if len(list) == q.limit {
			return list, newestCursor + cursor, nil
		}
	}
}

// place is where a conversation stands in the order of several accounts, or in
// the other direction.
type place struct {
	At      int64  `json:"t"` // UNIX microseconds
	Account string `json:"a"`
	ID      string `json:"c"`
}

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.At, other.At), cmp.Compare(p.Account, other.Account), cmp.Compare(p.ID, other.ID))
}

func (p place) cursor() (string, error) {
	raw, err := json.Marshal(p)
	return sortedCursor + base64.RawURLEncoding.EncodeToString(raw), err
}

func parsePlace(cursor string) (p place, err error) {
	text, ok := strings.CutPrefix(cursor, sortedCursor)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || json.Unmarshal(raw, &p) != nil {
		return p, invalid("cursor", "is not one that this list answered with")
	}
	return p, nil
}

// placed is a conversation at its place.
type placed struct {
	place
	view conversation
}

// sorted is a page of the conversations of any accounts, in either order. It
// reads them all: the inbox keeps no order over accounts.
func (d *Dialect) sorted(ctx context.Context, q conversationQuery) ([]conversation, string, error) {
	var from *place
	if q.cursor != "" {
		p, err := parsePlace(q.cursor)
		if err != nil {
			return nil, "", err
		}
		from = &p
	}
	var all []placed
	for _, s := range q.accounts {
		chats, err := d.chats(ctx, s, q)
		if err != nil {
			return nil, "", err
		}
		all = append(all, chats...)
	}
	direction := -1
	if q.asc {
		direction = 1
	}
	slices.SortFunc(all, func(a, b placed) int { return direction * a.compare(b.place) })
	if from != nil {
		all = slices.DeleteFunc(all, func(p placed) bool { return direction*p.compare(*from) <= 0 })
	}
	list := []conversation{}
	for _, p := range all[:min(q.limit, len(all))] {
		list = append(list, p.view)
	}
	if len(all) <= q.limit {
		return list, "", nil
	}
	next, err := all[q.limit-1].cursor()
	return list, next, err
}

func (d *Dialect) chats(ctx context.Context, s session.Session, q conversationQuery) (all []placed, err error) {
	req := messages.ChatsRequest{SessionID: s.ID, Limit: messages.MaxChats}
	for {
		page, err := d.services.Inbox.Chats(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, chat := range page.Chats {
			if q.wants(chat) {
				view := viewChat(s, chat)
				all = append(all, placed{place{chat.LastAt.UnixMicro(), s.ID, view.ID}, view})
			}
		}
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			return all, nil
		}
	}
}

func viewChat(s session.Session, chat messages.Chat) conversation {
	view := conversation{
		ID: conversationID(s, chat.JID), Platform: platform, AccountID: s.ID, AccountUsername: plus(s.PhoneNumber),
		ParticipantName: cmp.Or(chat.Name, chat.Person.Name, plus(chat.Person.PhoneNumber)), UpdatedTime: iso(chat.LastAt), Status: statusActive,
		UnreadCount: chat.Unread, IsGroup: chat.Group,
	}
	view.ParticipantID = view.ID
	if chat.Archived {
		view.Status = statusArchived
	}
	if m := chat.LastMessage; m != nil {
		view.LastMessage = summary(*m)
	}
	return view
}

type participant struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

type conversationDetail struct {
	conversation
	LastMessageAt string        `json:"lastMessageAt,omitempty"`
	Participants  []participant `json:"participants"`
}

// getConversation shows one conversation: a group's also when nothing was said
// in it yet.
func (d *Dialect) getConversation(c *fiber.Ctx) error {
	s, err := d.account(c, c.Query("accountId"))
	if err != nil {
		return err
	}
	chat, err := chatOf(s, c.Params("conversationId"))
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	page, err := d.services.Inbox.ChatMessages(ctx, messages.ChatMessagesRequest{SessionID: s.ID, Chat: chat, Limit: 1})
	if err != nil {
		return err
	}
	view := conversationDetail{Participants: []participant{}}
	view.conversation = conversation{Platform: platform, AccountID: s.ID, AccountUsername: plus(s.PhoneNumber), Status: statusActive}
	switch {
	case isGroup(chat):
		if err = d.describe(ctx, s, chat, &view); err != nil && len(page.Messages) == 0 {
			return err
		}
	case len(page.Messages) == 0:
		return fault.New(fault.NotFound, "nothing was said in such a conversation")
	}
	if len(page.Messages) > 0 {
		m := page.Messages[0]
		view.ID = conversationID(s, m.Chat)
		view.LastMessage, view.LastMessageAt, view.UpdatedTime = summary(m), iso(m.Timestamp), iso(m.Timestamp)
		if !strings.HasSuffix(m.Chat, groupServer) {
			view.ParticipantName = plus(userOf(strings.TrimSuffix(m.Chat, lidServer)))
			view.Participants = append(view.Participants, participant{ID: view.ID})
		}
	}
	view.ParticipantID = view.ID
	return c.JSON(struct {
		Data conversationDetail `json:"data"`
	}{view})
}

const lidServer = "@lid"

// describe says what is known of a group.
func (d *Dialect) describe(ctx context.Context, s session.Session, jid string, view *conversationDetail) error {
	g, err := d.services.Groups.Get(ctx, groups.GetRequest{Target: groups.Target{SessionID: s.ID, GroupJID: jid}, Members: true})
	if err != nil {
		return err
	}
	view.ID, view.IsGroup, view.ParticipantName = groupID(s, g.JID), true, g.Subject
	view.UpdatedTime = iso(g.CreatedAt)
	for _, p := range g.Participants {
		view.Participants = append(view.Participants, participant{ID: cmp.Or(p.PhoneNumber, p.LID)})
	}
	return nil
}

// isGroup tells whether a chat, in any spelling, is a group's.
func isGroup(chat string) bool {
	jid, err := address.Chat("conversationId", chat)
	return err == nil && strings.HasSuffix(jid.String(), groupServer)
}

// when is a time for a field that may be null.
func when(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := iso(t)
	return &text
}
