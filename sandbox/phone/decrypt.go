package phone

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

// Received is a message that the phone could read.
type Received struct {
	ID   string
	From types.JID // the device that sent it
	// Chat is the group or the other party; of a message that an own companion
	// sent to someone it is that someone.
	Chat types.JID
	At   time.Time // as stamped by the service; zero when it was not
	// FromMe tells that another device of the same account sent it.
	FromMe  bool
	Message *waE2E.Message
	Text    string // what a person would read of it, "" for much
	Kind    string // one of the Kind constants
	// Content is all that the message says.
	Content Content
}

// Decrypt opens every <enc> of a message for this phone: first what is
// addressed to it alone (pkmsg and msg, with the sender keys they may bring),
// then what the whole group shares (skmsg). from is the sending device, as a
// LID wherever that is known, and chat the group or the other party.
//
// On an error the returned Received has everything but the content, and
// NeedsRetry tells whether a retry receipt is due. Sender keys that came with
// a message are kept even if the rest of it could not be read. A peer whose
// identity key has changed is trusted.
func (p *Phone) Decrypt(from, chat types.JID, message *stanza.Node) (Received, error) {
	r := Received{ID: stanza.Text(message, "id"), From: from, Chat: chat, FromMe: p.owns(from)}
	if t, ok := stanza.Int(message, "t"); ok && t > 0 {
		r.At = time.Unix(t, 0)
	}
	direct, shared, err := splitEncs(message)
	if err != nil {
		return r, err
	}
	var content *waE2E.Message
	for _, enc := range direct {
		opened, err := p.open(enc, func(kind string, ciphertext []byte) ([]byte, error) {
			return p.openDirect(from, kind, ciphertext)
		})
		if err != nil {
			return r, err
		}
		if err = p.learnSenderKey(from, chat, opened); err != nil {
			return r, err
		}
		content = prefer(content, opened)
	}
	for _, enc := range shared {
		opened, err := p.open(enc, func(_ string, ciphertext []byte) ([]byte, error) {
			return p.openShared(from, chat, ciphertext)
		})
		if err != nil {
			return r, err
		}
		content = prefer(content, opened)
	}
	p.describe(&r, content)
	return r, nil
}

// splitEncs sorts the ciphertexts of a message into the two kinds.
func splitEncs(message *stanza.Node) (direct, shared []stanza.Node, err error) {
	for _, enc := range stanza.Children(message, "enc") {
		switch kind := stanza.Text(&enc, "type"); kind {
		case "pkmsg", "msg":
			direct = append(direct, enc)
		case "skmsg":
			shared = append(shared, enc)
		default:
			return nil, nil, fmt.Errorf("%w: <enc> of type %q", ErrUndecryptable, kind)
		}
	}
	if len(direct)+len(shared) == 0 {
		return nil, nil, ErrNoCiphertext
	}
	return direct, shared, nil
}

// prefer picks the content out of a message's parts: a part that only brings a
// sender key is none if there is another.
func prefer(old, opened *waE2E.Message) *waE2E.Message {
	if old != nil && classify(opened) == KindSenderKey {
		return old
	}
	return opened
}

// open decrypts one <enc>, takes the padding off and parses what remains.
func (p *Phone) open(enc stanza.Node, decrypt func(kind string, ciphertext []byte) ([]byte, error)) (*waE2E.Message, error) {
	if version := stanza.Text(&enc, "v"); version != "2" {
		return nil, fmt.Errorf("%w: <enc> of version %q", ErrUndecryptable, version)
	}
	var plaintext []byte
	err := guard(func() (inner error) {
		plaintext, inner = decrypt(stanza.Text(&enc, "type"), stanza.Bytes(&enc))
		return inner
	})
	if err != nil {
		return nil, decryptError(err)
	}
	body, err := unpad(plaintext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUndecryptable, err)
	}
	opened := new(waE2E.Message)
	if err = proto.Unmarshal(body, opened); err != nil {
		return nil, fmt.Errorf("%w: not a message: %w", ErrUndecryptable, err)
	}
	return opened, nil
}

// openDirect decrypts a pkmsg or msg.
func (p *Phone) openDirect(from types.JID, kind string, ciphertext []byte) ([]byte, error) {
	ctx := context.Background()
	serializer := store.SignalProtobufSerializer
	cipher := session.NewCipher(p.builder(from), address(from))
	if kind == "pkmsg" {
		parsed, err := protocol.NewPreKeySignalMessageFromBytes(ciphertext, serializer.PreKeySignalMessage, serializer.SignalMessage)
		if err != nil {
			return nil, fmt.Errorf("parse the pre-key message: %w", err)
		}
		return cipher.DecryptMessage(ctx, parsed)
	}
	parsed, err := protocol.NewSignalMessageFromBytes(ciphertext, serializer.SignalMessage)
	if err != nil {
		return nil, fmt.Errorf("parse the message: %w", err)
	}
	return cipher.Decrypt(ctx, parsed)
}

// openShared decrypts an skmsg.
func (p *Phone) openShared(from, chat types.JID, ciphertext []byte) ([]byte, error) {
	parsed, err := protocol.NewSenderKeyMessageFromBytes(ciphertext, store.SignalProtobufSerializer.SenderKeyMessage)
	if err != nil {
		return nil, fmt.Errorf("parse the group message: %w", err)
	}
	cipher := groups.NewGroupCipher(p.groupBuilder(), p.senderKeyName(chat, from), p.device)
	return cipher.Decrypt(context.Background(), parsed)
}

// learnSenderKey keeps the sender key that a message brings. It is filed under
// the chat the message came through and not under the group it names, so that
// nobody can set keys for a group from outside it.
func (p *Phone) learnSenderKey(from, chat types.JID, opened *waE2E.Message) error {
	if inner := opened.GetDeviceSentMessage().GetMessage(); inner != nil && p.owns(from) {
		opened = inner
	}
	key := opened.GetSenderKeyDistributionMessage()
	if key == nil || (chat.Server != types.GroupServer && chat.Server != types.BroadcastServer) {
		return nil
	}
	err := guard(func() error {
		parsed, err := protocol.NewSenderKeyDistributionMessageFromBytes(key.GetAxolotlSenderKeyDistributionMessage(),
			store.SignalProtobufSerializer.SenderKeyDistributionMessage)
		if err != nil {
			return err
		}
		if len(parsed.ChainKey()) != 32 {
			return errors.New("the chain key does not have 32 bytes")
		}
		return p.groupBuilder().Process(context.Background(), p.senderKeyName(chat, from), parsed)
	})
	if err != nil {
		return fmt.Errorf("%w: sender key: %w", ErrUndecryptable, err)
	}
	return nil
}

// describe fills in the content. A device-sent wrapper counts only from an own
// device, or anyone could put words into the owner's mouth.
func (p *Phone) describe(r *Received, content *waE2E.Message) {
	if sent := content.GetDeviceSentMessage(); sent.GetMessage() != nil && r.FromMe {
		if chat, err := types.ParseJID(sent.GetDestinationJID()); err == nil && chat.User != "" {
			r.Chat = chat
		}
		content = sent.GetMessage()
	}
	r.Message, r.Content = content, Read(content)
	r.Kind, r.Text = r.Content.Kind, r.Content.Text
}
