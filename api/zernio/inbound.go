package zernio

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/fault"
	"muster/session"
)

// Limits of Zernio's API. WhatsApp's own limit of a subject is lower; the
// operation says so.
const (
	maxSubject      = 128 // characters, after trimming
	maxPhoneNumbers = 8   // to add or remove, in one request

	defaultGroups, maxGroups = 25, 1024 // in one page
)

// read takes the body of a request. Fields that are not known are left alone:
// many of Zernio's are about other platforms.
func read(c *fiber.Ctx, target any) error {
	if kind := c.Get(fiber.HeaderContentType); strings.HasPrefix(kind, "multipart/") || strings.HasPrefix(kind, fiber.MIMEApplicationForm) {
		return fault.New(fault.UnsupportedMedia, "send the body as JSON; files are sent by their attachmentUrl")
	}
	body := c.Body()
	if len(bytes.TrimSpace(body)) == 0 {
		return fault.New(fault.Malformed, "a JSON body is needed")
	}
	err := json.Unmarshal(body, target)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field == "":
		return fault.New(fault.Malformed, "the body must be a JSON object")
	case errors.As(err, &wrong):
		return invalid(wrong.Field, "must be %s, not %s", jsonType(wrong.Type), wrong.Value)
	case err != nil:
		return fault.New(fault.Malformed, "the body is not JSON: %s", err.Error())
	}
	return nil
}

// jsonType is what JSON calls the values of a Go type.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "a number"
	}
}

// account is the session that a request names.
func (d *Dialect) account(c *fiber.Ctx, id string) (session.Session, error) {
	if strings.TrimSpace(id) == "" {
		return session.Session{}, invalid("accountId", "is required")
	}
	return d.services.Accounts.Find(c.UserContext(), id)
}

// target is the group that the path means, of the account in the query.
func (d *Dialect) target(c *fiber.Ctx) (session.Session, groups.Target, error) {
	s, err := d.account(c, c.Query("accountId"))
	if err != nil {
		return s, groups.Target{}, err
	}
	jid, err := groupOf(s, c.Params("groupId"))
	return s, groups.Target{SessionID: s.ID, GroupJID: jid}, err
}

// limitOf is the size of a page that a request asks for.
func limitOf(c *fiber.Ctx, standard, most int) (int, error) {
	text := c.Query("limit")
	if text == "" {
		return standard, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > most {
		return 0, invalid("limit", "must be a number from 1 to %d", most)
	}
	return limit, nil
}

// trimSubject checks a subject as Zernio does, and leaves WhatsApp's own limit to
// the operation.
func trimSubject(subject string) (string, error) {
	subject = strings.TrimSpace(subject)
	switch n := utf8.RuneCountInString(subject); {
	case n == 0:
		return "", invalid("subject", "must not be empty")
	case n > maxSubject:
		return "", invalid("subject", "has %d characters; %d is the most", n, maxSubject)
	}
	return subject, nil
}

// The two modes of joining.
const (
	modeApproval = "approval_required"
	modeOpen     = "auto_approve"
)

// approvalOf reads joinApprovalMode; empty is left alone.
func approvalOf(mode string) (change groups.SettingsChange, err error) {
	switch mode {
	case "":
	case modeApproval:
		change.MembershipApproval = groups.ApprovalOn
	case modeOpen:
		change.MembershipApproval = groups.ApprovalOff
	default:
		return change, invalid("joinApprovalMode", "must be %s or %s", modeApproval, modeOpen)
	}
	return change, nil
}

// people are the phoneNumbers of a request.
type people struct {
	PhoneNumbers []string `json:"phoneNumbers"`
}

// sift reads the numbers of a request. Those that nobody can have fail by
// themselves, as numbers do that nobody has; what is no number at all is an
// error.
func (p people) sift(most int) (numbers []string, failed []groups.Result, err error) {
	const list = "phoneNumbers"
	switch {
	case len(p.PhoneNumbers) == 0:
		return nil, nil, invalid(list, "must name at least one phone number")
	case len(p.PhoneNumbers) > most:
		return nil, nil, invalid(list, "has %d entries; %d is the most in one request", len(p.PhoneNumbers), most)
	}
	for i, number := range p.PhoneNumbers {
		_, err := address.Person(entry(list, i), number)
		digits := strings.TrimPrefix(strings.TrimSpace(number), "+")
		switch {
		case err == nil:
			numbers = append(numbers, number)
		case digits != "" && strings.Trim(digits, "0123456789") == "":
			failed = append(failed, groups.Result{Input: number, Status: groups.StatusFailed, Failure: &groups.Failure{
				Code: groups.CodeNotOnWhatsApp, Reason: "it is not an international phone number",
			}})
		default:
			return nil, nil, err
		}
	}
	return numbers, failed, nil
}
