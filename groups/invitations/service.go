// Package invitations asks people into groups by message: who is asked, who
// was asked before or has gone since, what the message says, and the link that
// it has in it.
//
// WhatsApp keeps no list of those who were invited or have left. It is kept
// here: what Invite sends is noted, and Sink notes from the log of events who
// comes and goes.
package invitations

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/groups"
	"muster/internal/turns"
)

// Options are what a Service needs; all but Max, Pause and Now are required.
type Options struct {
	DB     *dbutil.Database
	Groups *groups.Service
	// Send sends a text to a person. It returns an error only when the text will
	// not be sent.
	Send    func(ctx context.Context, sessionID, to, text string) error
	Library Library
	// Max is how many numbers one request may have: 50. Many invitations put an
	// account at risk.
	Max int
	// Pause is between two messages of a request: 300 ms.
	Pause time.Duration
	Now   func() time.Time // time.Now
}

// Service invites. It is safe for concurrent use.
type Service struct {
	repo    repo
	groups  *groups.Service
	send    func(ctx context.Context, sessionID, to, text string) error
	library Library
	max     int
	pause   time.Duration
	now     func() time.Time
	lines   turns.Lines[line]
}

// line names a group as one of the sessions sees it. Invitations to it are sent
// one request after the other, so that nobody gets two.
type line struct{ session, group string }

// NewService makes the service. Its Sink must be added to the log of events.
func NewService(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Max <= 0 {
		o.Max = 50
	}
	if o.Pause <= 0 {
		o.Pause = 300 * time.Millisecond
	}
	return &Service{
		repo: repo{o.DB}, groups: o.Groups, send: o.Send, library: o.Library, max: o.Max, pause: o.Pause, now: o.Now,
	}
}

// Library is the texts that can be sent.
func (s *Service) Library() Library { return s.library }
