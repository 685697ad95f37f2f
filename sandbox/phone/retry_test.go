package phone

import (
	"errors"
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"

	"muster/sandbox/stanza"
)

// wire sends a node through whatsmeow's codec.
func wire(t testing.TB, n stanza.Node) *stanza.Node {
	t.Helper()
	data, err := waBinary.Marshal(n)
	must(t, err)
	plain, err := waBinary.Unpack(data)
	must(t, err)
	got, err := waBinary.Unmarshal(plain)
	must(t, err)
	return got
}

// The phone lost its session; whatsmeow builds a new one from the receipt.
func TestRetryReceiptOfPhone(t *testing.T) {
	p := newPhone(t)
	c := linked(t, newPeer(t), 1)
	b := p.Bundle()
	c.encrypt(t, testLID, &b, textMessage("lost"))

	receipt := wire(t, stanza.Node{Tag: "receipt", Content: p.Retry("A", testTime.Unix(), 1)})
	request, err := ParseRetry(receipt)
	must(t, err)
	if request.ID != "A" || request.Count != 1 || request.Bundle != nil {
		t.Errorf("first receipt asks %+v", request)
	}
	receipt = wire(t, stanza.Node{Tag: "receipt", Content: p.Retry("A", testTime.Unix(), 2)})
	request, err = ParseRetry(receipt)
	must(t, err)
	if request.Count != 2 || request.Bundle == nil || request.Bundle.PreKey == nil {
		t.Fatalf("second receipt asks %+v", request)
	}
	enc := c.encrypt(t, testLID, request.Bundle, textMessage("again"))
	p.wantText(t, c.lid, peerLID, message("A", enc), "again")
}

// A companion lost its sender key and session; the phone sends once more.
func TestResendToGroupMember(t *testing.T) {
	p := newPhone(t)
	c := linked(t, newPeer(t), 1)
	msg := textMessage("hello")
	_, _, err := p.EncryptGroup(testGroup, msg)
	must(t, err)
	must(t, p.Remember("A", testGroup, msg))

	enc, preKey, err := p.Resend(c.lid, c.bundle(t, true), RetryRequest{ID: "A", Count: 2})
	must(t, err)
	if !preKey || enc.Attrs["count"] != 2 {
		t.Errorf("<enc> has %v", enc.Attrs)
	}
	got := c.decrypt(t, enc, testLID)
	if got.GetConversation() != "hello" {
		t.Errorf("whatsmeow read %q", got.GetConversation())
	}
	c.DangerousInternals().HandleSenderKeyDistributionMessage(t.Context(), testGroup, testLID,
		got.GetSenderKeyDistributionMessage().GetAxolotlSenderKeyDistributionMessage())
	next, _, err := p.EncryptGroup(testGroup, textMessage("next"))
	must(t, err)
	read, err := c.decryptGroup(t, next, testLID)
	must(t, err)
	if read.GetConversation() != "next" {
		t.Errorf("whatsmeow read %q", read.GetConversation())
	}
}

func TestResendToOwnCompanion(t *testing.T) {
	p := newPhone(t)
	c := linked(t, p, 1)
	must(t, p.Remember("A", peerLID, textMessage("hello")))
	enc, _, err := p.Resend(c.lid, c.bundle(t, true), RetryRequest{ID: "A", Count: 1})
	must(t, err)
	if got := c.decrypt(t, enc, testLID).GetDeviceSentMessage(); got.GetMessage().GetConversation() != "hello" {
		t.Errorf("whatsmeow read %v", got)
	}
	// What was for the companion itself is not wrapped.
	must(t, p.Remember("B", c.lid, textMessage("for you")))
	enc, _, err = p.Resend(c.lid, nil, RetryRequest{ID: "B", Count: 1})
	must(t, err)
	if got := c.decrypt(t, enc, testLID); got.GetConversation() != "for you" {
		t.Errorf("whatsmeow read %v", got)
	}
}

func TestRememberIsBounded(t *testing.T) {
	p := newPhone(t)
	for i := range recentLimit + 10 {
		must(t, p.Remember(fmt.Sprint(i), peerLID, textMessage(fmt.Sprint(i))))
	}
	must(t, p.Remember("20", peerLID, textMessage("changed")))
	if len(p.recent) != recentLimit {
		t.Errorf("%d messages are remembered", len(p.recent))
	}
	if _, _, ok := p.Recall("9"); ok {
		t.Error("the oldest is still there")
	}
	to, msg, ok := p.Recall("20")
	if !ok || to != peerLID || msg.GetConversation() != "changed" {
		t.Errorf("recalled %v for %v", msg, to)
	}
	_, _, err := p.Resend(peerLID, nil, RetryRequest{ID: "9", Count: 1})
	if !errors.Is(err, ErrUnknownMessage) {
		t.Errorf("error %v, want ErrUnknownMessage", err)
	}
}

func TestParseRetryRefuses(t *testing.T) {
	retry := func(count, id string) stanza.Node {
		return stanza.Node{Tag: "retry", Attrs: stanza.Attrs{"count": count, "id": id}}
	}
	keys := stanza.Node{Tag: "keys"}
	registration := stanza.Node{Tag: "registration", Content: make([]byte, 4)}
	for name, children := range map[string][]stanza.Node{
		"no retry":     nil,
		"no count":     {retry("", "A")},
		"count zero":   {retry("0", "A")},
		"no id":        {retry("1", "")},
		"no keys":      {retry("1", "A"), keys},
		"no identity":  {retry("1", "A"), registration, keys},
		"short number": {retry("1", "A"), {Tag: "registration", Content: []byte{1}}, keys},
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := ParseRetry(&stanza.Node{Tag: "receipt", Content: children}); err == nil {
				t.Errorf("read %+v", r)
			}
		})
	}
}

func TestParseBundleRefuses(t *testing.T) {
	whole := newPhone(t).Bundle()
	for i, n := range whole.Nodes() {
		if n.Tag == "type" {
			continue
		}
		nodes := whole.Nodes()
		nodes[i].Content = []byte("short")
		if b, err := ParseBundle(&stanza.Node{Tag: "user", Content: nodes}); err == nil {
			t.Errorf("read %+v with a broken <%s>", b, n.Tag)
		}
	}
}
