package zernio

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/internal/fault"
)

// listGroups lists the groups that the account runs: those where it is an
// admin, as the vendor's accounts are of all of theirs.
func (d *Dialect) listGroups(c *fiber.Ctx) error {
	s, err := d.account(c, c.Query("accountId"))
	if err != nil {
		return err
	}
	limit, err := limitOf(c, defaultGroups, maxGroups)
	if err != nil {
		return err
	}
	after, err := parseListCursor(c.Query("after"))
	if err != nil {
		return err
	}
	all, err := d.ownGroups(c.UserContext(), s.ID)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(g groups.Listed) bool { return g.JID <= after })
	view := groupList{Groups: []listedGroup{}}
	page := all[:min(limit, len(all))]
	for _, g := range page {
		view.Groups = append(view.Groups, viewListed(s, g.Group))
	}
	if len(page) > 0 {
		view.Paging.Cursors.Before = listCursor(page[0].JID)
	}
	if len(all) > len(page) {
		view.Paging.Cursors.After = listCursor(page[len(page)-1].JID)
	}
	return c.JSON(view)
}

// ownGroups are all groups where the account is an admin, by their JIDs.
func (d *Dialect) ownGroups(ctx context.Context, sessionID string) (all []groups.Listed, err error) {
	req := groups.ListRequest{SessionID: sessionID, Admin: true, Limit: groups.MaxPage}
	for {
		page, err := d.services.Groups.List(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, g := range page.Groups {
			if !g.Community.IsCommunity { // which nobody writes to
				all = append(all, g)
			}
		}
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			return all, nil
		}
	}
}

type createBody struct {
	AccountID        string `json:"accountId"`
	Subject          string `json:"subject"`
	Description      string `json:"description"`
	JoinApprovalMode string `json:"joinApprovalMode"`
}

// createGroup makes a group of the account alone; people come in by the link.
func (d *Dialect) createGroup(c *fiber.Ctx) error {
	var b createBody
	if err := read(c, &b); err != nil {
		return err
	}
	s, err := d.account(c, b.AccountID)
	if err != nil {
		return err
	}
	subject, err := trimSubject(b.Subject)
	if err != nil {
		return err
	}
	settings, err := approvalOf(b.JoinApprovalMode)
	if err != nil {
		return err
	}
	// Before there is a group that it would be missing in.
	text := groups.DescriptionRequest{Target: groups.Target{SessionID: s.ID, GroupJID: anyGroup}, Description: &b.Description}
	if err = text.Validate(); err != nil {
		return err
	}
	ctx := c.UserContext()
	created, err := d.services.Groups.Create(ctx, groups.CreateRequest{SessionID: s.ID, Name: subject, Participants: []string{}, Settings: settings})
	if err != nil {
		return err
	}
	answer := createdGroup{Success: true, Group: newGroup{ID: groupID(s, created.GroupJID)}}
	for _, w := range created.Warnings {
		answer.Warnings = append(answer.Warnings, warning{string(w.Code), rename(w.Field), w.Message})
	}
	text.GroupJID = created.GroupJID
	if b.Description != "" {
		if err = d.services.Groups.SetDescription(ctx, text); err != nil {
			answer.Warnings = append(answer.Warnings, warn("description", err))
		}
	}
	answer.Group.InviteLink, err = d.services.Groups.InviteLink(ctx, groups.InviteLinkRequest{Target: text.Target})
	if err != nil {
		answer.Warnings = append(answer.Warnings, warn("inviteLink", err))
	}
	return c.Status(http.StatusCreated).JSON(answer)
}

// anyGroup stands for a group that is still to be made.
const anyGroup = "120363000000000000" + groupServer

func (d *Dialect) getGroup(c *fiber.Ctx) error {
	s, target, err := d.target(c)
	if err != nil {
		return err
	}
	g, err := d.services.Groups.Get(c.UserContext(), groups.GetRequest{Target: target, Members: true})
	if err != nil {
		return err
	}
	return c.JSON(groupAnswer{true, viewGroup(s, g.Group)})
}

type updateBody struct {
	Subject          *string `json:"subject"`
	Description      *string `json:"description"`
	JoinApprovalMode *string `json:"joinApprovalMode"`
}

func (b updateBody) request(target groups.Target) (req groups.PatchRequest, err error) {
	req = groups.PatchRequest{Target: target, Description: b.Description}
	if b.Subject != nil {
		subject, err := trimSubject(*b.Subject)
		if err != nil {
			return req, err
		}
		req.Subject = &subject
	}
	if b.JoinApprovalMode != nil {
		if *b.JoinApprovalMode == "" {
			return req, invalid("joinApprovalMode", "must be %s or %s", modeApproval, modeOpen)
		}
		if req.Settings, err = approvalOf(*b.JoinApprovalMode); err != nil {
			return req, err
		}
	}
	if b == (updateBody{}) {
		return req, fault.New(fault.Invalid, "give at least one of subject, description and joinApprovalMode")
	}
	return req, nil
}

// updateGroup changes what is given. What of several could not be changed makes
// the answer an error, which says what was.
func (d *Dialect) updateGroup(c *fiber.Ctx) error {
	_, target, err := d.target(c)
	if err != nil {
		return err
	}
	var b updateBody
	if err = read(c, &b); err != nil {
		return err
	}
	req, err := b.request(target)
	if err != nil {
		return err
	}
	results, err := d.services.Groups.Patch(c.UserContext(), req)
	if err != nil {
		return err
	}
	var changed []string
	var failed []groups.FieldResult
	for _, r := range results {
		if r.Status == groups.FieldChanged {
			changed = append(changed, rename(r.Field))
		} else {
			failed = append(failed, r)
		}
	}
	if len(failed) > 0 {
		return partly(changed, failed)
	}
	return c.JSON(done{Success: true, Message: "The group was updated: " + strings.Join(changed, ", ")})
}

// changeDetails are the details of a change of several fields.
type changeDetails struct {
	Changed []string            `json:"changed"`
	Fields  map[string][]string `json:"fields"`
}

// partly is the error of a change that has come about in part.
func partly(changed []string, failed []groups.FieldResult) error {
	details := changeDetails{Changed: changed, Fields: map[string][]string{}}
	for _, r := range failed {
		details.Fields[rename(r.Field)] = []string{r.Failure.Message}
	}
	first := failed[0]
	whole := fault.New(first.Failure.Code, "%s; changed all the same: %s", first.Failure.Message, strings.Join(changed, ", ")).
		Because(first.Failure).After(first.Failure.RetryAfter)
	whole.Field = rename(first.Field)
	return &refusal{cause: whole, own: true, details: details}
}

func (d *Dialect) deleteGroup(c *fiber.Ctx) error {
	_, target, err := d.target(c)
	if err != nil {
		return err
	}
	deletion, err := d.services.Groups.Delete(c.UserContext(), groups.DeleteRequest{Target: target})
	if err != nil {
		return err
	}
	if !deletion.Deleted {
		return undeleted(deletion)
	}
	return c.JSON(done{Success: true, Message: "The group was deleted"})
}

// undeleted is the error of a deletion that has not come to its end.
func undeleted(deletion groups.Deletion) error {
	why := deletion.Obstacle
	if why == nil {
		why = fault.New(fault.Rejected, "not everybody could be removed")
	}
	whole := fault.New(why.Code, "the group is not deleted: %s; %d people are still in it", why.Message, deletion.Remaining).
		Because(why).After(why.RetryAfter)
	return &refusal{cause: whole, own: true, details: peopleDetails{viewPeople(deletion.Results)}}
}

// resetInviteLink makes a new link; the old one does not work any more.
func (d *Dialect) resetInviteLink(c *fiber.Ctx) error {
	_, target, err := d.target(c)
	if err != nil {
		return err
	}
	link, err := d.services.Groups.InviteLink(c.UserContext(), groups.InviteLinkRequest{Target: target, Reset: true})
	if err != nil {
		return err
	}
	return c.JSON(linkAnswer{true, link})
}

func warn(param string, err error) warning {
	failure := fault.From(err)
	return warning{string(failure.Code), param, fmt.Sprintf("the group was made, and this could not be done: %s", failure.Message)}
}
