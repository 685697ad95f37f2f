package messages

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/session"
)

// The numbers with which WhatsApp refuses a message that are acted on.
const (
	numberForbidden = 403
	numberStale     = 421 // the group is addressed in another way by now
	numberReachOut  = 463
	numberCapped    = 475
)

// slowDown is when to send again after a 429, which does not say so itself.
const slowDown = 30 * time.Second

// refusals says what each number in the acknowledgement of a message means, as
// far as clients agree on it.
var refusals = map[int]string{
	400:             "WhatsApp does not accept this message",
	401:             "WhatsApp does not let this account write to this chat",
	numberForbidden: "WhatsApp does not let this account write to this chat",
	404:             "WhatsApp knows no such chat",
	406:             "WhatsApp does not accept this message",
	numberStale:     "the group has just changed how its members are addressed; try again",
	429:             "WhatsApp asks to send fewer messages",
	numberReachOut:  "WhatsApp does not let this account begin new chats at present (reach-out time lock)",
	numberCapped:    "this account has sent as many messages to new people as WhatsApp allows for now",
	479:             "WhatsApp does not accept the form of this message",
}

// refusalNumber is the number with which WhatsApp refused a message, or 0 when
// err is no such refusal. whatsmeow has the number only in the error's text:
// "server returned error 403".
func refusalNumber(err error) int {
	if !errors.Is(err, whatsmeow.ErrServerReturnedError) {
		return 0
	}
	text := err.Error()
	number, convErr := strconv.Atoi(text[strings.LastIndexByte(text, ' ')+1:])
	if convErr != nil {
		return -1 // a refusal all the same
	}
	return number
}

// refused makes the fault of a message to a chat that WhatsApp refused.
func refused(to types.JID, number int, err error) error {
	meaning, known := refusals[number]
	if !known {
		meaning = "WhatsApp refused the message"
	}
	refusal := fault.New(fault.Rejected, "%s (number %d)", meaning, number).Because(err)
	switch {
	case number == 404 && to.Server == types.GroupServer:
		refusal.Code = fault.GroupNotFound
	case number == numberReachOut, number == numberCapped:
		refusal.Code = fault.AccountRestricted
	case number == 429:
		refusal.Code = fault.RateLimited
		refusal.RetryAfter = slowDown
	}
	return refusal
}

// unreadable gives the refusals of a question about a group their codes.
func unreadable(err error) error {
	switch {
	case errors.Is(err, whatsmeow.ErrGroupNotFound):
		return fault.New(fault.GroupNotFound, "WhatsApp knows no such group").Because(err)
	case errors.Is(err, whatsmeow.ErrNotInGroup):
		return fault.New(fault.NotInGroup, "the session's account is not in this group").Because(err)
	}
	return err
}

// explain finds out why a group does not take a message: WhatsApp answers the
// same to strangers and to members of a group where only admins may post.
func (s *Service) explain(ctx context.Context, sessionID string, jid types.JID, err error) error {
	var group *types.GroupInfo
	lookup := s.sessions.Do(ctx, sessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) (err error) {
		group, err = client.GetGroupInfo(ctx, jid)
		return unreadable(err)
	})
	switch {
	case fault.Is(lookup, fault.NotInGroup), fault.Is(lookup, fault.GroupNotFound):
		return lookup
	case lookup != nil:
		return err
	case group.Suspended:
		return fault.New(fault.Rejected, "WhatsApp has suspended this group").Because(err)
	case group.IsAnnounce:
		return fault.New(fault.NotAdmin, "only admins may post in this group").Because(err)
	}
	return err
}
