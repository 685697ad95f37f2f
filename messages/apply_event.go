package messages

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"muster/internal/event"
	"muster/messages/content"
)

// group is the group that the events of a chat are about.
func (p place) groupJID() string {
	if p.group {
		return p.jid
	}
	return ""
}

// emit tells an event of the entry's chat.
func (b *Inbox) emit(ctx context.Context, e *entry, kind event.Type, data any) error {
	err := b.events.Append(ctx, event.Event{
		Type: kind, SessionID: e.session, Group: e.chat.groupJID(), At: e.at, Offline: e.offline, RequestID: e.request, Data: data,
	})
	if err != nil {
		return fmt.Errorf("tell of message %s: %w", e.id, err)
	}
	return nil
}

// tell tells of the message itself.
func (b *Inbox) tell(ctx context.Context, e *entry) error {
	said, err := b.Describe(ctx, e.session, e.said)
	if err != nil {
		return err
	}
	data := event.Message{
		MessageKey: event.MessageKey{MessageID: e.id, Chat: e.chat.jid, FromMe: e.fromMe, Sender: e.sender.person(e.name).Payload()},
		ChatName:   e.chatName, Timestamp: e.at.Unix(), Repaired: e.repaired, MessageContent: said,
	}
	if !e.fromMe {
		return b.emit(ctx, e, event.MessageReceived, data)
	}
	data.Source = "device"
	if e.ours {
		data.Source = "api"
	}
	return b.emit(ctx, e, event.MessageSent, data)
}

// maxMentions bounds for how many people of one message the other name is
// looked up; the rest is shown as the message names them.
const maxMentions = 32

// Describe is content as events and the API show it: without keys, secrets and
// thumbnails, and of view-once messages nothing but their kind. It asks the
// database for the other names of people who are mentioned.
func (b *Inbox) Describe(ctx context.Context, sessionID string, c content.Content) (event.MessageContent, error) {
	said := event.MessageContent{Kind: string(c.Kind), ViewOnce: c.ViewOnce, Expiration: c.ExpirationSeconds, Unsupported: c.Unsupported}
	if c.ViewOnce {
		return said, nil
	}
	said.Text, said.MentionAll, said.Forwarded = c.Text, c.MentionAll, c.Forwarded
	for i, jid := range c.Mentions {
		who := identityOf(jid)
		if i < maxMentions {
			var err error
			if who, err = b.complete(ctx, sessionID, who); err != nil {
				return said, err
			}
		}
		said.Mentions = append(said.Mentions, who.person("").Payload())
	}
	if c.ReplyTo != nil {
		reply, err := b.describeReply(ctx, sessionID, c.ReplyTo)
		if err != nil {
			return said, err
		}
		said.ReplyTo = reply
	}
	describeParts(&said, c)
	return said, nil
}

func (b *Inbox) describeReply(ctx context.Context, sessionID string, r *content.Reply) (*event.MessageReply, error) {
	reply := &event.MessageReply{MessageID: r.ID, Kind: string(r.Kind), Text: r.Excerpt}
	if !r.Chat.IsEmpty() {
		reply.Chat = r.Chat.String()
	}
	if who := identityOf(r.Sender); who != (identity{}) {
		who, err := b.complete(ctx, sessionID, who)
		if err != nil {
			return nil, err
		}
		person := who.person("").Payload()
		reply.Sender = &person
	}
	return reply, nil
}

// describeParts adds what only some kinds have.
func describeParts(said *event.MessageContent, c content.Content) {
	if c.Link != nil {
		said.Link = &event.MessageLink{URL: c.Link.URL, Title: c.Link.Title, Description: c.Link.Description}
	}
	if m := c.Media; m != nil {
		said.Media = &event.MessageMedia{
			Mimetype: m.Mimetype, Size: m.Size, SHA256: hex.EncodeToString(m.SHA256), Width: m.Width, Height: m.Height,
			Seconds: m.Seconds, Pages: m.Pages, Filename: m.Filename, PTT: m.PTT, Animated: m.Animated, GIF: m.GIF, Round: m.Round,
		}
	}
	if l := c.Location; l != nil {
		said.Location = &event.MessageLocation{
			Latitude: l.Latitude, Longitude: l.Longitude, Name: l.Name, Address: l.Address, URL: l.URL, Accuracy: l.Accuracy, Live: l.Live,
		}
	}
	for _, card := range c.Contacts {
		shown := event.MessageContact{Name: card.Name, VCard: card.VCard}
		for _, phone := range card.Phones {
			shown.Phones = append(shown.Phones, event.MessageContactPhone{Number: phone.Number, WhatsApp: phone.WhatsApp})
		}
		said.Contacts = append(said.Contacts, shown)
	}
	if p := c.Poll; p != nil {
		said.Poll = &event.MessagePoll{Name: p.Name, Options: p.Options, SelectableCount: p.SelectableCount}
	}
	if i := c.Invite; i != nil {
		said.Invite = &event.MessageInvite{GroupJID: i.Group.String(), Name: i.Name, Code: i.Code, Expiration: i.Expiration}
	}
	if c.Album != nil {
		said.Album = &event.MessageAlbum{Images: c.Album.Images, Videos: c.Album.Videos}
	}
}

// setTimer notes the timer of disappearing messages of a chat with a person.
func (b *Inbox) setTimer(ctx context.Context, e *entry) error {
	if e.chat.group || !b.retention.keeps() {
		return nil // a group's is one of its settings
	}
	_, err := b.db.Exec(ctx, `INSERT INTO chats (session_id, jid, lid, expiration_seconds) VALUES ($1, $2, $3, $4)
		ON CONFLICT (session_id, jid) DO UPDATE SET expiration_seconds = excluded.expiration_seconds`,
		e.session, e.chat.jid, e.chat.with.lid, e.said.ExpirationSeconds)
	if err != nil {
		return fmt.Errorf("note the timer of the chat with %s: %w", e.chat.jid, err)
	}
	return nil
}

// unixTime keeps 0, "never", as the zero time.
func unixTime(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
