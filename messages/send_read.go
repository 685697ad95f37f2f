package messages

import (
	"context"
	"slices"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/session"
)

// maxRead bounds the messages of one request.
const maxRead = 500

// ReadRequest asks to tell the senders of messages that they have been read.
type ReadRequest struct {
	SessionID  string
	MessageIDs []string // of others, in one chat
	// Chat and Sender are those of messages that the inbox does not have; Chat
	// may be empty for the others.
	Chat, Sender string
}

// Validate checks the ids.
func (r ReadRequest) Validate() error {
	switch {
	case len(r.MessageIDs) == 0:
		return fault.Field("message_ids", "must name at least one message")
	case len(r.MessageIDs) > maxRead:
		return fault.Field("message_ids", "has %d entries; %d is the most", len(r.MessageIDs), maxRead)
	}
	for i, id := range r.MessageIDs {
		if err := checkID(fieldOf("message_ids", i), id, false); err != nil {
			return err
		}
	}
	return Ref{MessageID: r.MessageIDs[0], To: r.Chat, Sender: r.Sender}.Validate()
}

// receipt is one that WhatsApp is told: of messages of one sender.
type receipt struct {
	sender types.JID
	ids    []types.MessageID
}

// Read tells the senders of messages that they have been read, unless the
// account's privacy settings forbid it, and our other devices in any case. The
// chat's count of unread messages follows.
func (s *Service) Read(ctx context.Context, req ReadRequest) error {
	if err := req.Validate(); err != nil {
		return err
	}
	chat, receipts, err := s.receipts(ctx, req)
	if err != nil {
		return err
	}
	err = s.sessions.Do(ctx, req.SessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) error {
		to, err := recipientOf(ctx, client, chat)
		if err != nil {
			return err
		}
		server, err := groupAddressing(ctx, client, chat)
		if err != nil {
			return err
		}
		for _, r := range receipts {
			if server != "" {
				if r.sender, err = s.called(ctx, req.SessionID, r.sender, server); err != nil {
					return err
				}
			}
			if err = client.MarkRead(ctx, r.ids, s.now(), to, r.sender); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.inbox.MarkRead(ctx, req.SessionID, chat, req.MessageIDs...)
}

// receipts sorts the messages by sender. All must be in one chat.
func (s *Service) receipts(ctx context.Context, req ReadRequest) (chat types.JID, list []receipt, err error) {
	var name string
	for i, id := range req.MessageIDs {
		m, err := s.find(ctx, Ref{SessionID: req.SessionID, MessageID: id, To: req.Chat, Sender: req.Sender})
		field := fieldOf("message_ids", i)
		switch {
		case err != nil:
			return chat, nil, err
		case m.FromMe:
			return chat, nil, fault.Field(field, "the message is the account's own")
		case name == "":
			name = m.Chat
		case name != m.Chat:
			return chat, nil, fault.Field(field, "the message is in another chat than the first one")
		}
		sender := m.Sender.address()
		at := slices.IndexFunc(list, func(r receipt) bool { return r.sender == sender })
		if at < 0 {
			at = len(list)
			list = append(list, receipt{sender: sender})
		}
		list[at].ids = append(list[at].ids, id)
	}
	read, err := Envelope{To: name}.parse()
	if err != nil {
		return chat, nil, err
	}
	chat, err = s.resolve(ctx, req.SessionID, read.to, false)
	return chat, list, err
}
