package meta

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/internal/fault"
)

// ListJoinRequests lists who waits to be let in, the oldest first.
func (a *API) ListJoinRequests(c Call) error {
	limit, err := readLimit(c.Ctx)
	if err != nil {
		return err
	}
	after, before, err := readPlaces(c.Ctx)
	if err != nil {
		return err
	}
	all, err := a.services.Groups.JoinRequests(c.UserContext(), groups.JoinRequestsRequest{Target: c.target()})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(x, y groups.JoinRequest) int { return cmp.Compare(requestOrder(x), requestOrder(y)) })
	from, to := 0, min(limit, len(all))
	for name, text := range map[string]string{"after": after, "before": before} {
		if text == "" {
			continue
		}
		place, ok := parseRequestCursor(text)
		order, err := strconv.ParseInt(place.Version, 10, 64)
		if !ok || err != nil {
			return badCursor(name)
		}
		from, to = cut(all, func(r groups.JoinRequest) int { return cmp.Compare(requestOrder(r), order) }, name == "before", limit)
	}
	answer := joinRequests{Data: []joinRequest{}}
	for _, r := range all[from:to] {
		answer.Data = append(answer.Data, joinRequest{ID: requestID(r.Identity, c.Group), member: memberOf(r.Identity), CreatedAt: a.timestamp(r.RequestedAt)})
	}
	if from < to {
		first, last := requestPlace(all, from), requestPlace(all, to-1)
		answer.Paging.Cursors = &cursors{Before: first, After: last}
		if from > 0 {
			answer.Paging.Previous = link(c.Ctx, limit, "before", first)
		}
		if to < len(all) {
			answer.Paging.Next = link(c.Ctx, limit, "after", last)
		}
	}
	return c.JSON(answer)
}

func requestPlace(list []groups.JoinRequest, at int) string {
	return requestCursor{Offset: at, Version: strconv.FormatInt(requestOrder(list[at]), 10)}.String()
}

// decision is one of the two ways to decide about requests to join.
type decision struct {
	decide func(ctx context.Context, req groups.MembershipRequest) ([]groups.Result, error)
	status groups.Status
	field  string // of those for whom it was done
}

// ApproveJoinRequests lets people in.
func (a *API) ApproveJoinRequests(c Call) error {
	return a.decide(c, decision{a.services.Groups.Approve, groups.StatusApproved, "approved_join_requests"})
}

// RejectJoinRequests turns people down.
func (a *API) RejectJoinRequests(c Call) error {
	return a.decide(c, decision{a.services.Groups.Reject, groups.StatusRejected, "rejected_join_requests"})
}

type decideBody struct {
	messagingProduct
	Requests []string `json:"join_requests"`
}

// decide answers for each of the requests: 200 when all was done, 206 when some
// was, and the first failure when nothing was.
func (a *API) decide(c Call, how decision) error {
	ids, err := readRequests(c)
	if err != nil {
		return err
	}
	if err = a.changeable(c); err != nil {
		return err
	}
	failed := map[string]Problem{}
	var people []string
	named := map[string]string{} // by whom they are
	for _, id := range ids {
		who, ok := requester(id, c.Group)
		if !ok {
			failed[id] = problem(codeNoRequest, "this is not the id of a request to join this group")
			continue
		}
		named[who] = id
		people = append(people, who)
	}
	if len(people) > 0 {
		results, err := how.decide(c.UserContext(), groups.MembershipRequest{Target: c.target(), Participants: people})
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Status != how.status {
				failed[named[r.Input]] = problemOfPerson(r)
			}
			delete(named, r.Input)
		}
		for _, id := range named {
			failed[id] = problem(codeDuplicate, "another one of these requests is the same person's")
		}
	}
	return answerDecision(c, ids, failed, how.field)
}

func readRequests(c Call) ([]string, error) {
	b, err := readBody(c.Ctx)
	if err != nil {
		return nil, err
	}
	var said decideBody
	if err = b.into(&said); err != nil {
		return nil, err
	}
	if err = said.check(); err != nil {
		return nil, err
	}
	if len(said.Requests) == 0 {
		return nil, fault.Field("join_requests", "must name at least one request")
	}
	if len(said.Requests) > groups.MaxParticipants {
		return nil, fault.Field("join_requests", "has %d entries; %d are the most", len(said.Requests), groups.MaxParticipants)
	}
	for i, id := range said.Requests {
		if slices.Contains(said.Requests[:i], id) {
			return nil, refuse(codeDuplicate, "join_requests[%d]: %s is there twice", i, id)
		}
	}
	return said.Requests, nil
}

// problemOfPerson is the failure of one person as Meta describes it. Who is a
// member has no request any more.
func problemOfPerson(r groups.Result) Problem {
	switch {
	case r.Failure == nil:
		return problem(codeInternal, "it was not done")
	case r.Failure.Code == groups.CodeAlreadyMember:
		return problem(codeNoRequest, r.Failure.Reason)
	}
	return personProblem(r.Failure.Code, r.Failure.Reason)
}

func personProblem(code, reason string) Problem {
	number := personal(code)
	if number == 0 {
		number = codeInternal
	}
	return problem(number, reason)
}

func answerDecision(c Call, ids []string, failed map[string]Problem, field string) error {
	done := []string{}
	var failures []failedRequest
	for _, id := range ids {
		if p, found := failed[id]; found {
			failures = append(failures, failedRequest{ID: id, Errors: []errorItem{p.item()}})
			continue
		}
		done = append(done, id)
	}
	answer := map[string]any{"messaging_product": product, field: done}
	switch {
	case len(failures) == 0:
		return c.JSON(answer)
	case len(done) == 0:
		first := failed[ids[0]]
		return refuse(first.Code, "%s", first.Details)
	}
	answer["failed_join_requests"] = failures
	answer["errors"] = []errorItem{problem(codePartial, fmt.Sprintf("%d of %d requests failed", len(failures), len(ids))).item()}
	return c.Status(fiber.StatusPartialContent).JSON(answer)
}
