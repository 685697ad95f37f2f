package phone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

// Devices are named by JID in all of Signal. A device's phone and LID forms
// are different sessions; clients use the LID wherever they know it, and so
// should callers.

// HasSession tells whether Encrypt can do without a bundle.
func (p *Phone) HasSession(device types.JID) bool {
	return p.vault.canSend(address(device).String())
}

// Establish starts a new session from the bundle, in place of the one there
// may be; what is still under way in the old one can be read nevertheless.
func (p *Phone) Establish(device types.JID, bundle Bundle) error {
	err := guard(func() error {
		return p.builder(device).ProcessBundle(context.Background(), bundle.signal(device))
	})
	if err != nil {
		return fmt.Errorf("start a session with %s: %w", device, err)
	}
	return nil
}

// Forget drops the session with a device, and its identity.
func (p *Phone) Forget(device types.JID) {
	delete(p.vault.Sessions, address(device).String())
	delete(p.vault.Identities, address(device).String())
}

// Encrypt makes the <enc> of a message for one device. The bundle is used, and
// needed, when there is no session yet; otherwise ErrNoSession. preKey tells
// that it is a pkmsg, from which the receiver can start its side of the
// session: all messages are until the first answer.
func (p *Phone) Encrypt(device types.JID, bundle *Bundle, msg *waE2E.Message) (enc stanza.Node, preKey bool, err error) {
	if !p.HasSession(device) {
		if bundle == nil {
			return stanza.Node{}, false, fmt.Errorf("%w: %s", ErrNoSession, device)
		}
		if err = p.Establish(device, *bundle); err != nil {
			return stanza.Node{}, false, err
		}
	}
	plaintext, err := p.plaintext(msg)
	if err != nil {
		return stanza.Node{}, false, err
	}
	var ciphertext protocol.CiphertextMessage
	err = guard(func() (inner error) {
		ciphertext, inner = session.NewCipher(p.builder(device), address(device)).Encrypt(context.Background(), plaintext)
		return inner
	})
	if err != nil {
		return stanza.Node{}, false, fmt.Errorf("encrypt for %s: %w", device, err)
	}
	kind := "msg"
	if ciphertext.Type() == protocol.PREKEY_TYPE {
		kind = "pkmsg"
	}
	return encNode(kind, ciphertext.Serialize(), msg), kind == "pkmsg", nil
}

// EncryptGroup makes the <enc> that all devices of a group share, and the
// message that carries the key to it, which is to be Encrypt()ed for each
// device that may not have it. The key stays the same until RotateSenderKey.
func (p *Phone) EncryptGroup(group types.JID, msg *waE2E.Message) (skmsg stanza.Node, distribution *waE2E.Message, err error) {
	plaintext, err := p.plaintext(msg)
	if err != nil {
		return stanza.Node{}, nil, err
	}
	// The distribution holds the chain as it is before this message.
	if distribution, err = p.Distribution(group); err != nil {
		return stanza.Node{}, nil, err
	}
	var ciphertext protocol.GroupCiphertextMessage
	err = guard(func() (inner error) {
		groupCipher := groups.NewGroupCipher(p.groupBuilder(), p.senderKeyName(group, p.LID()), p.device)
		ciphertext, inner = groupCipher.Encrypt(context.Background(), plaintext)
		return inner
	})
	if err != nil {
		return stanza.Node{}, nil, fmt.Errorf("encrypt for %s: %w", group, err)
	}
	return encNode("skmsg", ciphertext.SignedSerialize(), msg), distribution, nil
}

// Distribution makes the message with the phone's sender key for a group as it
// stands: who has it can read what follows, not what came before.
func (p *Phone) Distribution(group types.JID) (*waE2E.Message, error) {
	if group.Server != types.GroupServer && group.Server != types.BroadcastServer {
		return nil, fmt.Errorf("%s is not a group", group)
	}
	var key *protocol.SenderKeyDistributionMessage
	err := guard(func() (inner error) {
		key, inner = p.groupBuilder().Create(context.Background(), p.senderKeyName(group, p.LID()))
		return inner
	})
	if err != nil {
		return nil, fmt.Errorf("make the sender key for %s: %w", group, err)
	}
	return &waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{
		GroupID:                             proto.String(group.String()),
		AxolotlSenderKeyDistributionMessage: key.Serialize(),
	}}, nil
}

// RotateSenderKey makes the next message to the group use a new sender key, as
// phones do after someone has left.
func (p *Phone) RotateSenderKey(group types.JID) {
	p.vault.dropSenderKey(group.String(), address(p.LID()))
}

// DeviceSent wraps a message for the sender's own other devices: it tells them
// which chat it went to. Groups need no wrapping.
func DeviceSent(chat types.JID, msg *waE2E.Message) *waE2E.Message {
	return &waE2E.Message{
		DeviceSentMessage: &waE2E.DeviceSentMessage{
			DestinationJID: proto.String(chat.String()),
			Message:        msg,
		},
		MessageContextInfo: msg.GetMessageContextInfo(),
	}
}

func (p *Phone) builder(device types.JID) *session.Builder {
	return session.NewBuilderFromSignal(p.device, address(device), store.SignalProtobufSerializer)
}

func (p *Phone) groupBuilder() *groups.SessionBuilder {
	return groups.NewGroupSessionBuilder(p.device, store.SignalProtobufSerializer)
}

func (p *Phone) senderKeyName(group, sender types.JID) *protocol.SenderKeyName {
	return protocol.NewSenderKeyName(group.String(), address(sender))
}

// plaintext serialises a message and pads it as clients do: with one to
// fifteen bytes, each of which is their number.
func (p *Phone) plaintext(msg *waE2E.Message) ([]byte, error) {
	if msg == nil {
		return nil, errors.New("there is no message to encrypt")
	}
	plaintext, err := proto.Marshal(msg)
	if err != nil {
		return nil, fmt.Errorf("serialise the message: %w", err)
	}
	draw, err := randomBytes(p.random, 1)
	if err != nil {
		return nil, fmt.Errorf("draw the padding: %w", err)
	}
	count := int(draw[0] & 0x0f)
	if count == 0 {
		count = 15
	}
	return slices.Concat(plaintext, bytes.Repeat([]byte{byte(count)}, count)), nil
}

// unpad takes the padding of plaintext off.
func unpad(plaintext []byte) ([]byte, error) {
	if len(plaintext) == 0 {
		return nil, errors.New("the plaintext is empty")
	}
	count := int(plaintext[len(plaintext)-1])
	body, padded := bytes.CutSuffix(plaintext, bytes.Repeat([]byte{byte(count)}, count))
	if !padded {
		return nil, errors.New("the plaintext is not padded")
	}
	return body, nil
}

func encNode(kind string, ciphertext []byte, msg *waE2E.Message) stanza.Node {
	attrs := stanza.Attrs{"v": "2", "type": kind}
	if media := mediaType(msg); media != "" {
		attrs["mediatype"] = media
	}
	return stanza.Node{Tag: "enc", Attrs: attrs, Content: ciphertext}
}
