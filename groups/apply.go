package groups

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// stamp is when the last event of some kind happened, by WhatsApp's clock, and
// when it came here, by ours; UNIX seconds.
type stamp struct {
	At   int64 `json:"at"`
	Here int64 `json:"here"`
}

// memberRow is a participant as the mirror holds one.
type memberRow struct {
	Participant
	position int64 // of the row; rows keep it
	state    rowState
}

// rowState is what has to be done about a row.
type rowState int

const (
	rowSame rowState = iota
	rowNew
	rowChanged
)

// request is somebody of whom an event has told that they wait to be let in. It
// is for telling approvals from additions; who really waits only WhatsApp knows.
type request struct {
	who   Identity
	fresh bool // not stored yet
}

// mirrored is a group as the mirror holds it, and what changes do to it. It is
// pure: reading and writing it is in mirror_rows.go. Group.Participants stays
// empty, members has them.
type mirrored struct {
	Group
	session  string
	known    bool // there is a row
	times    map[ChangeKind]stamp
	rev      int64
	syncedAt time.Time
	stale    bool

	members  []memberRow
	removed  []int64 // positions of rows to delete
	requests []request
	dropped  []Identity // of requests to delete

	dirty bool // the row must be written
	dated bool // only when it was last compared must be written
	ended bool // the row must be deleted
	ask   bool // WhatsApp must be asked
}

// effect is what a change has done, as the history tells it.
type effect struct {
	kind          ChangeKind
	before, after any
	// stateless effects leave no trace in the mirror that tells a repetition
	// from news, so the history itself has to.
	stateless bool
}

// Keys of mirrored.times that are not kinds, or begin those of our own changes.
const (
	membersStamp ChangeKind = "members"
	own          ChangeKind = "own "
)

// raceWindow is how long before an operation's change an event may have come
// that in truth followed it.
const raceWindow = 5 * time.Second

// take applies one change; me is the session's own account, now the local time.
func (g *mirrored) take(c Change, me Identity, now time.Time) []effect {
	switch c.Kind {
	case ChangeCreated, ChangeJoined:
		return g.begin(c, me, now)
	case ChangeLeft, ChangeRemoved, ChangeDeleted, ChangeGone:
		return g.end(c)
	case ChangeInviteLink:
		return []effect{{kind: c.Kind, after: c.Text, stateless: true}}
	}
	if !g.known {
		if (c.Kind == ChangeExpelled || c.Kind == ChangeDeparted) && slices.ContainsFunc(c.People, me.same) {
			return g.end(c.ofOurs()) // the echo of our leaving
		}
		g.ask = c.Source == SourceEvent
		return g.unplaced(c)
	}
	switch c.Kind {
	case ChangeAdded, ChangeArrived, ChangeApproved, ChangeExpelled, ChangeDeparted, ChangePromoted, ChangeDemoted:
		return g.takeMembers(c, me, now)
	case ChangeRequested, ChangeWithdrawn, ChangeRejected:
		return g.takeRequests(c)
	case ChangeDetails:
		return g.takeDetails(c)
	case ChangeLinked, ChangeUnlinked:
		if g.Community.IsCommunity && g.Community.Parent == "" {
			return []effect{{kind: c.Kind, after: c.Text, stateless: true}}
		}
	}
	return g.takeValue(c, now)
}

// unplaced is the history of a change of a group that the mirror does not have.
func (g *mirrored) unplaced(c Change) []effect {
	switch {
	case c.Source == SourceReconcile:
		return nil
	case len(c.People) > 0:
		return []effect{{kind: c.Kind, after: personsOf(c.People, ""), stateless: true}}
	case c.value() != nil:
		return []effect{{kind: c.Kind, after: c.value(), stateless: true}}
	}
	return nil
}

// begin takes over a group that the account has come into. What events and the
// answer to a creation do not say of it is asked.
func (g *mirrored) begin(c Change, me Identity, now time.Time) []effect {
	if c.Info == nil {
		g.ask = true
		return nil
	}
	if c.Version == "" {
		c.Version = c.Info.version
	}
	if g.known {
		// The echo of our own creation, a repetition, or a return whose
		// departure was missed.
		if g.version == "" {
			g.version, g.dirty = c.Version, true
		}
		if c.Source == SourceAPI {
			g.supplement(c.Info.Settings)
		}
		if c.Version != g.version {
			g.doubt()
		}
		return nil
	}
	g.replace(*c.Info, me)
	g.known, g.version = true, c.Version
	g.syncedAt = now
	if c.Source == SourceEvent || c.Source == SourceAPI && c.Info.Settings.MemberLink == "" {
		// It may be a repetition of long ago, and the stanza, which says more than
		// whatsmeow's reading of it, is not to be had.
		g.doubt()
	}
	return []effect{{kind: c.Kind, after: introduction{Subject: g.Subject, ParticipantCount: g.ParticipantCount}}}
}

// supplement takes over the modes that are not known: an event that was faster
// than the answer to our question does not tell them.
func (g *mirrored) supplement(s Settings) {
	was := g.Settings
	g.Settings.MembershipApproval = cmp.Or(was.MembershipApproval, s.MembershipApproval)
	g.Settings.MemberAdd = cmp.Or(was.MemberAdd, s.MemberAdd)
	g.Settings.MemberLink = cmp.Or(was.MemberLink, s.MemberLink)
	g.dirty = g.dirty || g.Settings != was
}

// replace takes all of a group from a description of it.
func (g *mirrored) replace(info Group, me Identity) {
	photo := g.PhotoID
	people := info.Participants
	info.Participants = nil
	g.Group, g.dirty = info, true
	g.PhotoID = photo
	g.members = g.members[:0]
	for i, p := range people {
		g.members = append(g.members, memberRow{Participant: p, position: int64(i), state: rowNew})
	}
	g.count(me)
}

// end takes the group away. The history knows whether that is news.
func (g *mirrored) end(c Change) []effect {
	if g.known && c.Version != "" && g.order(c) == older {
		return nil // it was before our return
	}
	was := effect{kind: c.Kind, stateless: !g.known}
	if g.known {
		was.before = introduction{Subject: g.Subject, ParticipantCount: g.ParticipantCount}
	}
	g.known, g.ended, g.dirty = false, true, false
	return []effect{was}
}

// doubt has WhatsApp asked, because the mirror may be wrong now.
func (g *mirrored) doubt() { g.stale, g.ask, g.dirty = true, true, true }

// takeValue applies a change of one value. Events tell the second in which they
// happened: an older one is late, and two of one second may come in either
// order, so WhatsApp is asked. So it is about an event of our own account's doing
// that was overtaken by a change of ours: it must not take the newer value back.
func (g *mirrored) takeValue(c Change, now time.Time) []effect {
	was, want := g.value(c.Kind), c.value()
	differs := was != want || c.Kind == ChangeDescription && c.TopicID != g.TopicID
	switch c.Source {
	case SourceEvent:
		last, at := g.times[c.Kind], c.At.Unix()
		if at < last.At {
			if was != want {
				g.doubt()
			}
			return nil
		}
		if at == last.At && differs {
			g.doubt()
		}
		g.note(c.Kind, stamp{At: at, Here: now.Unix()})
		if differs && c.overtaken {
			g.doubt()
			return nil
		}
	case SourceAPI:
		g.note(own+c.Kind, stamp{Here: now.Unix()})
		if differs && g.happenedSince(c.Kind, c.At) {
			g.doubt()
		}
	}
	if c.Kind == ChangeDescription && (c.TopicID != "" || c.Source == SourceReconcile) && c.TopicID != g.TopicID {
		g.TopicID, g.dirty = c.TopicID, true
	}
	if was == want {
		return nil
	}
	g.set(c)
	g.dirty = true
	if was == "" && c.Source == SourceReconcile && c.Kind.mode() {
		return nil // it was not known before, which is no change
	}
	return []effect{{kind: c.Kind, before: was, after: want}}
}

// happenedSince tells whether an event of the kind came since the time, so that
// what is recorded now may have happened before it.
func (g *mirrored) happenedSince(kind ChangeKind, since time.Time) bool {
	last, ok := g.times[kind]
	return ok && last.Here >= since.Add(-raceWindow).Unix()
}

func (g *mirrored) note(kind ChangeKind, at stamp) {
	if g.times == nil {
		g.times = map[ChangeKind]stamp{}
	}
	g.times[kind] = at
	g.dirty = true
}

// mode tells whether the kind is one of the modes that WhatsApp may not say.
func (k ChangeKind) mode() bool {
	return k == ChangeApproval || k == ChangeMemberAdd || k == ChangeMemberLink
}

// value is the present value that a kind of change is about.
func (g *mirrored) value(kind ChangeKind) any {
	switch kind {
	case ChangeSubject:
		return g.Subject
	case ChangeDescription:
		return g.Topic
	case ChangeAnnounce:
		return g.Announce
	case ChangeLocked:
		return g.Locked
	case ChangeSuspended:
		return g.Suspended
	case ChangeDisappearing:
		return g.DisappearingSeconds
	case ChangeApproval:
		return string(g.Settings.MembershipApproval)
	case ChangeMemberAdd:
		return string(g.Settings.MemberAdd)
	case ChangeMemberLink:
		return string(g.Settings.MemberLink)
	case ChangePhoto:
		return g.PhotoID
	case ChangeLinked, ChangeUnlinked:
		return g.Community.Parent
	}
	return nil
}

// value is the new value that the change carries.
func (c Change) value() any {
	switch c.Kind {
	case ChangeAnnounce, ChangeLocked, ChangeSuspended:
		return c.On
	case ChangeDisappearing:
		return c.Seconds
	case ChangeUnlinked:
		return ""
	case ChangeSubject, ChangeDescription, ChangeApproval, ChangeMemberAdd, ChangeMemberLink, ChangePhoto, ChangeLinked, ChangeInviteLink:
		return c.Text
	}
	return nil
}

func (g *mirrored) set(c Change) {
	switch c.Kind {
	case ChangeSubject:
		g.Subject = c.Text
	case ChangeDescription:
		g.Topic, g.TopicSetAt = c.Text, c.At
		if c.Text == "" {
			g.TopicSetAt = time.Time{}
		}
	case ChangeAnnounce:
		g.Announce = c.On
	case ChangeLocked:
		g.Locked = c.On
	case ChangeSuspended:
		g.Suspended = c.On
	case ChangeDisappearing:
		g.DisappearingSeconds = c.Seconds
	case ChangeApproval:
		g.Settings.MembershipApproval = ApprovalMode(c.Text)
	case ChangeMemberAdd:
		g.Settings.MemberAdd = AddMode(c.Text)
	case ChangeMemberLink:
		g.Settings.MemberLink = LinkMode(c.Text)
	case ChangePhoto:
		g.PhotoID = c.Text
	case ChangeLinked:
		g.Community.Parent = c.Text
	case ChangeUnlinked:
		g.Community.Parent = ""
	}
}

// details is what a group says of itself beyond what has a kind of its own.
type details struct {
	Owner               string `json:"owner"`
	CreatedAt           int64  `json:"created_at"`
	AddressingMode      string `json:"addressing_mode"`
	Incognito           bool   `json:"incognito"`
	IsCommunity         bool   `json:"is_community"`
	IsAnnouncementGroup bool   `json:"is_announcement_group"`
}

func (g Group) details() details {
	return details{
		Owner: g.Owner, CreatedAt: unixOf(g.CreatedAt), AddressingMode: g.AddressingMode, Incognito: g.Incognito,
		IsCommunity: g.Community.IsCommunity, IsAnnouncementGroup: g.Community.IsAnnouncementGroup,
	}
}

func (g *mirrored) takeDetails(c Change) []effect {
	was, want := g.details(), c.Info.details()
	if was == want {
		return nil
	}
	g.Owner, g.CreatedAt, g.AddressingMode, g.Incognito = c.Info.Owner, c.Info.CreatedAt, c.Info.AddressingMode, c.Info.Incognito
	g.Community.IsCommunity, g.Community.IsAnnouncementGroup = c.Info.Community.IsCommunity, c.Info.Community.IsAnnouncementGroup
	g.dirty = true
	return []effect{{kind: ChangeDetails, before: was, after: want}}
}

// sequence is where a change of the members stands to what the mirror has.
type sequence int

const (
	next    sequence = iota // follows what is known, or does not say
	present                 // is what is known
	older                   // was before what is known
	gap                     // something between is missing
)

// order compares versions of the members. WhatsApp counts them up, so of two
// numbers the smaller is older.
func (g *mirrored) order(c Change) sequence {
	switch {
	case c.Version == "" || g.version == "" || c.PrevVersion == g.version:
		return next
	case c.Version == g.version:
		return present
	}
	mine, err1 := strconv.ParseUint(g.version, 10, 64)
	theirs, err2 := strconv.ParseUint(c.Version, 10, 64)
	if err1 == nil && err2 == nil && theirs < mine {
		return older
	}
	return gap
}

// find returns the member's index, or -1.
func (g *mirrored) find(who Identity) int {
	return slices.IndexFunc(g.members, func(m memberRow) bool { return m.same(who) })
}

func (g *mirrored) waiting(who Identity) int {
	return slices.IndexFunc(g.requests, func(r request) bool { return r.who.same(who) })
}

// same tells whether two identities share a name.
func (i Identity) same(other Identity) bool {
	return i.LID != "" && i.LID == other.LID || i.PhoneNumber != "" && i.PhoneNumber == other.PhoneNumber
}

// learn takes over the names that were not known, and tells whether there were any.
func (i *Identity) learn(from Identity) bool {
	was := *i
	if i.LID == "" {
		i.LID = from.LID
	}
	if i.PhoneNumber == "" {
		i.PhoneNumber = from.PhoneNumber
	}
	if i.PhoneNumber != "" {
		i.JID = i.PhoneNumber + "@s.whatsapp.net"
	} else {
		i.JID = i.LID
	}
	return *i != was
}

// count keeps what follows from the members.
func (g *mirrored) count(me Identity) {
	if len(g.members) > 0 {
		g.ParticipantCount = len(g.members)
	}
	if at := g.find(me); at >= 0 {
		g.MyRole = g.members[at].Role
	}
}

func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
