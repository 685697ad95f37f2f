package messages

import (
	"cmp"
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/event"
	"muster/internal/fault"
	"muster/messages/content"
	"muster/store"
)

// Apply is the session.Handler that keeps the inbox: it writes inside the
// event's transaction and never asks WhatsApp.
func (b *Inbox) Apply(ctx context.Context, sessionID string, evt any) error {
	switch evt := evt.(type) {
	case *events.Message:
		return b.applyMessage(ctx, sessionID, evt)
	case *events.UndecryptableMessage:
		return b.applyUndecryptable(ctx, sessionID, evt)
	case *events.Receipt:
		return b.applyReceipt(ctx, sessionID, evt)
	case *events.PairSuccess:
		return b.claim(ctx, sessionID, identityOf(evt.ID).pn)
	case *events.Connected:
		me, err := b.account(ctx, sessionID)
		if err != nil {
			return err
		}
		return b.claim(ctx, sessionID, me.pn)
	default:
		return b.applyChange(ctx, sessionID, evt)
	}
}

// claim notes whose messages the session's inbox has. When the session is
// linked to another account than before, nothing of the earlier one's is kept.
func (b *Inbox) claim(ctx context.Context, sessionID, account string) error {
	if account == "" {
		return nil
	}
	var before string
	err := b.db.QueryRow(ctx, `SELECT COALESCE((SELECT account FROM inbox_state WHERE session_id = $1), '')`, sessionID).Scan(&before)
	if err != nil {
		return fmt.Errorf("read whose inbox %s has: %w", sessionID, err)
	}
	if before == account {
		return nil
	}
	if before != "" {
		for _, table := range []string{"messages", "chats", "message_receipts", "message_reactions", "poll_votes"} {
			if _, err = b.db.Exec(ctx, "DELETE FROM "+table+" WHERE session_id = $1", sessionID); err != nil {
				return fmt.Errorf("forget the messages of the earlier account of %s: %w", sessionID, err)
			}
		}
		store.AfterCommit(ctx, b.settled.forget)
	}
	_, err = b.db.Exec(ctx, `INSERT INTO inbox_state (session_id, account) SELECT id, $2 FROM sessions WHERE id = $1
		ON CONFLICT (session_id) DO UPDATE SET account = excluded.account`, sessionID, account)
	if err != nil {
		return fmt.Errorf("note whose inbox %s has: %w", sessionID, err)
	}
	return nil
}

// concerns tells whether messages of the chat belong in the inbox: what is said
// in groups and between people. Status updates and channels do not.
func concerns(info *types.MessageInfo) bool {
	if info.Category == "peer" || info.Chat == types.StatusBroadcastJID {
		return false
	}
	switch info.Chat.Server {
	case types.GroupServer, types.DefaultUserServer, types.HiddenUserServer, types.HostedServer, types.HostedLIDServer:
		return true
	case types.BroadcastServer: // a broadcast list's message is shown in the chat with its sender
		return !info.IsFromMe
	}
	return false
}

func (b *Inbox) applyMessage(ctx context.Context, sessionID string, evt *events.Message) error {
	if !concerns(&evt.Info) {
		return nil
	}
	raw := evt.RawMessage
	if evt.SourceWebMsg != nil || raw == nil {
		raw = evt.Message // whatsmeow takes the edit out of what the phone tells again
	}
	said := content.Parse(raw)
	if said.Kind == content.KindNone {
		// The sender key of a group comes as a message of its own. One that had
		// been taken for a message that cannot be read is none after all.
		return b.unsay(ctx, sessionID, &evt.Info)
	}
	said.ViewOnce = said.ViewOnce || evt.IsViewOnce
	e, err := b.entryOf(ctx, sessionID, &evt.Info, said)
	if err != nil {
		return err
	}
	if said.Kind == content.KindTimer {
		return b.setTimer(ctx, e)
	}
	return b.record(ctx, e)
}

func (b *Inbox) applyUndecryptable(ctx context.Context, sessionID string, evt *events.UndecryptableMessage) error {
	if !concerns(&evt.Info) {
		return nil
	}
	said := content.Content{Kind: KindUndecryptable, ViewOnce: evt.UnavailableType == events.UnavailableTypeViewOnce}
	e, err := b.entryOf(ctx, sessionID, &evt.Info, said)
	if err != nil {
		return err
	}
	// Its sender says that it is nothing to show: a reaction, an edit and such.
	e.shown = evt.DecryptFailMode != events.DecryptFailHide
	return b.record(ctx, e)
}

// entryOf makes an entry of a message that has come.
func (b *Inbox) entryOf(ctx context.Context, sessionID string, info *types.MessageInfo, said content.Content) (*entry, error) {
	e := &entry{
		session: sessionID, id: plain(info.ID, maxID), name: plain(info.PushName, maxName), fromMe: info.IsFromMe, at: info.Timestamp,
		offline: event.Offline(ctx), said: said, shown: !said.Kind.ChangesTarget(),
		adminAct: info.Edit == types.EditAttributeAdminRevoke,
	}
	if e.name == "-" { // WhatsApp's sign for a name that is not told
		e.name = ""
	}
	err := b.lock(ctx, sessionID)
	if err != nil {
		return nil, err
	}
	if e.me, err = b.account(ctx, sessionID); err != nil {
		return nil, err
	}
	e.from = info.Sender.ToNonAD()
	if info.IsFromMe {
		e.sender = e.me
	} else {
		e.sender, err = b.complete(ctx, sessionID, identityOf(info.Sender, info.SenderAlt))
	}
	if err != nil {
		return nil, err
	}
	switch {
	case info.Chat.Server == types.BroadcastServer, !info.IsGroup && !info.IsFromMe:
		chat, also := e.sender.jids()
		if chat.IsEmpty() {
			chat = also
		}
		e.chat, err = b.placeOf(ctx, sessionID, chat, also)
		e.chat.wire = info.Chat
	default:
		e.chat, err = b.placeOf(ctx, sessionID, info.Chat, info.RecipientAlt)
	}
	if err == nil && e.chat.jid == "" {
		return nil, fmt.Errorf("message %s is in no chat that is known here", info.ID)
	}
	return e, err
}

// RecordSent writes a message of ours to the inbox, or what it does to another
// one (reactions, edits, revocations, votes, pins). It joins the context's
// transaction, or runs in one of its own. A pending message is shown in its
// chat; what a message does to another one is done when it is recorded as sent.
// Sent is told as an event once: calling it again, also for a message that was
// recorded as pending, is right.
func (b *Inbox) RecordSent(ctx context.Context, o Outgoing) error {
	said := content.Parse(o.Message)
	if said.Kind == content.KindNone || o.State == StatePending && said.Kind.ChangesTarget() {
		return nil
	}
	return store.Txn(ctx, b.db, func(ctx context.Context) error {
		if err := b.lock(ctx, o.SessionID); err != nil {
			return err
		}
		me, err := b.account(ctx, o.SessionID)
		if err != nil {
			return err
		}
		chat, err := b.placeOf(ctx, o.SessionID, o.Chat)
		if err != nil {
			return err
		}
		pn, lid := me.jids()
		e := &entry{
			session: o.SessionID, chat: chat, id: o.ID, sender: me, me: me, from: lid, fromMe: true, ours: true,
			at: o.Timestamp, said: said, shown: !said.Kind.ChangesTarget(), adminAct: true,
			state: cmp.Or(o.State, StateSent), request: o.RequestID, fileKept: o.FileKept,
		}
		if chat.wire.Server == types.DefaultUserServer {
			e.from = pn
		}
		if said.Kind == content.KindTimer {
			return b.setTimer(ctx, e)
		}
		return b.record(ctx, e)
	})
}

// SetState notes that a pending message has failed, with the fault that says
// why, or is pending again (cause nil). What has been sent stays sent. A
// message that the inbox does not have is no error. That one has failed is told
// as an event.
func (b *Inbox) SetState(ctx context.Context, sessionID, id string, state State, cause *fault.Error) error {
	var code, text string
	if cause != nil {
		code, text = string(cause.Code), cause.Message
	}
	err := store.Txn(ctx, b.db, func(ctx context.Context) error {
		if err := b.lock(ctx, sessionID); err != nil {
			return err
		}
		e, found, err := b.pending(ctx, sessionID, id)
		if err != nil {
			return err
		}
		_, err = b.db.Exec(ctx, `UPDATE messages SET state = $3, error_code = $4, error = $5
			WHERE session_id = $1 AND id = $2 AND from_me AND state IN ('pending', 'failed')`, sessionID, id, string(state), code, text)
		if err != nil || !found || state != StateFailed {
			return err
		}
		return b.tellFailed(ctx, e, code, text)
	})
	if err != nil {
		return fmt.Errorf("note the state of message %s: %w", id, err)
	}
	return nil
}
