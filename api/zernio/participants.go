package zernio

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/internal/fault"
)

// verb is one of the four changes of people, in the words of its answer.
type verb struct {
	one, many string // "participant", "participants"
	past      string // "added"
	most      int    // numbers in one request
	do        func(ctx context.Context, req groups.MembershipRequest) ([]groups.Result, error)
}

func (d *Dialect) addParticipants(c *fiber.Ctx) error {
	return d.changePeople(c, verb{"participant", "participants", "added", maxPhoneNumbers,
		func(ctx context.Context, req groups.MembershipRequest) ([]groups.Result, error) {
			return d.services.Groups.Add(ctx, groups.AddRequest{MembershipRequest: req, OnPrivate: groups.OnPrivateInvite})
		}})
}

func (d *Dialect) removeParticipants(c *fiber.Ctx) error {
	return d.changePeople(c, verb{"participant", "participants", "removed", maxPhoneNumbers, d.services.Groups.Remove})
}

func (d *Dialect) approveJoinRequests(c *fiber.Ctx) error {
	return d.changePeople(c, verb{"join request", "join requests", "approved", groups.MaxParticipants, d.services.Groups.Approve})
}

func (d *Dialect) rejectJoinRequests(c *fiber.Ctx) error {
	return d.changePeople(c, verb{"join request", "join requests", "rejected", groups.MaxParticipants, d.services.Groups.Reject})
}

// changePeople changes something about people. Where it has come about for some
// of them the answer is a success that counts, with the others in its details.
func (d *Dialect) changePeople(c *fiber.Ctx, v verb) error {
	_, target, err := d.target(c)
	if err != nil {
		return err
	}
	var p people
	if err = read(c, &p); err != nil {
		return err
	}
	numbers, results, err := p.sift(v.most)
	if err != nil {
		return err
	}
	if len(numbers) > 0 {
		found, err := v.do(c.UserContext(), groups.MembershipRequest{Target: target, Participants: numbers})
		if err != nil {
			return err
		}
		results = append(found, results...)
	} else if _, err = d.services.Groups.Get(c.UserContext(), groups.GetRequest{Target: target}); err != nil {
		return err
	}
	return v.answer(c, results)
}

// happened tells whether a person is now what was asked for. Who was a member
// before, is one now.
func happened(r groups.Result) bool {
	return r.Status != groups.StatusFailed || r.Failure != nil && r.Failure.Code == groups.CodeAlreadyMember
}

// answer counts what has become of the people.
func (v verb) answer(c *fiber.Ctx, results []groups.Result) error {
	var made, invited, requested, failed int
	for _, r := range results {
		switch {
		case r.Status == groups.StatusInvited:
			invited++
		case r.Status == groups.StatusRequested:
			requested++
		case happened(r):
			made++
		default:
			failed++
		}
	}
	if failed == len(results) {
		return v.nobody(results)
	}
	text := fmt.Sprintf("%d %s %s", made, v.noun(made), v.past)
	for _, more := range []struct {
		count int
		text  string
	}{
		{invited, "invited, because their privacy settings do not let them be added"},
		{requested, "waiting for an admin's approval"}, {failed, "failed"},
	} {
		if more.count > 0 {
			text += fmt.Sprintf(", %d %s", more.count, more.text)
		}
	}
	answer := doneWith{done: done{Success: true, Message: text}}
	if invited+requested+failed > 0 {
		answer.Details = &peopleDetails{viewPeople(results)}
	}
	return c.JSON(answer)
}

func (v verb) noun(count int) string {
	if count == 1 {
		return v.one
	}
	return v.many
}

// nobody is the error when it has come about for none of them.
func (v verb) nobody(results []groups.Result) error {
	code := fault.Rejected
	if !slices.ContainsFunc(results, func(r groups.Result) bool { return r.Failure == nil || r.Failure.Code != groups.CodeNoRequest }) {
		code = fault.NotFound
	}
	var reasons []string
	for _, r := range results {
		reasons = append(reasons, r.Input+" ("+r.Failure.Reason+")")
	}
	return &refusal{
		cause:   fault.New(code, "no %s %s: %s", v.one, v.past, strings.Join(reasons, ", ")),
		details: peopleDetails{viewPeople(results)},
	}
}

func (d *Dialect) listJoinRequests(c *fiber.Ctx) error {
	_, target, err := d.target(c)
	if err != nil {
		return err
	}
	requests, err := d.services.Groups.JoinRequests(c.UserContext(), groups.JoinRequestsRequest{Target: target})
	if err != nil {
		return err
	}
	view := joinRequests{Success: true, Requests: []joinRequest{}}
	for _, r := range requests {
		view.Requests = append(view.Requests, joinRequest{User: plus(r.PhoneNumber), UserID: hidden(r.Identity), Timestamp: r.RequestedAt.Unix()})
	}
	return c.JSON(view)
}
