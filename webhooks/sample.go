package webhooks

import (
	"time"

	"muster/internal/event"
)

// sampleJID is the group that samples are about.
const sampleJID = "120363012345678901@g.us"

// Samples are events of every type as they could have happened to a session, in
// the order of the documentation. Their ids and numbers are empty.
func Samples(sessionID string, at time.Time) []event.Event {
	var samples []event.Event
	for _, sample := range []struct {
		about event.Type
		data  any
	}{
		{event.SessionStatus, event.Status{Account: sampleAccount(), Name: "Sample", Status: "connected", PreviousStatus: "connecting"}},
		{event.SessionQR, event.QR{Status: "waiting_for_qr", QR: "2@sample", Attempt: 1, ExpiresAt: at.Add(time.Minute).Unix()}},
		{event.SessionLoggedOut, event.LoggedOut{Account: sampleAccount(), Reason: "unlinked"}},
		{event.GroupCreated, event.Created{About: sampleGroup(), ParticipantCount: 2, Participants: sampleMembers("")}},
		{event.GroupJoined, event.Joined{About: sampleGroup(), ParticipantCount: 2}},
		{event.GroupLeft, event.Left{About: sampleGroup(), Reason: "removed"}},
		{event.GroupDeleted, event.Deleted{About: sampleGroup()}},
		{event.GroupSubject, event.Subject{About: sampleGroup(), PreviousSubject: "Before"}},
		{event.GroupDescription, event.Description{About: sampleGroup(), Topic: "What it is about", TopicID: "3EB0A1", PreviousTopic: ""}},
		{event.GroupPhoto, event.Photo{About: sampleGroup(), PhotoID: "1700000000"}},
		{event.GroupSettings, event.Settings{About: sampleGroup(), Settings: sampleSetting(true), Previous: sampleSetting(false)}},
		{event.GroupParticipants, event.Participants{About: sampleGroup(), Action: "promoted", Participants: sampleMembers("member"), ParticipantCount: 2}},
		{event.GroupJoinRequest, event.JoinRequest{About: sampleGroup(), Action: "created", Method: "invite_link", Participants: []event.Person{samplePerson()}}},
		{event.GroupInviteLink, event.InviteLink{About: sampleGroup(), InviteLink: "https://chat.whatsapp.com/SAMPLE"}},
		{event.GroupSuspended, event.Suspended{About: sampleGroup(), Suspended: true}},
		{event.MessageReceived, sampleMessage(at, "")},
		{event.MessageSent, sampleMessage(at, "api")},
		{event.MessageFailed, event.Failed{MessageKey: sampleKey(), ErrorCode: "outcome_unknown", Error: "WhatsApp has not confirmed the message for 24 hours", Timestamp: at.Unix()}},
		{event.MessageReceipt, event.Receipt{Chat: sampleJID, MessageIDs: []string{"3EB0SAMPLE"}, Status: "read", Person: samplePerson(), Timestamp: at.Unix()}},
		{event.MessageEdited, event.Edited{MessageKey: sampleKey(), Text: "Hello!", PreviousText: "Hello", Timestamp: at.Unix()}},
		{event.MessageRevoked, event.Revoked{MessageKey: sampleKey(), Actor: samplePerson(), Timestamp: at.Unix()}},
		{event.MessageReaction, event.Reaction{MessageKey: sampleKey(), Actor: samplePerson(), Emoji: "👍", Timestamp: at.Unix()}},
		{event.MessagePollVote, event.PollVote{MessageKey: sampleKey(), Voter: samplePerson(), Options: []string{"Yes"}, Timestamp: at.Unix()}},
		{event.RequestFinished, event.Outcome{
			API: "meta", Operation: event.OperationRemoveParticipants, GroupJID: sampleJID,
			Participants: []event.OutcomePerson{{Input: "+628111000001", Person: samplePerson()}},
		}},
	} {
		e := event.Event{Type: sample.about, SessionID: sessionID, At: at, Data: sample.data}
		if sample.about != event.SessionStatus && sample.about != event.SessionQR && sample.about != event.SessionLoggedOut {
			e.Group = sampleJID
		}
		samples = append(samples, e)
	}
	return samples
}

func sampleAccount() event.Account {
	return event.Account{JID: "628111000000@s.whatsapp.net", LID: "100000000000001@lid", PhoneNumber: "628111000000"}
}

func samplePerson() event.Person {
	return event.Person{JID: "628111000001@s.whatsapp.net", PhoneNumber: "628111000001", LID: "100000000000002@lid", Name: "Sample Person"}
}

func sampleGroup() event.About {
	actor := samplePerson()
	return event.About{GroupJID: sampleJID, Subject: "Sample", Actor: &actor, Source: "whatsapp"}
}

func sampleMembers(before string) []event.Member {
	return []event.Member{{Person: samplePerson(), Role: "admin", PreviousRole: before}}
}

func sampleSetting(announce bool) event.GroupSetting { return event.GroupSetting{Announce: &announce} }

func sampleKey() event.MessageKey {
	return event.MessageKey{MessageID: "3EB0SAMPLE", Chat: sampleJID, Sender: samplePerson()}
}

// sampleMessage is one that was sent through the source, or has come in where
// that is empty.
func sampleMessage(at time.Time, source string) event.Message {
	key := sampleKey()
	key.FromMe = source != ""
	return event.Message{
		MessageKey: key, Source: source, ChatName: "Sample", Timestamp: at.Unix(),
		MessageContent: event.MessageContent{Kind: "text", Text: "Hello"},
	}
}
