package meta

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"muster/internal/event"
)

// What there is to say, and what not, of events that are hard to come by.
func TestValues(t *testing.T) {
	t.Parallel()
	const me, group = "15550783881", "120363012345678901@g.us"
	own := event.Person{JID: me + "@s.whatsapp.net", PhoneNumber: me}
	other := event.Person{JID: "15550001001@s.whatsapp.net", PhoneNumber: "15550001001", LID: "100000000000002@lid"}
	hidden := event.Person{JID: "100000000000003@lid", LID: "100000000000003@lid"}
	by := func(who event.Person) event.About { return event.About{GroupJID: group, Subject: "S", Actor: &who} }
	members := []event.Member{{Person: hidden}}
	key := event.MessageKey{MessageID: "3EB0A", Chat: group, Sender: other}
	for name, row := range map[string]struct {
		kind    event.Type
		data    any
		request string
		want    []string // in the webhook; none for no webhook
	}{
		"failed message": {event.MessageFailed, event.Failed{MessageKey: key, ErrorCode: "not_admin", Error: "no", Timestamp: 5}, "",
			[]string{`"status":"failed"`, `"code":10`, `"timestamp":"5"`}},
		"message of somebody without a phone": {event.MessageReceived,
			event.Message{MessageKey: event.MessageKey{MessageID: "1", Chat: group, Sender: hidden}, MessageContent: event.MessageContent{Kind: "text", Text: "x"}}, "",
			[]string{`"from_user_id":"100000000000003"`, `"user_id":"100000000000003"`}},
		"undecryptable": {event.MessageReceived, event.Message{MessageKey: key, MessageContent: event.MessageContent{Kind: "undecryptable"}}, "",
			[]string{`"type":"unsupported"`, `"code":131060`}},
		"forwarded": {event.MessageReceived, event.Message{MessageKey: key, MessageContent: event.MessageContent{Kind: "text", Text: "x", Forwarded: 7}}, "",
			[]string{`"forwarded":true`, `"frequently_forwarded":true`}},
		"own message from the phone": {event.MessageReceived,
			event.Message{MessageKey: event.MessageKey{MessageID: "1", Chat: group, FromMe: true, Sender: own}}, "", nil},
		"sent by another device": {event.MessageSent, event.Message{MessageKey: event.MessageKey{MessageID: "1", Chat: group, FromMe: true}, Source: "device"}, "", nil},
		"own reaction":           {event.MessageReaction, event.Reaction{MessageKey: key, Actor: own, Emoji: "x"}, "", nil},
		"played": {event.MessageReceipt, event.Receipt{Chat: other.JID, MessageIDs: []string{"1", "2"}, Status: "played", Person: other}, "",
			[]string{`"status":"read"`, `"recipient_type":"individual"`, `"recipient_id":"15550001001"`}},
		"made by somebody else":    {event.GroupCreated, event.Created{About: by(other)}, "", nil},
		"promoted":                 {event.GroupParticipants, event.Participants{About: by(own), Action: "promoted", Participants: members}, "", nil},
		"removed by another admin": {event.GroupParticipants, event.Participants{About: by(other), Action: "removed", Participants: members}, "", []string{`"initiated_by":"participant"`, `[{"user_id":"100000000000003"}]`}},
		"request of somebody without a phone": {event.GroupJoinRequest, event.JoinRequest{About: by(hidden), Action: "created", Participants: []event.Person{hidden, other}}, "",
			[]string{`"user_id":"100000000000003"`, `"wa_id":"15550001001"`, requestIDOf("100000000000003@lid", group)}},
		"rejected":              {event.GroupJoinRequest, event.JoinRequest{About: by(own), Action: "rejected", Participants: []event.Person{other}}, "", nil},
		"picture taken away":    {event.GroupPhoto, event.Photo{About: by(own)}, "", []string{`"profile_picture":{"update_successful":true}`}},
		"part of an outcome":    {event.GroupSubject, event.Subject{About: by(own)}, requestPrefix + "X", nil},
		"session":               {event.SessionStatus, event.Status{}, "", nil},
		"settings":              {event.GroupSettings, event.Settings{About: by(own)}, "", nil},
		"unknown operation":     {event.RequestFinished, event.Outcome{API: "other", Operation: "dance"}, "", nil},
		"description not set":   {event.RequestFinished, event.Outcome{Operation: event.OperationCreateGroup, GroupJID: group, Subject: &event.OutcomeText{Text: "S"}, Description: &event.OutcomeText{Text: "D", Error: &event.OutcomeError{Code: "rejected", Message: "no"}}}, "r", []string{`"subject":"S"`, `"errors":[{"code":131005`}},
		"nobody could be added": {event.RequestFinished, event.Outcome{Operation: event.OperationAddParticipants, GroupJID: group, Participants: []event.OutcomePerson{{Input: "1", Error: &event.OutcomeError{Code: "group_full", Message: "full"}}}}, "r", []string{`"failed_participants":[{"input":"1","errors":[{"code":131204`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := event.Event{ID: "evt", Type: row.kind, Group: group, At: time.Unix(1_800_000_000, 0), RequestID: row.request, Data: row.data}
			_, values, err := sender{number: me, at: e.At}.values(e)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(values)
			if err != nil {
				t.Fatal(err)
			}
			if (len(values) == 0) != (len(row.want) == 0) {
				t.Errorf("there is %s, want %q", raw, row.want)
			}
			for _, text := range row.want {
				if !strings.Contains(string(raw), text) {
					t.Errorf("%s has no %s", raw, text)
				}
			}
		})
	}
}

func requestIDOf(lid, group string) string {
	person := event.Person{LID: lid}
	return requestID(identityOf(person), group)
}
