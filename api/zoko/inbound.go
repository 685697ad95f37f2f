package zoko

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/mail"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"muster/groups"
	"muster/groups/invitations"
	"muster/internal/fault"
)

// Limits as Zoko documents them, in characters.
const (
	maxSubject     = 128
	maxDescription = 2048
)

// CreateBody asks for a group.
type CreateBody struct {
	_           struct{} `additionalProperties:"true"`
	Subject     string   `json:"subject" minLength:"1" maxLength:"128" doc:"The group's name. WhatsApp allows 100 characters." example:"Support Team"`
	Description string   `json:"description,omitempty" maxLength:"2048" doc:"What it is about."`
	AgentID     string   `json:"agent_id,omitempty" format:"uuid" doc:"Whom it is assigned to. There are no agents here: it is checked and not used."`
}

func (b *CreateBody) check() (err error) {
	if b.Subject, err = subject(b.Subject); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(b.Description); n > maxDescription {
		return fault.Field("description", "has %d characters; %d is the most", n, maxDescription)
	}
	if b.AgentID != "" && uuid.Validate(b.AgentID) != nil {
		return fault.Field("agent_id", "must be a UUID")
	}
	return nil
}

func subject(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fault.Field("subject", "is required")
	}
	if n := utf8.RuneCountInString(text); n > maxSubject {
		return "", fault.Field("subject", "has %d characters; %d is the most", n, maxSubject)
	}
	return text, nil
}

// The two values of join_approval_mode.
const (
	approvalRequired = "approval_required"
	autoApprove      = "auto_approve"
)

// SettingsBody changes a group.
type SettingsBody struct {
	_                struct{} `additionalProperties:"true"`
	Subject          *string  `json:"subject,omitempty" minLength:"1" maxLength:"128" doc:"The new name. WhatsApp allows 100 characters."`
	Description      *string  `json:"description,omitempty" maxLength:"2048" doc:"The new description; empty deletes it."`
	JoinApprovalMode *string  `json:"join_approval_mode,omitempty" enum:"approval_required,auto_approve" doc:"Whether an admin lets people in. The same switch as auto_approval."`
	Announce         *bool    `json:"announce,omitempty" doc:"Whether only admins may write: Zoko's documents mention messaging settings and do not name them."`
	AgentEmail       string   `json:"agent_email,omitempty" doc:"Who does it. There are no agents here: it is checked and not used."`
}

// patch is the change that the body asks for.
func (b SettingsBody) patch(target groups.Target) (groups.PatchRequest, error) {
	req := groups.PatchRequest{Target: target, Description: b.Description}
	if b.Subject != nil {
		text, err := subject(*b.Subject)
		if err != nil {
			return req, err
		}
		req.Subject = &text
	}
	if b.JoinApprovalMode != nil {
		switch *b.JoinApprovalMode {
		case approvalRequired:
			req.Settings.MembershipApproval = groups.ApprovalOn
		case autoApprove:
			req.Settings.MembershipApproval = groups.ApprovalOff
		default:
			return req, fault.Field("join_approval_mode", "must be %q or %q", approvalRequired, autoApprove)
		}
	}
	req.Settings.Announce = b.Announce
	if req.Subject == nil && req.Description == nil && b.JoinApprovalMode == nil && b.Announce == nil {
		return req, fault.New(fault.Invalid, "give at least one of subject, description, join_approval_mode and announce")
	}
	return req, agentEmail(b.AgentEmail)
}

func agentEmail(address string) error {
	if address == "" {
		return nil
	}
	if _, err := mail.ParseAddress(address); err != nil {
		return fault.Field("agent_email", "must be an e-mail address")
	}
	return nil
}

// number is a phone number in a list. What else stands there is text, too: it is
// answered for like a number that is none.
type number string

// UnmarshalJSON takes anything.
func (n *number) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) != nil || bytes.Equal(raw, []byte("null")) {
		text = string(raw)
	}
	*n = number(text)
	return nil
}

func texts(list []number) []string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = string(n)
	}
	return texts
}

// InviteBody names people to invite.
type InviteBody struct {
	_            struct{} `additionalProperties:"true"`
	PhoneNumbers []number `json:"phone_numbers" minItems:"1" nullable:"false" doc:"Phone numbers in digits; repeated ones count once. How many a request may have is a setting of this server, 50 by default." example:"[\"919876543210\"]"`
}

// RemoveBody names people to remove.
type RemoveBody struct {
	_            struct{} `additionalProperties:"true"`
	Participants []number `json:"participants" minItems:"1" nullable:"false" doc:"Phone numbers in digits; repeated ones count once." example:"[\"919876543210\"]"`
	AgentEmail   string   `json:"agent_email,omitempty" doc:"Who does it. There are no agents here: it is checked and not used."`
}

func (b RemoveBody) check() error {
	switch {
	case len(b.Participants) == 0:
		return fault.Field("participants", "must name at least one person")
	case len(b.Participants) > groups.MaxParticipants:
		return fault.Field("participants", "has %d entries; %d is the most", len(b.Participants), groups.MaxParticipants)
	}
	return agentEmail(b.AgentEmail)
}

// DecideBody names requests to join.
type DecideBody struct {
	_            struct{} `additionalProperties:"true"`
	JoinRequests []string `json:"join_requests" minItems:"1" nullable:"false" doc:"The join_request_id of each."`
}

func (b DecideBody) check() error {
	switch {
	case len(b.JoinRequests) == 0:
		return fault.Field("join_requests", "must name at least one request")
	case len(b.JoinRequests) > groups.MaxParticipants:
		return fault.Field("join_requests", "has %d entries; %d is the most", len(b.JoinRequests), groups.MaxParticipants)
	}
	return nil
}

// AutoApprovalBody switches the approval of join requests.
type AutoApprovalBody struct {
	_            struct{} `additionalProperties:"true"`
	AutoApproval *bool    `json:"auto_approval" nullable:"false" doc:"Whether everybody with the link is let in."`
}

// TemplateBody chooses the text of invitations.
type TemplateBody struct {
	_          struct{}       `additionalProperties:"true"`
	TemplateID string         `json:"invitation_template_id" doc:"One of this server's templates." example:"group_invite_01"`
	Args       map[string]any `json:"template_args,omitempty" doc:"Values for the template's variables, by name."`
}

func (b TemplateBody) choice() (invitations.Choice, error) {
	if b.TemplateID == "" {
		return invitations.Choice{}, fault.Field("invitation_template_id", "is required")
	}
	if b.Args == nil {
		b.Args = map[string]any{}
	}
	args, err := json.Marshal(b.Args)
	return invitations.Choice{TemplateID: b.TemplateID, Args: args}, err
}

// read reads a body in JSON.
func read(c *fiber.Ctx, into any) error {
	body := bytes.TrimSpace(c.Body())
	if len(body) == 0 {
		return fault.New(fault.Malformed, "the request needs a body, a JSON object")
	}
	if body[0] != '{' {
		return fault.New(fault.Malformed, "the body must be a JSON object")
	}
	err := json.Unmarshal(body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return fault.Field(wrong.Field, "must be %s", kindOf(wrong.Type)).Because(err)
	default:
		return fault.New(fault.Malformed, "the body is not valid JSON").Because(err)
	}
}

// kindOf is what JSON calls the values of a type.
func kindOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "a number"
	}
}
