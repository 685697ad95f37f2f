// Package v1 is the session-style HTTP API: one file of routes for each domain.
// A route translates between JSON and a domain operation and does nothing else.
package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	edge "muster/api"
	"muster/internal/auth"
	"muster/internal/fault"
	"muster/internal/idempotency"
)

// prefix is where every path of this API begins.
const prefix = "/api/v1"

// route is one row of the routing table.
type route struct {
	Method string
	// Path is below the prefix, with parameters in braces: "/sessions/{session_id}".
	Path string
	// ID is the operation's name in the OpenAPI document: "list-sessions".
	ID          string
	Tag         string
	Summary     string
	Description string
	// Status is that of success. 0 means 200, or 204 for an operation that
	// answers nothing.
	Status int
	// Admin routes refuse tokens that are bound to sessions.
	Admin bool
}

// reply and empty are the answers in the shape that huma wants.
type (
	reply[Body any] struct{ Body Body }
	empty           struct{}
)

// handle registers an operation. In has the parameters and the body as huma
// describes them (`path:"session_id"`, `query:"limit"`, a field Body); what op
// returns is the body of the answer. Errors are coded faults, and reach the
// client as problem documents.
func handle[In, Out any](api huma.API, r route, op func(context.Context, *In) (Out, error)) {
	respond(api, r, func(ctx context.Context, in *In) (*reply[Out], error) {
		out, err := op(ctx, in)
		if err != nil {
			return nil, err
		}
		return &reply[Out]{Body: out}, nil
	})
}

// act registers an operation that answers 204 and no body.
func act[In any](api huma.API, r route, op func(context.Context, *In) error) {
	if r.Status == 0 {
		r.Status = http.StatusNoContent
	}
	respond(api, r, func(ctx context.Context, in *In) (*empty, error) {
		if err := op(ctx, in); err != nil {
			return nil, err
		}
		return &empty{}, nil
	})
}

// respond registers an operation whose answer is a huma output struct, for the
// few that set headers or choose their status.
func respond[In, Out any](api huma.API, r route, op func(context.Context, *In) (*Out, error)) {
	huma.Register(api, r.operation(), func(ctx context.Context, in *In) (*Out, error) {
		if r.Admin && !auth.From(ctx).Admin {
			return nil, edge.Problem(ctx, fault.New(fault.Forbidden, "this needs an admin token"))
		}
		out, err := op(ctx, in)
		if err != nil {
			return nil, edge.Problem(ctx, err)
		}
		return out, nil
	})
}

func (r route) operation() huma.Operation {
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	return huma.Operation{
		Parameters:    r.parameters(),
		OperationID:   r.ID,
		Method:        r.Method,
		Path:          prefix + r.Path,
		Summary:       r.Summary,
		Description:   r.Description,
		Tags:          []string{r.Tag},
		DefaultStatus: r.Status,
		// The default of 1 MB would cut a body off before the server's own,
		// configurable limit refuses it.
		MaxBodyBytes: -1,
		// Fiber has read the whole body, under its own deadline, before a
		// handler runs.
		BodyReadTimeout: 0,
	}
}

// parameters are those that every operation of a kind has, and that the server
// deals with before any of them (see the api package).
func (r route) parameters() []*huma.Param {
	if r.Method == http.MethodGet {
		return nil
	}
	shortest, longest := 1, 255
	return []*huma.Param{{
		Name: idempotency.Header, In: "header",
		Description: "Names this change, so that it can be repeated without happening twice. The same token, session, key and request " +
			"get the answer of the first, marked Idempotent-Replayed: true, for 24 hours; the same key with another request is refused " +
			"with 422, and with 409 while the first is running. After 504 outcome_unknown, repeating the request with its key finds out " +
			"what became of it.",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest, Pattern: "^[!-~]+$"},
	}}
}
