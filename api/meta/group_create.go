package meta

import (
	"strings"
	"unicode/utf8"

	"muster/groups"
	"muster/internal/event"
	"muster/internal/fault"
)

// maxSubject is how many characters Meta allows in a subject. WhatsApp's own
// limit, groups.MaxSubject, is lower.
const maxSubject = 128

type createBody struct {
	messagingProduct
	Subject     *word    `json:"subject"`
	Description word     `json:"description"`
	Approval    approval `json:"join_approval_mode"`
}

// CreateGroup makes a group. The answer has the request's id only: the group
// itself is told of by webhook, or that it was not made.
func (a *API) CreateGroup(c Call) error {
	b, err := readBody(c.Ctx)
	if err != nil {
		return err
	}
	var said createBody
	if err = b.into(&said); err != nil {
		return err
	}
	o, err := said.order()
	if err != nil {
		return err
	}
	o.SessionID = c.Session.ID
	result, err := a.carryOut(c.UserContext(), o, nil)
	if err != nil && !result.begun {
		return err
	}
	// What WhatsApp has made of it, the webhook says.
	answer := createdGroup{Product: product, RequestID: result.request}
	if c.Vendor.CreatedID && result.outcome.GroupJID != "" {
		answer.ID = GroupID(c.account(), result.outcome.GroupJID)
	}
	return c.JSON(answer)
}

func (b createBody) order() (order, error) {
	if err := b.check(); err != nil {
		return order{}, err
	}
	if b.Subject == nil {
		return order{}, fault.Field("subject", "is required")
	}
	subject, err := checkSubject(string(*b.Subject))
	if err == nil {
		err = checkDescription(string(b.Description))
	}
	if err == nil {
		err = b.Approval.check()
	}
	if err != nil {
		return order{}, err
	}
	o := order{Operation: event.OperationCreateGroup, Subject: &subject, Approval: groups.ApprovalOff}
	if b.Approval == approvalRequired {
		o.Approval = groups.ApprovalOn
	}
	if text := string(b.Description); text != "" {
		o.Description = &text
	}
	return o, nil
}

func checkSubject(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "", fault.Field("subject", "must not be empty")
	case n > maxSubject:
		return "", fault.Field("subject", "has %d characters; %d are the most", n, maxSubject)
	case n > groups.MaxSubject:
		return "", fault.Field("subject", "has %d characters; WhatsApp itself takes %d, fewer than the %d of this API", n, groups.MaxSubject, maxSubject)
	}
	return text, nil
}

func checkDescription(text string) error {
	if n := utf8.RuneCountInString(text); n > groups.MaxDescription {
		return fault.Field("description", "has %d characters; %d are the most", n, groups.MaxDescription)
	}
	return nil
}
