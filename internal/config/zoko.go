package config

import "time"

// Zoko configures what its API leaves open.
type Zoko struct {
	PendingAfter    time.Duration `key:"pending_after" doc:"A group whose creation takes longer than this is answered as pending, and made in the background."`
	MaxInvitations  int           `key:"max_invitations" doc:"How many numbers one request may invite. Many invitations to strangers put the account at risk."`
	InvitationPause time.Duration `key:"invitation_pause" doc:"How long to wait between two invitations of a request."`
}

func defaultZoko() Zoko {
	return Zoko{PendingAfter: 10 * time.Second, MaxInvitations: 50, InvitationPause: 300 * time.Millisecond}
}
