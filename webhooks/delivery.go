package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"muster/internal/event"
	"muster/internal/queue"
	"muster/store"
)

// delivery is one request to one endpoint, as the queue keeps it. It has the
// whole body: what is delivered does not depend on what the log still has or
// what a newer release would write.
type delivery struct {
	WebhookID string `json:"webhook_id"`
	// MessageID is the webhook-id of the request: that of the event, followed by
	// the request's number where the format makes several of one event.
	MessageID   string            `json:"message_id"`
	EventID     string            `json:"event_id"`
	Type        event.Type        `json:"type"`
	SessionID   string            `json:"session_id"`
	Body        string            `json:"body"`
	ContentType string            `json:"content_type,omitempty"`
	Header      map[string]string `json:"header,omitempty"`
	// QueuedAt is when it was queued, or queued again by a replay, in UNIX
	// milliseconds: what its age is counted from.
	QueuedAt int64 `json:"queued_at"`
	// Received is when the event came in from WhatsApp, in UNIX microseconds,
	// where it came just now.
	Received int64 `json:"received,omitempty"`
}

// Kind names the jobs in the queue's table.
func (delivery) Kind() string { return "webhook_delivery" }

func (d delivery) age(now time.Time) time.Duration { return now.Sub(fromMilliseconds(d.QueuedAt)) }

// laneName is the queue's lane with a number.
func laneName(number int) string { return "webhook_" + strconv.Itoa(number) }

// Sink queues an event's deliveries, in the transaction that writes it. It is
// for event.Log.AddSink.
func (s *Service) Sink(ctx context.Context, e event.Event) error {
	var jobs []queue.LaneJob
	for _, endpoint := range s.endpoints.all() {
		if !endpoint.Enabled || !endpoint.wants(e) {
			continue
		}
		more, err := s.deliveries(ctx, e, endpoint)
		if err != nil {
			return err
		}
		jobs = append(jobs, more...)
	}
	if err := s.queue.InsertMany(ctx, jobs); err != nil {
		return fmt.Errorf("queue the webhooks of event %s: %w", e.ID, err)
	}
	return nil
}

// deliveries are an event's jobs for one endpoint. An event that the endpoint's
// format cannot write becomes a dead letter.
func (s *Service) deliveries(ctx context.Context, e event.Event, to Endpoint) ([]queue.LaneJob, error) {
	now := s.clock.Now()
	d := delivery{
		WebhookID: to.ID, EventID: e.ID, Type: e.Type, SessionID: e.SessionID, QueuedAt: milliseconds(now),
	}
	if at := event.Received(ctx); !at.IsZero() {
		d.Received = at.UnixMicro()
	}
	requests, err := s.encode(e, to)
	if err != nil {
		s.log.Error().Err(err).Str("webhook", to.ID).Str("event", e.ID).Str("format", to.Format).Msg("an event could not be written in a webhook's format")
		d.MessageID = e.ID
		s.metrics.dead(ctx, deadUnwritable)
		return nil, s.repo.bury(ctx, d, burial{at: now, reason: deadUnwritable, text: "the format could not write the event"})
	}
	jobs := make([]queue.LaneJob, len(requests))
	for i, request := range requests {
		d.MessageID, d.Body, d.ContentType, d.Header = messageID(e.ID, i), request.Body, request.ContentType, request.Header
		jobs[i] = queue.LaneJob{Lane: laneName(to.lane), Args: d, Quiet: !to.open()}
	}
	return jobs, nil
}

// messageID names an event's request with the index.
func messageID(eventID string, index int) string {
	if index == 0 {
		return eventID
	}
	return eventID + "." + strconv.Itoa(index+1)
}

// requeue queues deliveries of an endpoint again, in the transaction of ctx.
func (s *Service) requeue(ctx context.Context, to Endpoint, again []delivery) error {
	jobs := make([]queue.LaneJob, len(again))
	for i, d := range again {
		d.QueuedAt, d.Received = milliseconds(s.clock.Now()), 0
		jobs[i] = queue.LaneJob{Lane: laneName(to.lane), Args: d, Quiet: !to.open()}
	}
	return s.queue.InsertMany(ctx, jobs)
}

func parseDelivery(raw json.RawMessage) (d delivery, err error) {
	if err = json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("read a delivery: %w", err)
	}
	return d, nil
}

// txn runs fn in a transaction.
func (s *Service) txn(ctx context.Context, fn func(ctx context.Context) error) error {
	return store.Txn(ctx, s.repo.db, fn)
}
