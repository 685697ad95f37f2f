package messages

import (
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
	"muster/messages/content"
)

// MaxAhead is how far in the future a message may be scheduled.
const MaxAhead = 366 * 24 * time.Hour

// tardy is how old a send_at may be that is still meant to be now.
const tardy = 5 * time.Minute

// longestID bounds the ids of messages, in bytes. WhatsApp's have up to 32.
const longestID = 128

// Envelope is what a request to send has around the message itself.
type Envelope struct {
	SessionID string
	// To is a person (phone JID, LID or phone number) or a group.
	To string
	// SendAt is when to send it; zero is now.
	SendAt time.Time
	// ReplyTo is the id of the message that this one answers, in the same chat.
	// ReplySender says who has sent that, for messages that the inbox does not
	// have: a person, or the account itself.
	ReplyTo, ReplySender string
	// Mentions are people who are called by name: the text has "@" and their
	// number, as it is written here, where the name is to be shown.
	Mentions []string
	// MentionAll calls everybody in the group.
	MentionAll bool
}

// addressed is an Envelope that was read.
type addressed struct {
	to          types.JID
	replySender types.JID
	mentions    []types.JID
}

func (e Envelope) parse() (read addressed, err error) {
	if read.to, err = address.Chat("to", e.To); err != nil {
		return read, err
	}
	if err = checkID("reply_to", e.ReplyTo, true); err != nil {
		return read, err
	}
	if e.ReplySender != "" {
		if e.ReplyTo == "" {
			return read, fault.Field("reply_to", "is needed where reply_sender is given")
		}
		if read.replySender, err = address.Person("reply_sender", e.ReplySender); err != nil {
			return read, err
		}
	}
	if len(e.Mentions) > content.MaxMentions {
		return read, fault.Field("mentions", "has %d entries; %d is the most", len(e.Mentions), content.MaxMentions)
	}
	people, err := address.People("mentions", e.Mentions)
	if err != nil {
		return read, err
	}
	for _, person := range people {
		read.mentions = append(read.mentions, person.JID)
	}
	if read.to.Server != types.GroupServer {
		switch {
		case e.MentionAll:
			return read, fault.Field("mention_all", "is for groups only")
		case len(read.mentions) > 0:
			return read, fault.Field("mentions", "is for groups only")
		}
	}
	return read, nil
}

// when checks SendAt: zero is now.
func (e Envelope) when(now time.Time) (time.Time, error) {
	switch {
	case e.SendAt.IsZero():
		return time.Time{}, nil
	case e.SendAt.Before(now.Add(-tardy)):
		return time.Time{}, fault.Field("send_at", "is in the past")
	case e.SendAt.After(now.Add(MaxAhead)):
		return time.Time{}, fault.Field("send_at", "is more than %d days ahead", int(MaxAhead.Hours()/24))
	case !e.SendAt.After(now):
		return time.Time{}, nil
	}
	return e.SendAt, nil
}

func checkID(field, id string, optional bool) error {
	switch {
	case id == "" && optional:
		return nil
	case id == "":
		return fault.Field(field, "must not be empty")
	case len(id) > longestID:
		return fault.Field(field, "is longer than %d bytes", longestID)
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return fault.Field(field, "is not a message's id: it has visible ASCII characters only")
		}
	}
	return nil
}

// fieldOf is the name of an entry of a list.
func fieldOf(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
