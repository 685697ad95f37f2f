package session

import (
	"context"
	"regexp"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"

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
	r, until, err := c.awaitCodes(ctx)
	if err != nil {
		return PairCode{}, err
	}
	code, err := r.client.PairPhone(ctx, req.PhoneNumber, req.ShowPushNotification, whatsmeow.PairClientChrome, pairDisplayName)
	if err != nil {
		return PairCode{}, translatePairing(err)
	}
	issued := PairCode{Code: code, ExpiresAt: until}
	r.signal(pairCodeIssued{issued})
	return issued, c.awaitShown(ctx, issued)
}

// awaitCodes waits for the connection's first QR code: before it, WhatsApp
// does not take a request for a pairing code.
func (c *companion) awaitCodes(ctx context.Context) (*run, time.Time, error) {
	for {
		s, l, changed := c.watch()
		_, shown := c.present(s, l)
		r := c.current()
		switch {
		case s.JID != "":
			return nil, time.Time{}, errLinked()
		case shown && r != nil:
			return r, l.codes.end(), nil
		case s.Status == StatusPasskeyRequired:
			return nil, time.Time{}, fault.New(fault.Conflict, "WhatsApp demands a passkey for the link that is in work: see /passkey")
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

// awaitShown waits until the state tells of the code.
func (c *companion) awaitShown(ctx context.Context, issued PairCode) error {
	for {
		s, l, changed := c.watch()
		if l.pair == issued {
			return nil
		}
		if (QR{Status: s.Status}).Done() {
			return notConnected(s)
		}
		select {
		case <-changed:
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
	if s.connected || s.c.linked() {
		return
	}
	s.c.update(func() { s.c.link.pair = issued })
	s.c.setStateOf(s.run, StatusWaitingForPairCode, "", "")
}
