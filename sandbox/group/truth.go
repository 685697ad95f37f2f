package group

import (
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Truth is everything the service knows of a group. Times are UNIX seconds.
type Truth struct {
	JID            types.JID        `json:"jid"`
	AddressingMode string           `json:"addressing_mode"`
	Subject        string           `json:"subject"`
	SubjectOwner   TruthPerson      `json:"subject_owner"`
	SubjectAt      int64            `json:"subject_at"`
	Description    TruthDescription `json:"description"`
	Owner          TruthPerson      `json:"owner"`
	CreatedAt      int64            `json:"created_at"`

	Locked                 bool   `json:"locked"`
	Announcement           bool   `json:"announce"`
	Ephemeral              uint32 `json:"disappearing_seconds"` // 0 when off
	MembershipApprovalMode string `json:"membership_approval_mode" enum:"on,off"`
	MemberAddMode          string `json:"member_add_mode"`
	MemberLinkMode         string `json:"member_link_mode"`
	ShareHistoryMode       string `json:"member_share_group_history_mode"`
	Suspended              bool   `json:"suspended"`

	InviteCode string `json:"invite_code"`
	InviteLink string `json:"invite_link"`

	Participants []TruthParticipant `json:"participants"`
	Requests     []TruthRequest     `json:"requests"`
	AddRequests  []TruthAddRequest  `json:"add_requests"`

	ParticipantVersion int64 `json:"participant_version"`
	AnnounceVersion    int64 `json:"announcement_version"`

	// Community is set for the parent and for the groups of a community.
	Community *TruthCommunity `json:"community,omitempty"`
}

// TruthPerson is somebody in a Truth.
type TruthPerson struct {
	JID  types.JID `json:"jid"` // the phone JID
	LID  types.JID `json:"lid"`
	Name string    `json:"name"`
}

// TruthDescription is the description in a Truth; Text is empty once deleted.
type TruthDescription struct {
	ID   string      `json:"id"`
	Text string      `json:"text"`
	By   TruthPerson `json:"by"`
	At   int64       `json:"at"`
}

// TruthParticipant is a member in a Truth.
type TruthParticipant struct {
	TruthPerson
	Role     Role  `json:"role"`
	JoinedAt int64 `json:"joined_at"`
}

// TruthRequest is a pending join request in a Truth.
type TruthRequest struct {
	TruthPerson
	Method      RequestMethod `json:"method"`
	RequestedBy *TruthPerson  `json:"requested_by,omitempty"`
	RequestedAt int64         `json:"requested_at"`
}

// TruthAddRequest is a private invitation in a Truth.
type TruthAddRequest struct {
	For       TruthPerson `json:"for"`
	By        TruthPerson `json:"by"`
	Code      string      `json:"code"`
	ExpiresAt int64       `json:"expires_at"`
}

// TruthCommunity places a group in its community.
type TruthCommunity struct {
	IsParent          bool        `json:"is_parent"`
	IsAnnouncement    bool        `json:"is_announcement_group"`
	IsGeneral         bool        `json:"is_general_chat"`
	Parent            types.JID   `json:"parent"` // the group's own JID when it is the parent
	SubGroups         []types.JID `json:"sub_groups"`
	DefaultApproval   string      `json:"default_membership_approval_mode,omitempty"`
	NonAdminSubGroups bool        `json:"allow_non_admin_sub_group_creation"`
}

// Truth tells everything about a group that exists, with or without members.
func (r *Registry) Truth(jid types.JID) (Truth, bool) {
	g, ok := r.Get(jid)
	if !ok {
		return Truth{}, false
	}
	t := Truth{
		JID: g.JID, AddressingMode: string(g.AddressingMode),
		Subject: g.Subject, SubjectOwner: r.truthPerson(g.SubjectBy), SubjectAt: seconds1970(g.SubjectAt),
		Description: TruthDescription{
			ID: g.Description.ID, Text: g.Description.Text,
			By: r.truthPerson(g.Description.By), At: seconds1970(g.Description.At),
		},
		Owner: r.truthPerson(g.Creator), CreatedAt: seconds1970(g.Created),
		Locked: g.Locked, Announcement: g.Announce, Ephemeral: g.Ephemeral,
		MembershipApprovalMode: onOff(g.Approval), MemberAddMode: g.MemberAddMode,
		MemberLinkMode: g.MemberLinkMode, ShareHistoryMode: g.HistoryMode, Suspended: g.Suspended,
		InviteCode: g.InviteCode, InviteLink: InviteLink(g.InviteCode),
		Participants: []TruthParticipant{}, Requests: []TruthRequest{}, AddRequests: []TruthAddRequest{},
		ParticipantVersion: g.ParticipantVersion, AnnounceVersion: g.AnnounceVersion,
		Community: r.truthCommunity(g),
	}
	for _, m := range g.Roster {
		t.Participants = append(t.Participants, TruthParticipant{
			TruthPerson: r.truthPerson(m.Person), Role: m.Role, JoinedAt: seconds1970(m.JoinedAt),
		})
	}
	for _, w := range g.Waiting {
		request := TruthRequest{TruthPerson: r.truthPerson(w.Person), Method: w.Method, RequestedAt: seconds1970(w.At)}
		if w.By != nil {
			by := r.truthPerson(*w.By)
			request.RequestedBy = &by
		}
		t.Requests = append(t.Requests, request)
	}
	for _, a := range g.AddRequests {
		t.AddRequests = append(t.AddRequests, TruthAddRequest{
			For: r.truthPerson(a.For), By: r.truthPerson(a.Admin), Code: a.Code, ExpiresAt: seconds1970(a.Expires),
		})
	}
	return t, true
}

func (r *Registry) truthPerson(p Person) TruthPerson {
	p = r.person(p)
	return TruthPerson{JID: p.PN, LID: p.LID, Name: p.Name}
}

func (r *Registry) truthCommunity(g *Group) *TruthCommunity {
	parent := r.community(g)
	if parent == nil {
		return nil
	}
	return &TruthCommunity{
		IsParent: g.Parent, IsAnnouncement: g.DefaultSub, IsGeneral: g.General, Parent: parent.JID,
		SubGroups: append([]types.JID{}, parent.Subs...), DefaultApproval: parent.DefaultApproval,
		NonAdminSubGroups: parent.NonAdminSubGroups,
	}
}

// seconds1970 is a time in UNIX seconds; 0 for no time.
func seconds1970(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// onOff spells a switch as the API for bots does.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
