package phone

import (
	"bytes"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

func TestOpenFile(t *testing.T) {
	t.Parallel()
	plain := []byte("what the file says")
	sealed, f, err := sealFile(seeded(1), fileKinds[KindImage].label, plain)
	must(t, err)
	image := func() *waE2E.ImageMessage {
		return &waE2E.ImageMessage{
			DirectPath: proto.String("/x"), MediaKey: f.key, FileSHA256: f.sha256, FileEncSHA256: f.encSHA256, FileLength: &f.size,
		}
	}
	host := func(content []byte) func(string) ([]byte, bool) {
		return func(path string) ([]byte, bool) { return content, path == "/x" }
	}
	got, err := OpenFile(&waE2E.Message{ImageMessage: image()}, host(sealed))
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("the file opens as %q, %v", got, err)
	}
	for name, spoil := range map[string]func(*waE2E.ImageMessage){
		"no key":         func(m *waE2E.ImageMessage) { m.MediaKey = nil },
		"another key":    func(m *waE2E.ImageMessage) { m.MediaKey = make([]byte, 32) },
		"another hash":   func(m *waE2E.ImageMessage) { m.FileSHA256 = make([]byte, 32) },
		"another sealed": func(m *waE2E.ImageMessage) { m.FileEncSHA256 = nil },
		"another size":   func(m *waE2E.ImageMessage) { m.FileLength = proto.Uint64(1) },
		"another place":  func(m *waE2E.ImageMessage) { m.DirectPath = proto.String("/y") },
	} {
		m := image()
		spoil(m)
		if _, err := OpenFile(&waE2E.Message{ImageMessage: m}, host(sealed)); !errors.Is(err, ErrNoFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenFile(&waE2E.Message{ImageMessage: image()}, host([]byte("short"))); !errors.Is(err, ErrNoFile) {
		t.Errorf("a short file: %v", err)
	}
	if _, err := OpenFile(textMessage("x"), host(sealed)); !errors.Is(err, ErrNoFile) {
		t.Errorf("a text has a file: %v", err)
	}
}

// A vote opens under the names it was sealed with and under no others, and what
// is broken about it is an error and no panic.
func TestOpenVote(t *testing.T) {
	t.Parallel()
	p, _ := established(t)
	poll, err := p.Compose(Content{Kind: KindPoll, Text: "Q", Poll: &Poll{Options: []string{"a", "b"}}}, Scene{Chat: testGroup})
	must(t, err)
	target := Target{ID: "P", Sender: testLID, Message: poll}
	sealed, err := p.sealVote(target, peerLID, []string{"b"})
	must(t, err)
	vote := &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{Vote: sealed}}
	people := []types.JID{testLID, peerLID}
	if got, err := OpenVote(poll, vote, "P", people, people); err != nil || len(got) != 1 || got[0] != "b" {
		t.Errorf("the vote is for %q, %v", got, err)
	}
	for name, open := range map[string]func() ([]string, error){
		"another poll":  func() ([]string, error) { return OpenVote(poll, vote, "Q", people, people) },
		"another voter": func() ([]string, error) { return OpenVote(poll, vote, "P", people, people[:1]) },
		"no poll":       func() ([]string, error) { return OpenVote(nil, vote, "P", people, people) },
		"no vote":       func() ([]string, error) { return OpenVote(poll, nil, "P", people, people) },
		"a short vector": func() ([]string, error) {
			short := &waE2E.PollEncValue{EncIV: []byte{1}, EncPayload: sealed.EncPayload}
			return OpenVote(poll, &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{Vote: short}}, "P", people, people)
		},
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: it opens as %q", name, got)
		}
	}
	if _, err := p.sealVote(target, peerLID, []string{"c"}); err == nil {
		t.Error("a vote for an option that the poll does not have")
	}
}
