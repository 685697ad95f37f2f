package content_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muster/messages/content"
)

// FuzzParse feeds what a stranger may send: whatever decodes as a message is
// read without a panic, can be stored and read again, is of a bounded size, and
// is sent on or refused.
func FuzzParse(f *testing.F) {
	for _, sample := range samples() {
		message, err := sample.Build(now)
		if err != nil {
			f.Fatal(err)
		}
		encoded, err := proto.Marshal(message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var message waE2E.Message
		if proto.Unmarshal(encoded, &message) != nil {
			return
		}
		got := content.Parse(&message)
		stored := asJSON(t, got)
		var again content.Content
		if err := json.Unmarshal(stored, &again); err != nil {
			t.Fatalf("stored, it cannot be read: %v\n%s", err, stored)
		}
		if second := asJSON(t, again); string(second) != string(stored) {
			t.Fatalf("stored, it changes:\n%s\n%s", stored, second)
		}
		checkTexts(t, reflect.ValueOf(got))
		if len(got.Mentions) > content.MaxMentions || len(got.Contacts) > content.MaxContacts || got.Media != nil && len(got.Media.Thumbnail) > content.MaxThumbnail {
			t.Fatalf("it is too large: %s", stored)
		}
		if forwarded, err := got.Forward(); err == nil {
			_, _ = forwarded.Build(now) // must not panic; it may be refused
		}
		_, _ = got.Build(now)
		_, _ = got.Downloadable()
		reply := content.Content{Kind: content.KindText, Text: "x", ReplyTo: &content.Reply{ID: "3EB0", Sender: anna, Quoted: &got}}
		if _, err := reply.Build(now); err != nil {
			t.Fatalf("it cannot be replied to: %v", err)
		}
	})
}

// checkTexts looks at every string, however deep.
func checkTexts(t *testing.T, value reflect.Value) {
	t.Helper()
	switch value.Kind() {
	case reflect.String:
		if text := value.String(); !utf8.ValidString(text) || strings.ContainsRune(text, 0) || len(text) > 4*content.MaxText {
			t.Fatalf("the text %.40q cannot be stored", text)
		}
	case reflect.Pointer:
		if !value.IsNil() {
			checkTexts(t, value.Elem())
		}
	case reflect.Struct:
		for i := range value.NumField() {
			checkTexts(t, value.Field(i))
		}
	case reflect.Slice:
		for i := range value.Len() {
			checkTexts(t, value.Index(i))
		}
	}
}
