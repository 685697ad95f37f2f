package meta

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"muster/groups"
	"muster/internal/event"
	"muster/internal/fault"
	"muster/internal/idempotency"
	"muster/internal/notes"
	"muster/internal/picture"
)

// Meta answers changes before they are done, with the id of the request, and
// tells their outcome by webhook, with the same id. Here they are done before
// the answer where WhatsApp lets them; but what was begun is carried on, and its
// outcome told, whatever becomes of the client's connection and of this server.
// For that each change is written down before it begins, as an order, and the
// note goes in the transaction that tells its outcome to the log of events.

// requestPrefix marks the ids of requests whose outcome is told as a whole: the
// events of the single changes are then not told besides.
const requestPrefix = "mreq_"

func newRequestID() string { return requestPrefix + rand.Text() }

// toldAsWhole tells whether an event is part of what an outcome tells.
func toldAsWhole(e event.Event) bool { return strings.HasPrefix(e.RequestID, requestPrefix) }

// order is a change that was asked for.
type order struct {
	RequestID string `json:"request_id"`
	SessionID string `json:"session_id"`
	Operation string `json:"operation"`
	GroupJID  string `json:"group_jid,omitempty"` // empty of a new group

	Subject      *string             `json:"subject,omitempty"`
	Description  *string             `json:"description,omitempty"`
	Approval     groups.ApprovalMode `json:"approval,omitempty"`
	Participants []string            `json:"participants,omitempty"`
	// PhotoSHA256 is that of a new picture, in hexadecimal digits, and its name in
	// the store of files, should it be needed again.
	PhotoSHA256 string `json:"photo_sha256,omitempty"`

	At int64 `json:"at"` // UNIX seconds
}

func (o order) target() groups.Target {
	return groups.Target{SessionID: o.SessionID, GroupJID: o.GroupJID}
}

func (o order) membership() groups.MembershipRequest {
	return groups.MembershipRequest{Target: o.target(), Participants: o.Participants}
}

// outcome is what an order's outcome begins with: what was asked for.
func (o order) outcome() event.Outcome {
	out := event.Outcome{API: Name, Operation: o.Operation, GroupJID: o.GroupJID}
	if o.Subject != nil {
		out.Subject = &event.OutcomeText{Text: *o.Subject}
	}
	if o.Description != nil {
		out.Description = &event.OutcomeText{Text: *o.Description}
	}
	if o.PhotoSHA256 != "" {
		out.Photo = &event.OutcomePhoto{Mimetype: jpegType, SHA256: o.PhotoSHA256}
	}
	for _, input := range o.Participants {
		out.Participants = append(out.Participants, event.OutcomePerson{Input: input})
	}
	return out
}

// fail notes an error for each part of what was asked for.
func fail(out *event.Outcome, err error) {
	why := outcomeError(err)
	if out.Subject != nil {
		out.Subject.Error = why
	}
	if out.Description != nil {
		out.Description.Error = why
	}
	if out.Photo != nil {
		out.Photo.Error = why
	}
	for i := range out.Participants {
		out.Participants[i].Error = why
	}
}

// orders are those that are being carried out by this process.
type orders struct {
	mu      sync.Mutex
	running map[string]bool
}

func (o *orders) begin(request string) (begun bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running[request] {
		return false
	}
	o.running[request] = true
	return true
}

func (o *orders) end(request string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.running, request)
}

// result is what has come of an order so far.
type result struct {
	request string
	outcome event.Outcome
	// begun: WhatsApp was asked for the change.
	begun bool
}

func pendingOrders(sessionID string) notes.Shelf {
	return notes.Shelf{SessionID: sessionID, Dialect: Name, Kind: "order"}
}

// carryOut performs an order. An error says that nothing of it was done, or that
// nobody knows yet. The outcome is told in every case but one: what WhatsApp was
// not even asked for is only an error.
func (a *API) carryOut(ctx context.Context, o order, image []byte) (result, error) {
	o.RequestID, o.At = newRequestID(), a.options.Now().Unix()
	r := result{request: o.RequestID}
	a.orders.begin(o.RequestID)
	defer a.orders.end(o.RequestID)
	if image != nil {
		if _, _, err := a.services.Media.Store().Put(ctx, pictureFile, bytes.NewReader(image), picture.MaxBytes); err != nil {
			return r, err
		}
	}
	if err := a.writeDown(ctx, o); err != nil {
		return r, err
	}
	try, _, err := a.try(ctx, o)
	if err != nil {
		return r, err
	}
	return a.attempt(ctx, o, image, try)
}

// writeDown notes an order, and a job that looks after it later.
func (a *API) writeDown(ctx context.Context, o order) error {
	return a.services.Notes.Txn(ctx, func(ctx context.Context) error {
		if err := a.services.Notes.Put(ctx, pendingOrders(o.SessionID), o.RequestID, o); err != nil {
			return err
		}
		_, err := a.services.Queue.Insert(ctx, resumption{
			Session: o.SessionID, Request: o.RequestID, at: a.options.Now().Add(a.options.SettleAfter),
		})
		return err
	})
}

// try begins an attempt at an order, with what is known of an earlier one.
func (a *API) try(ctx context.Context, o order) (*idempotency.Attempt, *idempotency.Answer, error) {
	return a.services.Keys.Begin(ctx, idempotency.Request{
		Session: o.SessionID, Token: Name, Key: o.RequestID, Fingerprint: o.Operation,
	})
}

// attempt performs an order, or what is left of it.
func (a *API) attempt(ctx context.Context, o order, image []byte, try *idempotency.Attempt) (result, error) {
	working := event.WithRequest(idempotency.With(ctx, try), o.RequestID)
	outcome, err := a.perform(working, o, image)
	r := result{request: o.RequestID, outcome: outcome, begun: try.Resumed() || try.Sent() && !turnedAway(err)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	if try.Lost() || try.Unsettled() || try.Resumed() && waits(err) {
		if keyErr := try.Unknown(ctx); keyErr != nil {
			return r, keyErr
		}
		if err == nil {
			err = fault.New(fault.OutcomeUnknown, "WhatsApp has not answered all of it; the webhook will say what has become of it")
		}
		return r, err
	}
	return r, cmp.Or(a.finish(ctx, o, try, r, err), err)
}

// turnedAway tells whether an error is about the moment and not the order: the
// client is to come again.
func turnedAway(err error) bool {
	return fault.Is(err, fault.RateLimited) || fault.Is(err, fault.SessionNotConnected)
}

// finishTimeout bounds the writing of what has happened already.
const finishTimeout = 30 * time.Second

// finish tells what has come of an order that was begun, failed or not, and
// forgets it.
func (a *API) finish(ctx context.Context, o order, try *idempotency.Attempt, r result, failed error) error {
	err := a.services.Notes.Txn(ctx, func(ctx context.Context) error {
		found, err := a.services.Notes.Delete(ctx, pendingOrders(o.SessionID), o.RequestID)
		if err != nil || !found || !r.begun {
			return err
		}
		if failed != nil {
			r.outcome.Error = outcomeError(failed)
		}
		return a.services.Events.Append(ctx, event.Event{
			Type: event.RequestFinished, SessionID: o.SessionID, Group: r.outcome.GroupJID, RequestID: o.RequestID, Data: r.outcome,
		})
	})
	if err == nil {
		err = try.Free(ctx)
	}
	if err != nil {
		return fmt.Errorf("tell the outcome of request %s: %w", o.RequestID, err)
	}
	return nil
}

func outcomeError(err error) *event.OutcomeError {
	failure := fault.From(err)
	return &event.OutcomeError{Code: string(failure.Code), Message: failure.Message}
}
