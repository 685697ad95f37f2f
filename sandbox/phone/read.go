package phone

import (
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// Read tells what a message says. Votes stay sealed; see OpenVote.
func Read(m *waE2E.Message) Content {
	c := Content{Kind: classify(m), Text: text(m)}
	c.ViewOnce = viewedOnce(m)
	inner := unwrap(m)
	if inner == nil {
		return c
	}
	readContext(&c, contextOf(inner))
	readAbout(&c, m, inner)
	switch c.Kind {
	case KindImage, KindVideo, KindAudio, KindDocument, KindSticker:
		c.Media = readMedia(inner)
	case KindLocation:
		c.Location = readLocation(inner)
	case KindContact:
		c.Contacts = readContacts(inner)
	case KindPoll:
		creation := pollIn(inner)
		c.Poll = &Poll{Options: []string{}, Selectable: creation.GetSelectableOptionsCount()}
		for _, option := range creation.GetOptions() {
			c.Poll.Options = append(c.Poll.Options, option.GetOptionName())
		}
	case KindInvite:
		i := inner.GroupInviteMessage
		c.Invite = &Invite{Group: i.GetGroupJID(), Code: i.GetInviteCode(), Expires: i.GetInviteExpiration(), Name: i.GetGroupName()}
	case KindTimer:
		seconds := inner.GetProtocolMessage().GetEphemeralExpiration()
		c.Expires = &seconds
	}
	return c
}

// viewedOnce tells whether a message may be seen once only: by its envelope, or
// by the mark inside, which is all that some clients send.
func viewedOnce(m *waE2E.Message) bool {
	for range 8 { // see unwrap
		for _, envelope := range []*waE2E.FutureProofMessage{
			m.GetViewOnceMessage(), m.GetViewOnceMessageV2(), m.GetViewOnceMessageV2Extension(),
		} {
			if envelope.GetMessage() != nil {
				return true
			}
		}
		inner := m.GetEphemeralMessage().GetMessage()
		if inner == nil {
			break
		}
		m = inner
	}
	return m.GetImageMessage().GetViewOnce() || m.GetVideoMessage().GetViewOnce() || m.GetAudioMessage().GetViewOnce()
}

// readContext takes in what surrounds the content.
func readContext(c *Content, context *waE2E.ContextInfo) {
	c.Mentions = context.GetMentionedJID()
	c.MentionAll = context.GetNonJIDMentions()&mentionEverybody != 0
	c.ForwardingScore = context.GetForwardingScore()
	if context.GetIsForwarded() && c.ForwardingScore == 0 {
		c.ForwardingScore = 1
	}
	if context.GetExpiration() > 0 {
		c.Expires = context.Expiration
	}
	if context.GetStanzaID() != "" {
		c.Quoted = &Reference{
			ID: context.GetStanzaID(), Sender: context.GetParticipant(), Chat: context.GetRemoteJID(), Text: text(context.GetQuotedMessage()),
		}
	}
}

// readAbout takes in what a message says about another one.
func readAbout(c *Content, outer, inner *waE2E.Message) {
	var key *waCommon.MessageKey
	switch c.Kind {
	case KindReaction:
		key = inner.GetReactionMessage().GetKey()
		if key == nil {
			key = inner.GetEncReactionMessage().GetTargetMessageKey()
		}
	case KindEdit, KindRevoke:
		key = inner.GetProtocolMessage().GetKey()
	case KindVote:
		key, c.Sealed = inner.GetPollUpdateMessage().GetPollCreationMessageKey(), true
	case KindPin:
		key = inner.GetPinInChatMessage().GetKey()
		c.Pin = &Pin{Unpin: inner.GetPinInChatMessage().GetType() == waE2E.PinInChatMessage_UNPIN_FOR_ALL}
		if c.Pin.Seconds = inner.GetMessageContextInfo().GetMessageAddOnDurationInSecs(); c.Pin.Seconds == 0 {
			c.Pin.Seconds = outer.GetMessageContextInfo().GetMessageAddOnDurationInSecs()
		}
	}
	if key != nil {
		c.Target = &Reference{ID: key.GetID(), Chat: key.GetRemoteJID(), Sender: key.GetParticipant(), FromMe: key.GetFromMe()}
	}
}

func readMedia(m *waE2E.Message) *Media {
	f, _ := fileOf(m)
	media := &Media{Size: f.size, SHA256: f.sha256}
	video := m.VideoMessage
	if video == nil {
		video = m.PtvMessage
	}
	switch {
	case m.ImageMessage != nil:
		i := m.ImageMessage
		media.Mimetype, media.Width, media.Height, media.Thumbnail = i.GetMimetype(), i.GetWidth(), i.GetHeight(), i.GetJPEGThumbnail()
	case video != nil:
		media.Mimetype, media.Width, media.Height, media.Thumbnail = video.GetMimetype(), video.GetWidth(), video.GetHeight(), video.GetJPEGThumbnail()
		media.Seconds, media.GIF = video.GetSeconds(), video.GetGifPlayback()
	case m.AudioMessage != nil:
		a := m.AudioMessage
		media.Mimetype, media.Seconds, media.Voice, media.Waveform = a.GetMimetype(), a.GetSeconds(), a.GetPTT(), a.GetWaveform()
	case m.DocumentMessage != nil:
		d := m.DocumentMessage
		media.Mimetype, media.FileName, media.Thumbnail = d.GetMimetype(), d.GetFileName(), d.GetJPEGThumbnail()
	case m.StickerMessage != nil:
		s := m.StickerMessage
		media.Mimetype, media.Width, media.Height, media.Thumbnail = s.GetMimetype(), s.GetWidth(), s.GetHeight(), s.GetPngThumbnail()
		media.Animated = s.GetIsAnimated()
	}
	return media
}

func readLocation(m *waE2E.Message) *Location {
	if l := m.LiveLocationMessage; l != nil {
		return &Location{Latitude: l.GetDegreesLatitude(), Longitude: l.GetDegreesLongitude(), Live: true}
	}
	l := m.LocationMessage
	return &Location{
		Latitude: l.GetDegreesLatitude(), Longitude: l.GetDegreesLongitude(),
		Name: l.GetName(), Address: l.GetAddress(), Live: l.GetIsLive(),
	}
}

func readContacts(m *waE2E.Message) []Contact {
	cards := m.GetContactsArrayMessage().GetContacts()
	if m.ContactMessage != nil {
		cards = []*waE2E.ContactMessage{m.ContactMessage}
	}
	list := make([]Contact, 0, len(cards))
	for _, card := range cards {
		list = append(list, Contact{Name: card.GetDisplayName(), VCard: card.GetVcard()})
	}
	return list
}

// contextOf finds what surrounds the content of a message, or nil.
func contextOf(m *waE2E.Message) *waE2E.ContextInfo {
	for _, part := range []interface{ GetContextInfo() *waE2E.ContextInfo }{
		m.GetExtendedTextMessage(), m.GetImageMessage(), m.GetVideoMessage(), m.GetPtvMessage(), m.GetAudioMessage(),
		m.GetDocumentMessage(), m.GetStickerMessage(), m.GetLocationMessage(), m.GetLiveLocationMessage(),
		m.GetContactMessage(), m.GetContactsArrayMessage(), m.GetGroupInviteMessage(), pollIn(m),
	} {
		if context := part.GetContextInfo(); context != nil {
			return context
		}
	}
	return nil
}
