package meta

import (
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"muster/api"
	"muster/groups"
	"muster/internal/fault"
)

// The numbers by which Meta's clients tell errors apart.
const (
	codePermission      = 10
	codeParameter       = 100
	codeToken           = 190
	codeInternal        = 131000
	codeDenied          = 131005
	codeUnavailable     = 131016
	codeBadGroup        = 131020
	codeAccountLocked   = 131031
	codeUnknownGroup    = 131041
	codeUnsupportedType = 131051
	codeMediaUpload     = 131053
	codeInvalidCursor   = 131059
	codeUnreadable      = 131060
	codePartial         = 131201
	codeDuplicate       = 131202
	codeCannotAdd       = 131203
	codeOverLimit       = 131204
	codeSuspended       = 131207
	codeGroupRate       = 131208
	codePictureShape    = 131209
	codePictureSize     = 131210
	codeCreateDisabled  = 131214
	codeNotParticipant  = 131212
	codeNoRequest       = 131213
	codeTemplateParams  = 132000
	codeTemplateUnknown = 132001
	codeNotRegistered   = 133010
	codeUnsupportedSeen = 130501
)

// meaning is what a number stands for.
type meaning struct {
	status int
	title  string
}

// meanings has every number that is used here.
func meanings() map[int]meaning {
	return map[int]meaning{
		codePermission:      {fiber.StatusForbidden, "Application does not have permission for this action"},
		codeParameter:       {fiber.StatusBadRequest, "Invalid parameter"},
		codeToken:           {fiber.StatusUnauthorized, "Invalid OAuth access token"},
		codeInternal:        {fiber.StatusInternalServerError, "Something went wrong"},
		codeDenied:          {fiber.StatusForbidden, "Access denied"},
		codeUnavailable:     {fiber.StatusServiceUnavailable, "Service unavailable"},
		codeBadGroup:        {fiber.StatusBadRequest, "Bad group"},
		codeAccountLocked:   {fiber.StatusForbidden, "Account has been locked"},
		codeUnknownGroup:    {fiber.StatusBadRequest, "Group unknown"},
		codeUnsupportedType: {fiber.StatusBadRequest, "Unsupported message type"},
		codeMediaUpload:     {fiber.StatusBadRequest, "Media upload error"},
		codeInvalidCursor:   {fiber.StatusBadRequest, "Invalid cursor"},
		codeUnreadable:      {fiber.StatusBadRequest, "This message is currently unavailable"},
		codePartial:         {fiber.StatusPartialContent, "Partial success"},
		codeDuplicate:       {fiber.StatusBadRequest, "Duplicate participant"},
		codeCannotAdd:       {fiber.StatusBadRequest, "Unable to add participant to group"},
		codeOverLimit:       {fiber.StatusBadRequest, "Participant limit reached"},
		codeSuspended:       {fiber.StatusForbidden, "Group suspended"},
		codeGroupRate:       {fiber.StatusTooManyRequests, "Group rate limit hit"},
		codePictureShape:    {fiber.StatusBadRequest, "Group picture is not square"},
		codePictureSize:     {fiber.StatusBadRequest, "Group picture is too small"},
		codeCreateDisabled:  {fiber.StatusBadRequest, "Group creation is disabled"},
		codeNotParticipant:  {fiber.StatusBadRequest, "Participant not in group"},
		codeNoRequest:       {fiber.StatusBadRequest, "Join request does not exist"},
		codeTemplateParams:  {fiber.StatusBadRequest, "Template parameter count mismatch"},
		codeTemplateUnknown: {fiber.StatusNotFound, "Template does not exist"},
		codeNotRegistered:   {fiber.StatusBadRequest, "Phone number not registered"},
		codeUnsupportedSeen: {fiber.StatusBadRequest, "Message type is not currently supported"},
	}
}

// verdict is what Meta would make of a fault.
type verdict struct {
	code int
	// status is zero where the number's own is right.
	status int
}

// verdictOf is the table from our codes to Meta's numbers. Every code has a
// row; a test compares it with fault.Codes.
func verdictOf(code fault.Code) verdict {
	switch code {
	case fault.Malformed, fault.Invalid, fault.InviteInvalid, fault.InviteRevoked, fault.AlreadyMember, fault.SessionNotFound:
		return verdict{code: codeParameter}
	case fault.TooLarge:
		return verdict{codeParameter, fiber.StatusRequestEntityTooLarge}
	case fault.UnsupportedMedia:
		return verdict{code: codeMediaUpload}
	case fault.NotFound:
		return verdict{codeParameter, fiber.StatusNotFound}
	case fault.MethodNotAllowed:
		return verdict{codeParameter, fiber.StatusMethodNotAllowed}
	case fault.Conflict, fault.SessionExists, fault.SessionLinked, fault.DescriptionConflict:
		return verdict{codeParameter, fiber.StatusConflict}
	case fault.Unauthenticated:
		return verdict{code: codeToken}
	case fault.Forbidden, fault.NotInGroup, fault.NotAdmin:
		return verdict{code: codePermission}
	case fault.SessionNotLinked:
		return verdict{code: codeNotRegistered}
	case fault.GroupNotFound:
		return verdict{code: codeUnknownGroup}
	case fault.GroupFull:
		return verdict{code: codeOverLimit}
	case fault.RateLimited:
		return verdict{code: codeGroupRate}
	case fault.AccountRestricted:
		return verdict{code: codeAccountLocked}
	case fault.Rejected:
		return verdict{code: codeDenied}
	case fault.Unavailable:
		return verdict{code: codeUnavailable}
	case fault.SessionNotConnected, fault.NoAnswer, fault.OutcomeUnknown, fault.Internal:
		return verdict{code: codeInternal}
	}
	return verdict{}
}

// personal is the table from what became of one person to Meta's numbers; 0 is
// for codes that have none of their own. The numbers that Meta has for one
// operation are not used for another.
func personal(code string) int {
	switch code {
	case groups.CodeNotOnWhatsApp, groups.CodePrivacy, groups.CodeBlocked, groups.CodeRecentlyLeft, groups.CodeCommunity, groups.CodeLegal:
		return codeCannotAdd
	case groups.CodeAlreadyMember:
		return codeDuplicate
	case groups.CodeGroupFull:
		return codeOverLimit
	case groups.CodeNotMember:
		return codeNotParticipant
	case groups.CodeNoRequest:
		return codeNoRequest
	case groups.CodeCreator, groups.CodeNotAcceptable:
		return codeDenied
	}
	return 0
}

// refusal is a fault that has a number of its own at Meta's.
type refusal struct {
	code  int
	cause *fault.Error
}

func (r *refusal) Error() string { return fmt.Sprintf("(#%d) %v", r.code, r.cause) }
func (r *refusal) Unwrap() error { return r.cause }

// refuse makes an error with one of Meta's numbers. As a fault it is invalid.
func refuse(code int, format string, args ...any) error {
	return &refusal{code, fault.New(fault.Invalid, format, args...)}
}

// Problem is an error as Meta describes it.
type Problem struct {
	Code    int
	Status  int
	Title   string
	Details string
}

// message is the sentence that Meta's errors have.
func (p Problem) message() string { return fmt.Sprintf("(#%d) %s", p.Code, p.Title) }

// problemOf describes any error.
func problemOf(err error) Problem {
	failure := fault.From(err)
	ruling := verdictOf(failure.Code)
	var own *refusal
	if errors.As(err, &own) {
		ruling = verdict{code: own.code}
	}
	if ruling.code == 0 {
		ruling.code = codeInternal
	}
	p := problem(ruling.code, failure.Message)
	if ruling.status != 0 {
		p.Status = ruling.status
	}
	if failure.Field != "" {
		p.Details = failure.Field + ": " + failure.Message
	}
	return p
}

func problem(code int, details string) Problem {
	what := meanings()[code]
	return Problem{Code: code, Status: what.status, Title: what.title, Details: details}
}

type errorData struct {
	MessagingProduct string `json:"messaging_product,omitempty"`
	Details          string `json:"details"`
}

// errorItem is an error inside an answer or a webhook.
type errorItem struct {
	Code    int       `json:"code"`
	Message string    `json:"message"`
	Title   string    `json:"title"`
	Data    errorData `json:"error_data"`
}

func (p Problem) item() errorItem {
	return errorItem{Code: p.Code, Message: p.message(), Title: p.Title, Data: errorData{Details: p.Details}}
}

type errorEnvelope struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Message string    `json:"message"`
	Type    string    `json:"type"`
	Code    int       `json:"code"`
	Data    errorData `json:"error_data"`
	TraceID string    `json:"fbtrace_id"`
}

const product = "whatsapp"

// Render answers with the envelope that all of Meta's errors come in.
func Render(c *fiber.Ctx, err error) error {
	p := problemOf(err)
	return c.Status(p.Status).JSON(errorEnvelope{errorBody{
		Message: p.message(), Type: "OAuthException", Code: p.Code,
		Data:    errorData{MessagingProduct: product, Details: p.Details},
		TraceID: api.RequestID(c.UserContext()),
	}})
}
