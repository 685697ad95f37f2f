package messages

import (
	"time"

	"muster/messages/content"
)

// Person is somebody under the two names that WhatsApp knows them by. What is
// not known is empty: a LID never stands in for a phone number.
type Person struct {
	// JID is the phone JID where the phone is known, else the LID.
	JID string
	// PhoneNumber has digits only, the country code first.
	PhoneNumber string
	// LID is "…@lid".
	LID string
	// Name is what the person calls themselves, as far as a message told it.
	Name string
}

// KindUndecryptable is the kind of a message that could not be decrypted. When
// its sender sends it again, the same message gets its kind and its content.
const KindUndecryptable content.Kind = "undecryptable"

// State is how far a message of ours has come.
type State string

// The states, in their order. Delivered, read and played mean: by everybody
// who has told of it so far, see Message.Reach.
const (
	StatePending State = "pending" // not known yet whether WhatsApp has taken it
	StateSent    State = "sent"    // WhatsApp has taken it
	StateFailed  State = "failed"  // it was not sent, and will not be
)

// Reach counts the people who have told what became of a message of ours.
// Somebody who has read it counts as one it was delivered to, too.
type Reach struct{ Delivered, Read, Played int }

// Message is one message of the inbox.
type Message struct {
	// Seq orders a session's messages as they came here. It only grows, with gaps.
	Seq int64
	// Chat is a group's JID, a person's phone JID, or a LID whose phone is not known.
	Chat   string
	ID     string
	Sender Person
	FromMe bool
	// Timestamp is WhatsApp's, to the second.
	Timestamp  time.Time
	ReceivedAt time.Time
	// Offline: it came with the backlog after a reconnection.
	Offline bool
	// Kind is the content's, or KindUndecryptable.
	Kind content.Kind
	// Content has only its kind where nothing is kept: of view-once messages, of
	// revoked ones, and of those that could not be decrypted.
	Content  content.Content
	ViewOnce bool

	EditedAt    time.Time // zero: never
	RevokedAt   time.Time // zero: not
	RevokedBy   string    // JID
	PinnedUntil time.Time // zero: not pinned
	ExpiresAt   time.Time // zero: stays

	// Of messages of ours:
	State     State
	ErrorCode string // of a failed one
	Error     string
	RequestID string // of the API request that sent it
	Reach     Reach

	Reactions []Reaction
	Votes     []Vote // of a poll, by person
	Media     *MediaState
}

// Reaction is somebody's reaction to a message.
type Reaction struct {
	Person Person
	Emoji  string
	At     time.Time
}

// Vote is somebody's present choice in a poll; an empty one was taken back.
type Vote struct {
	Person  Person
	Options []string
	At      time.Time
}

// Receipt is what one person has told of a message of ours. Times that are not
// known are zero.
type Receipt struct {
	Person                        Person
	DeliveredAt, ReadAt, PlayedAt time.Time
}

// MediaState says whether the file of a message is here.
type MediaState struct {
	// State is pending, stored, failed, skipped (too large, or media are not
	// kept) or expired (deleted by retention).
	State string
	// Hash is the file's SHA-256, hexadecimal, when it is stored.
	Hash      string
	Size      int64
	ErrorCode string // of a failed one
	Error     string
}

// The states of a file.
const (
	MediaPending = "pending"
	MediaStored  = "stored"
	MediaFailed  = "failed"
	MediaSkipped = "skipped"
	MediaExpired = "expired"
)

// Chat is a conversation with a group or a person.
type Chat struct {
	// JID is a group's, a person's phone JID, or a LID whose phone is not known.
	JID   string
	Group bool
	// Person is who the chat is with, when it is not a group.
	Person Person
	// Name is the group's subject or the person's own name; empty when not known.
	Name string
	// Unread counts messages of others since we last read the chat.
	Unread       int
	MarkedUnread bool
	LastMessage  *Message // nil: none is kept
	// LastAt is when the last message was sent, also when it is not kept any more.
	LastAt time.Time
	// ExpirationSeconds is the timer of disappearing messages in a chat with a
	// person; a group's is the group's setting.
	ExpirationSeconds uint32
	Archived, Pinned  bool
	// MutedUntil is zero when it is not muted or muted without an end.
	MutedUntil   time.Time
	MutedForever bool
}

// ChatsRequest asks for the chats of a session, the one with the newest
// message first.
type ChatsRequest struct {
	SessionID string
	// Query finds chats whose name or number contains the text, whatever the case.
	Query  string
	Kind   string // "group", "person" or "" for both
	Unread bool   // only those with unread messages
	Limit  int    // 0 is DefaultChats
	Cursor string // NextCursor of the page before
}

// ChatList is one page of chats.
type ChatList struct {
	Chats      []Chat
	NextCursor string // empty on the last page
}

// ChatMessagesRequest asks for messages of one chat.
type ChatMessagesRequest struct {
	SessionID string
	Chat      string // JID, LID or phone number
	// Before and After are cursors of an earlier answer, at most one of them:
	// older messages, or newer ones. Without one the newest are returned.
	Before, After string
	Limit         int // 0 is DefaultMessages
}

// MessageList is one page of messages, the newest first.
type MessageList struct {
	Messages []Message
	// Older is the cursor for Before (or a search's Cursor), empty when there is
	// nothing older. Newer is the cursor for After; it is there also when there
	// is nothing newer yet, so that one can ask again later.
	Older, Newer string
}

// MessageRequest asks for one message.
type MessageRequest struct {
	SessionID string
	ID        string
	// Chat narrows it down where two chats have a message of this id; it may be empty.
	Chat string
}

// Detail is one message with its receipts, by person.
type Detail struct {
	Message
	Receipts []Receipt
}

// SearchRequest asks for messages that contain all of the words, the newest
// first. The last word also finds longer ones.
type SearchRequest struct {
	SessionID string
	Query     string
	Chat      string // only this chat; JID, LID or phone number; may be empty
	Limit     int    // 0 is DefaultMessages
	Cursor    string // Older of the page before
}

// The sizes of pages: when a request does not say, and at most.
const (
	DefaultChats    = 100
	MaxChats        = 500
	DefaultMessages = 50
	MaxMessages     = 200
)
