package api

import (
	"math"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"muster/session"
)

// The headers that tell how many more operations a session may make.
const (
	paceResource  = "X-RateLimit-Resource" // read or write
	paceLimit     = "X-RateLimit-Limit"
	paceRemaining = "X-RateLimit-Remaining"
	paceReset     = "X-RateLimit-Reset" // seconds until all of the limit is there again
)

// showPace tells the caller what is left of the session's pace, on every
// answer for which WhatsApp was asked, or was not for want of a turn.
func showPace(c *fiber.Ctx) error {
	var meter session.Meter
	c.SetUserContext(session.WithMeter(c.UserContext(), &meter))
	err := c.Next()
	if quota, asked := meter.Quota(); asked {
		c.Set(paceResource, quota.Kind.String())
		c.Set(paceLimit, strconv.Itoa(quota.Limit))
		c.Set(paceRemaining, strconv.Itoa(quota.Remaining))
		c.Set(paceReset, strconv.Itoa(int(math.Ceil(quota.Reset.Seconds()))))
	}
	return err
}
