package meta

import (
	"testing"
	"time"

	"muster/groups"
)

// The samples are those of Meta's and 360dialog's documentation.
func TestIDsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	const group, account, jid = "Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD", "17055550139", "120363404694233820@g.us"
	if got := GroupID(account, jid); got != group {
		t.Errorf("a group's id is %s, want %s", got, group)
	}
	if o, ok := parseOpaque(group); !ok || o != (opaque{groupWord, account, userOf(jid)}) {
		t.Errorf("%s reads as %v %t", group, o, ok)
	}
	const request, user = "MTY0NjcwNDM1OTU6MTIwMzYzNDA0Njk0MjMzODIw", "16467043595"
	if got := requestID(groups.Identity{PhoneNumber: user}, jid); got != request {
		t.Errorf("a request's id is %s, want %s", got, request)
	}
	if who, ok := requester(request, jid); !ok || who != user {
		t.Errorf("%s reads as %s %t", request, who, ok)
	}
	const cursor = "eyJvZAmZAzZAXQiOjAsInZAlcnNpb25JZACI6IjE3NTU1NTM3MDUxNzUwNTQ1MTAifQZDZD"
	if c, ok := parseRequestCursor(cursor); !ok || c != (requestCursor{0, "1755553705175054510"}) || c.String() != cursor {
		t.Errorf("%s reads as %v %t, and is written as %s", cursor, c, ok, c)
	}
	const place = "MTAxNTExOTQ1MjAwNzI5NDE="
	if at, ok := parseListCursor(place); !ok || at != "10151194520072941@g.us" || listCursor(at) != place {
		t.Errorf("%s reads as %s %t", place, at, ok)
	}
	const message = "wamid.HBgLMTY1MDUwNzY1MjAVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"
	if got := rawMessageID(message); got != "9A3CA5B3D4CD6E67E7" {
		t.Errorf("%s has the id %s", message, got)
	}
	if got := messageID("16505076520@s.whatsapp.net", "9A3CA5B3D4CD6E67E7", true); got != message {
		t.Errorf("a message's id is %s, want %s", got, message)
	}
}

func TestIDsOfOthersAreNotTakenForOurs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", "Z", "ZX", "120363404694233820", "120363404694233820@g.us", "a b", "Y2FwaV9ncm91cDo",
		// From the documentation of 360dialog, with its typing error.
		"Y2FwaV9ncm91cDoxOTUwNTU1MDA3OToxMjAzNjMzOTQzMjAdOTY0MTUZD",
		encode("capi_group:1705555:"), encode("capi_group:x:1"), encode("other:1:1"),
	} {
		if o, ok := parseOpaque(id); ok {
			t.Errorf("%q reads as %v", id, o)
		}
	}
	const jid = "120363404694233820@g.us"
	for _, id := range []string{"", "MTY0NjcwNDM1OTU6MTIwMzYzNDA0Njk0MjMzODIx", "eDox", "!"} {
		if who, ok := requester(id, jid); ok {
			t.Errorf("%q is a request of %s", id, who)
		}
	}
	for _, cursor := range []string{"", "eyJ9", "x", encode(`{"offset":-1,"versionId":"1"}`), encode(`{"offset":0,"versionId":"x"}`)} {
		if c, ok := parseRequestCursor(cursor); ok {
			t.Errorf("%q reads as %v", cursor, c)
		}
	}
	for _, cursor := range []string{"!", "eA==", "MS0="} {
		if jid, ok := parseListCursor(cursor); ok {
			t.Errorf("%q reads as %s", cursor, jid)
		}
	}
	for _, id := range []string{"3EB0AA", "wamid.", "wamid.!", "wamid.AAAA", "wamid.HBj/"} {
		if got := rawMessageID(id); got != id {
			t.Errorf("%q has the id %q", id, got)
		}
	}
}

// Whoever has no known phone has an id as well.
func TestRequestOfALID(t *testing.T) {
	t.Parallel()
	const jid = "120363404694233820@g.us"
	id := requestID(groups.Identity{JID: "12345678901@lid", LID: "12345678901@lid"}, jid)
	if who, ok := requester(id, jid); !ok || who != "12345678901@lid" {
		t.Errorf("%s reads as %s %t", id, who, ok)
	}
	at := time.Unix(1755553705, 0)
	a := groups.JoinRequest{Identity: groups.Identity{JID: "1@lid"}, RequestedAt: at}
	b := groups.JoinRequest{Identity: groups.Identity{JID: "2@lid"}, RequestedAt: at}
	if requestOrder(a) == requestOrder(b) || requestOrder(a)/1e9 != at.Unix() {
		t.Errorf("the order of two in one second is %d and %d", requestOrder(a), requestOrder(b))
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD")
	f.Add("wamid.HBgLMTY1MDUwNzY1MjAVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA")
	f.Fuzz(func(t *testing.T, text string) {
		if plain, ok := decode(text); ok && encode(plain) != text {
			t.Errorf("%q decodes to %q, which encodes to %q", text, plain, encode(plain))
		}
		if plain, ok := decode(encode(text)); !ok || plain != text {
			t.Errorf("%q does not survive: %q %t", text, plain, ok)
		}
		rawMessageID(text)
		parseRequestCursor(text)
		if got := rawMessageID(messageID("120363404694233820@g.us", text, false)); text != "" && got != text {
			t.Errorf("the message id %q reads as %q", text, got)
		}
	})
}
