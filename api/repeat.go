package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"

	"muster/internal/auth"
	"muster/internal/fault"
	"muster/internal/idempotency"
)

const (
	apiPrefix      = "/api/v1"
	sessionsPrefix = apiPrefix + "/sessions/"

	// replayedHeader marks an answer that was given before.
	replayedHeader = "Idempotent-Replayed"
	// maxStoredAnswer bounds what is kept of one answer. The largest there are
	// list a result for each of 1,024 people.
	maxStoredAnswer = 2 << 20
)

// keptHeaders are those of an answer that belong to it and not to its sending.
var keptHeaders = []string{fiber.HeaderContentType, fiber.HeaderLocation}

// repeatable lets a change that names itself with an Idempotency-Key happen
// once, however often it is asked for.
func (s *Server) repeatable(c *fiber.Ctx) error {
	keys := c.Request().Header.PeekAll(idempotency.Header)
	if s.options.Keys == nil || len(keys) == 0 || !changes(c) {
		return c.Next()
	}
	if len(keys) > 1 {
		return fault.Field(idempotency.Header, "must be given once")
	}
	key := string(keys[0])
	if err := idempotency.CheckKey(key); err != nil {
		return err
	}
	print, err := fingerprint(c)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	attempt, answer, err := s.options.Keys.Begin(ctx, idempotency.Request{
		Session: sessionOf(c.Path()), Token: auth.From(ctx).TokenID, Key: key, Fingerprint: print,
	})
	switch {
	case err != nil:
		return err
	case answer != nil:
		return s.replay(c, key, *answer)
	}
	return s.attempt(c, key, attempt)
}

// changes tells whether a request is meant to change something. One GET is:
// the documented way to reset an invite link.
func changes(c *fiber.Ctx) bool {
	switch c.Method() {
	case fiber.MethodGet:
		return c.QueryBool("reset")
	case fiber.MethodHead, fiber.MethodOptions:
		return false
	}
	return true
}

// sessionOf is the session below whose path something is; empty for what is
// about no session, and for the session itself: a deletion outlives it.
func sessionOf(path string) string {
	rest, below := strings.CutPrefix(path, sessionsPrefix)
	id, _, inside := strings.Cut(rest, "/")
	if !below || !inside {
		return ""
	}
	return id
}

// attempt runs the request and stores what became of it, panics included.
func (s *Server) attempt(c *fiber.Ctx, key string, a *idempotency.Attempt) (err error) {
	ended := false
	defer func() {
		if !ended { // a panic goes past here
			s.keep(c, key, a, outcomeOf(http.StatusInternalServerError, "", a))
		}
	}()
	ctx := c.UserContext()
	c.SetUserContext(idempotency.With(ctx, a))
	err = c.Next()
	c.SetUserContext(ctx)
	if err != nil {
		if err = s.renderError(c, err); err != nil {
			return err
		}
	}
	status, code := c.Response().StatusCode(), problemCode(c)
	result := outcomeOf(status, code, a)
	if status >= http.StatusMultipleChoices && result == unknown && code != fault.OutcomeUnknown {
		if err = s.renderError(c, stillUnknown(c, a)); err != nil {
			return err
		}
	}
	ended = true
	s.keep(c, key, a, result)
	return nil
}

// outcome is what the end of a request says about it.
type outcome int

const (
	final   outcome = iota // it will be answered in the same way for ever
	unknown                // it may have happened
	nothing                // it has not happened, and may be tried again
)

func outcomeOf(status int, code fault.Code, a *idempotency.Attempt) outcome {
	switch {
	case a.Lost(): // even where the rest of the request succeeded
		return unknown
	case status < http.StatusMultipleChoices:
		return final
	case a.Unsettled():
		return unknown
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout,
		status == http.StatusServiceUnavailable, code == fault.NoAnswer, code == fault.OutcomeUnknown:
		return nothing
	case status < http.StatusInternalServerError:
		return final
	case a.Sent():
		return unknown
	}
	return nothing
}

// problemCode is the code of the error that is the answer, if it is one.
func problemCode(c *fiber.Ctx) fault.Code {
	if failure := failureOf(c); failure != nil {
		return failure.Code
	}
	if c.Response().StatusCode() < http.StatusBadRequest {
		return ""
	}
	var problem struct{ Code fault.Code }
	if err := json.Unmarshal(c.Response().Body(), &problem); err != nil {
		return ""
	}
	return problem.Code
}

// stillUnknown is the answer in place of one that would sound as if nothing
// had happened: what stands there is only why nobody could find out.
func stillUnknown(c *fiber.Ctx, a *idempotency.Attempt) error {
	var problem struct{ Detail string }
	why := "it could not be found out"
	if failure := failureOf(c); failure != nil {
		why = failure.Message
	} else if json.Unmarshal(c.Response().Body(), &problem) == nil && problem.Detail != "" {
		why = problem.Detail
	}
	return fault.New(fault.OutcomeUnknown,
		"an earlier request with this %s was sent, and whether it took effect is still unknown (%s): repeat it later", idempotency.Header, why).
		After(max(a.Doubt(), time.Second))
}

// keep stores the outcome. The client gets its answer also where that fails:
// then the key stays taken until the next start, which finds out what it can.
func (s *Server) keep(c *fiber.Ctx, key string, a *idempotency.Attempt, result outcome) {
	ctx := c.UserContext()
	var err error
	switch result {
	case unknown:
		err = a.Unknown(ctx)
	case nothing:
		err = a.Free(ctx)
	default:
		err = s.store(ctx, c, key, a)
	}
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Msg("the outcome of a repeatable request was not stored")
	}
}

func (s *Server) store(ctx context.Context, c *fiber.Ctx, key string, a *idempotency.Attempt) error {
	answer := idempotency.Answer{Status: c.Response().StatusCode(), Header: map[string]string{}}
	for _, name := range keptHeaders {
		if value := c.GetRespHeader(name); value != "" {
			answer.Header[name] = value
		}
	}
	body := c.Response().Body()
	if len(body) > maxStoredAnswer {
		body = nil
		answer.Header = nil
	}
	var err error
	if answer.Body, err = idempotency.Seal(s.credential(c), key, body); err != nil {
		return errors.Join(err, a.Unknown(ctx))
	}
	return a.Done(ctx, answer)
}

// replay gives the stored answer again.
func (s *Server) replay(c *fiber.Ctx, key string, answer idempotency.Answer) error {
	body, err := idempotency.Open(s.credential(c), key, answer.Body)
	if err != nil { // the fixed admin token was changed
		return fault.New(fault.Conflict, "this %s has been used with another token", idempotency.Header).Because(err)
	}
	if answer.Header == nil {
		return fault.New(fault.Conflict, "this request was done and answered with the status %d; the answer was too large to be kept", answer.Status)
	}
	for name, value := range answer.Header {
		c.Set(name, value)
	}
	c.Set(replayedHeader, "true")
	c.Status(answer.Status)
	return c.Send(body)
}
