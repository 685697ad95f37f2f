package messages

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/internal/event"
	"muster/internal/fault"
	"muster/internal/idempotency"
	"muster/internal/turns"
	"muster/messages/content"
	"muster/session"
	"muster/store"
)

const (
	// sendWait is how long a message waits for those before it in its chat, the
	// fetching and uploading of their files included.
	sendWait = 2 * time.Minute
	// recordTimeout bounds the writing of what has happened already, and is
	// therefore written although the caller may have gone.
	recordTimeout = 30 * time.Second
)

// Sent is a message that WhatsApp has taken for delivery, or, with SendAt, one
// that is kept for later. Neither says anything of whether it has reached
// anybody.
type Sent struct {
	ID        string
	Timestamp time.Time // WhatsApp's; zero for one that is kept for later
	// To is the chat: a group's JID, a phone JID, or a LID whose phone is not known.
	To     string
	SendAt time.Time // zero unless it is kept for later
}

// letter is a message on its way out.
type letter struct {
	session string
	chat    types.JID // a group, a phone JID, or a LID whose phone is not known
	id      types.MessageID
	content content.Content
	sendAt  time.Time // zero: at once
	created time.Time
	request string // the id of the API request

	// payload is the message for the wire, once it is made; account the JID of
	// whose it is.
	payload []byte
	account string
	file    string // hash of the file that it brings, in hexadecimal digits, if that is kept here
	written bool   // the outbox says that it is being sent
	held    bool   // its outcome is unknown; see held
}

func (l *letter) line() lineKey { return lineKey{l.session, l.chat} }

// post sends a message, or keeps it for later. fill gives it its content; it
// runs while earlier messages to the chat may still be on their way.
func (s *Service) post(ctx context.Context, e Envelope, fill func(ctx context.Context, l *letter) error) (Sent, error) {
	read, err := e.parse()
	if err != nil {
		return Sent{}, err
	}
	now := s.now()
	l := &letter{session: e.SessionID, created: now, request: event.RequestOf(ctx)}
	if l.id, err = messageID(ctx); err != nil {
		return Sent{}, err
	}
	if sent, kept, err := s.keptBefore(ctx, l); kept || err != nil {
		return sent, err
	}
	if l.sendAt, err = e.when(now); err != nil {
		return Sent{}, err
	}
	if l.chat, err = s.resolve(ctx, e.SessionID, read.to, !l.sendAt.IsZero()); err != nil {
		return Sent{}, err
	}
	turn := s.lines.Join(l.line())
	defer turn.Leave()
	if err = s.write(ctx, l, e, read, fill); err != nil {
		return Sent{}, err
	}
	if !l.sendAt.IsZero() {
		return s.later(ctx, l)
	}
	if err = s.upload(ctx, l); err != nil {
		return Sent{}, err
	}
	if err = wait(ctx, turn); err != nil {
		return Sent{}, err
	}
	return s.postNow(ctx, l)
}

// postNow sends a letter, whose turn it is, after what is held of its chat. A
// repeatable request is settled by that: what goes under its id may be sent
// again. Where an earlier run of it may have sent the letter, it stays unknown
// as long as it is not known what became of that.
func (s *Service) postNow(ctx context.Context, l *letter) (Sent, error) {
	attempt := idempotency.From(ctx)
	attempt.Settle()
	sent, err := s.afterHeld(ctx, l)
	if attempt.Resumed() && err != nil && patient(err) {
		attempt.Lose()
	}
	return sent, err
}

func (s *Service) afterHeld(ctx context.Context, l *letter) (Sent, error) {
	// What is held belongs to other requests, but for one that is repeated.
	if err := s.flush(idempotency.With(ctx, nil), l.line()); err != nil {
		if slices.ContainsFunc(s.held.of(l.line()), func(other *letter) bool { return other.id == l.id }) {
			return Sent{}, unconfirmed(l, err)
		}
		return Sent{}, behind(err)
	}
	if sent, done, err := s.sentBefore(ctx, l); done || err != nil {
		return sent, err
	}
	return s.deliver(ctx, l)
}

// behind is the error for a message behind one that is held: nothing was sent
// of it.
func behind(err error) error {
	return fault.New(fault.Unavailable, "an earlier message to this chat is still not confirmed by WhatsApp; this one was not sent").
		Because(err).After(max(fault.From(err).RetryAfter, time.Second))
}

// write gives the letter its content, and what the envelope says of it.
func (s *Service) write(ctx context.Context, l *letter, e Envelope, read addressed, fill func(ctx context.Context, l *letter) error) error {
	if err := fill(ctx, l); err != nil {
		return err
	}
	l.noteFile()
	l.content.Mentions, l.content.MentionAll = read.mentions, e.MentionAll
	if e.ReplyTo == "" {
		return nil
	}
	reply, err := s.quote(ctx, l, e, read.replySender)
	l.content.ReplyTo = reply
	return err
}

// quote describes the message that is answered.
func (s *Service) quote(ctx context.Context, l *letter, e Envelope, sender types.JID) (*content.Reply, error) {
	ref := Ref{SessionID: e.SessionID, MessageID: e.ReplyTo, To: l.chat.String()}
	if !sender.IsEmpty() {
		ref.Sender = sender.String()
	}
	m, err := s.find(ctx, ref)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.Field("reply_to", "the inbox has no such message in this chat: give reply_sender too to answer it all the same")
	case err != nil:
		return nil, err
	}
	reply := &content.Reply{ID: m.ID, Sender: m.Sender.address()}
	if m.known && m.Content.Kind != content.KindNone && !m.ViewOnce && m.RevokedAt.IsZero() {
		quoted := m.Content
		reply.Kind, reply.Quoted = m.Kind, &quoted
	}
	return reply, nil
}

// wait waits until those who came before have sent theirs.
func wait(ctx context.Context, turn *turns.Turn[lineKey]) error {
	err := turn.Wait(ctx, sendWait)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, turns.ErrTooLong):
		return fault.New(fault.RateLimited, "earlier messages to this chat are still being sent").After(time.Second)
	}
	return fault.New(fault.Unavailable, "the request was given up while earlier messages to this chat were sent").Because(err)
}

// deliver sends a letter, whose turn it is, and writes down what becomes of it.
func (s *Service) deliver(ctx context.Context, l *letter) (Sent, error) {
	stamp, err := s.transmit(ctx, l)
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	switch {
	case err == nil:
		if err = s.arrived(recording, l, stamp); err != nil {
			// It is on its way. Sent once more under its id, it will be written
			// down then.
			zerolog.Ctx(ctx).Error().Err(err).Str("message", l.id).Msg("that a message was sent could not be stored")
			s.keep(l)
		}
		return Sent{ID: l.id, Timestamp: stamp, To: l.chat.String()}, nil
	case !l.written:
		return Sent{}, err
	case fault.Is(err, fault.OutcomeUnknown):
		if !l.held {
			s.hold(recording, l)
		}
		return Sent{}, unconfirmed(l, err)
	case l.held && patient(err):
		return Sent{}, err
	}
	if storeErr := s.undo(recording, l, err); storeErr != nil {
		zerolog.Ctx(ctx).Error().Err(storeErr).Str("message", l.id).Msg("that a message was not sent could not be stored")
	}
	return Sent{}, err
}

// unconfirmed tells the caller what happens to a message that WhatsApp has not
// answered.
func unconfirmed(l *letter, cause error) error {
	return fault.New(fault.OutcomeUnknown,
		"WhatsApp has not confirmed the message %s; it is sent again under this id until it does, and shown once to whoever gets it twice", l.id).Because(cause)
}

// patient tells whether an error leaves the hope that the same message is taken
// later.
func patient(err error) bool {
	switch fault.From(err).Code {
	case fault.SessionNotConnected, fault.RateLimited, fault.NoAnswer, fault.OutcomeUnknown, fault.Unavailable, fault.Internal:
		return true
	}
	return false
}

// transmit sends a letter once, and once more when WhatsApp refused it only
// because the client's idea of the group was out of date. It returns WhatsApp's
// time of the message.
func (s *Service) transmit(ctx context.Context, l *letter) (time.Time, error) {
	for again := false; ; again = true {
		var answer whatsmeow.SendResponse
		var number int
		err := s.sessions.Do(ctx, l.session, session.Write, func(ctx context.Context, client *whatsmeow.Client) error {
			message, err := s.compose(ctx, client, l)
			if err != nil {
				return err
			}
			if err = s.outboxWrite(ctx, l); err != nil {
				return err
			}
			answer, err = client.SendMessage(ctx, l.chat, message, whatsmeow.SendRequestExtra{ID: l.id})
			if number = refusalNumber(err); number != 0 {
				return refused(l.chat, number, err)
			}
			return err
		})
		group := l.chat.Server == types.GroupServer
		switch {
		case err == nil:
			return answer.Timestamp, nil
		case number == numberStale && !again && group:
			if err = s.refresh(ctx, l.session, l.chat); err != nil {
				return time.Time{}, err
			}
		case number == numberForbidden && group:
			return time.Time{}, s.explain(ctx, l.session, l.chat, err)
		default:
			return time.Time{}, err
		}
	}
}

// arrived writes down that WhatsApp has taken a letter.
func (s *Service) arrived(ctx context.Context, l *letter, stamp time.Time) error {
	message, err := l.wire()
	if err != nil {
		return err
	}
	err = store.Txn(ctx, s.db, func(ctx context.Context) error {
		if err := s.outboxSent(ctx, l, stamp); err != nil {
			return err
		}
		return s.inbox.RecordSent(ctx, Outgoing{
			SessionID: l.session, Chat: l.chat, ID: l.id, Timestamp: stamp, Message: message, State: StateSent, RequestID: l.request, FileKept: l.file != "",
		})
	})
	if err == nil {
		s.held.remove(l)
	}
	return err
}

// hold keeps a letter whose outcome is unknown, to be sent again.
func (s *Service) hold(ctx context.Context, l *letter) {
	message, err := l.wire()
	if err == nil {
		err = s.inbox.RecordSent(ctx, Outgoing{
			SessionID: l.session, Chat: l.chat, ID: l.id, Timestamp: l.created, Message: message, State: StatePending, RequestID: l.request, FileKept: l.file != "",
		})
	}
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("message", l.id).Msg("a message that was not confirmed cannot be shown in its chat")
	}
	s.keep(l)
}

func (s *Service) keep(l *letter) {
	if !l.held {
		s.held.add(l, s.now())
	}
}

// undo writes down that a letter has not been sent and will not be.
func (s *Service) undo(ctx context.Context, l *letter, cause error) error {
	err := store.Txn(ctx, s.db, func(ctx context.Context) error {
		if err := s.outboxFailed(ctx, l, cause); err != nil || !l.held {
			return err
		}
		return s.inbox.SetState(ctx, l.session, l.id, StateFailed, fault.From(cause))
	})
	if err == nil {
		s.held.remove(l)
		l.written = false
	}
	return err
}

// keptBefore tells whether an earlier run of the same request has kept the
// letter for later. By now it may have been sent.
func (s *Service) keptBefore(ctx context.Context, l *letter) (Sent, bool, error) {
	attempt := idempotency.From(ctx)
	if !attempt.Resumed() {
		return Sent{}, false, nil
	}
	m, err := s.ScheduledMessage(ctx, l.session, l.id)
	if fault.Is(err, fault.NotFound) {
		return Sent{}, false, nil
	}
	if err != nil {
		return Sent{}, false, err
	}
	attempt.Settle()
	return Sent{ID: m.ID, To: m.To, SendAt: m.SendAt}, true, nil
}

// sentBefore tells whether an earlier run of the same request is known to have
// sent the letter.
func (s *Service) sentBefore(ctx context.Context, l *letter) (Sent, bool, error) {
	if !idempotency.From(ctx).Resumed() {
		return Sent{}, false, nil
	}
	found, err := s.inbox.Message(ctx, MessageRequest{SessionID: l.session, ID: l.id, Chat: l.chat.String()})
	switch {
	case fault.Is(err, fault.NotFound):
		return Sent{}, false, nil // what goes under the same id may be sent twice
	case err != nil:
		return Sent{}, false, err
	}
	return Sent{ID: l.id, Timestamp: found.Timestamp, To: l.chat.String()}, found.State == StateSent, nil
}

// noteMessage is the name of the note that has a message's id.
const noteMessage = "message"

// messageID makes the id of a message. A repeatable request always gets the
// same one, because whoever gets a message twice under one id shows it once.
func messageID(ctx context.Context) (id types.MessageID, err error) {
	attempt := idempotency.From(ctx)
	if _, err = attempt.Noted(noteMessage, &id); err != nil {
		return "", err
	}
	if id == "" {
		var random [9]byte
		_, _ = rand.Read(random[:]) // never fails, see crypto/rand
		id = whatsmeow.WebMessageIDPrefix + strings.ToUpper(hex.EncodeToString(random[:]))
		if err = attempt.Note(ctx, noteMessage, id); err != nil {
			return "", err
		}
	}
	return id, nil
}

// marshal makes the letter's payload.
func (l *letter) marshal(message proto.Message) (err error) {
	l.payload, err = proto.Marshal(message)
	return err
}
