package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"

	"muster/internal/fault"
)

func TestTranslate(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("step two: %w", err) }
	iq := func(code int) error { return &whatsmeow.IQError{Code: code, Text: "whatever"} }
	for _, row := range []struct {
		name        string
		err         error
		read, write fault.Code
	}{
		{"not in the group", whatsmeow.ErrNotInGroup, fault.NotInGroup, fault.NotInGroup},
		{"no such group", wrap(whatsmeow.ErrGroupNotFound), fault.GroupNotFound, fault.GroupNotFound},
		{"link hidden", whatsmeow.ErrGroupInviteLinkUnauthorized, fault.NotAdmin, fault.NotAdmin},
		{"link revoked", whatsmeow.ErrInviteLinkRevoked, fault.NotFound, fault.NotFound},
		{"not connected", wrap(whatsmeow.ErrNotConnected), fault.SessionNotConnected, fault.SessionNotConnected},
		{"device deleted", store.ErrDeviceDeleted, fault.SessionNotLinked, fault.SessionNotLinked},
		{"iq timeout", whatsmeow.ErrIQTimedOut, fault.NoAnswer, fault.OutcomeUnknown},
		{"message timeout", whatsmeow.ErrMessageTimedOut, fault.NoAnswer, fault.OutcomeUnknown},
		{"deadline", wrap(context.DeadlineExceeded), fault.NoAnswer, fault.OutcomeUnknown},
		{"given up", context.Canceled, fault.NoAnswer, fault.OutcomeUnknown},
		{"cut off", wrap(whatsmeow.ErrIQDisconnected), fault.NoAnswer, fault.OutcomeUnknown},
		{"cut off while sending a message", &whatsmeow.DisconnectedError{Action: "message send"}, fault.NoAnswer, fault.OutcomeUnknown},
		{"cut off while sending", wrap(&net.OpError{Op: "write", Err: syscall.EPIPE}), fault.NoAnswer, fault.OutcomeUnknown},
		{"sent on a closed socket", wrap(net.ErrClosed), fault.NoAnswer, fault.OutcomeUnknown},
		{"400", iq(400), fault.Rejected, fault.Rejected},
		{"403", wrap(iq(403)), fault.NotAdmin, fault.NotAdmin},
		{"404", iq(404), fault.GroupNotFound, fault.GroupNotFound},
		{"409", iq(409), fault.Conflict, fault.Conflict},
		{"429", iq(429), fault.RateLimited, fault.RateLimited},
		{"503", iq(503), fault.NoAnswer, fault.OutcomeUnknown},
		{"an unknown code", iq(499), fault.Rejected, fault.Rejected},
		{"an unexpected answer", &whatsmeow.IQError{}, fault.NoAnswer, fault.OutcomeUnknown},
		{"message refused", fmt.Errorf("%w 463", whatsmeow.ErrServerReturnedError), fault.Rejected, fault.Rejected},
		{"a defect", errors.New("nil pointer somewhere"), fault.Internal, fault.Internal},
	} {
		t.Run(row.name, func(t *testing.T) {
			for kind, want := range map[Kind]fault.Code{Read: row.read, Write: row.write} {
				got := translate(kind, row.err)
				if !fault.Is(got, want) || !errors.Is(got, row.err) {
					t.Errorf("kind %d: %v, expected %s with its cause", kind, got, want)
				}
			}
		})
	}
}

func TestTranslateKeepsFaults(t *testing.T) {
	own := fault.New(fault.DescriptionConflict, "changed")
	if got := translate(Write, fmt.Errorf("set it: %w", own)); !errors.Is(got, own) || !fault.Is(got, fault.DescriptionConflict) {
		t.Fatalf("got %v", got)
	}
	if got := translate(Write, nil); got != nil {
		t.Fatalf("got %v for nil", got)
	}
}

func TestRateLimitSaysWhenToReturn(t *testing.T) {
	silent := fault.From(translate(Read, whatsmeow.ErrIQRateOverLimit))
	if silent.RetryAfter != rateLimitPause {
		t.Errorf("without a hint: %s", silent.RetryAfter)
	}
	hinting := &whatsmeow.IQError{Code: 429, ErrorNode: &waBinary.Node{Tag: "error", Attrs: waBinary.Attrs{"code": "429", "backoff": "90"}}}
	if got := fault.From(translate(Read, hinting)).RetryAfter; got != 90*time.Second {
		t.Errorf("with a hint of 90 s: %s", got)
	}
}
