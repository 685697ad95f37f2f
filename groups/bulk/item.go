package bulk

import (
	"time"

	"go.mau.fi/util/dbutil"

	"muster/groups"
)

// itemState is how far the work on one person is.
type itemState string

const (
	itemPending  itemState = "pending"
	itemAdding   itemState = "adding"   // WhatsApp may have been asked
	itemInviting itemState = "inviting" // refused for privacy; an invite message may have been sent
	itemDone     itemState = "done"
)

// item is one person of a job, as stored.
type item struct {
	index int
	input string
	groups.Identity
	state   itemState
	status  groups.Status // "" until done
	failure groups.Failure
	ticket  groups.Ticket
	// message is the id of the invite message, so that sending it again after a
	// crash does not make it two.
	message string
}

// result is the item as the outside sees it.
func (i item) result() groups.Result {
	r := groups.Result{Input: i.input, Identity: i.Identity, Status: i.status}
	switch {
	case i.state != itemDone:
		r.Status = StatusPending
	case i.status == groups.StatusFailed:
		failure := i.failure
		r.Failure = &failure
	case i.status == groups.StatusInvited:
		ticket := i.ticket
		r.Invite = &ticket
	}
	return r
}

// settle takes over what became of the person. Where there is a ticket and the
// job wants invitations, that is not the end yet.
func (i *item) settle(r groups.Result, onPrivate groups.OnPrivate) {
	if r.JID != "" {
		i.Identity = r.Identity
	}
	i.state, i.status, i.failure = itemDone, r.Status, groups.Failure{}
	if r.Failure != nil {
		i.failure = *r.Failure
	}
	if r.Invite != nil {
		i.ticket = *r.Invite
	}
	if ticket, ok := r.Offer(); ok && onPrivate == groups.OnPrivateInvite {
		i.state, i.ticket, i.message = itemInviting, ticket, groups.NewMessageID()
	}
}

func scanItem(row dbutil.Scannable) (i item, err error) {
	var expires int64
	err = row.Scan(&i.index, &i.input, &i.PhoneNumber, &i.LID, &i.state, &i.status, &i.failure.Code, &i.failure.Reason,
		&i.failure.WhatsAppCode, &i.ticket.Code, &expires, &i.message)
	i.ticket.ExpiresAt = fromSeconds(expires)
	i.Identity = groups.NewIdentity(i.PhoneNumber, i.LID)
	return i, err
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromSeconds(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}
