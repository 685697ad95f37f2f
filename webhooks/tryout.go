package webhooks

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"muster/internal/event"
	"muster/internal/fault"
)

const (
	// testPatience bounds a whole test: those who ask for it wait.
	testPatience = 30 * time.Second
	// sampleSession is the session of samples for endpoints of all sessions.
	sampleSession = "sample"
)

// TestRequest asks for samples to be sent to an endpoint.
type TestRequest struct {
	WebhookID string
	// Events are patterns of types; empty is all that the endpoint wants.
	Events []string
}

// Test sends a sample of each type to an endpoint now, whatever its state, and
// returns what has come of it, in the order of the documentation. The attempts
// are shown like others and have no consequences.
func (s *Service) Test(ctx context.Context, req TestRequest) ([]Attempt, error) {
	e, ok := s.endpoints.find(req.WebhookID)
	if !ok {
		return nil, NotFound(req.WebhookID)
	}
	types := e.types
	if len(req.Events) > 0 {
		list, unknown := event.Expand(req.Events)
		if unknown >= 0 {
			return nil, fault.Field(fmt.Sprintf("events[%d]", unknown), "%q is no type of event, no family such as group.*, and not *", req.Events[unknown])
		}
		types = map[event.Type]bool{}
		for _, t := range list {
			types[t] = true
		}
	}
	deliveries, err := s.sampleDeliveries(e, types)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	attempts := make([]Attempt, len(deliveries))
	var group errgroup.Group
	group.SetLimit(s.options.Concurrency)
	for i, d := range deliveries {
		group.Go(func() error {
			r := s.report(e, d, kindTest, 1, s.send(ctx, e, d))
			r.dead = ""
			attempts[i] = r.view()
			return s.record(ctx, r)
		})
	}
	return attempts, group.Wait()
}

// sampleDeliveries writes samples of the types in the endpoint's format.
func (s *Service) sampleDeliveries(e Endpoint, types map[event.Type]bool) ([]delivery, error) {
	session, now := sampleSession, s.clock.Now()
	if len(e.Sessions) > 0 {
		session = e.Sessions[0]
	}
	var list []delivery
	for _, sample := range Samples(session, now) {
		if !types[sample.Type] {
			continue
		}
		sample.ID = s.repo.ids.next("evt_test", now)
		requests, err := s.encode(sample, e)
		if err != nil {
			return nil, fmt.Errorf("write a sample of %s in the format %s: %w", sample.Type, e.Format, err)
		}
		for i, request := range requests {
			d := delivery{
				WebhookID: e.ID, MessageID: messageID(sample.ID, i), EventID: sample.ID, Type: sample.Type, SessionID: session,
				Body: request.Body, ContentType: request.ContentType, Header: request.Header, QueuedAt: milliseconds(now),
			}
			list = append(list, d)
		}
	}
	return list, nil
}

// view is the attempt as others see it.
func (r report) view() Attempt {
	return Attempt{
		ID: r.id, MessageID: r.delivery.MessageID, EventID: r.delivery.EventID, Type: r.delivery.Type,
		SessionID: r.delivery.SessionID, Number: r.attempt, Kind: r.kind, At: r.outcome.at, Took: r.outcome.took,
		Result: r.result, Status: r.outcome.status, Error: r.outcome.err, Answer: r.outcome.answer,
	}
}
