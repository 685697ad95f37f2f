package service_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
	"muster/sandbox/stanza"
)

func TestResetEndsTheWaitForACode(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	c, _ := offered(t, srv)
	code, err := c.PairPhone(t.Context(), alice, false, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		t.Fatal(err)
	}
	// The client's answer to the code is read and not taken in yet.
	addFault(t, srv, fault.Fault{
		Match:  fault.Match{Tag: "iq", XMLNS: "md", Child: "link_code_companion_reg"},
		Effect: fault.Script{DelayMS: int(time.Minute / time.Millisecond)},
	})
	result := make(chan error, 1)
	go func() {
		_, err := srv.EnterCode(t.Context(), alice, code)
		result <- err
	}()
	eventually(t, "the client's answer", func() bool { return srv.Stats().Stanzas["iq:md:set:link_code_companion_reg"] == 2 })
	srv.Reset()
	select {
	case err := <-result:
		if !errors.Is(err, service.ErrLinkLost) {
			t.Errorf("the code: %v, want ErrLinkLost", err)
		}
	case <-time.After(patience):
		t.Error("whoever typed the code waits for ever")
	}
}

func TestResetEndsTheWaitForAScan(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	c, codes := offered(t, srv)
	asked, answer := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(answer) })
	c.PrePairCallback = func(types.JID, string, string) bool {
		close(asked)
		<-answer
		return false
	}
	result := make(chan error, 1)
	go func() {
		_, err := srv.ScanQR(t.Context(), alice, codes[0])
		result <- err
	}()
	<-asked
	srv.Reset()
	if err := <-result; !errors.Is(err, service.ErrLinkLost) {
		t.Errorf("the scan: %v, want ErrLinkLost", err)
	}
}

func TestResetKeepsWhatWasNotKnown(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	sandboxtest.Expect(t, srv, "iq:nonsense:get")
	a := sandboxtest.Link(t, srv, alice)
	err := a.DangerousInternals().SendNode(t.Context(), stanza.Node{Tag: "iq", Attrs: stanza.Attrs{
		"to": types.ServerJID, "id": "q1", "type": "get", "xmlns": "nonsense",
	}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request", func() bool { return len(srv.Stats().Unknown) == 1 })
	srv.Reset()
	if list := srv.Stats().Unknown; len(list) != 0 {
		t.Errorf("the new world does not know %v", list)
	}
	if list := srv.Unexpected(); !slices.Equal(list, []string{"iq:nonsense:get"}) {
		t.Errorf("the harness hears of %v", list)
	}
}
