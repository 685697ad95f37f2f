// Package content says in plain fields what a message says, whatever shape
// WhatsApp gave it: Parse reads a message, Build makes one. Nothing here does
// I/O or keeps state, and Parse takes anything that a stranger may send.
//
// The wire's shapes are those of WhatsApp's published protobuf schema
// (waE2E.Message) as WhatsApp's own clients, whatsmeow and Baileys fill it.
package content

import (
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Kind is what sort of thing a message is. The words are part of the public
// API and of what is stored: they are never renamed.
type Kind string

const (
	// KindNone says nothing to anybody: keys, history and other housekeeping
	// between devices. There is nothing to store.
	KindNone Kind = ""

	KindText        Kind = "text"
	KindImage       Kind = "image"
	KindVideo       Kind = "video" // GIFs and round videos too, see Media
	KindAudio       Kind = "audio" // voice notes too, see Media.PTT
	KindDocument    Kind = "document"
	KindSticker     Kind = "sticker"
	KindLocation    Kind = "location" // live ones too, see Location.Live
	KindContact     Kind = "contact"  // one or several
	KindPoll        Kind = "poll"
	KindGroupInvite Kind = "group_invite"
	KindAlbum       Kind = "album" // announces images and videos that follow as messages of their own

	// These change the message that Target names.
	KindPollVote Kind = "poll_vote"
	KindReaction Kind = "reaction"
	KindEdit     Kind = "edit"
	KindRevoke   Kind = "revoke"
	KindPin      Kind = "pin"

	// KindTimer sets the chat's disappearing messages to ExpirationSeconds.
	KindTimer Kind = "timer"
	// KindUnsupported is what we have no words for; Unsupported has the name.
	KindUnsupported Kind = "unsupported"
)

// Kinds lists every kind but KindNone.
func Kinds() []Kind {
	return []Kind{
		KindText, KindImage, KindVideo, KindAudio, KindDocument, KindSticker, KindLocation, KindContact, KindPoll,
		KindGroupInvite, KindAlbum, KindPollVote, KindReaction, KindEdit, KindRevoke, KindPin, KindTimer, KindUnsupported,
	}
}

// HasMedia tells whether messages of the kind come with a file.
func (k Kind) HasMedia() bool {
	return slices.Contains([]Kind{KindImage, KindVideo, KindAudio, KindDocument, KindSticker}, k)
}

// ChangesTarget tells whether messages of the kind are about the message that
// Target names and are no line of their own in the chat.
func (k Kind) ChangesTarget() bool {
	return slices.Contains([]Kind{KindPollVote, KindReaction, KindEdit, KindRevoke, KindPin}, k)
}

// Content is what a message says. The JSON is for our own storage, keys and
// secrets included; the public API shows a choice of it.
type Content struct {
	Kind Kind `json:"kind,omitempty"`
	// Text is the text, or the caption of a file, of a live location or of a
	// group's invitation. For an edit it is the new text or caption.
	Text string `json:"text,omitempty"`

	Mentions []types.JID `json:"mentions,omitempty"` // people, without devices
	// MentionAll marks a message that calls everyone in the group (the wire's
	// nonJIDMentions, as WhatsApp's clients set it for "@all").
	MentionAll bool   `json:"mention_all,omitempty"`
	ReplyTo    *Reply `json:"reply_to,omitempty"`
	Link       *Link  `json:"link,omitempty"` // the preview that came with a text

	Media    *Media    `json:"media,omitempty"`
	Location *Location `json:"location,omitempty"`
	Contacts []Contact `json:"contacts,omitempty"`
	Poll     *Poll     `json:"poll,omitempty"`
	Invite   *Invite   `json:"invite,omitempty"`
	Album    *Album    `json:"album,omitempty"`

	Target *Target `json:"target,omitempty"` // of the kinds that change another message
	// Emoji is a reaction's; empty takes an earlier reaction back.
	Emoji string `json:"emoji,omitempty"`
	Pin   *Pin   `json:"pin,omitempty"`
	// Edited is the whole new content of an edited message; its Text is Text.
	// Build needs it only for a caption: it is then the old content with the
	// new Text.
	Edited *Content `json:"edited,omitempty"`
	// Sealed is set where the words are encrypted once more under the target's
	// secret: all poll votes, and reactions and edits in some community groups.
	Sealed *Sealed `json:"sealed,omitempty"`

	ViewOnce  bool `json:"view_once,omitempty"`
	Forwarded int  `json:"forwarded,omitempty"` // how often, at least; 127 for "many times"; 0 for not
	// ExpirationSeconds is after how long the message disappears, 0 for never.
	ExpirationSeconds int64 `json:"expiration_seconds,omitempty"`
	ExpirationSetAt   int64 `json:"expiration_set_at,omitempty"` // UNIX seconds at which that was set, if known

	// Secret keys what others encrypt about this message: votes, and sealed
	// reactions and edits. 32 bytes, or none. A poll must have it.
	Secret []byte `json:"secret,omitempty"`
	// Unsupported names the wire's field of a message we have no words for, such
	// as "order_message".
	Unsupported string `json:"unsupported,omitempty"`
}

// Reply is the message that a message answers.
type Reply struct {
	ID     string    `json:"id"`
	Sender types.JID `json:"sender,omitzero"` // without device; empty when the wire has none
	// Chat is the other chat that is quoted from (a private answer to a group's
	// message); empty for the chat itself.
	Chat    types.JID `json:"chat,omitzero"`
	Kind    Kind      `json:"kind,omitempty"`
	Excerpt string    `json:"excerpt,omitempty"` // of what is quoted: at most MaxExcerpt bytes
	// Quoted is what Build quotes; without it, a text of Excerpt. Parse leaves it
	// out: what a stranger says that somebody said is good for an excerpt only.
	Quoted *Content `json:"-"`
}

// Link is a preview of a link in the text, as the sender's client made it.
type Link struct {
	URL         string `json:"url,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}

// Media describes a file, and holds what is needed to download it.
type Media struct {
	Mimetype string `json:"mimetype,omitempty"`
	Size     int64  `json:"size,omitempty"`   // bytes, of the plain file
	SHA256   []byte `json:"sha256,omitempty"` // of the plain file
	Width    int    `json:"width,omitempty"`  // pixels
	Height   int    `json:"height,omitempty"`
	Seconds  int    `json:"seconds,omitempty"`
	Pages    int    `json:"pages,omitempty"`
	Filename string `json:"filename,omitempty"` // a document's: a bare name, never a path
	Title    string `json:"title,omitempty"`    // a document's, where it differs from the name
	PTT      bool   `json:"ptt,omitempty"`      // a voice note
	// Waveform is a voice note's loudness: 64 bytes from 0 to 100.
	Waveform []byte `json:"waveform,omitempty"`
	// Thumbnail is a small JPEG (a sticker's: a PNG), at most MaxThumbnail bytes.
	Thumbnail []byte `json:"thumbnail,omitempty"`
	Animated  bool   `json:"animated,omitempty"` // a sticker that moves
	Lottie    bool   `json:"lottie,omitempty"`   // a sticker that is a Lottie animation and no picture
	GIF       bool   `json:"gif,omitempty"`      // a video that plays as a GIF does
	Round     bool   `json:"round,omitempty"`    // a video note (the wire's ptvMessage)

	// What the upload gave, and a download takes.
	Key        []byte `json:"key,omitempty"`         // 32 bytes
	KeyTime    int64  `json:"key_time,omitempty"`    // UNIX seconds
	EncSHA256  []byte `json:"enc_sha256,omitempty"`  // of the encrypted file
	DirectPath string `json:"direct_path,omitempty"` // on WhatsApp's media hosts
	URL        string `json:"url,omitempty"`
}

// Location is a place, in degrees and metres.
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
	URL       string  `json:"url,omitempty"`
	Accuracy  int     `json:"accuracy,omitempty"`
	Live      bool    `json:"live,omitempty"`
	Speed     float64 `json:"speed,omitempty"`    // metres a second
	Heading   int     `json:"heading,omitempty"`  // degrees clockwise from north
	Sequence  int64   `json:"sequence,omitempty"` // of a live location's updates
	Thumbnail []byte  `json:"thumbnail,omitempty"`
}

// Contact is a card.
type Contact struct {
	Name   string  `json:"name,omitempty"`
	VCard  string  `json:"vcard,omitempty"`
	Phones []Phone `json:"phones,omitempty"` // as the card has them; Build makes a card of them when VCard is empty
	// Organization is used when Build makes the card.
	Organization string `json:"organization,omitempty"`
}

// Phone is a number on a card.
type Phone struct {
	Number string `json:"number"` // as written
	// WhatsApp is the number's account in digits (the card's "waid"), if it has one.
	WhatsApp string `json:"whatsapp,omitempty"`
}

// Poll is a question with the answers to choose from.
type Poll struct {
	Name    string   `json:"name"`
	Options []string `json:"options"`
	// SelectableCount is how many answers one may choose; 0 for any number.
	SelectableCount int `json:"selectable_count"`
}

// Invite invites somebody to a group.
type Invite struct {
	Group      types.JID `json:"group"`
	Name       string    `json:"name,omitempty"`
	Code       string    `json:"code"`
	Expiration int64     `json:"expiration,omitempty"` // UNIX seconds
	Thumbnail  []byte    `json:"thumbnail,omitempty"`
	Community  bool      `json:"community,omitempty"`
}

// Album says how many files follow.
type Album struct {
	Images int `json:"images,omitempty"`
	Videos int `json:"videos,omitempty"`
}

// Pin is a change of a chat's pinned messages.
type Pin struct {
	Unpin   bool  `json:"unpin,omitempty"`
	Seconds int64 `json:"seconds,omitempty"` // how long it stays
}

// Sealed is what is encrypted under the secret of the target (AES-GCM; key
// and additional data as whatsmeow's msgsecret.go derives them).
type Sealed struct {
	Payload []byte `json:"payload"`
	IV      []byte `json:"iv"`
}

// Target is the key of another message, as the wire has it: from its sender's
// point of view.
type Target struct {
	ID string `json:"id"`
	// FromMe says that whoever sent the message with this target also sent the
	// target: not that we did.
	FromMe bool      `json:"from_me,omitempty"`
	Chat   types.JID `json:"chat,omitzero"`   // in a chat of two, as its sender calls it
	Sender types.JID `json:"sender,omitzero"` // of the target, in groups and when FromMe is not set
}

// Author is who sent the target, without device. The arguments describe the
// message that has this target: the chat it is in, its sender, and we ourselves
// (in the addressing of the chat). In a chat of two the author is one of two;
// in a group a target may lack its author: then the answer is empty.
func (t Target) Author(chat, sender, me types.JID) types.JID {
	sender, chat, me = sender.ToNonAD(), chat.ToNonAD(), me.ToNonAD()
	switch {
	case t.FromMe:
		return sender
	case !t.Sender.IsEmpty():
		return t.Sender.ToNonAD()
	case chat.Server == types.GroupServer || chat.Server == types.BroadcastServer:
		return types.EmptyJID
	case sender == me || (me.IsEmpty() && sender != chat):
		return chat
	default:
		return me
	}
}

// Bare is what may be kept of a view-once message: that there was one, and of
// what kind.
func (c Content) Bare() Content {
	return Content{Kind: c.Kind, ViewOnce: c.ViewOnce, ExpirationSeconds: c.ExpirationSeconds, ExpirationSetAt: c.ExpirationSetAt}
}

// Limits of what is read from a message and of what is accepted for one.
const (
	MaxText      = 65536 // bytes of UTF-8
	MaxExcerpt   = 300   // bytes
	MaxThumbnail = 64 << 10
	MaxMentions  = 1100 // a group of the largest size, and some
	MaxContacts  = 257
	MaxVCard     = 64 << 10
	MaxOptions   = 12 // of a poll
	MaxPollName  = 255
	MaxOption    = 100
	MaxFilename  = 255 // bytes
	SecretSize   = 32

	maxShort = 1024 // bytes: names, titles, addresses
	maxURL   = 2048
)

// PinSeconds are the three times that WhatsApp's clients offer for a pin.
func PinSeconds() []int64 {
	return []int64{int64(24 * time.Hour / time.Second), int64(7 * 24 * time.Hour / time.Second), int64(30 * 24 * time.Hour / time.Second)}
}
