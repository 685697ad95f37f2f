package messages

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/event"
	"muster/internal/fault"
	"muster/store"
)

// identity is a person's two JIDs, without devices; what is not known is empty.
type identity struct{ pn, lid string }

// key names a person in a table: the LID, which everybody has, where it is known.
func (i identity) key() string { return cmp.Or(i.lid, i.pn) }

// shown is how answers name the person.
func (i identity) shown() string { return cmp.Or(i.pn, i.lid) }

func (i identity) same(other identity) bool {
	return i.lid != "" && i.lid == other.lid || i.pn != "" && i.pn == other.pn
}

// person is the identity as answers show it.
func (i identity) person(name string) Person {
	return Person{JID: i.shown(), PhoneNumber: strings.TrimSuffix(i.pn, "@"+types.DefaultUserServer), LID: i.lid, Name: name}
}

// Payload is the person as events tell it.
func (p Person) Payload() event.Person {
	return event.Person{JID: p.JID, PhoneNumber: p.PhoneNumber, LID: p.LID, Name: p.Name}
}

// identityOf sorts a person's JIDs; of two phones or LIDs the first counts.
func identityOf(jids ...types.JID) (who identity) {
	for _, jid := range jids {
		switch jid.Server {
		case types.DefaultUserServer, types.HostedServer, types.LegacyUserServer:
			if who.pn == "" && jid.User != "" {
				who.pn = types.NewJID(jid.User, types.DefaultUserServer).String()
			}
		case types.HiddenUserServer, types.HostedLIDServer:
			if who.lid == "" && jid.User != "" {
				who.lid = types.NewJID(jid.User, types.HiddenUserServer).String()
			}
		}
	}
	return who
}

// jids are the names as whatsmeow has them; what is not known is empty.
func (i identity) jids() (pn, lid types.JID) {
	if user, _, found := strings.Cut(i.pn, "@"); found {
		pn = types.NewJID(user, types.DefaultUserServer)
	}
	if user, _, found := strings.Cut(i.lid, "@"); found {
		lid = types.NewJID(user, types.HiddenUserServer)
	}
	return pn, lid
}

// complete adds the name that is missing, if the session has ever learnt it.
func (b *Inbox) complete(ctx context.Context, sessionID string, who identity) (identity, error) {
	pn, lid := who.jids()
	var err error
	switch {
	case who.pn == "" && who.lid != "":
		pn, err = b.sessions.PNForLID(ctx, sessionID, lid)
	case who.lid == "" && who.pn != "":
		lid, err = b.sessions.LIDForPN(ctx, sessionID, pn)
	default:
		return who, nil
	}
	if fault.Is(err, fault.SessionNotFound) {
		return who, nil // deleted at this moment
	}
	if err != nil {
		return who, err
	}
	return identityOf(pn, lid), nil
}

// account is the session's own account; empty when no phone is linked.
func (b *Inbox) account(ctx context.Context, sessionID string) (identity, error) {
	s, err := b.sessions.Get(ctx, sessionID)
	switch {
	case fault.Is(err, fault.SessionNotFound):
		return identity{}, nil // deleted at this moment
	case err != nil:
		return identity{}, err
	}
	return identity{pn: s.AccountJID(), lid: s.AccountLID()}, nil
}

// place is a chat.
type place struct {
	// jid is how the chat is known here: a group's, a phone JID, or a LID whose
	// phone is not known.
	jid   string
	group bool
	with  identity // of a chat with a person
	// wire is the chat as the message at hand addresses it.
	wire types.JID
}

// placeOf finds the chat that an address means; also are other names of it that
// the message tells. A chat that has been known by its LID until now is renamed.
func (b *Inbox) placeOf(ctx context.Context, sessionID string, chat types.JID, also ...types.JID) (place, error) {
	if chat.Server == types.GroupServer {
		return place{jid: chat.String(), group: true, wire: chat}, nil
	}
	who, err := b.complete(ctx, sessionID, identityOf(append([]types.JID{chat}, also...)...))
	if err != nil {
		return place{}, err
	}
	p := place{jid: who.shown(), with: who, wire: chat.ToNonAD()}
	return p, b.settle(ctx, sessionID, who)
}

// settledNames remembers people whose chat is not known by the LID any more, so
// that not each message has to ask. It is a cache: forgetting costs a query.
type settledNames struct {
	mu    sync.Mutex
	names map[string]struct{}
}

const maxSettled = 20000

func (s *settledNames) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.names[key]
	return found
}

func (s *settledNames) add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil || len(s.names) >= maxSettled {
		s.names = make(map[string]struct{})
	}
	s.names[key] = struct{}{}
}

func (s *settledNames) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = nil
}

// settle makes the chat with a person whose names are both known one chat,
// under the phone JID.
func (b *Inbox) settle(ctx context.Context, sessionID string, who identity) error {
	if who.pn == "" || who.lid == "" {
		return nil
	}
	name := sessionID + " " + who.lid
	if b.settled.has(name) {
		return nil
	}
	var found int
	err := b.db.QueryRow(ctx, `SELECT 1 FROM chats WHERE session_id = $1 AND jid = $2`, sessionID, who.lid).Scan(&found)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return fmt.Errorf("look for the chat with %s: %w", who.lid, err)
	default:
		if err = b.rename(ctx, sessionID, who); err != nil {
			return fmt.Errorf("rename the chat with %s: %w", who.lid, err)
		}
	}
	store.AfterCommit(ctx, func() { b.settled.add(name) })
	return nil
}

// rename moves everything from the chat under the LID to the one under the
// phone JID, which may exist already.
func (b *Inbox) rename(ctx context.Context, sessionID string, who identity) error {
	for _, table := range []string{"messages", "message_reactions", "poll_votes"} {
		_, err := b.db.Exec(ctx, `UPDATE `+table+` SET chat = $3 WHERE session_id = $1 AND chat = $2`, sessionID, who.lid, who.pn)
		if err != nil {
			return err
		}
	}
	_, err := b.db.Exec(ctx, `INSERT INTO chats (session_id, jid, lid, name, last_seq, last_at, read_seq, unread, marked_unread, expiration_seconds, archived, pinned, muted_until)
		SELECT session_id, $3, $2, name, last_seq, last_at, read_seq, unread, marked_unread, expiration_seconds, archived, pinned, muted_until
		FROM chats WHERE session_id = $1 AND jid = $2
		ON CONFLICT (session_id, jid) DO UPDATE SET
			lid = excluded.lid,
			name = CASE WHEN chats.name <> '' THEN chats.name ELSE excluded.name END,
			last_at = CASE WHEN excluded.last_seq > chats.last_seq THEN excluded.last_at ELSE chats.last_at END,
			last_seq = CASE WHEN excluded.last_seq > chats.last_seq THEN excluded.last_seq ELSE chats.last_seq END,
			read_seq = CASE WHEN excluded.read_seq > chats.read_seq THEN excluded.read_seq ELSE chats.read_seq END,
			unread = chats.unread + excluded.unread`, sessionID, who.lid, who.pn)
	if err != nil {
		return err
	}
	_, err = b.db.Exec(ctx, `DELETE FROM chats WHERE session_id = $1 AND jid = $2`, sessionID, who.lid)
	return err
}
