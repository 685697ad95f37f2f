package webhooks

import (
	"context"
	"slices"

	"muster/internal/fault"
)

// How many endpoints a page has when the request does not say, and at most.
const (
	DefaultLimit = 100
	MaxLimit     = 200
)

// Get returns one endpoint.
func (s *Service) Get(ctx context.Context, id string) (Endpoint, error) {
	page, err := s.List(ctx, ListRequest{Visible: func(e Endpoint) bool { return e.ID == id }})
	if err != nil {
		return Endpoint{}, err
	}
	if len(page.Endpoints) == 0 {
		return Endpoint{}, NotFound(id)
	}
	return page.Endpoints[0], nil
}

// ListRequest asks for a page of the endpoints.
type ListRequest struct {
	// Visible tells which endpoints the caller may know of; nil is all.
	Visible func(Endpoint) bool
	After   string // the id of the last one of the page before
	Limit   int    // 0 is DefaultLimit
}

// List is a page of the endpoints, the oldest first.
type List struct {
	Endpoints []Endpoint
	// Total counts all that the caller may know of.
	Total int
	// Next is After for the next page; empty on the last one.
	Next string
}

// List returns endpoints.
func (s *Service) List(ctx context.Context, req ListRequest) (List, error) {
	all, err := s.repo.endpoints(ctx)
	if err != nil {
		return List{}, err
	}
	if req.Visible != nil {
		all = slices.DeleteFunc(all, func(e Endpoint) bool { return !req.Visible(e) })
	}
	page := List{Total: len(all)}
	if req.After != "" {
		at := slices.IndexFunc(all, func(e Endpoint) bool { return e.ID == req.After })
		if at < 0 {
			return List{}, fault.Field("cursor", "is not the next_cursor of a page")
		}
		all = all[at+1:]
	}
	limit := req.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	if limit = min(limit, MaxLimit); len(all) > limit {
		all = all[:limit]
		page.Next = all[limit-1].ID
	}
	page.Endpoints = all
	return page, s.count(ctx, page.Endpoints)
}

// count fills in what waits for the endpoints and what was given up.
func (s *Service) count(ctx context.Context, list []Endpoint) error {
	if len(list) == 0 {
		return nil
	}
	depths, err := s.queue.Depths(ctx)
	if err != nil {
		return err
	}
	dead, err := s.repo.deadCounts(ctx)
	if err != nil {
		return err
	}
	for i, e := range list {
		depth := depths[laneName(e.lane)]
		list[i].Pending, list[i].OldestPending, list[i].DeadLetters = depth.Waiting, depth.Oldest, dead[e.ID]
	}
	return nil
}
