package messages

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/internal/fault"
	"muster/messages/content"
)

// compose makes the message for the wire, unless that was done before. It runs
// as a part of the sending; that nothing was sent when it fails, its faults say.
func (s *Service) compose(ctx context.Context, client *whatsmeow.Client, l *letter) (*waE2E.Message, error) {
	own := client.Store.GetJID().ToNonAD().String()
	if l.account != "" && l.account != own {
		return nil, fault.New(fault.Rejected, "the session is linked to another account than the one that was to send this")
	}
	if l.payload != nil {
		return l.wire()
	}
	l.account = own
	server, err := groupAddressing(ctx, client, l.chat)
	if err != nil {
		return nil, err
	}
	c := l.content
	if err = s.readdress(ctx, client, l, &c, server); err != nil {
		return nil, err
	}
	if !c.Kind.ChangesTarget() {
		if c.ExpirationSeconds, err = s.expiration(ctx, l.session, l.chat); err != nil {
			return nil, err
		}
	}
	message, err := c.Build(s.now())
	if err != nil {
		return nil, err
	}
	return message, l.marshal(message)
}

// wire is the letter's payload as a message.
func (l *letter) wire() (*waE2E.Message, error) {
	message := &waE2E.Message{}
	if err := proto.Unmarshal(l.payload, message); err != nil {
		return nil, fmt.Errorf("read the stored message %s: %w", l.id, err)
	}
	return message, nil
}

// groupAddressing is the server of the JIDs by which a group's members are
// called, and empty for a chat of two. The client asks WhatsApp once for a
// group that it does not know, and has its members then for the sending.
func groupAddressing(ctx context.Context, client *whatsmeow.Client, chat types.JID) (string, error) {
	if chat.Server != types.GroupServer {
		return "", nil
	}
	group, err := client.DangerousInternals().GetCachedGroupData(ctx, chat)
	if err != nil {
		return "", notAsked(unreadable(err))
	}
	if group != nil && group.AddressingMode == types.AddressingModeLID {
		return types.HiddenUserServer, nil
	}
	return types.DefaultUserServer, nil
}

// notAsked makes the error of a question that came before the sending, so that
// it is not taken for a message that may have been sent.
func notAsked(err error) error {
	var coded *fault.Error
	var answer *whatsmeow.IQError
	if err == nil || errors.As(err, &coded) || errors.As(err, &answer) || errors.Is(err, whatsmeow.ErrNotConnected) {
		return err
	}
	// The cause stays readable, but is not to be found by those who look for
	// what ended a sending.
	return fault.New(fault.NoAnswer, "WhatsApp did not answer what has to be known before sending; nothing was sent").Because(errors.New(err.Error()))
}

// readdress calls the people in a message as the group calls its members. In
// the text, "@" and a number that stands for somebody becomes what WhatsApp's
// clients look for: "@" and the user of the JID by which they are mentioned.
func (s *Service) readdress(ctx context.Context, client *whatsmeow.Client, l *letter, c *content.Content, server string) error {
	if c.Target != nil {
		target := *c.Target
		target.Chat, c.Target = l.chat, &target
	}
	if server == "" {
		return nil
	}
	var people []*types.JID
	if c.Target != nil && !c.Target.FromMe {
		people = append(people, &c.Target.Sender)
	}
	if c.ReplyTo != nil {
		reply := *c.ReplyTo
		c.ReplyTo = &reply
		people = append(people, &reply.Sender)
	}
	mentioned := c.Mentions
	c.Mentions = slices.Clone(mentioned)
	for i := range c.Mentions {
		people = append(people, &c.Mentions[i])
	}
	if err := s.callAll(ctx, client, l, people, server); err != nil {
		return err
	}
	for i, person := range mentioned {
		c.Text = renameMention(c.Text, person.User, c.Mentions[i].User)
	}
	return nil
}

// callAll replaces JIDs by those on the server. Where one is not known, the
// group's members are asked for once: their answer tells both names of each.
func (s *Service) callAll(ctx context.Context, client *whatsmeow.Client, l *letter, people []*types.JID, server string) error {
	asked := false
	for _, person := range people {
		called, err := s.called(ctx, l.session, *person, server)
		if err == nil && !called.IsEmpty() && called.Server != server && !asked {
			asked = true
			if _, err = client.GetGroupInfo(ctx, l.chat); err != nil {
				return notAsked(unreadable(err))
			}
			called, err = s.called(ctx, l.session, *person, server)
		}
		if err != nil {
			return err
		}
		*person = called
	}
	return nil
}

// called is the person's JID on the server, or the one given where the other is
// not known.
func (s *Service) called(ctx context.Context, sessionID string, person types.JID, server string) (other types.JID, err error) {
	if person.IsEmpty() || person.Server == server {
		return person, nil
	}
	own, err := s.sessions.Get(ctx, sessionID)
	if err != nil {
		return person, err
	}
	lid := server == types.HiddenUserServer
	switch {
	case lid && person.String() == own.AccountJID() && own.LID != "":
		return types.ParseJID(own.AccountLID())
	case !lid && person.String() == own.AccountLID() && own.JID != "":
		return types.ParseJID(own.AccountJID())
	case lid && person.Server == types.DefaultUserServer:
		other, err = s.sessions.LIDForPN(ctx, sessionID, person)
	case !lid && person.Server == types.HiddenUserServer:
		other, err = s.sessions.PNForLID(ctx, sessionID, person)
	}
	if err != nil || other.IsEmpty() {
		return person, err
	}
	return other.ToNonAD(), nil
}

// renameMention replaces "@" and a user by "@" and another, where no further
// digit follows.
func renameMention(text, from, to string) string {
	if from == to || !strings.Contains(text, "@"+from) {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "@"+from)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name := to
		if after != "" && after[0] >= '0' && after[0] <= '9' {
			name = from
		}
		b.WriteString("@" + name)
		text = after
	}
}

// expiration is after how many seconds messages to the chat disappear.
func (s *Service) expiration(ctx context.Context, sessionID string, chat types.JID) (int64, error) {
	if chat.Server == types.GroupServer {
		seconds, err := s.timer(ctx, sessionID, chat.String())
		return int64(seconds), err
	}
	rows, err := s.db.Query(ctx, "SELECT expiration_seconds FROM chats WHERE session_id = $1 AND jid = $2", sessionID, chat.String())
	if err != nil {
		return 0, fmt.Errorf("read the timer of a chat: %w", err)
	}
	defer func() { _ = rows.Close() }() // its errors are those of Err
	var seconds int64
	if rows.Next() {
		err = rows.Scan(&seconds)
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		return 0, fmt.Errorf("read the timer of a chat: %w", err)
	}
	return seconds, nil
}
