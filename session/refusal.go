package session

import (
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types/events"
)

// refusedPause is the wait after a refusal that is neither known to be final
// nor known to be short.
// Half as much again at random spreads sessions that were refused together.
const refusedPause = 5 * time.Minute

// onRefusal takes the events after which WhatsApp does not want this client.
func (s *serving) onRefusal(evt any) *ending {
	switch evt := evt.(type) {
	case *events.LoggedOut:
		return s.loggedOut(evt.Reason)
	case *events.StreamReplaced:
		return &ending{status: StatusDisconnected, reason: ReasonReplaced, final: true,
			detail: "another program connected with this session's keys; stop it, then connect this session again"}
	case *events.ClientOutdated:
		return &ending{status: StatusDisconnected, reason: ReasonOutdated, final: true,
			detail: "WhatsApp no longer accepts this version of the client: update Muster, then connect this session again"}
	case *events.TemporaryBan:
		return s.banned(evt)
	case *events.ConnectFailure:
		end := s.lost(ReasonRefused, "WhatsApp refused the login: "+evt.Reason.String())
		end.pause = refusedPause + jitter(refusedPause/2)
		return &end
	default:
		return nil
	}
}

// deletionWait is how long whatsmeow may take to delete the keys after it has
// announced the logout; after that they are deleted here.
const deletionWait = 5 * time.Second

// loggedOut is the ending after WhatsApp has removed this device.
func (r *run) loggedOut(why events.ConnectFailureReason) *ending {
	select {
	case <-r.deleted:
	case <-time.After(deletionWait):
	}
	if err := r.c.dropDevice(); err != nil {
		r.c.m.log.Error().Err(err).Str("session", r.c.id).Msg("cannot delete the keys of a session that was logged out: WhatsApp refuses them again at the next login, and then they are")
	}
	status, reason, detail := StatusLoggedOut, ReasonUnlinked, "this device was removed in the phone's list of linked devices"
	switch {
	case why == events.ConnectFailureMainDeviceGone:
		reason, detail = ReasonPrimaryGone, "the phone was logged out or its account is locked"
	case why == events.ConnectFailureUnknownLogout:
		// whatsmeow's comment: WhatsApp's own clients call this one BANNED.
		status, reason, detail = StatusBanned, ReasonAccountBanned, "WhatsApp has banned the account and logged it out (406)"
	case r.c.isLeaving():
		reason, detail = ReasonLoggedOutHere, loggedOutHere
	}
	return &ending{status: status, reason: reason, detail: detail, final: true}
}

// banned is the ending after a temporary ban. Without an expiry nobody knows
// when to try again, so someone has to ask for it.
func (r *run) banned(evt *events.TemporaryBan) *ending {
	if evt.Expire <= 0 {
		return &ending{status: StatusBanned, reason: ReasonTemporaryBan, detail: evt.Code.String(), final: true}
	}
	return &ending{status: StatusBanned, reason: ReasonTemporaryBan, pause: evt.Expire,
		detail: banDetail(evt.Code.String(), r.c.m.now().Add(evt.Expire))}
}

// banUntil stands between WhatsApp's reason for a ban and its end.
const banUntil = "; until "

// banDetail is the detail of a ban's state. It is stored, and is where a
// restarted server finds the end of the ban.
func banDetail(why string, until time.Time) string {
	return why + banUntil + until.UTC().Format(time.RFC3339)
}

// banEnd reads the end of a ban from its detail; zero when it is not known.
func banEnd(detail string) time.Time {
	i := strings.LastIndex(detail, banUntil)
	if i < 0 {
		return time.Time{}
	}
	until, err := time.Parse(time.RFC3339, detail[i+len(banUntil):])
	if err != nil {
		return time.Time{} //nolint:nilerr // not written by banDetail: nothing is known
	}
	return until
}
