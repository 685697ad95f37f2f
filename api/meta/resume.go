package meta

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"muster/internal/fault"
)

// resumption is the job that looks after an order: it carries on what was cut
// off, by a lost answer or the end of the server.
type resumption struct {
	Session string `json:"session"`
	Request string `json:"request"`
	at      time.Time
}

// Kind names the jobs in the queue's table.
func (resumption) Kind() string { return "meta_order" }

// InsertOpts makes the queue wait: most orders are carried out by then.
func (r resumption) InsertOpts() river.InsertOpts { return river.InsertOpts{ScheduledAt: r.at} }

const (
	// An order that cannot be carried on with yet is looked at again after half
	// the time that it is old, within these bounds, and given up when it is too
	// old: then nobody can find out any more what has become of it.
	resumeFirst, resumeLongest = time.Second, time.Minute
	resumeMost                 = 20 * time.Hour
)

// resumer works on the jobs.
type resumer struct {
	river.WorkerDefaults[resumption]
	api *API
}

// Work looks after one order.
func (w *resumer) Work(ctx context.Context, job *river.Job[resumption]) error {
	a := w.api
	var o order
	found, err := a.services.Notes.Get(ctx, pendingOrders(job.Args.Session), job.Args.Request, &o)
	if err != nil || !found {
		return err // or it is carried out
	}
	age := a.options.Now().Sub(time.Unix(o.At, 0))
	pause := min(max(age/2, resumeFirst), resumeLongest)
	if !a.orders.begin(o.RequestID) {
		return river.JobSnooze(pause) // it is being carried out
	}
	defer a.orders.end(o.RequestID)
	err = a.resume(ctx, o)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0) // the server stops
	case age > resumeMost:
		return a.giveUp(ctx, o, err)
	}
	zerolog.Ctx(ctx).Debug().Err(err).Str("request", o.RequestID).Msg("an order that was cut off is looked at again")
	return river.JobSnooze(max(pause, fault.From(err).RetryAfter)) // where it was told, it is not there any more
}

// waits tells whether an order has not come to its end with the error.
func waits(err error) bool {
	if err == nil {
		return false
	}
	switch fault.From(err).Code {
	case fault.SessionNotConnected, fault.RateLimited, fault.NoAnswer, fault.OutcomeUnknown, fault.Unavailable, fault.Internal:
		return true
	}
	return false
}

// resume carries an order on.
func (a *API) resume(ctx context.Context, o order) error {
	try, answer, err := a.try(ctx, o)
	if err != nil || answer != nil {
		return err
	}
	if !try.Resumed() {
		// WhatsApp was not asked for it, and nobody waits for it any more.
		if err = try.Free(ctx); err == nil {
			_, err = a.services.Notes.Delete(ctx, pendingOrders(o.SessionID), o.RequestID)
		}
		return err
	}
	_, err = a.attempt(ctx, o, nil, try)
	return err
}

// giveUp tells that the outcome of an order is not known.
func (a *API) giveUp(ctx context.Context, o order, cause error) error {
	try, _, err := a.try(ctx, o)
	if err != nil || try == nil {
		return err
	}
	r := result{request: o.RequestID, outcome: o.outcome(), begun: true}
	fail(&r.outcome, cause)
	return a.finish(ctx, o, try, r, cause)
}
