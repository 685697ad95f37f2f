package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/store"

	"muster/internal/fault"
)

// meaning is what one of whatsmeow's errors means to a caller.
type meaning struct {
	read, write fault.Code
	text        string
}

// same is the meaning of an error that tells what happened, or that nothing did.
func same(code fault.Code, text string) meaning { return meaning{code, code, text} }

// unclear is the meaning of an error after which nobody knows whether the
// request took effect.
func unclear(text string) meaning {
	return meaning{fault.NoAnswer, fault.OutcomeUnknown, text}
}

// known is the table of errors that are told apart by identity, the most
// specific first: whatsmeow wraps the code of an answer in the errors that
// say what it means for the method.
func known() []struct {
	err error
	meaning
} {
	return []struct {
		err error
		meaning
	}{
		{whatsmeow.ErrNotInGroup, same(fault.NotInGroup, "this account is not a member of the group")},
		{whatsmeow.ErrGroupNotFound, same(fault.GroupNotFound, "there is no such group")},
		{whatsmeow.ErrGroupInviteLinkUnauthorized, same(fault.NotAdmin, "only an admin of the group may see its invite link")},
		{whatsmeow.ErrInviteLinkRevoked, same(fault.NotFound, "the invite link has been revoked")},
		{whatsmeow.ErrInviteLinkInvalid, same(fault.NotFound, "the invite link is not valid")},
		{whatsmeow.ErrInvalidImageFormat, same(fault.Rejected, "WhatsApp does not accept the image")},
		{whatsmeow.ErrInvalidDisappearingTimer, same(fault.Rejected, "WhatsApp does not accept this timer")},
		{whatsmeow.ErrProfilePictureUnauthorized, same(fault.Rejected, "the picture is hidden from this account")},
		{whatsmeow.ErrProfilePictureNotSet, same(fault.NotFound, "there is no picture")},

		{whatsmeow.ErrNotConnected, same(fault.SessionNotConnected, "this session is not connected to WhatsApp")},
		{socket.ErrSocketClosed, same(fault.SessionNotConnected, "this session is not connected to WhatsApp")},
		{whatsmeow.ErrNotLoggedIn, same(fault.SessionNotLinked, "no phone is linked to this session")},
		{store.ErrDeviceDeleted, same(fault.SessionNotLinked, "no phone is linked to this session any more")},

		{whatsmeow.ErrIQTimedOut, unclear("WhatsApp did not answer")},
		{whatsmeow.ErrMessageTimedOut, unclear("WhatsApp did not confirm the message")},
		{context.DeadlineExceeded, unclear("WhatsApp did not answer in time")},
		{context.Canceled, unclear("the request was given up before it was answered")},
	}
}

// answered is the table of the codes with which WhatsApp answers a request.
// Sources: whatsmeow's errors.go for the names, the clients' handling and
// users' reports for the meanings.
func answered(code int) (meaning, bool) {
	switch code {
	case 400:
		return same(fault.Rejected, "WhatsApp did not accept the request (400 bad-request)"), true
	case 401:
		return same(fault.NotAdmin, "WhatsApp does not allow this account to do that (401 not-authorized)"), true
	case 403:
		return same(fault.NotAdmin, "WhatsApp does not allow this account to do that: it needs a member or an admin of the group (403 forbidden)"), true
	case 404:
		return same(fault.GroupNotFound, "WhatsApp knows no such group or person (404 item-not-found)"), true
	case 405:
		return same(fault.Rejected, "WhatsApp does not allow this here (405 not-allowed)"), true
	case 406:
		return same(fault.Rejected, "WhatsApp did not accept a value (406 not-acceptable)"), true
	case 409:
		return same(fault.Conflict, "what was to be changed has changed meanwhile (409 conflict)"), true
	case 410:
		return same(fault.Rejected, "what was asked for no longer exists (410 gone)"), true
	case 412:
		return same(fault.Conflict, "a condition of the request does not hold (412 precondition-failed)"), true
	case 419:
		return same(fault.Rejected, "a limit of WhatsApp is reached (419 resource-limit)"), true
	case 423:
		return same(fault.Rejected, "WhatsApp has locked this (423 locked)"), true
	case 429:
		return same(fault.RateLimited, "WhatsApp asks this account to slow down (429 rate-overlimit)"), true
	case 500, 503, 530:
		return unclear(fmt.Sprintf("WhatsApp failed to answer (%d)", code)), true
	default:
		return meaning{}, false
	}
}

// rateLimitPause is when to try again after a 429 that does not say so itself.
const rateLimitPause = 30 * time.Second

// translate turns what an operation returned into a fault, once and here.
func translate(kind Kind, err error) error {
	if err == nil {
		return nil
	}
	var coded *fault.Error
	if errors.As(err, &coded) {
		return err
	}
	for _, entry := range known() {
		if errors.Is(err, entry.err) {
			return entry.fault(kind, err)
		}
	}
	if brokeConnection(err) {
		return unclear("the connection broke before WhatsApp answered").fault(kind, err)
	}
	var iq *whatsmeow.IQError
	if errors.As(err, &iq) {
		return translateAnswer(kind, iq, err)
	}
	if errors.Is(err, whatsmeow.ErrServerReturnedError) {
		return same(fault.Rejected, "WhatsApp refused the message ("+err.Error()+")").fault(kind, err)
	}
	return same(fault.Internal, "something went wrong on the server").fault(kind, err)
}

// brokeConnection tells whether an operation ended because its connection did:
// while it waited for the answer, or while it was being sent, which whatsmeow
// hands on as the socket's own error.
func brokeConnection(err error) bool {
	var cut *whatsmeow.DisconnectedError
	var socket *net.OpError
	return errors.Is(err, errCut) || errors.As(err, &cut) || errors.As(err, &socket) || errors.Is(err, net.ErrClosed)
}

func translateAnswer(kind Kind, iq *whatsmeow.IQError, err error) error {
	m, ok := answered(iq.Code)
	switch {
	case ok:
	case iq.Code != 0:
		m = same(fault.Rejected, fmt.Sprintf("WhatsApp refused the request (%d %s)", iq.Code, iq.Text))
	default:
		m = unclear("WhatsApp's answer makes no sense")
	}
	result := m.fault(kind, err)
	if result.Code == fault.RateLimited {
		result = result.After(cmp.Or(backoffOf(iq), rateLimitPause))
	}
	return result
}

// backoffOf is the pause that a 429 asks for; 0 when it does not say.
func backoffOf(iq *whatsmeow.IQError) time.Duration {
	if iq.ErrorNode == nil {
		return 0
	}
	return time.Duration(max(iq.ErrorNode.AttrGetter().OptionalInt("backoff"), 0)) * time.Second
}

// namedPause is backoffOf for any error that an operation has ended with.
func namedPause(err error) time.Duration {
	var iq *whatsmeow.IQError
	if !errors.As(err, &iq) {
		return 0
	}
	return backoffOf(iq)
}

func (m meaning) fault(kind Kind, cause error) *fault.Error {
	code, text := m.read, m.text
	if kind == Write {
		code = m.write
	}
	if code == fault.OutcomeUnknown {
		text += ": the change may or may not have happened"
	}
	return fault.New(code, "%s", text).Because(discreet(cause))
}
