package zoko

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"

	"muster/api"
	"muster/groups"
	"muster/internal/fault"
	"muster/internal/idempotency"
)

// here are the names of our fields here.
func here() map[string]string {
	return map[string]string{
		"name": "subject", "group_jid": "id", "membership_approval_mode": "join_approval_mode",
	}
}

// create makes a group. A creation that takes long, or whose answer was lost,
// is pending: the group is in the list once it is there. A request with an
// Idempotency-Key waits for the end instead.
func (d *Dialect) create(c *fiber.Ctx) error {
	s, err := d.session(c)
	if err != nil {
		return err
	}
	var body CreateBody
	if err = read(c, &body); err != nil {
		return err
	}
	if err = body.check(); err != nil {
		return err
	}
	ctx := c.UserContext()
	if idempotency.From(ctx) != nil {
		made, err := d.make(ctx, s.ID, body)
		if err != nil {
			return err
		}
		return c.JSON(made)
	}
	done := make(chan outcome, 1)
	d.making.Go(func() {
		made, err := d.make(ctx, s.ID, body)
		if err != nil {
			zerolog.Ctx(ctx).Info().Err(err).Str("session", s.ID).Msg("a group was not made")
		}
		done <- outcome{made, err}
	})
	timer := time.NewTimer(d.pendingAfter)
	defer timer.Stop()
	select {
	case end := <-done:
		if end.err == nil {
			return c.JSON(end.made)
		}
		if !fault.Is(end.err, fault.OutcomeUnknown) {
			return end.err
		}
	case <-timer.C:
	}
	return c.Status(http.StatusAccepted).JSON(Creation{RequestID: api.RequestID(ctx), Subject: body.Subject, Status: statusPending})
}

type outcome struct {
	made Creation
	err  error
}

// make makes a group and describes it.
func (d *Dialect) make(ctx context.Context, sessionID string, body CreateBody) (Creation, error) {
	created, err := d.services.Groups.Create(ctx, groups.CreateRequest{SessionID: sessionID, Name: body.Subject, Participants: []string{}})
	if err != nil {
		return Creation{}, renamed(err, here())
	}
	d.directory.add(sessionID, created.GroupJID)
	id := recordID(sessionID, created.GroupJID)
	made := Creation{
		ID: id, RequestID: api.RequestID(ctx), GroupID: groupID(created.GroupJID), CustomerID: id, Subject: body.Subject, Status: statusComplete,
	}
	for _, w := range created.Warnings {
		made.Warnings = append(made.Warnings, strings.TrimPrefix(w.Field+": "+w.Message, ": "))
	}
	if body.Description == "" {
		return made, nil
	}
	err = d.services.Groups.SetDescription(ctx, groups.DescriptionRequest{
		Target: groups.Target{SessionID: sessionID, GroupJID: created.GroupJID}, Description: &body.Description,
	})
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("group", created.GroupJID).Msg("a new group could not be described")
		made.Warnings = append(made.Warnings, "description: "+fault.From(err).Message)
	}
	return made, nil
}

// list answers with the groups that the account is an admin of: a store's own.
func (d *Dialect) list(c *fiber.Ctx) error {
	s, err := d.session(c)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	all, err := d.all(ctx, s.ID, true)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(g groups.Listed) bool { return g.Suspended || g.Community.IsCommunity })
	jids := make([]string, len(all))
	for i, g := range all {
		jids[i] = g.JID
	}
	links, err := d.services.Invitations.Links(ctx, s.ID, jids...)
	if err != nil {
		return err
	}
	changed, err := d.services.Groups.LastChanges(ctx, s.ID, jids...)
	if err != nil {
		return err
	}
	rows := make([]GroupRow, len(all))
	for i, g := range all {
		rows[i] = row(g.Group, known{session: s.ID, link: links[g.JID], changed: changed[g.JID]})
	}
	return c.JSON(rows)
}

// named is the group that the path names.
func (d *Dialect) named(c *fiber.Ctx) (groups.Target, error) {
	s, err := d.session(c)
	if err != nil {
		return groups.Target{}, err
	}
	return d.group(c.UserContext(), s.ID, c.Params("id"))
}

func (d *Dialect) details(c *fiber.Ctx) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	return d.show(c, target)
}

// show answers with a group.
func (d *Dialect) show(c *fiber.Ctx, target groups.Target) error {
	ctx := c.UserContext()
	g, err := d.services.Groups.Get(ctx, groups.GetRequest{Target: target, Members: true})
	if err != nil {
		return renamed(err, here())
	}
	d.directory.add(target.SessionID, g.JID)
	k := known{session: target.SessionID}
	links, err := d.services.Invitations.Links(ctx, target.SessionID, g.JID)
	if err != nil {
		return err
	}
	changed, err := d.services.Groups.LastChanges(ctx, target.SessionID, g.JID)
	if err != nil {
		return err
	}
	people := make([]groups.Identity, len(g.Participants))
	for i, p := range g.Participants {
		people[i] = p.Identity
	}
	if k.names, err = d.services.Groups.Names(ctx, target.SessionID, people); err != nil {
		return err
	}
	k.link, k.changed = links[g.JID], changed[g.JID]
	return c.JSON(details(g.Group, k))
}

// settings changes a group, and answers with what it is then.
func (d *Dialect) settings(c *fiber.Ctx) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	var body SettingsBody
	if err = read(c, &body); err != nil {
		return err
	}
	patch, err := body.patch(target)
	if err != nil {
		return err
	}
	results, err := d.services.Groups.Patch(c.UserContext(), patch)
	if err == nil {
		err = incomplete(results)
	}
	if err != nil {
		return renamed(err, here())
	}
	return d.show(c, target)
}

// incomplete is the error where some fields could not be changed.
func incomplete(results []groups.FieldResult) error {
	var done []string
	var failed *groups.FieldResult
	names := here()
	for i, r := range results {
		switch {
		case r.Status == groups.FieldChanged && names[r.Field] != "":
			done = append(done, names[r.Field])
		case r.Status == groups.FieldChanged:
			done = append(done, r.Field)
		case failed == nil:
			failed = &results[i]
		}
	}
	if failed == nil {
		return nil
	}
	failure := fault.New(failed.Failure.Code, "%s; already changed: %s", failed.Failure.Message, strings.Join(done, ", "))
	failure.Field, failure.RetryAfter = failed.Field, failed.Failure.RetryAfter
	return failure.Because(failed.Failure)
}

// remove removes everybody from a group and leaves it.
func (d *Dialect) remove(c *fiber.Ctx) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	deletion, err := d.services.Groups.Delete(ctx, groups.DeleteRequest{Target: target})
	if err != nil {
		return renamed(err, here())
	}
	if !deletion.Deleted {
		return undeleted(deletion)
	}
	if _, err = d.services.Notes.Delete(ctx, templates(target.SessionID), target.GroupJID); err != nil {
		return err
	}
	id := recordID(target.SessionID, target.GroupJID)
	return c.JSON(Deletion{Status: statusDeleted, ID: id, GroupID: groupID(target.GroupJID), CustomerID: id})
}

// undeleted says why a group is still there.
func undeleted(deletion groups.Deletion) error {
	why := fmt.Sprintf("the group is not deleted: %d people are still in it", deletion.Remaining)
	if deletion.Obstacle != nil {
		return fault.New(deletion.Obstacle.Code, "%s (%s)", why, deletion.Obstacle.Message).After(deletion.Obstacle.RetryAfter)
	}
	for _, r := range deletion.Results {
		if r.Failure != nil {
			why += fmt.Sprintf("; %s: %s", r.JID, r.Failure.Reason)
			break
		}
	}
	return fault.New(fault.Conflict, "%s", why)
}
