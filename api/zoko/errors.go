package zoko

import (
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"muster/internal/fault"
)

// Problem is how an error looks. Zoko publishes no shape; this is the one of
// its acknowledgement of messages, with a text.
type Problem struct {
	Status     string `json:"status" example:"404" doc:"The HTTP status."`
	StatusText string `json:"statusText" example:"Not Found" doc:"The status in words."`
	Message    string `json:"message" doc:"What is wrong; begins with the field, where it is about one."`
}

// statusOf is the one table from our codes to Zoko's statuses. Every code has a
// row.
func statusOf(code fault.Code) int {
	switch code {
	case fault.Malformed, fault.Invalid, fault.Rejected, fault.InviteInvalid:
		return http.StatusBadRequest
	case fault.Unauthenticated, fault.SessionNotFound: // the key stands for the session
		return http.StatusUnauthorized
	case fault.Forbidden, fault.NotAdmin, fault.NotInGroup, fault.AccountRestricted:
		return http.StatusForbidden
	case fault.NotFound, fault.GroupNotFound:
		return http.StatusNotFound
	case fault.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case fault.Conflict, fault.SessionExists, fault.SessionNotLinked, fault.SessionLinked, fault.DescriptionConflict,
		fault.InviteRevoked, fault.GroupFull, fault.AlreadyMember:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.SessionNotConnected, fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.NoAnswer, fault.OutcomeUnknown:
		return http.StatusGatewayTimeout
	case fault.Internal:
		return http.StatusInternalServerError
	default:
		return 0
	}
}

// Render answers with a Problem.
func (d *Dialect) Render(c *fiber.Ctx, err error) error {
	failure := fault.From(err)
	status := statusOf(failure.Code)
	if status == 0 {
		status = http.StatusInternalServerError
	}
	p := Problem{Status: strconv.Itoa(status), StatusText: http.StatusText(status), Message: failure.Message}
	switch {
	case failure.Field != "":
		p.Message = failure.Field + ": " + failure.Message
	case failure.Code == fault.Unauthenticated && c.Get(keyHeader) == "":
		p.Message = "a key is required, in the header " + keyHeader
	}
	return c.Status(status).JSON(p)
}

// renamed is an error about a field under the name that it has here.
func renamed(err error, names map[string]string) error {
	if err == nil {
		return nil
	}
	failure := *fault.From(err)
	here, ok := names[failure.Field]
	if !ok {
		return err
	}
	failure.Field = here
	return failure.Because(err)
}
