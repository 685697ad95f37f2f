package event

// Person is somebody under the names that WhatsApp knows them by. What is not
// known is absent: a LID never stands in for a phone number.
type Person struct {
	JID         string `json:"jid" doc:"The phone JID where the phone is known, else the LID."`
	PhoneNumber string `json:"phone_number,omitempty" doc:"Digits only, the country code first."`
	LID         string `json:"lid,omitempty" doc:"Ends in @lid; the same for everybody who meets this person."`
	Name        string `json:"name,omitempty" doc:"What the person calls themself, or what the account's address book does."`
}

// Member is a person in a group.
type Member struct {
	Person
	Role         string `json:"role,omitempty" enum:"superadmin,admin,member" doc:"The role after the event; of those who are gone, the one they had."`
	PreviousRole string `json:"previous_role,omitempty" enum:"superadmin,admin,member" doc:"The role before a promotion or demotion."`
}

// About is what the data of every event about a group begins with.
type About struct {
	GroupJID string  `json:"group_jid" doc:"The group."`
	Subject  string  `json:"subject,omitempty" doc:"The group's name, after the event; absent where it is not known."`
	Actor    *Person `json:"actor,omitempty" doc:"Who did it; absent where WhatsApp names nobody."`
	Source   string  `json:"source" enum:"api,whatsapp,reconcile" doc:"How it came to be known: api for what this server was asked to do, whatsapp for WhatsApp's notifications, reconcile for what a comparison with WhatsApp has found."`
}

// Created is the data of group.created.
type Created struct {
	About
	ParticipantCount int      `json:"participant_count" doc:"How many members the group has, the account among them."`
	Participants     []Member `json:"participants,omitempty" doc:"The members, as far as they are known at this moment."`
}

// Joined is the data of group.joined.
type Joined struct {
	About
	Reason           string   `json:"reason,omitempty" doc:"By what way, in WhatsApp's words where it says so." example:"invite"`
	ParticipantCount int      `json:"participant_count" doc:"How many members the group has, the account among them."`
	Participants     []Member `json:"participants,omitempty" doc:"The members, as far as they are known at this moment."`
}

// Left is the data of group.left.
type Left struct {
	About
	Reason string `json:"reason" enum:"left,removed,gone" doc:"left: by itself. removed: by the actor. gone: WhatsApp does not show the group any more, and nothing was heard of why."`
}

// Deleted is the data of group.deleted.
type Deleted struct{ About }

// Subject is the data of group.subject.
type Subject struct {
	About
	PreviousSubject string `json:"previous_subject" doc:"The name before."`
}

// Description is the data of group.description.
type Description struct {
	About
	Topic         string `json:"topic" doc:"The description, empty when it was deleted."`
	TopicID       string `json:"topic_id,omitempty" doc:"Names this version of the description, where it is known."`
	PreviousTopic string `json:"previous_topic" doc:"The description before."`
}

// Photo is the data of group.photo.
type Photo struct {
	About
	PhotoID         string `json:"photo_id" doc:"Names the picture; empty when it was taken away."`
	PreviousPhotoID string `json:"previous_photo_id,omitempty" doc:"The picture before, where it is known."`
}

// GroupSetting has those settings of a group that an event is about.
type GroupSetting struct {
	MembershipApproval *string `json:"membership_approval_mode,omitempty" doc:"Whether an admin has to let people in: on or off; empty where it is not known."`
	MemberAdd          *string `json:"member_add_mode,omitempty" doc:"Who may add members: admin_add or all_member_add; empty where it is not known."`
	MemberLink         *string `json:"member_link_mode,omitempty" doc:"Who may share the invite link: admin_link or all_member_link; empty where it is not known."`
	Announce           *bool   `json:"announce,omitempty" doc:"Only admins may post."`
	Locked             *bool   `json:"locked,omitempty" doc:"Only admins may change subject, description and picture."`
	Disappearing       *uint32 `json:"disappearing_seconds,omitempty" doc:"How long new messages live; 0 is for ever."`
	Community          *string `json:"community,omitempty" doc:"The community that the group is part of; empty for none."`
	LinkedGroup        *string `json:"linked_group,omitempty" doc:"Of a community: a group that has become part of it."`
	UnlinkedGroup      *string `json:"unlinked_group,omitempty" doc:"Of a community: a group that is no longer part of it."`
	Owner              *string `json:"owner,omitempty" doc:"The creator; empty where WhatsApp names nobody."`
	AddressingMode     *string `json:"addressing_mode,omitempty" doc:"How members see each other: pn or lid."`
	Incognito          *bool   `json:"incognito,omitempty" doc:"The members' phone numbers are hidden."`
	IsCommunity        *bool   `json:"is_community,omitempty" doc:"The group is itself a community."`
	IsAnnouncement     *bool   `json:"is_announcement_group,omitempty" doc:"The group is where a community's announcements go."`
}

// Settings is the data of group.settings.
type Settings struct {
	About
	Settings GroupSetting `json:"settings" doc:"What has changed, with its new value."`
	Previous GroupSetting `json:"previous" doc:"The same settings before."`
}

// Participants is the data of group.participants.
type Participants struct {
	About
	Action           string   `json:"action" enum:"added,removed,left,joined,promoted,demoted" doc:"What has happened to all of the participants."`
	Reason           string   `json:"reason,omitempty" doc:"By what way people have come in, where it is known: request_approved, or WhatsApp's own word, such as invite." example:"invite"`
	Participants     []Member `json:"participants" doc:"Whom it has happened to."`
	ParticipantCount int      `json:"participant_count" doc:"How many members the group has afterwards."`
}

// JoinRequest is the data of group.join_request.
type JoinRequest struct {
	About
	Action       string   `json:"action" enum:"created,revoked,approved,rejected" doc:"What has become of the requests."`
	Method       string   `json:"method,omitempty" doc:"By what way people have asked, in WhatsApp's words." example:"invite_link"`
	Participants []Person `json:"participants" doc:"Whose requests they are."`
}

// InviteLink is the data of group.invite_link.
type InviteLink struct {
	About
	InviteLink string `json:"invite_link,omitempty" doc:"The new link, where WhatsApp says it."`
}

// Suspended is the data of group.suspended.
type Suspended struct {
	About
	Suspended bool `json:"suspended" doc:"false when the suspension was taken back."`
}
