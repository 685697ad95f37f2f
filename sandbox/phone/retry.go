package phone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

// recentLimit is how many own messages a phone can encrypt again.
const recentLimit = 256

// remembered is an own message that may be asked for again.
type remembered struct {
	ID  string
	To  types.JID
	Raw []byte // the message, serialised, so that later changes do not reach it
}

// Retry makes the children of a retry receipt, which asks a sender to encrypt
// a message anew: count is 1 for the first attempt, t the stamp of the failed
// message. From the second attempt on it carries the phone's keys, one of them
// fresh, so that the sender can start a new session.
func (p *Phone) Retry(id string, t int64, count int) []stanza.Node {
	children := []stanza.Node{
		{Tag: "retry", Attrs: stanza.Attrs{"count": count, "id": id, "t": t, "v": 1}},
		{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, p.RegistrationID())},
	}
	if count > 1 {
		// All but the registration, which stands outside.
		children = append(children, stanza.Node{Tag: "keys", Content: p.Bundle().Nodes()[1:]})
	}
	return children
}

// RetryRequest is a retry receipt that came for one of the phone's messages.
type RetryRequest struct {
	ID     string
	Count  int     // from 1 on
	Bundle *Bundle // nil when the receipt has no keys
}

// ParseRetry reads a retry receipt.
func ParseRetry(receipt *stanza.Node) (RetryRequest, error) {
	retry := stanza.Child(receipt, "retry")
	if retry == nil {
		return RetryRequest{}, errors.New("the receipt has no <retry>")
	}
	count, ok := stanza.Int(retry, "count")
	if !ok || count < 1 || count > 1000 {
		return RetryRequest{}, fmt.Errorf("retry count %q is no count", stanza.Text(retry, "count"))
	}
	request := RetryRequest{ID: stanza.Text(retry, "id"), Count: int(count)}
	if request.ID == "" {
		return RetryRequest{}, errors.New("the retry names no message")
	}
	if stanza.Child(receipt, "keys") != nil {
		bundle, err := ParseBundle(receipt)
		if err != nil {
			return RetryRequest{}, fmt.Errorf("keys of the retry: %w", err)
		}
		request.Bundle = &bundle
	}
	return request, nil
}

// Remember keeps an own message so that it can be sent again. The oldest of
// more than 256 is forgotten.
func (p *Phone) Remember(id string, to types.JID, msg *waE2E.Message) error {
	raw, err := proto.Marshal(msg)
	if err != nil {
		return fmt.Errorf("serialise message %s: %w", id, err)
	}
	p.recent = slices.DeleteFunc(p.recent, func(r remembered) bool { return r.ID == id })
	if len(p.recent) >= recentLimit {
		p.recent = slices.Delete(p.recent, 0, len(p.recent)-recentLimit+1)
	}
	p.recent = append(p.recent, remembered{ID: id, To: to, Raw: raw})
	return nil
}

// Recall returns a copy of a remembered message and the chat it went to.
func (p *Phone) Recall(id string) (to types.JID, msg *waE2E.Message, ok bool) {
	for _, r := range p.recent {
		if r.ID != id {
			continue
		}
		msg = new(waE2E.Message)
		if proto.Unmarshal(r.Raw, msg) != nil {
			return types.EmptyJID, nil, false
		}
		return r.To, msg, true
	}
	return types.EmptyJID, nil, false
}

// Resend answers a retry receipt of one device: it encrypts the message for
// that device alone, in a new session if there is a bundle, and with the
// group's sender key inside if it went to a group. The <enc> has the count of
// the request. Without the message it returns ErrUnknownMessage.
func (p *Phone) Resend(device types.JID, bundle *Bundle, request RetryRequest) (enc stanza.Node, preKey bool, err error) {
	to, msg, ok := p.Recall(request.ID)
	if !ok {
		return stanza.Node{}, false, fmt.Errorf("%w: %s", ErrUnknownMessage, request.ID)
	}
	switch {
	case to.Server == types.GroupServer || to.Server == types.BroadcastServer:
		key, err := p.Distribution(to)
		if err != nil {
			return stanza.Node{}, false, err
		}
		msg.SenderKeyDistributionMessage = key.SenderKeyDistributionMessage
	case p.owns(device) && !p.owns(to):
		msg = DeviceSent(to, msg)
	}
	if bundle != nil {
		if err = p.Establish(device, *bundle); err != nil {
			return stanza.Node{}, false, err
		}
	}
	enc, preKey, err = p.Encrypt(device, nil, msg)
	if err != nil {
		return stanza.Node{}, false, err
	}
	enc.Attrs["count"] = request.Count
	return enc, preKey, nil
}
