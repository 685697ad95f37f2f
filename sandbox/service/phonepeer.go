package service

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// introduce gives a companion, when it first signs in, what it needs from its
// phone: the app-state key and the first history. Baileys waits for the latter.
func (w *World) introduce(d *Device) {
	if d.Introduced {
		return
	}
	// The signed key it was linked with is enough for a session. To ask for a
	// one-time key would find none yet, and have the client upload a second
	// time while it uploads its first: Baileys 6 then mixes the two up.
	own := d.Account.Phone
	err := own.Establish(d.LIDJID(), d.Keys.bundle(nil))
	if err != nil {
		w.log.Error().Err(err).Stringer("device", d.PNJID()).Msg("The phone cannot start a session with a companion")
		return
	}
	messages, err := own.Welcome(d.LIDJID(), w.opts.Now())
	if err != nil {
		w.log.Error().Err(err).Stringer("device", d.PNJID()).Msg("The phone cannot welcome a companion")
		return
	}
	for _, message := range messages {
		w.phoneTells(d, message)
	}
	d.Introduced = true
}

// phoneTells sends a companion a message of its own phone that no person sees.
func (w *World) phoneTells(d *Device, message *waE2E.Message) {
	a := d.Account
	enc, err := w.encryptFor(a, party{a, d.ID}, message)
	if err != nil {
		w.log.Error().Err(err).Stringer("device", d.PNJID()).Msg("The phone cannot encrypt for a companion")
		return
	}
	id := "3EB0" + strings.ToUpper(w.token(9))
	if err := a.Phone.Remember(id, a.LID, message); err != nil {
		w.log.Error().Err(err).Msg("The phone cannot remember a message")
	}
	w.push(d, stanza.Node{Tag: "message", Attrs: stanza.Attrs{
		"from": a.PN, "id": id, "type": "text", "category": "peer",
		"t": w.opts.Now().Unix(), "peer_recipient_lid": a.LID,
	}, Content: []stanza.Node{{Tag: "meta", Attrs: stanza.Attrs{"appdata": "default"}}, enc}})
}

// phoneServes answers what a companion asks of its phone: the app-state key, or
// messages that it could not read.
func (w *World) phoneServes(a *Account, received phone.Received) {
	d := a.Devices[received.From.Device]
	if d == nil || !received.FromMe {
		return
	}
	switch received.Kind {
	case phone.KindKeyRequest:
		share, err := a.Phone.KeyShare(w.opts.Now())
		if err != nil {
			w.log.Error().Err(err).Str("phone", a.PN.User).Msg("The phone cannot share its key")
			return
		}
		w.phoneTells(d, share)
	case phone.KindPeerData:
		w.resendPlaceholders(d, received)
	}
}

// resendPlaceholders gives a companion the messages it could not read, as far
// as the phone has them. Other wishes for data, such as more history, go
// unanswered, as by a phone that is switched off.
func (w *World) resendPlaceholders(d *Device, received phone.Received) {
	request := received.Message.GetProtocolMessage().GetPeerDataOperationRequestMessage()
	kind := waE2E.PeerDataOperationRequestType_PLACEHOLDER_MESSAGE_RESEND
	if request.GetPeerDataOperationRequestType() != kind {
		w.log.Debug().Stringer("kind", request.GetPeerDataOperationRequestType()).Msg("The phone leaves a request for data unanswered")
		return
	}
	var results []*waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult
	for _, wish := range request.GetPlaceholderMessageResendRequest() {
		raw := w.storedMessage(d.Account, wish.GetMessageKey())
		if raw == nil {
			continue
		}
		results = append(results, &waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult{
			PlaceholderMessageResendResponse: &waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult_PlaceholderMessageResendResponse{
				WebMessageInfoBytes: raw,
			},
		})
	}
	if len(results) == 0 {
		return
	}
	w.phoneTells(d, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE.Enum(),
		PeerDataOperationRequestResponseMessage: &waE2E.PeerDataOperationRequestResponseMessage{
			PeerDataOperationRequestType: kind.Enum(), StanzaID: proto.String(received.ID), PeerDataOperationResult: results,
		},
	}})
}

// storedMessage finds a message in the phone's inbox and writes it in the form
// of history, or returns nil.
func (w *World) storedMessage(a *Account, key *waCommon.MessageKey) []byte {
	for _, m := range a.Inbox {
		if m.ID != key.GetID() || m.Message == nil {
			continue
		}
		info := &waWeb.WebMessageInfo{
			Key: &waCommon.MessageKey{
				RemoteJID: proto.String(m.Chat.String()), FromMe: proto.Bool(m.FromMe), ID: proto.String(m.ID),
			},
			Message: m.Message, MessageTimestamp: proto.Uint64(uint64(m.At.Unix())),
		}
		if g, ok := w.groups.Get(m.Chat); ok {
			if sender, known := w.party(m.From.ToNonAD()); known {
				info.Key.Participant = proto.String(sender.jid(byLID(g)).String())
			}
		}
		raw, err := proto.Marshal(info)
		if err != nil {
			w.log.Error().Err(err).Str("id", m.ID).Msg("The phone cannot write a message out")
			return nil
		}
		return raw
	}
	return nil
}
