package api

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"muster/internal/auth"
	"muster/internal/fault"
)

const metricsPath = "/metrics"

// mountMetrics shows the program's counters to Prometheus. They tell about all
// sessions, so they are for admin tokens.
func (s *Server) mountMetrics(from prometheus.Gatherer) {
	if from == nil {
		return
	}
	show := adaptor.HTTPHandler(promhttp.HandlerFor(from, promhttp.HandlerOpts{}))
	s.app.Get(metricsPath, func(c *fiber.Ctx) error {
		if !auth.From(c.UserContext()).Admin {
			return fault.New(fault.Forbidden, "this needs an admin token")
		}
		return show(c)
	})
}
