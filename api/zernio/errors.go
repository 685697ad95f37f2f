package zernio

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/internal/fault"
	"muster/internal/idempotency"
)

// The classes of Zernio's errors.
const (
	typeInvalid        = "invalid_request_error"
	typeAuthentication = "authentication_error"
	typePermission     = "permission_error"
	typeNotFound       = "not_found"
	typeRateLimit      = "rate_limit_error"
	typePlatform       = "platform_error"
	typeAPI            = "api_error"
)

// Codes that Zernio's documentation and SDK name. Elsewhere the code is ours.
const (
	codeValidation = "validation_error"
	codePlatform   = "platform_api_error"
	codeLimitation = "PLATFORM_LIMITATION"
	codeRateLimit  = "rate_limit_exceeded"
)

// sort is what Zernio makes of a kind of failure.
type sort struct {
	status int
	class  string
	code   string
}

// sortOf is the one table from our codes to Zernio's errors. Every code has a
// row; a test compares it with fault.Codes.
func sortOf(code fault.Code) (sort, bool) {
	switch code {
	case fault.Invalid:
		return sort{http.StatusBadRequest, typeInvalid, codeValidation}, true
	case fault.Malformed:
		return sort{http.StatusBadRequest, typeInvalid, string(code)}, true
	case fault.TooLarge:
		return sort{http.StatusRequestEntityTooLarge, typeInvalid, string(code)}, true
	case fault.UnsupportedMedia:
		return sort{http.StatusUnsupportedMediaType, typeInvalid, string(code)}, true
	case fault.MethodNotAllowed:
		return sort{http.StatusMethodNotAllowed, typeInvalid, string(code)}, true
	case fault.Conflict, fault.SessionExists, fault.SessionLinked, fault.SessionNotLinked:
		return sort{http.StatusConflict, typeInvalid, string(code)}, true
	case fault.Unauthenticated:
		return sort{http.StatusUnauthorized, typeAuthentication, string(code)}, true
	case fault.Forbidden, fault.NotInGroup, fault.NotAdmin, fault.AccountRestricted:
		return sort{http.StatusForbidden, typePermission, string(code)}, true
	case fault.NotFound, fault.SessionNotFound, fault.GroupNotFound:
		return sort{http.StatusNotFound, typeNotFound, string(code)}, true
	case fault.RateLimited:
		return sort{http.StatusTooManyRequests, typeRateLimit, codeRateLimit}, true
	case fault.Rejected, fault.GroupFull, fault.AlreadyMember, fault.DescriptionConflict, fault.InviteRevoked, fault.InviteInvalid:
		return sort{http.StatusBadRequest, typePlatform, codePlatform}, true
	case fault.SessionNotConnected, fault.Unavailable:
		return sort{http.StatusServiceUnavailable, typeAPI, string(code)}, true
	case fault.NoAnswer, fault.OutcomeUnknown:
		return sort{http.StatusGatewayTimeout, typeAPI, string(code)}, true
	case fault.Internal:
		return sort{http.StatusInternalServerError, typeAPI, string(code)}, true
	default:
		return sort{}, false
	}
}

// errorBody is an error as Zernio writes it.
type errorBody struct {
	Error         string         `json:"error"`
	Type          string         `json:"type"`
	Code          string         `json:"code"`
	Param         string         `json:"param,omitempty"`
	Platform      string         `json:"platform,omitempty"`
	PlatformError *platformError `json:"platformError,omitempty"`
	Details       any            `json:"details,omitempty"`
}

// platformError is what there is of WhatsApp's own refusal.
type platformError struct {
	Code    string `json:"code"` // of ours: WhatsApp has numbers only, and not always
	Message string `json:"message"`
}

// fieldErrors are the details of an invalid field; the SDK makes a
// ValidationError of a 400 that has them.
type fieldErrors struct {
	Fields map[string][]string `json:"fields"`
}

// refusal is an error that says something in Zernio's own words.
type refusal struct {
	cause *fault.Error
	// own: the fault's field is called as Zernio calls it.
	own bool
	// code takes the place of the table's; empty is the table's.
	code    string
	details any
}

func (r *refusal) Error() string { return r.cause.Error() }
func (r *refusal) Unwrap() error { return r.cause }

// invalid is about a field, by the name that Zernio's clients know it by.
func invalid(param, format string, args ...any) error {
	return &refusal{cause: fault.Field(param, format, args...), own: true}
}

// impossible is about a field that asks for what a linked device cannot do.
func impossible(param, format string, args ...any) error {
	return &refusal{cause: fault.Field(param, format, args...), own: true, code: codeLimitation}
}

// names are what Zernio calls the fields of the operations here.
var names = map[string]string{
	"group_jid": "groupId", "name": "subject", "participants": "phoneNumbers", "membership_approval_mode": "joinApprovalMode",
	"to": "conversationId", "chat": "conversationId", "text": "message", "caption": "message", "reply_to": "replyTo",
	"image": "attachmentUrl", "video": "attachmentUrl", "audio": "attachmentUrl", "document": "attachmentUrl",
	"filename": "attachmentName", "ptt": "voiceNote", "before": "cursor", "after": "cursor", "contact": "contacts",
	"contact.name": "contacts[0].name.formatted_name",
}

// about gives an error's field a name that the table does not have: the field's
// own, from a table for one place, or else behind a prefix.
func about(err error, prefix string, table map[string]string) error {
	failure := fault.From(err)
	if err == nil || failure.Field == "" {
		return err
	}
	renamed := *failure
	if name, ok := table[failure.Field]; ok {
		renamed.Field = name
	} else {
		renamed.Field = prefix + failure.Field
	}
	return &refusal{cause: renamed.Because(err), own: true}
}

// rename gives a field of an operation the name that it has at Zernio's: the
// list keeps its index, "participants[2]" becomes "phoneNumbers[2]".
func rename(field string) string {
	list, rest := field, ""
	if at := strings.IndexByte(field, '['); at >= 0 {
		list, rest = field[:at], field[at:]
	}
	if name, ok := names[list]; ok {
		return name + rest
	}
	return field
}

// Render answers with an error in Zernio's form.
func (*Dialect) Render(c *fiber.Ctx, err error) error {
	status, body := errorOf(err)
	return c.Status(status).JSON(body)
}

func errorOf(err error) (int, errorBody) {
	failure := fault.From(err)
	what, _ := sortOf(failure.Code)
	body := errorBody{Error: failure.Message, Type: what.class, Code: what.code, Param: failure.Field}
	var own *refusal
	if errors.As(err, &own) {
		failure = own.cause
		if own.code != "" {
			body.Code = own.code
		}
		body.Details = own.details
	}
	if own == nil || !own.own {
		body.Param = rename(failure.Field)
	}
	if body.Param != "" {
		body.Error = body.Param + ": " + failure.Message
	}
	if failure.Code == fault.Invalid && failure.Field == idempotency.Header {
		what.status = http.StatusUnprocessableEntity // the key was used with another body
	}
	if failure.Code == fault.Invalid && body.Details == nil && body.Param != "" {
		body.Details = fieldErrors{map[string][]string{body.Param: {failure.Message}}}
	}
	if what.class == typePlatform {
		body.Platform, body.PlatformError = platform, &platformError{string(failure.Code), failure.Message}
	}
	return what.status, body
}
