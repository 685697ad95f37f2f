package api

import (
	"net/http"

	"muster/internal/fault"
)

// statusOf is the one table from our codes to HTTP. Every code has a row; a
// test compares it with fault.Codes.
func statusOf(code fault.Code) int {
	switch code {
	case fault.Malformed:
		return http.StatusBadRequest
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden, fault.NotInGroup, fault.NotAdmin, fault.AccountRestricted:
		return http.StatusForbidden
	case fault.NotFound, fault.SessionNotFound, fault.GroupNotFound:
		return http.StatusNotFound
	case fault.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case fault.Conflict, fault.SessionExists, fault.SessionNotLinked, fault.SessionLinked, fault.DescriptionConflict,
		fault.GroupFull, fault.AlreadyMember:
		return http.StatusConflict
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.Rejected, fault.InviteInvalid:
		return http.StatusUnprocessableEntity
	case fault.InviteRevoked:
		return http.StatusGone
	case fault.NoAnswer, fault.OutcomeUnknown:
		return http.StatusGatewayTimeout
	case fault.SessionNotConnected, fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Internal:
		return http.StatusInternalServerError
	default:
		return 0
	}
}

// codeOf is the way back, for refusals that Fiber and huma make themselves and
// that only have a status.
func codeOf(status int) fault.Code {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return fault.MethodNotAllowed
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge, http.StatusRequestURITooLong:
		return fault.TooLarge
	case http.StatusUnprocessableEntity:
		return fault.Invalid
	case http.StatusTooManyRequests:
		return fault.RateLimited
	case http.StatusServiceUnavailable:
		return fault.Unavailable
	}
	if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
		return fault.Malformed
	}
	return fault.Internal
}
