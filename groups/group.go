package groups

import (
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
)

// Limits of WhatsApp. The subject's was 25 for years (whatsmeow's comment
// still says so) and is 100 now; the server answers 406 above it. The
// description's is what every client allows. A group has at most 1,024
// members, its creator among them.
const (
	MaxSubject      = 100  // characters
	MaxDescription  = 2048 // characters
	MaxParticipants = 1023 // in one request
)

// Group is a group as the session's account sees it.
type Group struct {
	JID     string
	Subject string
	// Topic is the description, and TopicID names its version: changing the
	// description against a TopicID fails when somebody was faster. A group whose
	// description was deleted has a TopicID and no Topic.
	Topic      string
	TopicID    string
	TopicSetAt time.Time // zero when there is no topic
	// Owner is the creator: a phone JID where the phone is known, else a LID;
	// empty where WhatsApp names nobody.
	Owner     string
	CreatedAt time.Time
	// AddressingMode says whether members see each other as "lid" or as "pn".
	AddressingMode string
	// ParticipantCount is also known where Participants are not listed.
	ParticipantCount int
	Participants     []Participant
	Settings         Settings
	// Announce: only admins may post. Locked: only admins may change subject,
	// description and picture.
	Announce, Locked bool
	// DisappearingSeconds is how long new messages live; 0 is forever.
	DisappearingSeconds uint32
	// Suspended groups were closed by WhatsApp for a violation of its terms.
	Suspended bool
	// Incognito groups hide the members' phone numbers.
	Incognito bool
	Community Community
	// MyRole is the role of the session's account; empty when it is not listed.
	MyRole Role
	// PhotoID names the picture, as far as changes of it were seen; empty when
	// there is none or nothing is known.
	PhotoID string
	// version is WhatsApp's name for the present state of the members.
	version string
}

// Community is a group's place among communities; the zero value is a group
// outside any.
type Community struct {
	// IsCommunity: the group is itself a community, the parent of others.
	IsCommunity bool
	// Parent is the JID of the community that the group belongs to.
	Parent string
	// IsAnnouncementGroup: the group is the one to which a community's
	// announcements go, and where every member of the community is.
	IsAnnouncementGroup bool
}

// ApprovalMode says whether join requests need an admin's approval.
type ApprovalMode string

// AddMode says who may add members.
type AddMode string

// LinkMode says who may see, share and reset the invite link.
type LinkMode string

// The modes as WhatsApp and the API spell them. An empty mode is unknown in
// answers (WhatsApp did not say) and left alone in requests.
const (
	ApprovalOff ApprovalMode = "off"
	ApprovalOn  ApprovalMode = "on"

	AddByAdmins AddMode = "admin_add"
	AddByAll    AddMode = "all_member_add"

	LinkByAdmins LinkMode = "admin_link"
	LinkByAll    LinkMode = "all_member_link"
)

// Settings are the three modes of a group. In requests, empty ones are left as
// they are.
type Settings struct {
	MembershipApproval ApprovalMode
	MemberAdd          AddMode
	MemberLink         LinkMode
}

// The names of the modes in the API.
const (
	fieldApproval = "membership_approval_mode"
	fieldAdd      = "member_add_mode"
	fieldLink     = "member_link_mode"
)

// Validate refuses modes that do not exist, naming the field.
func (s Settings) Validate() error {
	if s.MembershipApproval != "" && s.MembershipApproval != ApprovalOff && s.MembershipApproval != ApprovalOn {
		return fault.Field(fieldApproval, "must be %q or %q", ApprovalOff, ApprovalOn)
	}
	if s.MemberAdd != "" && s.MemberAdd != AddByAdmins && s.MemberAdd != AddByAll {
		return fault.Field(fieldAdd, "must be %q or %q", AddByAdmins, AddByAll)
	}
	if s.MemberLink != "" && s.MemberLink != LinkByAdmins && s.MemberLink != LinkByAll {
		return fault.Field(fieldLink, "must be %q or %q", LinkByAdmins, LinkByAll)
	}
	return nil
}

// known leaves of the wanted modes those that s says something about.
func (s Settings) known(want Settings) Settings {
	if s.MembershipApproval == "" {
		want.MembershipApproval = ""
	}
	if s.MemberAdd == "" {
		want.MemberAdd = ""
	}
	if s.MemberLink == "" {
		want.MemberLink = ""
	}
	return want
}

// differing returns those of the wanted modes that are not so in s.
func (s Settings) differing(want Settings) (rest Settings) {
	if want.MembershipApproval != s.MembershipApproval {
		rest.MembershipApproval = want.MembershipApproval
	}
	if want.MemberAdd != s.MemberAdd {
		rest.MemberAdd = want.MemberAdd
	}
	if want.MemberLink != s.MemberLink {
		rest.MemberLink = want.MemberLink
	}
	return rest
}

// Target names one group of one session. It is the beginning of every request
// about a group.
type Target struct {
	SessionID string
	// GroupJID is "digits@g.us", "digits-digits@g.us", or either without the server.
	GroupJID string
}

// Validate checks the group's address.
func (t Target) Validate() error {
	_, err := t.group()
	return err
}

func (t Target) group() (types.JID, error) {
	return address.Group("group_jid", t.GroupJID)
}
