package zernio

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"muster/session"
)

// The headers in which Zernio tells how many more requests one may make.
const (
	limitHeader     = "X-RateLimit-Limit"
	remainingHeader = "X-RateLimit-Remaining"
	resetHeader     = "X-RateLimit-Reset"
)

// showPace tells what is left of the session's pace as Zernio's clients read it.
// The names are those of the other APIs here, and so it takes the place of
// theirs: in this one, the reset is a time in UNIX seconds and not a wait.
func showPace(c *fiber.Ctx) error {
	var meter session.Meter
	c.SetUserContext(session.WithMeter(c.UserContext(), &meter))
	err := c.Next()
	if quota, asked := meter.Quota(); asked {
		c.Set(limitHeader, strconv.Itoa(quota.Limit))
		c.Set(remainingHeader, strconv.Itoa(quota.Remaining))
		c.Set(resetHeader, strconv.FormatInt(time.Now().Add(quota.Reset+time.Second-1).Unix(), 10))
	}
	return err
}
