package groups

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
)

// ChangeKind says what about a group has changed. The names are part of the
// public API.
type ChangeKind string

// Every kind of change, with the fields of Change that carry it.
const (
	ChangeCreated ChangeKind = "created" // the group was made: Info
	ChangeJoined  ChangeKind = "joined"  // the session's account came into it: Info
	ChangeLeft    ChangeKind = "left"    // the session's account left
	ChangeRemoved ChangeKind = "removed" // the session's account was removed by Actor
	ChangeDeleted ChangeKind = "deleted" // the group was deleted
	ChangeGone    ChangeKind = "gone"    // the group is no longer listed, and nobody has said why

	ChangeSubject      ChangeKind = "subject"                  // Text
	ChangeDescription  ChangeKind = "description"              // Text, TopicID
	ChangeAnnounce     ChangeKind = "announce"                 // On
	ChangeLocked       ChangeKind = "locked"                   // On
	ChangeSuspended    ChangeKind = "suspended"                // On
	ChangeDisappearing ChangeKind = "disappearing_seconds"     // Seconds
	ChangeApproval     ChangeKind = "membership_approval_mode" // Text, an ApprovalMode
	ChangeMemberAdd    ChangeKind = "member_add_mode"          // Text, an AddMode
	ChangeMemberLink   ChangeKind = "member_link_mode"         // Text, a LinkMode
	ChangePhoto        ChangeKind = "photo"                    // Text, the picture's id; empty when it was removed
	ChangeInviteLink   ChangeKind = "invite_link_reset"        // Text, the new link
	ChangeLinked       ChangeKind = "community_linked"         // Text, the JID of the community
	ChangeUnlinked     ChangeKind = "community_unlinked"       // Text, the JID of the community
	ChangeDetails      ChangeKind = "details"                  // Info: what else a group says of itself

	ChangeAdded    ChangeKind = "participants_added"    // People, by Actor
	ChangeArrived  ChangeKind = "participants_joined"   // People, by themselves, with a link or after approval
	ChangeExpelled ChangeKind = "participants_removed"  // People, by Actor
	ChangeDeparted ChangeKind = "participants_left"     // People, by themselves
	ChangePromoted ChangeKind = "participants_promoted" // People
	ChangeDemoted  ChangeKind = "participants_demoted"  // People

	ChangeRequested ChangeKind = "join_requests_created"  // People, Text is the method
	ChangeWithdrawn ChangeKind = "join_requests_revoked"  // People
	ChangeApproved  ChangeKind = "join_requests_approved" // People
	ChangeRejected  ChangeKind = "join_requests_rejected" // People
)

// Source says how a change came to be known.
type Source string

// The sources.
const (
	SourceEvent     Source = "event"     // WhatsApp's notification
	SourceAPI       Source = "api"       // an operation of this server
	SourceReconcile Source = "reconcile" // found by comparing with WhatsApp; who did it is not known
)

// Change is one change of a group: what an event tells, what an operation has
// done, or what a comparison with WhatsApp has found.
type Change struct {
	SessionID string
	Group     types.JID
	Kind      ChangeKind
	// At is WhatsApp's time of the change for events, ours for the others.
	At time.Time
	// Actor is who did it; the zero value where WhatsApp names nobody.
	Actor  Identity
	Source Source

	// What it is now. Each kind uses some of these, see above.
	Text    string
	TopicID string
	On      bool
	Seconds uint32
	People  []Identity
	Info    *Group
	// Reason is by what way people have come in, in WhatsApp's words; often empty.
	Reason string

	// Version and PrevVersion name the states of the members after and before,
	// as events do; empty where that is not known.
	Version, PrevVersion string

	// echo: an event has told it, and it is an operation of this server, which
	// worked for this request of the API.
	echo    bool
	request string
	// overtaken: an event of the account's own doing that may tell what was so
	// before a change of ours that the mirror has already.
	overtaken bool
}

// own is the beginning of a change that an operation of the session's account
// has just made; the caller fills in the value.
func (s *Service) own(sessionID string, group types.JID, kind ChangeKind) Change {
	return Change{
		SessionID: sessionID, Group: group, Kind: kind, Source: SourceAPI,
		At: s.mirror.now(), Actor: s.mirror.account(sessionID),
	}
}

// record applies changes to the mirror and writes the history, in one
// transaction. It is idempotent: what the mirror has already, for example
// because the echo of our own change was faster, changes nothing and adds
// nothing to the history.
func (s *Service) record(ctx context.Context, changes ...Change) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return s.mirror.record(ctx, changes...)
}

// recordTimeout bounds the writing of what has happened already, and is
// therefore written although the caller may have gone.
const recordTimeout = 30 * time.Second

// recorded is record for operations, which have succeeded whether or not it can
// be written down: WhatsApp is then asked for the group again in the background.
func (s *Service) recorded(ctx context.Context, changes ...Change) {
	if err := s.record(ctx, changes...); err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Msg("a change of a group was made and could not be written to the mirror")
		for _, c := range changes {
			s.mirror.refreshLater(c.SessionID, c.Group)
		}
	}
}
