package session

import (
	"context"
	"regexp"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"

	"muster/internal/event"
	"muster/internal/fault"
)

// pairDisplayName is what the phone shows beside the code. WhatsApp refuses
// names that are not of the form "Browser (OS)".
const pairDisplayName = "Chrome (Linux)"

// PairRequest asks for a code to be typed into a phone.
type PairRequest struct {
	// PhoneNumber is the account's number in international form, with or
	// without "+".
	PhoneNumber string
	// ShowPushNotification makes the phone show a notification that opens the
	// dialogue for the code.
	ShowPushNotification bool
}

// PairCode is a code to be typed into the phone before it expires.
type PairCode struct {
	Code      string // "XXXX-XXXX"
	ExpiresAt time.Time
}

var validPhone = regexp.MustCompile(`^\+?[1-9][0-9]{6,14}$`)

// Validate checks the number's form (E.164).
func (r PairRequest) Validate() error {
	number := strings.TrimPrefix(r.PhoneNumber, "+")
	switch {
	case number == "":
		return fault.Field("phone_number", "is required")
	case strings.HasPrefix(number, "0"):
		return fault.Field("phone_number", "must be in international form: the country code first, no leading 0")
	case !validPhone.MatchString(r.PhoneNumber):
		return fault.Field("phone_number", "must be 7 to 15 digits, with or without a leading +")
	default:
		return nil
	}
}

// Pair returns a code for the phone with the number. Like QR, it starts a
// session that is not running, and the code lives as long as that connection's
// QR codes do, which WhatsApp limits to 160 seconds. How it ended is told by
// the state, or by WatchQR.
func (m *Manager) Pair(ctx context.Context, id string, req PairRequest) (PairCode, error) {
	if err := req.Validate(); err != nil {
		return PairCode{}, err
	}
	c, err := m.startLinking(ctx, id)
	if err != nil {
		return PairCode{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, m.options.WriteTimeout)
	defer cancel()
	end, err := take(ctx, c.pairs)
	if err != nil {
		return PairCode{}, err
	}
	defer end()
	r, until, err := c.awaitCodes(ctx)
	if err != nil {
		return PairCode{}, err
	}
	attempt := r.attempts.Load()
	code, err := r.client.PairPhone(ctx, req.PhoneNumber, req.ShowPushNotification, whatsmeow.PairClientChrome, pairDisplayName)
	switch {
	case err != nil && c.linked():
		return PairCode{}, errLinked()
	case err != nil:
		return PairCode{}, translatePairing(err)
	}
	issued := PairCode{Code: code, ExpiresAt: until}
	r.signal(attempt, pairCodeIssued{issued})
	if err = c.awaitShown(ctx, r, issued); err != nil {
		return PairCode{}, err
	}
	return issued, nil
}

// awaitCodes waits for the connection's first QR code: before it, WhatsApp
// does not take a request for a pairing code.
func (c *companion) awaitCodes(ctx context.Context) (*run, time.Time, error) {
	for {
		s, l, changed := c.watch()
		shown := c.present(s, l).Code != ""
		r := c.current()
		switch {
		case s.JID != "":
			return nil, time.Time{}, errLinked()
		case shown && r != nil:
			return r, l.codes.end(), nil
		case s.Status == StatusPasskeyRequired:
			return nil, time.Time{}, errPasskeyDemanded()
		case (QR{Status: s.Status}).Done():
			return nil, time.Time{}, notConnected(s)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, time.Time{}, abandoned(ctx)
		}
	}
}

// awaitShown waits until the state tells of the code, so that whoever is given
// the code finds the status that goes with it.
func (c *companion) awaitShown(ctx context.Context, r *run, issued PairCode) error {
	for {
		s, l, changed := c.watch()
		switch {
		case s.JID != "": // by a QR code: nobody knows this code yet
			return errLinked()
		case l.pair == issued && s.Status == StatusWaitingForPairCode:
			return nil
		case s.Status == StatusPasskeyRequired:
			return errPasskeyDemanded()
		case (QR{Status: s.Status}).Done():
			return notConnected(s)
		}
		select {
		case <-changed:
		case <-r.done: // the code has ended with its connection
			return notConnected(c.snapshot())
		case <-ctx.Done():
			return abandoned(ctx)
		}
	}
}

// translatePairing words the refusals of a code.
func translatePairing(err error) error {
	coded := fault.From(translate(Read, err))
	switch coded.Code {
	case fault.RateLimited, fault.NoAnswer, fault.SessionNotConnected, fault.Internal:
		return coded
	default:
		return fault.Field("phone_number", "WhatsApp gives no pairing code for this number").Because(err)
	}
}

func (s *serving) onPairCode(issued PairCode) {
	if s.connected || s.c.linked() || s.c.snapshot().Status == StatusPasskeyRequired {
		return // linking has gone on by another way
	}
	s.c.update(func() { s.c.link.pair = issued })
	s.c.setStateOf(s.run, StatusWaitingForPairCode, "", "")
	s.tellCode(event.QR{PairCode: issued.Code, ExpiresAt: seconds(issued.ExpiresAt)})
}
