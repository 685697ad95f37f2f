package api

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"
)

// healthTimeout bounds the database's answer to a health check.
const healthTimeout = 3 * time.Second

// Progress is how many of the linked sessions have reached a state after the
// start: connected, or known why not.
type Progress struct {
	Total   int `json:"total"`
	Settled int `json:"settled"`
}

type healthBody struct {
	Status   string    `json:"status"`
	Sessions *Progress `json:"sessions,omitempty"`
}

// live says that the process answers at all.
func (s *Server) live(c *fiber.Ctx) error { return c.JSON(healthBody{Status: "ok"}) }

// health says whether the database answers.
func (s *Server) health(c *fiber.Ctx) error {
	if s.options.Healthy != nil {
		ctx, cancel := context.WithTimeout(c.UserContext(), healthTimeout)
		defer cancel()
		if err := s.options.Healthy(ctx); err != nil {
			zerolog.Ctx(ctx).Error().Err(err).Msg("health check failed")
			return c.Status(fiber.StatusServiceUnavailable).JSON(healthBody{Status: "database unavailable"})
		}
	}
	return c.JSON(healthBody{Status: "ok"})
}

// ready says whether every linked session has settled since the start.
func (s *Server) ready(c *fiber.Ctx) error {
	if s.options.Progress == nil {
		return c.JSON(healthBody{Status: "ready"})
	}
	progress := s.options.Progress()
	if progress.Settled < progress.Total {
		return c.Status(fiber.StatusServiceUnavailable).JSON(healthBody{Status: "starting", Sessions: &progress})
	}
	return c.JSON(healthBody{Status: "ready", Sessions: &progress})
}
