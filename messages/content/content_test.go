package content_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/internal/fault"
	"muster/messages/content"
)

var (
	now   = time.UnixMilli(1_790_000_000_123)
	group = types.NewJID("120363012345678901", types.GroupServer)
	anna  = types.NewJID("6281110000001", types.DefaultUserServer)
	budi  = types.NewJID("100000000000002", types.HiddenUserServer)
)

func file(change func(*content.Media)) *content.Media {
	media := &content.Media{
		Mimetype: "image/jpeg", Size: 1234, SHA256: bytes.Repeat([]byte{1}, 32), EncSHA256: bytes.Repeat([]byte{2}, 32),
		Key: bytes.Repeat([]byte{3}, 32), KeyTime: 1_790_000_000, DirectPath: "/v/t62.7118-24/1?ccb=1", URL: "https://mmg.whatsapp.net/v/1",
		Thumbnail: []byte("\xff\xd8small"),
	}
	if change != nil {
		change(media)
	}
	return media
}

func secret() []byte { return bytes.Repeat([]byte{9}, content.SecretSize) }

// samples has at least one message of every kind that can be sent, with every
// field that survives the wire.
func samples() map[string]content.Content {
	target := &content.Target{ID: "3EB0AA", Chat: group, Sender: budi}
	own := &content.Target{ID: "3EB0BB", Chat: group, FromMe: true}
	return map[string]content.Content{
		"text":  {Kind: content.KindText, Text: "halo semua 你好"},
		"reply": {Kind: content.KindText, Text: "ya", ReplyTo: &content.Reply{ID: "3EB0CC", Sender: budi, Chat: group, Kind: content.KindText, Excerpt: "jadi?"}},
		"mentions": {
			Kind: content.KindText, Text: "@6281110000001 @all", Mentions: []types.JID{anna, budi}, MentionAll: true,
			Forwarded: 3, ExpirationSeconds: 86400, ExpirationSetAt: 1_780_000_000, Secret: secret(),
		},
		"link":  {Kind: content.KindText, Text: "https://example.com", Link: &content.Link{URL: "https://example.com", Title: "Example", Description: "of a page"}},
		"image": {Kind: content.KindImage, Text: "foto", Media: file(func(m *content.Media) { m.Width, m.Height = 640, 480 }), Mentions: []types.JID{budi}},
		"video": {Kind: content.KindVideo, Text: "film", Media: file(func(m *content.Media) { m.Width, m.Height, m.Seconds = 640, 480, 12 })},
		"gif":   {Kind: content.KindVideo, Media: file(func(m *content.Media) { m.GIF = true })},
		"round": {Kind: content.KindVideo, Media: file(func(m *content.Media) { m.Round, m.Seconds = true, 3 })},
		"voice": {Kind: content.KindAudio, Media: file(func(m *content.Media) {
			m.PTT, m.Seconds, m.Waveform, m.Thumbnail = true, 4, bytes.Repeat([]byte{50}, 64), nil
		})},
		"document": {Kind: content.KindDocument, Text: "laporan", Media: file(func(m *content.Media) {
			m.Filename, m.Title, m.Pages, m.Mimetype = "laporan 2026.pdf", "laporan 2026.pdf", 3, "application/pdf"
		})},
		"sticker":  {Kind: content.KindSticker, Media: file(func(m *content.Media) { m.Animated, m.Width, m.Height = true, 512, 512 })},
		"lottie":   {Kind: content.KindSticker, Media: file(func(m *content.Media) { m.Animated, m.Lottie = true, true })},
		"once":     {Kind: content.KindImage, ViewOnce: true, Media: file(nil)},
		"onceNote": {Kind: content.KindAudio, ViewOnce: true, Media: file(func(m *content.Media) { m.PTT, m.Thumbnail = true, nil })},
		"location": {Kind: content.KindLocation, Location: &content.Location{Latitude: -6.2, Longitude: 106.8, Name: "Monas", Address: "Jakarta"}},
		"live": {Kind: content.KindLocation, Text: "di jalan", Location: &content.Location{
			Latitude: -6.2, Longitude: 106.8, Live: true, Accuracy: 10, Speed: 1.5, Heading: 90, Sequence: 7,
		}},
		"contact": {Kind: content.KindContact, Contacts: []content.Contact{{
			Name: "Budi", VCard: "BEGIN:VCARD\nVERSION:3.0\nFN:Budi\nitem1.TEL;type=CELL;waid=6281110000002:+62 811\n -1000-0002\nEND:VCARD",
			Phones: []content.Phone{{Number: "+62 811-1000-0002", WhatsApp: "6281110000002"}},
		}}},
		"contacts": {Kind: content.KindContact, Contacts: []content.Contact{
			{Name: "A", VCard: "BEGIN:VCARD\nEND:VCARD"}, {Name: "B", VCard: "BEGIN:VCARD\nEND:VCARD"},
		}},
		"poll": {Kind: content.KindPoll, Secret: secret(), Poll: &content.Poll{Name: "Kapan?", Options: []string{"Senin", "Selasa"}, SelectableCount: 1}},
		"invite": {Kind: content.KindGroupInvite, Text: "ayo", Invite: &content.Invite{
			Group: group, Name: "Arisan", Code: "AbC123", Expiration: 1_790_100_000, Thumbnail: []byte("t"), Community: true,
		}},
		"vote":           {Kind: content.KindPollVote, Target: target, Sealed: &content.Sealed{Payload: []byte("payload"), IV: bytes.Repeat([]byte{4}, 12)}},
		"reaction":       {Kind: content.KindReaction, Target: target, Emoji: "👍🏽"},
		"reaction back":  {Kind: content.KindReaction, Target: target},
		"reaction close": {Kind: content.KindReaction, Target: target, Sealed: &content.Sealed{Payload: []byte("p"), IV: bytes.Repeat([]byte{4}, 12)}},
		"edit": {
			Kind: content.KindEdit, Target: own, Text: "baru", Mentions: []types.JID{budi},
			Edited: &content.Content{Kind: content.KindText, Text: "baru", Mentions: []types.JID{budi}},
		},
		"edit caption": {Kind: content.KindEdit, Target: own, Text: "baru", Edited: &content.Content{Kind: content.KindImage, Text: "baru", Media: file(nil)}},
		"edit sealed":  {Kind: content.KindEdit, Target: own, Sealed: &content.Sealed{Payload: []byte("p"), IV: bytes.Repeat([]byte{4}, 12)}},
		"revoke":       {Kind: content.KindRevoke, Target: own},
		"revoke other": {Kind: content.KindRevoke, Target: target},
		"pin":          {Kind: content.KindPin, Target: target, Pin: &content.Pin{Seconds: 86400}},
		"unpin":        {Kind: content.KindPin, Target: target, Pin: &content.Pin{Unpin: true}},
		"timer":        {Kind: content.KindTimer, ExpirationSeconds: 604800, ExpirationSetAt: now.Unix()},
	}
}

// overTheWire is what a receiver decodes.
func overTheWire(t *testing.T, message *waE2E.Message) *waE2E.Message {
	t.Helper()
	bytes, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	var received waE2E.Message
	if err = proto.Unmarshal(bytes, &received); err != nil {
		t.Fatal(err)
	}
	return &received
}

// What is built is read again as it was, in the bare form and in all wrappers
// in which other devices get it; and it survives our storage.
func TestEverythingSurvivesTheWireAndTheStore(t *testing.T) {
	t.Parallel()
	for name, want := range samples() {
		message, err := want.Build(now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		message = overTheWire(t, message)
		wrapped := &waE2E.Message{DeviceSentMessage: &waE2E.DeviceSentMessage{Message: &waE2E.Message{
			EphemeralMessage: &waE2E.FutureProofMessage{Message: message},
		}}}
		for shape, received := range map[string]*waE2E.Message{"bare": message, "wrapped": wrapped} {
			before := proto.Clone(received)
			got := content.Parse(received)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s:\n got %s\nwant %s", name, shape, asJSON(t, got), asJSON(t, want))
			}
			if !proto.Equal(before, received) {
				t.Errorf("%s, %s: reading it changed it", name, shape)
			}
			var stored content.Content
			if err = json.Unmarshal(asJSON(t, got), &stored); err != nil || !reflect.DeepEqual(stored, got) {
				t.Errorf("%s, %s: stored and read again it is %s, %v", name, shape, asJSON(t, stored), err)
			}
		}
	}
}

func asJSON(t testing.TB, c content.Content) []byte {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The samples miss no kind.
func TestEveryKindHasASample(t *testing.T) {
	t.Parallel()
	seen := map[content.Kind]bool{content.KindAlbum: true, content.KindUnsupported: true} // these are only received
	for _, sample := range samples() {
		seen[sample.Kind] = true
	}
	for _, kind := range content.Kinds() {
		if !seen[kind] {
			t.Errorf("no sample of %s", kind)
		}
	}
}

func TestTheShapesThatClientsExpect(t *testing.T) {
	t.Parallel()
	build := func(name string) *waE2E.Message {
		message, err := samples()[name].Build(now)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return message
	}
	if build("text").Conversation == nil {
		t.Error("a plain text is a conversation")
	}
	reply := build("reply").GetExtendedTextMessage().GetContextInfo()
	if reply.GetQuotedMessage().GetConversation() != "jadi?" || reply.GetParticipant() != budi.String() || reply.GetRemoteJID() != group.String() {
		t.Errorf("the reply's context is %v", reply)
	}
	if build("mentions").GetExtendedTextMessage().GetContextInfo().GetNonJIDMentions() != 1 {
		t.Error("everybody is called by nonJIDMentions")
	}
	if build("round").GetPtvMessage() == nil || build("onceNote").GetViewOnceMessageV2Extension() == nil {
		t.Error("round videos and voice notes to hear once have fields of their own")
	}
	if once := build("once").GetViewOnceMessageV2().GetMessage().GetImageMessage(); !once.GetViewOnce() {
		t.Errorf("the image to view once is %v", once)
	}
	if build("document").GetDocumentWithCaptionMessage().GetMessage().GetDocumentMessage() == nil {
		t.Error("a document with a caption has its wrapper")
	}
	poll := build("poll")
	if poll.GetPollCreationMessage() == nil || len(poll.GetMessageContextInfo().GetMessageSecret()) != content.SecretSize {
		t.Errorf("the poll is %v", poll)
	}
	edit := build("edit").GetEditedMessage().GetMessage().GetProtocolMessage()
	if edit.GetType() != waE2E.ProtocolMessage_MESSAGE_EDIT || edit.GetTimestampMS() != now.UnixMilli() || edit.GetKey().Participant != nil {
		t.Errorf("the edit is %v", edit)
	}
	pin := build("pin")
	if pin.GetPinInChatMessage().GetKey().GetParticipant() != budi.String() || pin.GetMessageContextInfo().GetMessageAddOnDurationInSecs() != 86400 {
		t.Errorf("the pin is %v", pin)
	}
	if text := build("contacts").GetContactsArrayMessage(); len(text.GetContacts()) != 2 {
		t.Errorf("the contacts are %v", text)
	}
}

// A revocation that does not say so is none: the schema's default would make
// one of everything that is newer than the schema.
func TestWhatIsNotSaidIsNotARevocation(t *testing.T) {
	t.Parallel()
	message, err := samples()["revoke"].Build(now)
	if err != nil {
		t.Fatal(err)
	}
	message.ProtocolMessage.Type = nil
	if got := content.Parse(message); got.Kind != content.KindNone {
		t.Errorf("it is read as %q", got.Kind)
	}
}

func TestPollsOfEveryVersion(t *testing.T) {
	t.Parallel()
	poll := &waE2E.PollCreationMessage{Name: proto.String("?"), SelectableOptionsCount: proto.Uint32(7), Options: []*waE2E.PollCreationMessage_Option{
		{OptionName: proto.String("a")}, {OptionName: proto.String("b")},
	}}
	for name, message := range map[string]*waE2E.Message{
		"1": {PollCreationMessage: poll}, "2": {PollCreationMessageV2: poll}, "3": {PollCreationMessageV3: poll},
		"4": {PollCreationMessageV4: &waE2E.FutureProofMessage{Message: &waE2E.Message{PollCreationMessageV3: poll}}},
		"5": {PollCreationMessageV5: poll}, "6": {PollCreationMessageV6: poll},
	} {
		message.MessageContextInfo = &waE2E.MessageContextInfo{MessageSecret: secret()}
		got := content.Parse(message)
		if got.Kind != content.KindPoll || len(got.Poll.Options) != 2 || got.Poll.SelectableCount != 2 || len(got.Secret) == 0 {
			t.Errorf("version %s: %s", name, asJSON(t, got))
		}
	}
	a, b := content.OptionHash("a"), content.OptionHash("b")
	chosen := content.Poll{Options: []string{"a", "b"}}.Chosen([][]byte{b[:], a[:], []byte("no option")})
	if !reflect.DeepEqual(chosen, []string{"a", "b"}) || !bytes.Equal(whatsmeow.HashPollOptions([]string{"a"})[0], a[:]) {
		t.Errorf("chosen are %v", chosen)
	}
}

func TestWhoWroteTheTarget(t *testing.T) {
	t.Parallel()
	me := types.NewJID("6281110000009", types.DefaultUserServer)
	device := types.JID{User: anna.User, Server: anna.Server, Device: 4}
	for name, test := range map[string]struct {
		target             content.Target
		chat, sender, want types.JID
	}{
		"one's own":                     {content.Target{FromMe: true, Sender: budi}, group, device, anna},
		"a member's":                    {content.Target{Sender: budi}, group, anna, budi},
		"a member's, not named":         {content.Target{}, group, anna, types.EmptyJID},
		"ours, in a chat of two":        {content.Target{Chat: me}, anna, device, me},
		"theirs, in a chat of two":      {content.Target{Chat: anna}, anna, me, anna},
		"ours, by ourselves, of two":    {content.Target{FromMe: true}, anna, me, me},
		"theirs, by themselves, of two": {content.Target{FromMe: true}, anna, anna, anna},
	} {
		if got := test.target.Author(test.chat, test.sender, me); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestForwarding(t *testing.T) {
	t.Parallel()
	for name, sample := range samples() {
		forwarded, err := sample.Forward()
		refused := sample.Kind.ChangesTarget() || sample.Kind == content.KindTimer || sample.ViewOnce || name == "live"
		switch {
		case refused && (fault.From(err) == nil || fault.From(err).Field != "message_id"):
			t.Errorf("%s can be forwarded: %v", name, err)
		case !refused && (err != nil || forwarded.Forwarded != sample.Forwarded+1 || forwarded.ReplyTo != nil ||
			forwarded.Mentions != nil || forwarded.ExpirationSeconds != 0 || bytes.Equal(forwarded.Secret, secret())):
			t.Errorf("%s is forwarded as %s, %v", name, asJSON(t, forwarded), err)
		}
		if _, err = forwarded.Build(now); !refused && err != nil {
			t.Errorf("%s, forwarded: %v", name, err)
		}
	}
}

// A download takes nothing from a stranger but WhatsApp's own path and the keys.
func TestDownloadsStayOnWhatsAppsHosts(t *testing.T) {
	t.Parallel()
	image := content.Content{Kind: content.KindImage, Media: file(nil)}
	found, ok := image.Downloadable()
	if !ok || found.GetDirectPath() != image.Media.DirectPath || whatsmeow.GetMediaType(found) != whatsmeow.MediaImage {
		t.Fatalf("%v, %v", found, ok)
	}
	if withURL, has := found.(interface{ GetURL() string }); has && withURL.GetURL() != "" {
		t.Errorf("the download has the URL %q", withURL.GetURL())
	}
	for _, path := range []string{"", "v/1", ".evil.example/x", "@evil.example/x", "/a b", "/a\nHost: x", "/x#", `/\evil.example`, "/" + strings.Repeat("x", 3000)} {
		message := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			DirectPath: &path, MediaKey: image.Media.Key, FileSHA256: image.Media.SHA256, FileEncSHA256: image.Media.EncSHA256,
		}}
		if _, ok = content.Parse(message).Downloadable(); ok {
			t.Errorf("a file at %q can be downloaded", path)
		}
	}
	for kind := range map[content.Kind]bool{content.KindImage: true, content.KindVideo: true, content.KindAudio: true, content.KindDocument: true, content.KindSticker: true} {
		found, ok = content.Content{Kind: kind, Media: file(nil)}.Downloadable()
		uploaded, has := kind.MediaType()
		if !ok || !has || whatsmeow.GetMediaType(found) != uploaded {
			t.Errorf("%s is uploaded as %q and downloaded as %q", kind, uploaded, whatsmeow.GetMediaType(found))
		}
	}
}

func TestStrangersTexts(t *testing.T) {
	t.Parallel()
	message := &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("a\x00b\xff" + strings.Repeat("é", 300_000)),
		ContextInfo: &waE2E.ContextInfo{
			MentionedJID: []string{"6281110000001:4@s.whatsapp.net", "6281110000001@s.whatsapp.net", "nobody", "x@evil.example", "120363012345678901@g.us"},
			StanzaID:     proto.String("has a space"), ForwardingScore: proto.Uint32(math.MaxUint32),
		},
	}}
	got := content.Parse(message)
	if !strings.HasPrefix(got.Text, "ab\uFFFDé") || len(got.Text) > 4*content.MaxText || strings.HasSuffix(got.Text, "\uFFFD") {
		t.Errorf("the text begins %q and has %d bytes", got.Text[:8], len(got.Text))
	}
	if !reflect.DeepEqual(got.Mentions, []types.JID{anna}) || got.ReplyTo != nil || got.Forwarded != math.MaxInt32 {
		t.Errorf("the rest is %v %v %d", got.Mentions, got.ReplyTo, got.Forwarded)
	}
	for _, place := range [][2]float64{{math.NaN(), 0}, {0, math.Inf(1)}, {91, 0}, {0, -181}} {
		got = content.Parse(&waE2E.Message{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: &place[0], DegreesLongitude: &place[1]}})
		if got.Kind != content.KindUnsupported || got.Unsupported != "location_message" {
			t.Errorf("%v is a place: %s", place, asJSON(t, got))
		}
	}
}

func TestNamesOfFiles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"laporan.pdf": "laporan.pdf", "../../etc/passwd": "passwd", `C:\Users\x\a.doc`: "a.doc", "..": "", ".": "", "/": "",
		" a\x00b\n.txt ": "ab.txt", "exe.\u202egpj": "exe.gpj", "می\u200cخواهم.pdf": "می\u200cخواهم.pdf", "a\xff.txt": "a.txt",
		strings.Repeat("é", 200) + ".pdf": strings.Repeat("é", 125) + ".pdf", ".htaccess": ".htaccess",
	} {
		if got := content.BareName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// A view-once message leaves nothing but that it was there; nor does a reply to
// one tell what it said.
func TestViewOnceIsNotKept(t *testing.T) {
	t.Parallel()
	once := samples()["once"]
	once.Text = "rahasia"
	if bare := asJSON(t, once.Bare()); string(bare) != `{"kind":"image","view_once":true}` {
		t.Errorf("what is kept is %s", bare)
	}
	built, err := once.Build(now)
	if err != nil {
		t.Fatal(err)
	}
	reply := content.Parse(&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("?"), ContextInfo: &waE2E.ContextInfo{StanzaID: proto.String("3EB0"), QuotedMessage: built},
	}})
	if reply.ReplyTo.Kind != content.KindImage || reply.ReplyTo.Excerpt != "" {
		t.Errorf("the reply quotes %+v", reply.ReplyTo)
	}
}

// Messages in messages, deeper than anybody needs, end the reading and not the
// server.
func TestNesting(t *testing.T) {
	t.Parallel()
	deep := func(wrap func(*waE2E.Message) *waE2E.Message, levels int) content.Content {
		message := &waE2E.Message{Conversation: proto.String("x")}
		for range levels {
			message = wrap(message)
		}
		return content.Parse(message)
	}
	layer := func(m *waE2E.Message) *waE2E.Message {
		return &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: m}}
	}
	edit := func(m *waE2E.Message) *waE2E.Message {
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: m}}
	}
	quote := func(m *waE2E.Message) *waE2E.Message {
		return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String("x"), ContextInfo: &waE2E.ContextInfo{StanzaID: proto.String("3EB0"), QuotedMessage: m},
		}}
	}
	both := func(m *waE2E.Message) *waE2E.Message { return edit(quote(edit(m))) }
	if got := deep(layer, 5); got.Kind != content.KindText {
		t.Errorf("five layers give %s", asJSON(t, got))
	}
	if got := deep(layer, 5000); got.Unsupported != "nested" {
		t.Errorf("5000 layers give %s", asJSON(t, got))
	}
	if got := deep(edit, 5000); got.Kind != content.KindUnsupported {
		t.Errorf("5000 edits give %s", asJSON(t, got))
	}
	if got := deep(quote, 5000); got.ReplyTo.Excerpt != "x" {
		t.Errorf("5000 quotations give %s", asJSON(t, got))
	}
	deep(both, 3000)
}

// Of a message of which only the kind is kept, that much can be quoted, and it
// cannot be forwarded.
func TestOnlyTheKindIsKept(t *testing.T) {
	t.Parallel()
	for _, kind := range content.Kinds() {
		kept := content.Content{Kind: kind}
		reply := content.Content{Kind: content.KindText, Text: "x", ReplyTo: &content.Reply{ID: "3EB0", Sender: anna, Quoted: &kept}}
		if message, err := reply.Build(now); err != nil || message.GetExtendedTextMessage().GetContextInfo().GetQuotedMessage() == nil {
			t.Errorf("%s cannot be quoted: %v", kind, err)
		}
		if _, err := kept.Forward(); kind != content.KindText && (err == nil || fault.From(err).Field != "message_id") {
			t.Errorf("%s is forwarded: %v", kind, err)
		}
		if err := kept.Validate(); kind != content.KindTimer && err == nil {
			t.Errorf("%s can be sent with nothing in it", kind)
		}
	}
}

func TestWhatIsNothingAndWhatIsUnknown(t *testing.T) {
	t.Parallel()
	unknown := &waE2E.Message{}
	unknown.ProtoReflect().SetUnknown([]byte{0xfa, 0x3f, 0x01, 'x'})
	for name, test := range map[string]struct {
		message     *waE2E.Message
		kind        content.Kind
		unsupported string
		text        string
	}{
		"nothing":  {nil, content.KindNone, "", ""},
		"keys":     {&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}, MessageContextInfo: &waE2E.MessageContextInfo{}}, "", "", ""},
		"app keys": {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum()}}, "", "", ""},
		"a button": {&waE2E.Message{ButtonsResponseMessage: &waE2E.ButtonsResponseMessage{
			Response: &waE2E.ButtonsResponseMessage_SelectedDisplayText{SelectedDisplayText: "Ya"},
		}}, content.KindUnsupported, "buttons_response_message", "Ya"},
		"an order":            {&waE2E.Message{OrderMessage: &waE2E.OrderMessage{}, Chat: &waE2E.Chat{}}, content.KindUnsupported, "chat", ""},
		"of tomorrow":         {unknown, content.KindUnsupported, "unknown", ""},
		"an edit of nothing":  {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum()}}, content.KindUnsupported, "protocol_message", ""},
		"a reaction to none":  {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Text: proto.String("👍")}}, content.KindUnsupported, "reaction_message", ""},
		"an unsealed vote":    {&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{}}, content.KindUnsupported, "poll_update_message", ""},
		"an album":            {&waE2E.Message{AlbumMessage: &waE2E.AlbumMessage{ExpectedImageCount: proto.Uint32(2)}}, content.KindAlbum, "", ""},
		"a pin of a new sort": {&waE2E.Message{PinInChatMessage: &waE2E.PinInChatMessage{}}, content.KindUnsupported, "pin_in_chat_message", ""},
	} {
		got := content.Parse(test.message)
		if got.Kind != test.kind || got.Unsupported != test.unsupported || got.Text != test.text {
			t.Errorf("%s: %s", name, asJSON(t, got))
		}
	}
}

func TestCards(t *testing.T) {
	t.Parallel()
	built, err := content.Content{Kind: content.KindContact, Contacts: []content.Contact{{
		Name: "Budi;\nTEL:110", Organization: "PT Maju, Jaya", Phones: []content.Phone{{Number: "+62 811", WhatsApp: "62811"}},
	}}}.Build(now)
	if err != nil {
		t.Fatal(err)
	}
	got := content.Parse(built).Contacts
	if len(got) != 1 || !reflect.DeepEqual(got[0].Phones, []content.Phone{{Number: "+62 811", WhatsApp: "62811"}}) {
		t.Errorf("the card is read as %+v", got)
	}
	large := "BEGIN:VCARD\nFN:Budi\nPHOTO;ENCODING=b:" + strings.Repeat("QUJD\n ", 40_000) + "\nTEL:110\nEND:VCARD"
	got = content.Parse(&waE2E.Message{ContactMessage: &waE2E.ContactMessage{Vcard: &large}}).Contacts
	if want := "BEGIN:VCARD\r\nFN:Budi\r\nTEL:110\r\nEND:VCARD"; got[0].VCard != want || len(got[0].Phones) != 1 {
		t.Errorf("a card with a large portrait is %.80q", got[0].VCard)
	}
}
