package session

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// TestClientLogTellsNoContents logs what whatsmeow logs, in its own words.
func TestClientLogTellsNoContents(t *testing.T) {
	const secret = "meet-me-at-noon"
	node := waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "3EB0", "type": "text", "notify": secret},
		Content: []waBinary.Node{{Tag: "plaintext", Content: []byte(secret)}}}
	strange := &whatsmeow.IQError{RawNode: &node}
	var out bytes.Buffer
	log := clientLog{log: zerolog.New(&out)}.Sub("Client").Sub("Recv")
	for _, write := range []func(string, ...any){log.Debugf, log.Infof, log.Warnf, log.Errorf} {
		write("Node handling took %s for %s", 6*time.Second, &node)
		write("Got prekey count from server: %s", node)
		write("Errored frame hex: %x", []byte(secret))
		write("Unexpected children: %+v", []waBinary.Node{node})
		write("Failed to do something: %v", fmt.Errorf("do it: %w", strange))
		write("Failed to do something: %s", strange.Error())
		write("Message: %v, %+v", &waE2E.Message{Conversation: proto.String(secret)}, struct{ Text string }{secret})
		write("Text: %s", strings.Repeat("x", longestText)+secret)
		write("Message decryption for %s panicked: %v\n%s", types.MessageID("3EB1"), errors.New("a defect"), debug.Stack())
	}
	text := out.String()
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), "<plaintext"} {
		if strings.Contains(text, form) {
			t.Errorf("the log holds %q: %s", form, text)
		}
	}
	for _, useful := range []string{"took 6s for (message id=3EB0 type=text)", `"sublogger":"Client/Recv"`, "do it: info query returned", "3EB1 panicked: a defect", "goroutine ", `"level":"warn"`} {
		if !strings.Contains(text, useful) {
			t.Errorf("the log does not say %q: %s", useful, text)
		}
	}
	if strings.Contains(text, `"level":"debug"`) {
		t.Error("debug lines are written")
	}
}

// TestCausesTellNoContents: the cause of a fault is logged by others.
func TestCausesTellNoContents(t *testing.T) {
	strange := &whatsmeow.IQError{RawNode: &waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"key": "a-secret"}}}
	got := translate(Read, fmt.Errorf("ask: %w", strange))
	if !errors.Is(got, strange) && !errors.As(got, new(*whatsmeow.IQError)) || strings.Contains(got.Error(), "a-secret") {
		t.Errorf("got %v", got)
	}
}
