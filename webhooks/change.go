package webhooks

import (
	"context"
	"net/url"
	"slices"
	"time"

	"muster/internal/fault"
)

// NotFound says that there is no such webhook.
func NotFound(id string) error {
	return fault.New(fault.NotFound, "there is no webhook %q", id)
}

// Create makes an endpoint. The secret is returned here and never again.
func (s *Service) Create(ctx context.Context, req CreateRequest) (Endpoint, string, error) {
	now := s.clock.Now()
	e := Endpoint{
		ID: s.repo.ids.next("wh", now), URL: req.URL, Events: req.Events, Sessions: req.Sessions, Groups: req.Groups, Format: req.Format,
		Headers: req.Headers, Enabled: req.Enabled == nil || *req.Enabled, secret: req.Secret, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.normalize(&e); err != nil {
		return Endpoint{}, "", err
	}
	if e.secret == "" {
		e.secret = makeSecret()
	} else if err := s.checkSecret(e.Format, e.secret); err != nil {
		return Endpoint{}, "", err
	}
	if err := s.checkHost(ctx, e.URL); err != nil {
		return Endpoint{}, "", err
	}
	if err := s.greet(ctx, e, req.VerifyToken); err != nil {
		return Endpoint{}, "", err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	var err error
	if e.lane, err = s.freeLane(ctx); err != nil {
		return Endpoint{}, "", err
	}
	// Not in the transaction: it writes to the database by itself.
	if err = s.queue.AddLane(laneName(e.lane), s.options.Concurrency); err != nil {
		return Endpoint{}, "", err
	}
	err = s.txn(ctx, func(ctx context.Context) error {
		if err := s.repo.save(ctx, e); err != nil {
			return err
		}
		// Whoever had the lane before may have left something.
		if err := s.queue.Clear(ctx, laneName(e.lane)); err != nil {
			return err
		}
		return s.setLane(ctx, e)
	})
	if err != nil {
		return Endpoint{}, "", err
	}
	s.refresh(ctx)
	return e, e.secret, nil
}

// freeLane is the first number that no endpoint has: lanes stay while the server
// runs, and so are used again.
func (s *Service) freeLane(ctx context.Context) (int, error) {
	list, err := s.repo.endpoints(ctx)
	if err != nil {
		return 0, err
	}
	if len(list) >= MaxEndpoints {
		return 0, fault.New(fault.Conflict, "there are %d webhooks already, which is the most", MaxEndpoints)
	}
	for number := 1; ; number++ {
		if !slices.ContainsFunc(list, func(e Endpoint) bool { return e.lane == number }) {
			return number, nil
		}
	}
}

// setLane has the endpoint's lane run or wait, as its state demands.
func (s *Service) setLane(ctx context.Context, e Endpoint) error {
	if e.open() {
		return s.queue.Resume(ctx, laneName(e.lane))
	}
	return s.queue.Pause(ctx, laneName(e.lane))
}

func (s *Service) checkHost(ctx context.Context, text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return fault.Field("url", "is not a URL")
	}
	return s.guard.check(ctx, "url", u)
}

// Update changes an endpoint.
func (s *Service) Update(ctx context.Context, req UpdateRequest) (Endpoint, error) {
	if req.URL != nil {
		if err := s.checkHost(ctx, *req.URL); err != nil {
			return Endpoint{}, err
		}
	}
	return s.change(ctx, req.ID, func(e *Endpoint) error { return s.apply(e, req) })
}

// apply writes a request's changes into an endpoint.
func (s *Service) apply(e *Endpoint, req UpdateRequest) error {
	set(&e.URL, req.URL)
	set(&e.Events, req.Events)
	set(&e.Sessions, req.Sessions)
	set(&e.Groups, req.Groups)
	set(&e.Format, req.Format)
	set(&e.Headers, req.Headers)
	if req.Secret != nil {
		if err := s.checkSecret(e.Format, *req.Secret); err != nil {
			return err
		}
		s.rotate(e, *req.Secret, DefaultOverlap)
	} else if req.Format != nil {
		if err := s.checkSecret(e.Format, e.secret); err != nil {
			return err // it has to be changed together with the format
		}
	}
	if err := s.normalize(e); err != nil {
		return err
	}
	if req.URL != nil || req.Secret != nil || req.Headers != nil {
		e.recover()
	}
	if req.Enabled != nil {
		if *req.Enabled != e.Enabled {
			e.recover()
		}
		e.Enabled, e.DisabledReason = *req.Enabled, ""
	}
	return nil
}

func set[T any](target *T, value *T) {
	if value != nil {
		*target = *value
	}
}

// recover has the endpoint begin anew, as if nothing had failed.
func (e *Endpoint) recover() {
	e.Failures, e.FailingSince, e.LastStatus, e.LastError = 0, time.Time{}, 0, ""
	e.PausedAt, e.ProbeAt, e.probes = time.Time{}, time.Time{}, 0
}

// rotate gives the endpoint a new secret; the present one stays valid for the
// time.
func (s *Service) rotate(e *Endpoint, secret string, overlap time.Duration) {
	if secret == e.secret {
		return
	}
	e.oldSecret, e.OldSecretUntil = e.secret, s.clock.Now().Add(overlap)
	if overlap <= 0 {
		e.oldSecret, e.OldSecretUntil = "", time.Time{}
	}
	e.secret = secret
}

// RotateRequest asks for a new secret.
type RotateRequest struct {
	ID      string
	Secret  string         // default: one is made
	Overlap *time.Duration // how long the present one stays valid; default DefaultOverlap
}

// Rotate gives an endpoint a new secret, which is returned here and never again.
// Until the overlap is over, requests are signed with both.
func (s *Service) Rotate(ctx context.Context, req RotateRequest) (Endpoint, string, error) {
	overlap := DefaultOverlap
	set(&overlap, req.Overlap)
	if overlap < 0 || overlap > MaxOverlap {
		return Endpoint{}, "", fault.Field("keep_old_seconds", "must be 0 to %d", int(MaxOverlap/time.Second))
	}
	if req.Secret == "" {
		req.Secret = makeSecret()
	}
	e, err := s.change(ctx, req.ID, func(e *Endpoint) error {
		if err := s.checkSecret(e.Format, req.Secret); err != nil {
			return err
		}
		s.rotate(e, req.Secret, overlap)
		return nil
	})
	return e, req.Secret, err
}

// Resume ends an endpoint's pause: what waits is delivered at once.
func (s *Service) Resume(ctx context.Context, id string) (Endpoint, error) {
	return s.change(ctx, id, func(e *Endpoint) error {
		if !e.Enabled {
			return fault.New(fault.Conflict, "the webhook is not enabled; set enabled to true to go on")
		}
		e.recover()
		return nil
	})
}

// change changes an endpoint in a transaction, and its lane where it opens or
// closes by that.
func (s *Service) change(ctx context.Context, id string, edit func(*Endpoint) error) (Endpoint, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	err := s.txn(ctx, func(ctx context.Context) error {
		e, ok, err := s.repo.lock(ctx, id)
		if err != nil {
			return err
		}
		if !ok {
			return NotFound(id)
		}
		before := e.open()
		if err = edit(&e); err != nil {
			return err
		}
		e.UpdatedAt = s.clock.Now()
		if err = s.repo.save(ctx, e); err != nil || e.open() == before {
			return err
		}
		return s.setLane(ctx, e)
	})
	if err != nil {
		return Endpoint{}, err
	}
	s.refresh(ctx)
	return s.Get(ctx, id)
}

// Delete deletes an endpoint, and with it what was still to be delivered.
func (s *Service) Delete(ctx context.Context, id string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	err := s.txn(ctx, func(ctx context.Context) error {
		e, ok, err := s.repo.lock(ctx, id)
		if err != nil {
			return err
		}
		if !ok {
			return NotFound(id)
		}
		if err = s.repo.remove(ctx, id); err != nil {
			return err
		}
		if err = s.queue.Clear(ctx, laneName(e.lane)); err != nil {
			return err
		}
		return s.queue.Pause(ctx, laneName(e.lane))
	})
	if err != nil {
		return err
	}
	s.refresh(ctx)
	return nil
}
