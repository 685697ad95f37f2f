package phone

import (
	"errors"
	"fmt"
	"slices"
)

// Content is what a message says: what a phone is to send, and what it read.
// Which fields count depends on the kind.
type Content struct {
	Kind string `json:"type,omitempty" doc:"text, image, video, audio, document, sticker, location, contact, poll, poll_vote, reaction, edit, revoke, pin or group_invite; of what was received also others. To send, absent is text"`
	// Text is the body, the caption, the question of a poll, the emoji of a
	// reaction (none takes it back) or the new text of an edit.
	Text       string   `json:"text" required:"false" doc:"Body, caption, emoji, or the new text of an edit"`
	Mentions   []string `json:"mentions,omitempty" doc:"JIDs; to send, numbers too"`
	MentionAll bool     `json:"mention_all,omitempty"`
	// Quoted is the message this one answers, Target the one that a reaction,
	// edit, revocation, pin or vote is about. To send, the id is enough: it is
	// looked up in what the phone has sent and received.
	Quoted *Reference `json:"quoted,omitempty" doc:"The message this one replies to"`
	Target *Reference `json:"target,omitempty" doc:"The message that a reaction, edit, revocation, pin or vote is about"`
	// ForwardingScore is how often the message was forwarded, 0 for never.
	ForwardingScore uint32 `json:"forwarding_score,omitempty"`
	// Expires is after how many seconds the message disappears, 0 for never. To
	// send, nil takes the group's own timer.
	Expires  *uint32   `json:"expiration,omitempty" doc:"Seconds until it disappears; to send, absent is the group's own timer"`
	ViewOnce bool      `json:"view_once,omitempty"`
	Media    *Media    `json:"media,omitempty"`
	Location *Location `json:"location,omitempty"`
	Contacts []Contact `json:"contacts,omitempty"`
	Poll     *Poll     `json:"poll,omitempty"`
	// Votes are the options that a vote chooses, all of the voter's at once.
	// Sealed tells that a received vote could not be opened, for want of its
	// poll or because it was not encrypted as votes are.
	Votes  []string `json:"votes,omitempty" doc:"Options chosen; none takes the vote back"`
	Sealed bool     `json:"sealed,omitempty" readOnly:"true" doc:"The vote could not be decrypted"`
	Pin    *Pin     `json:"pin,omitempty"`
	Invite *Invite  `json:"invite,omitempty"`
}

// Reference names another message.
type Reference struct {
	ID     string `json:"id"`
	Chat   string `json:"chat,omitempty" readOnly:"true"`
	Sender string `json:"sender,omitempty" readOnly:"true" doc:"JID as the message has it; absent where the chat tells it"`
	FromMe bool   `json:"from_me,omitempty" readOnly:"true" doc:"The message is of the sender of this one"`
	Text   string `json:"text,omitempty" readOnly:"true" doc:"What is quoted of it"`
}

// Media is a file and what a message says about it. Data is only for sending;
// what was received is fetched with Open.
type Media struct {
	Data      []byte `json:"data,omitempty" writeOnly:"true" doc:"The file, base64"`
	Mimetype  string `json:"mimetype,omitempty"`
	Size      uint64 `json:"size,omitempty" readOnly:"true" doc:"Bytes"`
	SHA256    []byte `json:"sha256,omitempty" readOnly:"true"`
	FileName  string `json:"filename,omitempty"`
	Width     uint32 `json:"width,omitempty"`
	Height    uint32 `json:"height,omitempty"`
	Seconds   uint32 `json:"seconds,omitempty"`
	Voice     bool   `json:"voice,omitempty" doc:"A voice note"`
	Waveform  []byte `json:"waveform,omitempty" doc:"64 values from 0 to 100"`
	Thumbnail []byte `json:"thumbnail,omitempty" doc:"JPEG; PNG of a sticker"`
	Animated  bool   `json:"animated,omitempty" doc:"A sticker that moves"`
	GIF       bool   `json:"gif,omitempty" doc:"A video that plays like a GIF"`
}

// Location is a place.
type Location struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
	Live      bool    `json:"live,omitempty"`
}

// Contact is a business card.
type Contact struct {
	Name  string `json:"name"`
	VCard string `json:"vcard"`
}

// Poll is a question with options; Text of the content is the question.
type Poll struct {
	Options    []string `json:"options" nullable:"false"`
	Selectable uint32   `json:"selectable_count,omitempty" doc:"How many may be chosen; 0: any number"`
}

// Pin says for how long a message is pinned, or that it no longer is.
type Pin struct {
	Seconds uint32 `json:"seconds,omitempty" doc:"86400, 604800 or 2592000; absent: 604800"`
	Unpin   bool   `json:"unpin,omitempty"`
}

// Invite is an invitation to a group that only its receiver can use.
type Invite struct {
	Group   string `json:"group_jid"`
	Code    string `json:"code"`
	Expires int64  `json:"expires_at" doc:"UNIX seconds"`
	Name    string `json:"name,omitempty"`
}

const (
	// pollOptions is how many options a poll may have in WhatsApp.
	pollOptions = 12
	// defaultPin is how long a message is pinned unless said otherwise.
	defaultPin = 7 * 24 * 60 * 60
)

// Check refuses content that no phone could send. The error names the field.
func (c *Content) Check() error {
	checks := map[string]func() error{
		KindText: c.needsText, KindImage: c.needsMedia, KindVideo: c.needsMedia, KindAudio: c.needsMedia,
		KindDocument: c.needsMedia, KindSticker: c.needsMedia, KindLocation: c.checkLocation,
		KindContact: c.checkContacts, KindPoll: c.checkPoll, KindVote: c.needsTarget, KindReaction: c.needsTarget,
		KindEdit:   func() error { return errors.Join(c.needsTarget(), c.needsText()) },
		KindRevoke: c.needsTarget, KindPin: c.checkPin, KindInvite: c.checkInvite,
	}
	check := checks[c.Kind]
	if check == nil {
		return fmt.Errorf("type: a phone cannot send %q", c.Kind)
	}
	if c.ViewOnce && !slices.Contains([]string{KindImage, KindVideo, KindAudio}, c.Kind) {
		return fmt.Errorf("view_once: only images, videos and voice notes can be viewed once, not %s", c.Kind)
	}
	return check()
}

func (c *Content) needsText() error {
	if c.Text == "" {
		return errors.New("text: must not be empty")
	}
	return nil
}

func (c *Content) needsTarget() error {
	if c.Target == nil || c.Target.ID == "" {
		return fmt.Errorf("target: a %s needs the id of a message", c.Kind)
	}
	return nil
}

func (c *Content) needsMedia() error {
	if c.Media == nil || len(c.Media.Data) == 0 {
		return fmt.Errorf("media.data: a %s needs a file", c.Kind)
	}
	return nil
}

func (c *Content) checkLocation() error {
	switch l := c.Location; {
	case l == nil:
		return errors.New("location: must be given")
	case !(l.Latitude >= -90 && l.Latitude <= 90):
		return fmt.Errorf("location.latitude: %v is not between -90 and 90", l.Latitude)
	case !(l.Longitude >= -180 && l.Longitude <= 180):
		return fmt.Errorf("location.longitude: %v is not between -180 and 180", l.Longitude)
	}
	return nil
}

func (c *Content) checkContacts() error {
	if len(c.Contacts) == 0 {
		return errors.New("contacts: there must be one at least")
	}
	for i, contact := range c.Contacts {
		if contact.Name == "" || contact.VCard == "" {
			return fmt.Errorf("contacts[%d]: needs a name and a vcard", i)
		}
	}
	return nil
}

func (c *Content) checkPoll() error {
	if c.Poll == nil || len(c.Poll.Options) < 2 || len(c.Poll.Options) > pollOptions {
		return fmt.Errorf("poll.options: a poll has 2 to %d options", pollOptions)
	}
	seen := map[string]bool{}
	for i, option := range c.Poll.Options {
		if option == "" || seen[option] {
			return fmt.Errorf("poll.options[%d]: %q is empty or there already", i, option)
		}
		seen[option] = true
	}
	if int(c.Poll.Selectable) > len(c.Poll.Options) {
		return fmt.Errorf("poll.selectable_count: %d of %d options", c.Poll.Selectable, len(c.Poll.Options))
	}
	return c.needsText()
}

func (c *Content) checkPin() error {
	if p := c.Pin; p != nil && !p.Unpin && !slices.Contains([]uint32{0, 86400, defaultPin, 2592000}, p.Seconds) {
		return fmt.Errorf("pin.seconds: %d is not 86400, 604800 or 2592000", p.Seconds)
	}
	return c.needsTarget()
}

func (c *Content) checkInvite() error {
	if c.Invite == nil || c.Invite.Group == "" || c.Invite.Code == "" {
		return errors.New("invite: needs group_jid and code")
	}
	return nil
}
