package sandboxtest_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/stanza"
)

// trial is a test within the test: it notes whether it would have failed.
type trial struct {
	testing.TB
	cleanups []func()
	failed   bool
}

func (t *trial) Cleanup(do func())     { t.cleanups = append(t.cleanups, do) }
func (t *trial) Errorf(string, ...any) { t.failed = true }

// end runs the cleanups as testing does: the last one first.
func (t *trial) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}

func TestUnknownStanzasFailTheTest(t *testing.T) {
	t.Parallel()
	say := func(t *testing.T, srv *sandbox.Server) {
		t.Helper()
		if _, err := srv.AddPhone(sandbox.PhoneOptions{Number: "4915100000001"}); err != nil {
			t.Fatal(err)
		}
		c := sandboxtest.Link(t, srv, "4915100000001")
		id := c.GenerateMessageID()
		answer := c.DangerousInternals().WaitResponse(id)
		err := c.DangerousInternals().SendNode(t.Context(), stanza.Node{Tag: "iq", Attrs: stanza.Attrs{
			"to": types.ServerJID, "id": id, "type": "get", "xmlns": "nonsense",
		}})
		if err != nil {
			t.Fatal(err)
		}
		<-answer
		c.Disconnect()
	}
	for name, test := range map[string]struct {
		act    func(t *testing.T, srv *sandbox.Server)
		expect []string
		fails  bool
	}{
		"nothing sent":          {func(*testing.T, *sandbox.Server) {}, nil, false},
		"sent":                  {say, nil, true},
		"sent before a reset":   {func(t *testing.T, srv *sandbox.Server) { say(t, srv); srv.Reset() }, nil, true},
		"sent as expected":      {say, []string{"iq:nonsense:get"}, false},
		"expected and not sent": {func(*testing.T, *sandbox.Server) {}, []string{"iq:nonsense:get"}, true},
		"another one expected":  {say, []string{"iq:nonsense:set"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := &trial{TB: t}
			srv := sandboxtest.Start(inner)
			if test.expect != nil {
				sandboxtest.Expect(inner, srv, test.expect...)
			}
			test.act(t, srv)
			inner.end()
			if inner.failed != test.fails {
				t.Errorf("the test fails: %v, want %v", inner.failed, test.fails)
			}
		})
	}
}
