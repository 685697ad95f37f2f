package event

import (
	"reflect"
	"slices"
	"strings"
)

// Type says what has happened. The names are part of the public API.
type Type string

// Every type of event.
const (
	SessionStatus    Type = "session.status"
	SessionQR        Type = "session.qr"
	SessionLoggedOut Type = "session.logged_out"

	GroupCreated      Type = "group.created"
	GroupJoined       Type = "group.joined"
	GroupLeft         Type = "group.left"
	GroupDeleted      Type = "group.deleted"
	GroupSubject      Type = "group.subject"
	GroupDescription  Type = "group.description"
	GroupPhoto        Type = "group.photo"
	GroupSettings     Type = "group.settings"
	GroupParticipants Type = "group.participants"
	GroupJoinRequest  Type = "group.join_request"
	GroupInviteLink   Type = "group.invite_link"
	GroupSuspended    Type = "group.suspended"

	MessageReceived Type = "message.received"
	MessageSent     Type = "message.sent"
	MessageFailed   Type = "message.failed"
	MessageReceipt  Type = "message.receipt"
	MessageEdited   Type = "message.edited"
	MessageRevoked  Type = "message.revoked"
	MessageReaction Type = "message.reaction"
	MessagePollVote Type = "message.poll_vote"

	RequestFinished Type = "request.finished"
)

// Kind describes one type of event.
type Kind struct {
	Type Type
	// Summary says in a sentence when it happens.
	Summary string
	// Payload is the Go type of its data.
	Payload reflect.Type
}

// Kinds lists every type of event, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{
		kind[Status](SessionStatus, "A session's state has changed."),
		kind[QR](SessionQR, "A session that is being linked has a new QR code to scan, or a new code to type into the phone."),
		kind[LoggedOut](SessionLoggedOut, "A session's link to its phone is gone; it has to be linked again."),

		kind[Created](GroupCreated, "A group was made that the account is in, by itself or by somebody else."),
		kind[Joined](GroupJoined, "The account has come into a group."),
		kind[Left](GroupLeft, "The account is no longer in a group: it left, was removed, or the group is not shown to it any more."),
		kind[Deleted](GroupDeleted, "A group was deleted."),
		kind[Subject](GroupSubject, "A group's subject (its name) has changed."),
		kind[Description](GroupDescription, "A group's description has changed."),
		kind[Photo](GroupPhoto, "A group's picture has changed or was taken away."),
		kind[Settings](GroupSettings, "One of a group's settings has changed."),
		kind[Participants](GroupParticipants, "Members were added or removed, have joined or left, or were promoted or demoted."),
		kind[JoinRequest](GroupJoinRequest, "People have asked to be let in, have taken that back, or were let in or refused."),
		kind[InviteLink](GroupInviteLink, "A group's invite link was revoked and replaced."),
		kind[Suspended](GroupSuspended, "WhatsApp has suspended a group for a violation of its terms, or has taken that back."),

		kind[Message](MessageReceived, "A message has come, in a group or from a person; also one that the account sent from its phone."),
		kind[Message](MessageSent, "A message was sent through this server."),
		kind[Failed](MessageFailed, "A message that was shown as pending, because WhatsApp had not confirmed it, was not sent and will not be."),
		kind[Receipt](MessageReceipt, "A message was delivered to somebody, read or played by them."),
		kind[Edited](MessageEdited, "A message was given another text."),
		kind[Revoked](MessageRevoked, "A message was deleted for everyone."),
		kind[Reaction](MessageReaction, "Somebody has reacted to a message, or has taken that back."),
		kind[PollVote](MessagePollVote, "Somebody has voted in a poll, or has changed their vote."),

		kind[Outcome](RequestFinished, "A request that was answered before its outcome was known, as those of Meta's API are, has ended. The changes that it has made are events of their own, with the same request_id."),
	}
}

func kind[P any](t Type, summary string) Kind {
	return Kind{Type: t, Summary: summary, Payload: reflect.TypeFor[P]()}
}

// Match tells whether a pattern means the type: its name, "group.*" for all of
// a family, or "*".
func Match(pattern string, t Type) bool {
	if family, all := strings.CutSuffix(pattern, "*"); all {
		return strings.HasPrefix(string(t), family) && (family == "" || strings.HasSuffix(family, "."))
	}
	return pattern == string(t)
}

// Expand lists the types that the patterns mean, each once. unknown is the
// index of the first pattern that means none, or -1.
func Expand(patterns []string) (types []Type, unknown int) {
	unknown = -1
	for i, pattern := range patterns {
		found := false
		for _, k := range Kinds() {
			if !Match(pattern, k.Type) {
				continue
			}
			found = true
			if !slices.Contains(types, k.Type) {
				types = append(types, k.Type)
			}
		}
		if !found && unknown < 0 {
			unknown = i
		}
	}
	return types, unknown
}
