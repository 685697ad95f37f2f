package content_test

import (
	"math"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/messages/content"
)

// What cannot be sent is refused by the name of its field.
func TestWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	text := func(change func(*content.Content)) content.Content {
		c := content.Content{Kind: content.KindText, Text: "x"}
		change(&c)
		return c
	}
	poll := func(change func(*content.Poll)) content.Content {
		p := content.Poll{Name: "?", Options: []string{"a", "b"}}
		change(&p)
		return content.Content{Kind: content.KindPoll, Poll: &p, Secret: secret()}
	}
	place := func(latitude, longitude float64) content.Content {
		return content.Content{Kind: content.KindLocation, Location: &content.Location{Latitude: latitude, Longitude: longitude}}
	}
	card := func(contacts ...content.Contact) content.Content {
		return content.Content{Kind: content.KindContact, Contacts: contacts}
	}
	about := func(kind content.Kind, change func(*content.Content)) content.Content {
		c := content.Content{Kind: kind, Target: &content.Target{ID: "3EB0", Chat: group, FromMe: true}}
		change(&c)
		return c
	}
	named := func(name string) content.Content {
		return content.Content{Kind: content.KindDocument, Media: file(func(m *content.Media) { m.Filename = name })}
	}
	nothing := func(*content.Content) {}
	for name, test := range map[string]struct {
		content content.Content
		field   string
	}{
		"no text":               {text(func(c *content.Content) { c.Text = " \n" }), "text"},
		"a long text":           {text(func(c *content.Content) { c.Text = strings.Repeat("x", content.MaxText+1) }), "text"},
		"a NUL":                 {text(func(c *content.Content) { c.Text = "a\x00" }), "text"},
		"not UTF-8":             {text(func(c *content.Content) { c.Text = "a\xff" }), "text"},
		"a text to view once":   {text(func(c *content.Content) { c.ViewOnce = true }), "view_once"},
		"a group mentioned":     {text(func(c *content.Content) { c.Mentions = []types.JID{anna, group} }), "mentions[1]"},
		"too many mentions":     {text(func(c *content.Content) { c.Mentions = make([]types.JID, content.MaxMentions+1) }), "mentions"},
		"a reply to nobody":     {text(func(c *content.Content) { c.ReplyTo = &content.Reply{ID: "3EB0"} }), "reply_to"},
		"a reply to nothing":    {text(func(c *content.Content) { c.ReplyTo = &content.Reply{Sender: anna} }), "reply_to"},
		"a negative timer":      {text(func(c *content.Content) { c.ExpirationSeconds = -1 }), "expiration"},
		"no file":               {content.Content{Kind: content.KindImage}, "image"},
		"a caption of a voice":  {content.Content{Kind: content.KindAudio, Media: file(nil), Text: "x"}, "caption"},
		"a long caption":        {content.Content{Kind: content.KindImage, Media: file(nil), Text: strings.Repeat("x", content.MaxText+1)}, "caption"},
		"a sticker once":        {content.Content{Kind: content.KindSticker, Media: file(nil), ViewOnce: true}, "view_once"},
		"a path for a name":     {named("../../etc/passwd"), "filename"},
		"a Windows path":        {named(`C:\autoexec.bat`), "filename"},
		"a directory":           {named(".."), "filename"},
		"a turned name":         {named("exe.\u202egpj"), "filename"},
		"a name with a newline": {named("a\r\nb"), "filename"},
		"a long name":           {named(strings.Repeat("x", 256)), "filename"},
		"no place":              {content.Content{Kind: content.KindLocation}, "latitude"},
		"a NaN":                 {place(math.NaN(), 0), "latitude"},
		"north of the pole":     {place(90.1, 0), "latitude"},
		"beyond the dateline":   {place(0, math.Inf(-1)), "longitude"},
		"no card":               {card(), "contact"},
		"a card of nobody":      {card(content.Contact{VCard: "BEGIN:VCARD\nEND:VCARD"}), "contact.name"},
		"a second of nobody":    {card(content.Contact{Name: "A", VCard: "BEGIN:VCARD\nEND:VCARD"}, content.Contact{}), "contacts[1].name"},
		"no number":             {card(content.Contact{Name: "A"}), "contact.phone"},
		"an account of letters": {card(content.Contact{Name: "A", Phones: []content.Phone{{Number: "1", WhatsApp: "1:x"}}}), "contact.phone"},
		"no vCard":              {card(content.Contact{Name: "A", VCard: "<xml/>"}), "contact.vcard"},
		"too many cards":        {card(make([]content.Contact, content.MaxContacts+1)...), "contacts"},
		"no question":           {poll(func(p *content.Poll) { p.Name = "" }), "name"},
		"a long question":       {poll(func(p *content.Poll) { p.Name = strings.Repeat("é", content.MaxPollName+1) }), "name"},
		"one answer":            {poll(func(p *content.Poll) { p.Options = p.Options[:1] }), "options"},
		"too many answers":      {poll(func(p *content.Poll) { p.Options = make([]string, content.MaxOptions+1) }), "options"},
		"no answer":             {poll(func(p *content.Poll) { p.Options[1] = "" }), "options[1]"},
		"the same answer":       {poll(func(p *content.Poll) { p.Options[1] = "a" }), "options[1]"},
		"choose three of two":   {poll(func(p *content.Poll) { p.SelectableCount = 3 }), "selectable_count"},
		"an invitation nowhere": {content.Content{Kind: content.KindGroupInvite, Invite: &content.Invite{Group: anna, Code: "x"}}, "group"},
		"no invitation":         {content.Content{Kind: content.KindGroupInvite, Invite: &content.Invite{Group: group}}, "code"},
		"a reaction to nothing": {content.Content{Kind: content.KindReaction, Emoji: "👍"}, "message_id"},
		"whose?":                {about(content.KindReaction, func(c *content.Content) { c.Target.FromMe = false }), "message_id"},
		"a word":                {about(content.KindReaction, func(c *content.Content) { c.Emoji = "ok" }), "emoji"},
		"a number":              {about(content.KindReaction, func(c *content.Content) { c.Emoji = "1" }), "emoji"},
		"two with a space":      {about(content.KindReaction, func(c *content.Content) { c.Emoji = "👍 👍" }), "emoji"},
		"a vote of nothing":     {about(content.KindPollVote, nothing), "options"},
		"an edit to nothing":    {about(content.KindEdit, nothing), "text"},
		"another's edited":      {about(content.KindEdit, func(c *content.Content) { c.Target.FromMe, c.Target.Sender, c.Text = false, budi, "x" }), "message_id"},
		"a sticker edited":      {about(content.KindEdit, func(c *content.Content) { c.Text, c.Edited = "x", &content.Content{Kind: content.KindSticker} }), "message_id"},
		"a lost image edited":   {about(content.KindEdit, func(c *content.Content) { c.Text, c.Edited = "x", &content.Content{Kind: content.KindImage} }), "message_id"},
		"a pin for a minute":    {about(content.KindPin, func(c *content.Content) { c.Pin = &content.Pin{Seconds: 60} }), "duration"},
		"no pin":                {about(content.KindPin, nothing), "duration"},
		"an album":              {content.Content{Kind: content.KindAlbum}, "kind"},
		"something unsupported": {content.Content{Kind: content.KindUnsupported}, "kind"},
	} {
		message, err := test.content.Build(now)
		failure := fault.From(err)
		if failure == nil || failure.Code != fault.Invalid || failure.Field != test.field || message != nil {
			t.Errorf("%s: %v, want invalid for %s", name, err, test.field)
		}
	}
}

// What a caller of ours forgot is no fault of a client's.
func TestWhatIsMissingInside(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]content.Content{
		"the upload":        {Kind: content.KindImage, Media: file(func(m *content.Media) { m.DirectPath = "" })},
		"the poll's secret": {Kind: content.KindPoll, Poll: &content.Poll{Name: "?", Options: []string{"a", "b"}}},
		"the chat":          {Kind: content.KindRevoke, Target: &content.Target{ID: "3EB0", FromMe: true}},
	} {
		if _, err := c.Build(now); err == nil || fault.From(err).Code != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEmoji(t *testing.T) {
	t.Parallel()
	for _, emoji := range []string{"", "👍", "👍🏽", "❤️", "👨‍👩‍👧‍👦", "🇮🇩", "1️⃣", "#️⃣", "‼️", "ℹ️", "©️", "™️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"} {
		c := content.Content{Kind: content.KindReaction, Emoji: emoji, Target: &content.Target{ID: "3EB0", Chat: anna}}
		if err := c.Validate(); err != nil {
			t.Errorf("%q: %v", emoji, err)
		}
	}
}
