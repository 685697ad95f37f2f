// Package fault is the error type of the whole program: a stable code that
// callers and clients may act on, a sentence for people, and a cause that only
// the log sees.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code names a kind of failure. Codes are part of the public API: they are
// never renamed and never reused.
type Code string

const (
	// The request itself.
	Malformed        Code = "malformed"          // the request cannot be read: broken JSON, wrong type
	Invalid          Code = "invalid"            // well-formed, but a field's value is not acceptable
	TooLarge         Code = "too_large"          // the request is larger than the limit
	UnsupportedMedia Code = "unsupported_media"  // an upload of a kind that is not understood
	Unauthenticated  Code = "unauthenticated"    // no token, or one that is not known
	Forbidden        Code = "forbidden"          // the token does not allow it
	NotFound         Code = "not_found"          // no such path or record
	MethodNotAllowed Code = "method_not_allowed" // the path exists, the method does not
	Conflict         Code = "conflict"           // the present state does not allow it

	// Sessions.
	SessionNotFound     Code = "session_not_found"
	SessionExists       Code = "session_exists"
	SessionNotLinked    Code = "session_not_linked"    // no phone is linked to it
	SessionLinked       Code = "session_linked"        // linking was asked of a linked session
	SessionNotConnected Code = "session_not_connected" // linked, but not on line now

	// What WhatsApp answered.
	GroupNotFound       Code = "group_not_found"
	NotInGroup          Code = "not_in_group"
	NotAdmin            Code = "not_admin"            // the operation needs an admin of the group
	DescriptionConflict Code = "description_conflict" // prev_id is not the current description
	InviteRevoked       Code = "invite_revoked"       // an invitation that was good once and is no longer
	InviteInvalid       Code = "invite_invalid"       // what never was an invitation
	GroupFull           Code = "group_full"           // the group, or its community, takes nobody else
	AlreadyMember       Code = "already_member"       // the session's account is in the group already
	RateLimited         Code = "rate_limited"         // WhatsApp, or our own pacing, asks to wait
	AccountRestricted   Code = "account_restricted"   // WhatsApp restricts what the account may send
	Rejected            Code = "rejected"             // WhatsApp refused for a reason of its own
	NoAnswer            Code = "no_answer"            // a read was not answered in time
	OutcomeUnknown      Code = "outcome_unknown"      // a change was sent and its answer never came

	// Us.
	Unavailable Code = "unavailable" // starting or stopping
	Internal    Code = "internal"    // a defect; the log has the cause under the request id
)

// Codes lists every code, for the edges' tables and the tests that check them.
func Codes() []Code {
	return []Code{
		Malformed, Invalid, TooLarge, UnsupportedMedia, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict,
		SessionNotFound, SessionExists, SessionNotLinked, SessionLinked, SessionNotConnected,
		GroupNotFound, NotInGroup, NotAdmin, DescriptionConflict,
		InviteRevoked, InviteInvalid, GroupFull, AlreadyMember, RateLimited, AccountRestricted, Rejected,
		NoAnswer, OutcomeUnknown, Unavailable, Internal,
	}
}

// Error is a coded failure. Message is safe to show to a client.
type Error struct {
	Code    Code
	Message string
	// Field names the offending input, as the client spelled it ("participants[2]"), or is empty.
	Field string
	// RetryAfter says when trying again makes sense; zero when that is not known.
	RetryAfter time.Duration
	cause      error
}

// New makes an error with a code and a sentence for the client.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Field makes an Invalid error about one input field.
func Field(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Because attaches the cause, which the log shows and the client never sees.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// After sets when trying again makes sense.
func (e *Error) After(wait time.Duration) *Error {
	e.RetryAfter = wait
	return e
}

func (e *Error) Error() string {
	text := string(e.Code) + ": " + e.Message
	if e.Field != "" {
		text = string(e.Code) + ": " + e.Field + ": " + e.Message
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.cause }

// From finds the coded error inside err, or wraps err as Internal. It returns
// nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var coded *Error
	if errors.As(err, &coded) {
		return coded
	}
	return New(Internal, "something went wrong on the server").Because(err)
}

// Is tells whether err carries the code.
func Is(err error, code Code) bool {
	var coded *Error
	return errors.As(err, &coded) && coded.Code == code
}
