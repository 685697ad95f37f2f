package zoko

import (
	"time"

	"muster/groups"
)

// timeOf is a time as Zoko writes it; empty for one that is not known.
func timeOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

const (
	chatTypeGroup      = "group"
	chatTypeIndividual = "individual"

	statusComplete  = "complete"
	statusPending   = "pending"
	statusActive    = "active"
	statusSuspended = "suspended"
	statusDeleted   = "deleted"
	statusJoined    = "joined"
)

// Creation is a group that was made, or that is still being made.
type Creation struct {
	ID         string   `json:"_id,omitempty" doc:"The group's id here; absent while it is pending." example:"f1e2d3c4-b5a6-5890-abcd-ef1234567890"`
	RequestID  string   `json:"request_id" doc:"The request's id, also in X-Request-Id."`
	GroupID    string   `json:"group_id,omitempty" doc:"The group's id at WhatsApp." example:"120363012345678901"`
	CustomerID string   `json:"customer_id,omitempty" doc:"The same as _id."`
	Subject    string   `json:"subject"`
	Status     string   `json:"status" enum:"complete,pending"`
	Warnings   []string `json:"warnings,omitempty" doc:"What could not be done although the group was made."`
}

// GroupRow is a group in the list.
type GroupRow struct {
	ID           string `json:"id"`
	CustomerID   string `json:"customerId"`
	ChatType     string `json:"chatType" enum:"group"`
	GroupID      string `json:"groupId"`
	Subject      string `json:"subject"`
	InviteLink   string `json:"inviteLink" doc:"Empty where it is not known yet, or not told to the account."`
	AutoApproval bool   `json:"autoApproval"`
	Participants int    `json:"activeParticipantCount"`
	CreatedAt    string `json:"createdAt"`
	UpdatedAt    string `json:"updatedAt"`
}

// GroupDetails is one group.
type GroupDetails struct {
	ID           string        `json:"_id"`
	CustomerID   string        `json:"customer_id"`
	ChatType     string        `json:"chat_type" enum:"group"`
	GroupID      string        `json:"group_id"`
	Subject      string        `json:"subject"`
	Description  string        `json:"description"`
	InviteLink   string        `json:"invite_link" doc:"Empty where it is not told to the account."`
	AutoApproval bool          `json:"auto_approval" doc:"Whether everybody with the link is let in."`
	Suspended    bool          `json:"suspended"`
	Status       string        `json:"status" enum:"active,suspended"`
	Participants []Participant `json:"participants" nullable:"false"`
	CreatedAt    string        `json:"created_at"`
	UpdatedAt    string        `json:"updated_at"`
}

// Participant is a member of a group.
type Participant struct {
	WaID       string `json:"wa_id,omitempty" doc:"The phone number in digits; absent where WhatsApp does not tell it."`
	IsAdmin    bool   `json:"is_admin"`
	Status     string `json:"status" enum:"joined"`
	CustomerID string `json:"customer_id"`
	Name       string `json:"name" doc:"Empty where it is not known."`
}

// known is what an answer about a group needs beside the group.
type known struct {
	session string
	link    string
	changed time.Time
	names   map[string]string
}

// updated is when a group has last changed, as far as that is known.
func updated(g groups.Group, changed time.Time) time.Time {
	for _, at := range []time.Time{g.CreatedAt, g.TopicSetAt} {
		if at.After(changed) {
			changed = at
		}
	}
	return changed
}

func autoApproval(g groups.Group) bool { return g.Settings.MembershipApproval != groups.ApprovalOn }

func row(g groups.Group, k known) GroupRow {
	id := recordID(k.session, g.JID)
	return GroupRow{
		ID: id, CustomerID: id, ChatType: chatTypeGroup, GroupID: groupID(g.JID), Subject: g.Subject, InviteLink: k.link,
		AutoApproval: autoApproval(g), Participants: g.ParticipantCount,
		CreatedAt: timeOf(g.CreatedAt), UpdatedAt: timeOf(updated(g, k.changed)),
	}
}

func details(g groups.Group, k known) GroupDetails {
	id := recordID(k.session, g.JID)
	answer := GroupDetails{
		ID: id, CustomerID: id, ChatType: chatTypeGroup, GroupID: groupID(g.JID), Subject: g.Subject, Description: g.Topic, InviteLink: k.link,
		AutoApproval: autoApproval(g), Suspended: g.Suspended, Status: statusActive,
		Participants: make([]Participant, len(g.Participants)),
		CreatedAt:    timeOf(g.CreatedAt), UpdatedAt: timeOf(updated(g, k.changed)),
	}
	if g.Suspended {
		answer.Status = statusSuspended
	}
	for i, p := range g.Participants {
		answer.Participants[i] = Participant{
			WaID: p.PhoneNumber, IsAdmin: p.Role.Admin(), Status: statusJoined, CustomerID: recordID(k.session, p.JID), Name: k.names[p.JID],
		}
	}
	return answer
}

// Deletion is a group that was deleted.
type Deletion struct {
	Status     string `json:"status" enum:"deleted"`
	ID         string `json:"_id"`
	GroupID    string `json:"group_id"`
	CustomerID string `json:"customer_id"`
}

// Invited is what became of the people who were invited.
type Invited struct {
	Sent    []string       `json:"sent" nullable:"false" doc:"A message is on its way. That says nothing of joining."`
	Skipped []string       `json:"skipped" nullable:"false" doc:"They are in the group, have left it or were removed from it, or have an invitation with the present link."`
	Failed  []FailedPerson `json:"failed" nullable:"false"`
}

// FailedPerson is somebody for whom it could not be done.
type FailedPerson struct {
	PhoneNumber string `json:"phone_number"`
	Reason      string `json:"reason" doc:"Of an invitation: invalid number, not on whatsapp, or send failed." example:"invalid number"`
}

// Removed is what became of the people who were removed.
type Removed struct {
	Removed []string       `json:"removed" nullable:"false"`
	Failed  []FailedPerson `json:"failed" nullable:"false"`
}

// JoinRequests are the people who wait to be let in.
type JoinRequests struct {
	Count int           `json:"count" doc:"How many there are in data, which is all."`
	Data  []JoinRequest `json:"data" nullable:"false"`
}

// JoinRequest is somebody who waits to be let in.
type JoinRequest struct {
	ID         string `json:"join_request_id"`
	WaID       string `json:"wa_id,omitempty" doc:"The phone number in digits; absent where WhatsApp does not tell it."`
	CreatedAt  int64  `json:"creation_timestamp" doc:"UNIX seconds."`
	CustomerID string `json:"customer_id"`
	Name       string `json:"name" doc:"Empty where it is not known."`
}

// FailedRequest is a request to join that could not be decided about.
type FailedRequest struct {
	ID     string `json:"join_request_id"`
	Reason string `json:"reason"`
}

// Approved is what became of requests to join.
type Approved struct {
	Approved []string        `json:"approved" nullable:"false"`
	Failed   []FailedRequest `json:"failed" nullable:"false"`
}

// Rejected is what became of requests to join.
type Rejected struct {
	Rejected []string        `json:"rejected" nullable:"false"`
	Failed   []FailedRequest `json:"failed" nullable:"false"`
}

// AutoApproval is how join requests are treated now.
type AutoApproval struct {
	AutoApproval bool `json:"auto_approval"`
}

// InviteLink is a group's link.
type InviteLink struct {
	InviteLink string `json:"invite_link" example:"https://chat.whatsapp.com/abc123def456"`
}

// InvitationTemplate is the text that invitations to a group have.
type InvitationTemplate struct {
	ID   string         `json:"invitation_template_id" example:"group_invite_01"`
	Args map[string]any `json:"template_args"`
}

// TemplateRow is one of the templates that there are.
type TemplateRow struct {
	Active        bool   `json:"active"`
	Channel       string `json:"channel" enum:"whatsapp"`
	IsRich        bool   `json:"isRichTemplate"`
	Text          string `json:"templateDesc"`
	ID            string `json:"templateId"`
	Language      string `json:"templateLanguage"`
	Type          string `json:"templateType" enum:"template"`
	VariableCount int    `json:"templateVariableCount"`
}
