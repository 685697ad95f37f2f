package dialog360

import (
	"github.com/gofiber/fiber/v2"

	"muster/api/meta"
	"muster/internal/fault"
)

// Errors come from two places at 360dialog: from its gateway, which lets
// requests in, and from Meta behind it, whose errors it passes on.

type gatewayError struct {
	Meta gatewayMeta `json:"meta"`
}

type gatewayMeta struct {
	Code    int    `json:"httpCode"`
	Message string `json:"developerMessage"`
	Success bool   `json:"success"`
}

// gatewayStatus is the status of an error of the gateway, and 0 for those that
// are Meta's. Every code is one or the other.
func gatewayStatus(code fault.Code) int {
	switch code {
	case fault.Unauthenticated:
		return fiber.StatusUnauthorized
	case fault.Forbidden:
		return fiber.StatusForbidden
	case fault.Unavailable:
		return fiber.StatusServiceUnavailable
	}
	return 0
}

// Render implements api.Dialect.
func (*API) Render(c *fiber.Ctx, err error) error {
	failure := fault.From(err)
	if status := gatewayStatus(failure.Code); status != 0 {
		return c.Status(status).JSON(gatewayError{gatewayMeta{Code: status, Message: failure.Message}})
	}
	return meta.Render(c, err)
}
