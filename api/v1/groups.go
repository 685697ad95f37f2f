package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"muster/groups"
)

// Structs that others embed are exported although nothing outside needs them:
// huma looks only at exported fields, and an embedded struct is a field.

// GroupPath is the path of everything about one group.
type GroupPath struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	GroupJID  string `path:"group_jid" doc:"The group's JID; @g.us may be left out." example:"123456789-1234567890@g.us"`
}

func (t GroupPath) group() groups.Target {
	return groups.Target{SessionID: t.SessionID, GroupJID: t.GroupJID}
}

// GroupView is a group as the API shows it; times are UNIX seconds.
type GroupView struct {
	JID              string `json:"jid" example:"123456789-1234567890@g.us"`
	Name             string `json:"name" example:"My Group" doc:"The subject."`
	Subject          string `json:"subject" example:"My Group" doc:"The same as name."`
	Topic            string `json:"topic" example:"Group description" doc:"The description; empty when there is none."`
	TopicID          string `json:"topic_id,omitempty" doc:"Names the version of the description: give it as prev_id to replace no other. Absent when there is none."`
	Owner            string `json:"owner" example:"628123456789@s.whatsapp.net" doc:"The creator: a phone JID where the phone is known, else a LID; empty when WhatsApp does not say."`
	CreatedAt        int64  `json:"created_at" example:"1640000000" doc:"UNIX seconds; 0 when WhatsApp does not say."`
	ParticipantCount int    `json:"participant_count" example:"25"`
	AddressingMode   string `json:"addressing_mode" enum:"lid,pn" doc:"Whether members see each other by LID or by phone number."`
	SettingsView
	Announce            bool   `json:"announce" doc:"Only admins may post."`
	Locked              bool   `json:"locked" doc:"Only admins may change name, description and picture."`
	DisappearingSeconds uint32 `json:"disappearing_seconds" doc:"How long new messages live; 0 is forever."`
	Suspended           bool   `json:"suspended" doc:"WhatsApp has closed the group."`
	IsCommunity         bool   `json:"is_community" doc:"The group is the parent of a community's groups."`
	Community           string `json:"community,omitempty" doc:"The JID of the community that the group belongs to."`
	IsAnnouncementGroup bool   `json:"is_announcement_group" doc:"The group has the announcements of its community."`
	MyRole              string `json:"my_role,omitempty" enum:"superadmin,admin,member" doc:"The role of this session's account."`
}

// SettingsView is the three modes as they are; one is absent where WhatsApp
// does not say.
type SettingsView struct {
	MembershipApprovalMode string `json:"membership_approval_mode,omitempty" enum:"off,on" doc:"Whether requests to join need an admin's approval."`
	MemberAddMode          string `json:"member_add_mode,omitempty" enum:"admin_add,all_member_add" doc:"Who can add participants."`
	MemberLinkMode         string `json:"member_link_mode,omitempty" enum:"admin_link,all_member_link" doc:"Who can use the invite link."`
}

// SettingsChange is the settings as a request has them. Absent and null mean
// the same: leave it.
type SettingsChange struct {
	MembershipApprovalMode *string `json:"membership_approval_mode,omitempty" nullable:"true" enum:"off,on" example:"on" doc:"Whether requests to join need an admin's approval."`
	MemberAddMode          *string `json:"member_add_mode,omitempty" nullable:"true" enum:"admin_add,all_member_add" example:"admin_add" doc:"Who can add participants."`
	MemberLinkMode         *string `json:"member_link_mode,omitempty" nullable:"true" enum:"admin_link,all_member_link" example:"admin_link" doc:"Who can use the invite link."`
	Announce               *bool   `json:"announce,omitempty" nullable:"true" doc:"Only admins may post."`
	Locked                 *bool   `json:"locked,omitempty" nullable:"true" doc:"Only admins may change name, description and picture."`
	DisappearingSeconds    *uint32 `json:"disappearing_seconds,omitempty" nullable:"true" enum:"0,86400,604800,7776000" doc:"How long new messages live; 0 is forever."`
}

// AllSettings is every setting as it is.
type AllSettings struct {
	SettingsView
	Announce            bool   `json:"announce" doc:"Only admins may post."`
	Locked              bool   `json:"locked" doc:"Only admins may change name, description and picture."`
	DisappearingSeconds uint32 `json:"disappearing_seconds" doc:"How long new messages live; 0 is forever."`
}

// done is the documented answer of changes that have nothing else to say.
type done struct {
	Success bool `json:"success" example:"true"`
}

type settingsDone struct {
	Success  bool        `json:"success" example:"true"`
	Settings AllSettings `json:"settings" doc:"All of them as WhatsApp has them now."`
}

type inviteLink struct {
	InviteLink string `json:"invite_link" example:"https://chat.whatsapp.com/AbCdEfGhIjK"`
}

type groupCreated struct {
	GroupJID     string       `json:"group_jid" example:"123456789-1234567890@g.us"`
	Participants []resultView `json:"participants" nullable:"false" doc:"What became of each participant, in the order asked."`
	Warnings     []warning    `json:"warnings,omitempty" nullable:"false" doc:"What was asked for and could not be done. The group exists all the same."`
}

type warning struct {
	Field   string `json:"field,omitempty" example:"member_link_mode"`
	Code    string `json:"code" example:"rejected" doc:"One of the codes of problem documents."`
	Message string `json:"message"`
}

type createGroupInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		Name         string   `json:"name" minLength:"1" maxLength:"100" example:"My New Group"`
		Participants []string `json:"participants" nullable:"false" maxItems:"1023" example:"[\"628123456789@s.whatsapp.net\",\"628987654321@s.whatsapp.net\"]" doc:"Phone JIDs, LIDs, or phone numbers with or without +. The session's own account is always a member."`
		OnPrivate    string   `json:"on_private,omitempty" enum:"fail,invite" default:"fail" doc:"What to do about people whose privacy settings do not let them be added: nothing, or send them an invite message."`
		Community    string   `json:"community,omitempty" maxLength:"64" example:"120363000000000001@g.us" doc:"The JID of the community that the group is to be part of. The session's account must be an admin of it."`
		SettingsChange
	}
}

type setSubjectInput struct {
	GroupPath
	Body struct {
		Subject string `json:"subject" minLength:"1" maxLength:"100" example:"New Group Name"`
	}
}

type setDescriptionInput struct {
	GroupPath
	Body struct {
		Description *string `json:"description" nullable:"true" required:"true" maxLength:"2048" example:"This is the group description" doc:"null deletes it."`
		PrevID      *string `json:"prev_id,omitempty" nullable:"true" maxLength:"128" doc:"The topic_id that this replaces; if another is current, nothing is changed and the answer is 409. null or absent replaces whatever is current."`
	}
}

type setSettingsInput struct {
	GroupPath
	Body struct {
		SettingsChange
	}
}

type inviteLinkInput struct {
	GroupPath
	Reset bool `query:"reset" doc:"Revoke the present link and make a new one."`
}

// groupsPath begins the path of every group operation, groupPath of those
// about one group.
const (
	groupsPath = "/sessions/{session_id}/groups"
	groupPath  = groupsPath + "/{group_jid}"
	groupsTag  = "Groups"
)

// RegisterGroups adds the group operations.
func RegisterGroups(api huma.API, router fiber.Router, service *groups.Service) {
	// Before what has a group's JID in the place of a name.
	registerInvites(api, service)
	registerGroupReads(api, router, service)
	registerGroupHistory(api, service)
	registerGroupChanges(api, service)
	registerPatch(api, service)
	registerParticipants(api, service)
	registerJoinRequests(api, service)
	registerCommunities(api, service)
}

func registerGroupChanges(api huma.API, service *groups.Service) {
	handle(api, route{
		Method: http.MethodPost, Path: groupsPath, ID: "create-group", Tag: groupsTag,
		Summary:     "Create a group",
		Description: "Numbers that are not on WhatsApp, or do not let themselves be added, fail alone: see participants in the answer.",
	}, func(ctx context.Context, in *createGroupInput) (groupCreated, error) {
		created, err := service.Create(ctx, groups.CreateRequest{
			SessionID: in.SessionID, Name: in.Body.Name, Participants: in.Body.Participants,
			OnPrivate: groups.OnPrivate(in.Body.OnPrivate), Settings: in.Body.settings(), Community: in.Body.Community,
		})
		return viewCreated(created), err
	})
	handle(api, route{
		Method: http.MethodPut, Path: groupPath + "/subject", ID: "set-group-subject", Tag: groupsTag,
		Summary: "Set the subject",
	}, func(ctx context.Context, in *setSubjectInput) (done, error) {
		err := service.SetSubject(ctx, groups.SubjectRequest{Target: in.group(), Subject: in.Body.Subject})
		return done{Success: true}, err
	})
	handle(api, route{
		Method: http.MethodPut, Path: groupPath + "/description", ID: "set-group-description", Tag: groupsTag,
		Summary: "Set or delete the description",
	}, func(ctx context.Context, in *setDescriptionInput) (done, error) {
		err := service.SetDescription(ctx, groups.DescriptionRequest{
			Target: in.group(), Description: in.Body.Description, PrevID: in.Body.PrevID,
		})
		return done{Success: true}, err
	})
	handle(api, route{
		Method: http.MethodPut, Path: groupPath + "/settings", ID: "set-group-settings", Tag: groupsTag,
		Summary:     "Change settings",
		Description: "Only the given ones are changed. Each is read back: success means that WhatsApp has it so.",
	}, func(ctx context.Context, in *setSettingsInput) (settingsDone, error) {
		now, err := service.SetSettings(ctx, groups.SettingsRequest{Target: in.group(), Settings: in.Body.settings()})
		return settingsDone{Success: true, Settings: viewAllSettings(now)}, err
	})
	handle(api, route{
		Method: http.MethodPost, Path: groupPath + "/leave", ID: "leave-group", Tag: groupsTag,
		Summary: "Leave a group",
	}, func(ctx context.Context, in *struct{ GroupPath }) (done, error) {
		return done{Success: true}, service.Leave(ctx, groups.LeaveRequest{Target: in.group()})
	})
	registerDelete(api, service)
}

func (c SettingsChange) settings() groups.SettingsChange {
	return groups.SettingsChange{
		Settings: groups.Settings{
			MembershipApproval: groups.ApprovalMode(value(c.MembershipApprovalMode)),
			MemberAdd:          groups.AddMode(value(c.MemberAddMode)),
			MemberLink:         groups.LinkMode(value(c.MemberLinkMode)),
		},
		Announce: c.Announce, Locked: c.Locked, DisappearingSeconds: c.DisappearingSeconds,
	}
}

// value is the text, or empty for null and absent.
func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func viewGroup(g groups.Group) GroupView {
	return GroupView{
		JID: g.JID, Name: g.Subject, Subject: g.Subject, Topic: g.Topic, TopicID: g.TopicID,
		Owner: g.Owner, CreatedAt: seconds(g.CreatedAt),
		ParticipantCount: g.ParticipantCount, AddressingMode: g.AddressingMode,
		SettingsView: viewSettings(g.Settings),
		Announce:     g.Announce, Locked: g.Locked, DisappearingSeconds: g.DisappearingSeconds, Suspended: g.Suspended,
		IsCommunity: g.Community.IsCommunity, Community: g.Community.Parent,
		IsAnnouncementGroup: g.Community.IsAnnouncementGroup,
		MyRole:              string(g.MyRole),
	}
}

func viewSettings(s groups.Settings) SettingsView {
	return SettingsView{
		MembershipApprovalMode: string(s.MembershipApproval),
		MemberAddMode:          string(s.MemberAdd),
		MemberLinkMode:         string(s.MemberLink),
	}
}

func viewAllSettings(g groups.Group) AllSettings {
	return AllSettings{
		SettingsView: viewSettings(g.Settings), Announce: g.Announce, Locked: g.Locked, DisappearingSeconds: g.DisappearingSeconds,
	}
}

func viewWarnings(list []groups.Warning) (views []warning) {
	for _, w := range list {
		views = append(views, warning{Field: w.Field, Code: string(w.Code), Message: w.Message})
	}
	return views
}

func viewCreated(c groups.Created) groupCreated {
	return groupCreated{GroupJID: c.GroupJID, Participants: viewResults(c.Results), Warnings: viewWarnings(c.Warnings)}
}
