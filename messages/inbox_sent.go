package messages

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Outgoing is a message of ours for the inbox.
type Outgoing struct {
	SessionID string
	// Chat is where it was sent: a group, a phone JID or a LID.
	Chat types.JID
	ID   string
	// Timestamp is WhatsApp's of the answer; ours while there is none.
	Timestamp time.Time
	Message   *waE2E.Message
	State     State // StatePending or StateSent
	RequestID string
	// FileKept: its file was taken in here, and is in the store.
	FileKept bool
}
