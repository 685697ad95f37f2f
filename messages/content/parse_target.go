package content

import (
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// parseTarget reads a message's key; false when it has no usable id.
func parseTarget(key *waCommon.MessageKey) (*Target, bool) {
	if !isMessageID(key.GetID()) {
		return nil, false
	}
	target := &Target{ID: key.GetID(), FromMe: key.GetFromMe()}
	target.Chat, _ = parseJID(key.GetRemoteJID())
	if sender, ok := parseJID(key.GetParticipant()); ok && isPerson(sender) && !target.FromMe {
		target.Sender = sender
	}
	return target, true
}

// aimed completes content that is about another message. Without a target it
// says nothing that can be acted on.
func aimed(kind Kind, key *waCommon.MessageKey, field string, c Content) Content {
	target, ok := parseTarget(key)
	if !ok {
		return Content{Kind: KindUnsupported, Unsupported: field}
	}
	c.Kind, c.Target = kind, target
	return c
}

// sealed is aimed for content that is encrypted under the target's secret.
func sealed(kind Kind, key *waCommon.MessageKey, field string, box interface {
	GetEncPayload() []byte
	GetEncIV() []byte
}) Content {
	payload, iv := box.GetEncPayload(), box.GetEncIV()
	if len(payload) == 0 || len(payload) > maxSealed || len(iv) != ivSize {
		return Content{Kind: KindUnsupported, Unsupported: field}
	}
	return aimed(kind, key, field, Content{Sealed: &Sealed{Payload: payload, IV: iv}})
}

// parseProtocol reads the changes among the messages between devices. The type
// must be there: the schema's default is REVOKE, and a type that is newer than
// the schema reads as the default too.
func parseProtocol(m *waE2E.ProtocolMessage, depth int) Content {
	if m.Type == nil {
		return Content{}
	}
	switch m.GetType() {
	case waE2E.ProtocolMessage_REVOKE:
		return aimed(KindRevoke, m.GetKey(), "protocol_message", Content{})
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		return parseEdit(m, depth)
	case waE2E.ProtocolMessage_EPHEMERAL_SETTING:
		return Content{Kind: KindTimer, ExpirationSeconds: int64(m.GetEphemeralExpiration()), ExpirationSetAt: max(m.GetEphemeralSettingTimestamp(), 0)}
	}
	return Content{}
}

func parseEdit(m *waE2E.ProtocolMessage, depth int) Content {
	const field = "protocol_message"
	edited := parse(m.GetEditedMessage(), depth+1)
	if edited.Kind == KindNone || edited.Kind.ChangesTarget() || edited.Kind == KindTimer {
		return Content{Kind: KindUnsupported, Unsupported: field}
	}
	return aimed(KindEdit, m.GetKey(), field, Content{
		Text: edited.Text, Mentions: edited.Mentions, MentionAll: edited.MentionAll, Edited: &edited,
	})
}

// parseSecret reads edits that are encrypted under the secret of what they edit.
func parseSecret(m *waE2E.SecretEncryptedMessage) Content {
	const field = "secret_encrypted_message"
	if m.GetSecretEncType() != waE2E.SecretEncryptedMessage_MESSAGE_EDIT {
		return Content{Kind: KindUnsupported, Unsupported: field}
	}
	return sealed(KindEdit, m.GetTargetMessageKey(), field, m)
}

// parsePin reads a pin; how long it stays is in the message's context.
func parsePin(m *waE2E.Message) Content {
	const field = "pin_in_chat_message"
	pin := m.GetPinInChatMessage()
	switch pin.GetType() {
	case waE2E.PinInChatMessage_PIN_FOR_ALL:
		return aimed(KindPin, pin.GetKey(), field, Content{Pin: &Pin{}})
	case waE2E.PinInChatMessage_UNPIN_FOR_ALL:
		return aimed(KindPin, pin.GetKey(), field, Content{Pin: &Pin{Unpin: true}})
	}
	return Content{Kind: KindUnsupported, Unsupported: field}
}

// readMessageContext takes what stands beside a message.
func (c *Content) readMessageContext(info *waE2E.MessageContextInfo) {
	if secret := info.GetMessageSecret(); len(secret) == SecretSize {
		c.Secret = secret
	}
	if c.Pin != nil && !c.Pin.Unpin {
		c.Pin.Seconds = int64(info.GetMessageAddOnDurationInSecs())
	}
}

// contextOf is the context inside the message that has one.
func contextOf(m *waE2E.Message) *waE2E.ContextInfo {
	for _, part := range []interface{ GetContextInfo() *waE2E.ContextInfo }{
		m.GetExtendedTextMessage(), m.GetImageMessage(), m.GetVideoMessage(), m.GetPtvMessage(), m.GetAudioMessage(), m.GetDocumentMessage(),
		m.GetStickerMessage(), m.GetLocationMessage(), m.GetLiveLocationMessage(), m.GetContactMessage(), m.GetContactsArrayMessage(),
		pollOf(m), m.GetGroupInviteMessage(), m.GetAlbumMessage(), m.GetButtonsResponseMessage(), m.GetTemplateButtonReplyMessage(),
		m.GetListResponseMessage(), m.GetInteractiveResponseMessage(), m.GetButtonsMessage(), m.GetListMessage(), m.GetInteractiveMessage(),
		m.GetTemplateMessage(), m.GetEventMessage(), m.GetProductMessage(), m.GetOrderMessage(), m.GetStickerPackMessage(),
	} {
		if info := part.GetContextInfo(); info != nil {
			return info
		}
	}
	return nil
}

// readContext takes what a message's own context says.
func (c *Content) readContext(info *waE2E.ContextInfo, depth int) {
	seen := map[types.JID]bool{}
	for _, text := range info.GetMentionedJID() {
		if jid, ok := parseJID(text); ok && isPerson(jid) && !seen[jid] && len(c.Mentions) < MaxMentions {
			seen[jid] = true
			c.Mentions = append(c.Mentions, jid)
		}
	}
	c.MentionAll = info.GetNonJIDMentions() > 0
	if score := count(info.GetForwardingScore()); info.GetIsForwarded() || score > 0 {
		c.Forwarded = max(score, 1)
	}
	c.ExpirationSeconds = int64(info.GetExpiration())
	c.ExpirationSetAt = max(info.GetEphemeralSettingTimestamp(), 0)
	c.ReplyTo = parseReply(info, depth)
}

func parseReply(info *waE2E.ContextInfo, depth int) *Reply {
	if !isMessageID(info.GetStanzaID()) {
		return nil
	}
	reply := &Reply{ID: info.GetStanzaID()}
	if sender, ok := parseJID(info.GetParticipant()); ok && isPerson(sender) {
		reply.Sender = sender
	}
	reply.Chat, _ = parseJID(info.GetRemoteJID())
	quoted, wraps, ok := unwrap(info.GetQuotedMessage(), &depth)
	if !ok || depth >= maxDepth {
		return reply
	}
	said := says(quoted, depth+1)
	if reply.Kind = said.Kind; !said.ViewOnce && !wraps.viewOnce {
		reply.Excerpt = said.excerpt()
	}
	return reply
}

// excerpt is a line of what a message says.
func (c Content) excerpt() string {
	text := c.Text
	switch {
	case text != "":
	case c.Poll != nil:
		text = c.Poll.Name
	case c.Location != nil:
		text = c.Location.Name
	case len(c.Contacts) > 0:
		text = c.Contacts[0].Name
	case c.Media != nil:
		text = c.Media.Filename
	case c.Invite != nil:
		text = c.Invite.Name
	}
	return clean(text, MaxExcerpt)
}
