package zoko

import (
	"cmp"
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/groups/invitations"
	"muster/internal/address"
	"muster/internal/fault"
	"muster/internal/notes"
	"muster/session"
)

// templates is where the groups' choices of invitation templates are, by JID.
func templates(sessionID string) notes.Shelf {
	return notes.Shelf{SessionID: sessionID, Dialect: name, Kind: "invitation_template"}
}

// choice is the template that a group was given, or the one that all have.
func (d *Dialect) choice(c *fiber.Ctx, target groups.Target) (invitations.Choice, error) {
	var chosen invitations.Choice
	found, err := d.services.Notes.Get(c.UserContext(), templates(target.SessionID), target.GroupJID, &chosen)
	if err == nil && !found {
		chosen = invitations.DefaultChoice()
	}
	return chosen, err
}

// business is what the account calls itself.
func business(s session.Session) string { return cmp.Or(s.PushName, s.Name, s.PhoneNumber) }

func (d *Dialect) invite(c *fiber.Ctx) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	s, err := d.session(c)
	if err != nil {
		return err
	}
	var body InviteBody
	if err = read(c, &body); err != nil {
		return err
	}
	chosen, err := d.choice(c, target)
	if err != nil {
		return err
	}
	outcome, err := d.services.Invitations.Invite(c.UserContext(), invitations.Request{
		Target: target, Numbers: texts(body.PhoneNumbers), Choice: chosen, Business: business(s),
	})
	if err != nil {
		return renamed(err, here())
	}
	answer := Invited{Sent: listed(outcome.Sent), Skipped: listed(outcome.Skipped), Failed: []FailedPerson{}}
	for _, f := range outcome.Failed {
		answer.Failed = append(answer.Failed, FailedPerson{f.Number, string(f.Reason)})
	}
	return c.JSON(answer)
}

// listed is a list that is never null.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (d *Dialect) removeParticipants(c *fiber.Ctx) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	var body RemoveBody
	if err = read(c, &body); err != nil {
		return err
	}
	if err = body.check(); err != nil {
		return err
	}
	answer := Removed{Removed: []string{}, Failed: []FailedPerson{}}
	var people []string
	for _, n := range body.Participants {
		if _, err := address.Person("participants", string(n)); err != nil {
			answer.Failed = append(answer.Failed, FailedPerson{string(n), string(invitations.ReasonInvalid)})
			continue
		}
		people = append(people, string(n))
	}
	if len(people) > 0 {
		results, err := d.services.Groups.Remove(c.UserContext(), groups.MembershipRequest{Target: target, Participants: people})
		if err != nil {
			return renamed(err, here())
		}
		for _, r := range results {
			if r.Status == groups.StatusRemoved {
				answer.Removed = append(answer.Removed, r.Input)
			} else {
				answer.Failed = append(answer.Failed, FailedPerson{r.Input, reason(r)})
			}
		}
	}
	return c.JSON(answer)
}

// reason is why something was not done for a person.
func reason(r groups.Result) string {
	if r.Failure == nil {
		return string(r.Status)
	}
	return r.Failure.Reason
}

func (d *Dialect) joinRequests(c *fiber.Ctx) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	waiting, err := d.services.Groups.JoinRequests(ctx, groups.JoinRequestsRequest{Target: target})
	if err != nil {
		return renamed(err, here())
	}
	people := make([]groups.Identity, len(waiting))
	for i, w := range waiting {
		people[i] = w.Identity
	}
	names, err := d.services.Groups.Names(ctx, target.SessionID, people)
	if err != nil {
		return err
	}
	answer := JoinRequests{Count: len(waiting), Data: make([]JoinRequest, len(waiting))}
	for i, w := range waiting {
		answer.Data[i] = JoinRequest{
			ID: joinRequestID(w.Identity, target.GroupJID), WaID: w.PhoneNumber, CreatedAt: w.RequestedAt.Unix(),
			CustomerID: recordID(target.SessionID, w.JID), Name: names[w.JID],
		}
	}
	return c.JSON(answer)
}

// decide lets people in who have asked, or turns them down.
func (d *Dialect) decide(c *fiber.Ctx) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	act, done := d.services.Groups.Approve, groups.StatusApproved
	switch action := c.Params("action"); action {
	case "approve":
	case "reject":
		act, done = d.services.Groups.Reject, groups.StatusRejected
	default:
		return fault.New(fault.NotFound, "join requests can be approved or rejected: the path ends in /approve or /reject")
	}
	var body DecideBody
	if err = read(c, &body); err != nil {
		return err
	}
	if err = body.check(); err != nil {
		return err
	}
	people, ids, failed := requesters(body.JoinRequests, target.GroupJID)
	decided := []string{}
	if len(people) > 0 {
		results, err := act(c.UserContext(), groups.MembershipRequest{Target: target, Participants: people})
		if err != nil {
			return renamed(err, here())
		}
		for _, r := range results {
			if r.Status == done {
				decided = append(decided, ids[r.Input])
			} else {
				failed = append(failed, FailedRequest{ids[r.Input], reason(r)})
			}
		}
	} else if _, err = d.services.Groups.Get(c.UserContext(), groups.GetRequest{Target: target}); err != nil {
		return renamed(err, here())
	}
	if done == groups.StatusApproved {
		return c.JSON(Approved{Approved: decided, Failed: failed})
	}
	return c.JSON(Rejected{Rejected: decided, Failed: failed})
}

// requesters reads ids of join requests. What is none of the group's is failed.
func requesters(requests []string, jid string) (people []string, ids map[string]string, failed []FailedRequest) {
	ids, failed = map[string]string{}, []FailedRequest{}
	for _, id := range requests {
		who, ok := requester(id, jid)
		switch {
		case !ok:
			failed = append(failed, FailedRequest{id, "there is no such join request"})
		case ids[who] == "":
			people = append(people, who)
			ids[who] = id
		}
	}
	return people, ids, failed
}

func (d *Dialect) autoApproval(c *fiber.Ctx) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	var body AutoApprovalBody
	if err = read(c, &body); err != nil {
		return err
	}
	if body.AutoApproval == nil {
		return fault.Field("auto_approval", "is required")
	}
	mode := groups.ApprovalOn
	if *body.AutoApproval {
		mode = groups.ApprovalOff
	}
	_, err = d.services.Groups.SetSettings(c.UserContext(), groups.SettingsRequest{
		Target: target, Settings: groups.SettingsChange{Settings: groups.Settings{MembershipApproval: mode}},
	})
	if err != nil {
		return renamed(err, map[string]string{"membership_approval_mode": "auto_approval", "group_jid": "id"})
	}
	return c.JSON(AutoApproval{*body.AutoApproval})
}

func (d *Dialect) inviteLink(c *fiber.Ctx) error { return d.link(c, false) }

func (d *Dialect) resetLink(c *fiber.Ctx) error { return d.link(c, true) }

func (d *Dialect) link(c *fiber.Ctx, reset bool) error {
	target, err := d.named(c)
	if err != nil {
		return err
	}
	link, err := d.services.Invitations.Link(c.UserContext(), target, reset)
	if err != nil {
		return renamed(err, here())
	}
	return c.JSON(InviteLink{link})
}

func (d *Dialect) template(c *fiber.Ctx) error {
	target, err := d.existing(c)
	if err != nil {
		return err
	}
	chosen, err := d.choice(c, target)
	if err != nil {
		return err
	}
	return showTemplate(c, chosen)
}

func showTemplate(c *fiber.Ctx, chosen invitations.Choice) error {
	answer := InvitationTemplate{ID: chosen.TemplateID}
	if err := json.Unmarshal(chosen.Args, &answer.Args); err != nil {
		return err
	}
	return c.JSON(answer)
}

// existing is the group that the path names, which there must be.
func (d *Dialect) existing(c *fiber.Ctx) (groups.Target, error) {
	target, err := d.named(c)
	if err != nil {
		return target, err
	}
	_, err = d.services.Groups.Get(c.UserContext(), groups.GetRequest{Target: target})
	return target, renamed(err, here())
}

func (d *Dialect) setTemplate(c *fiber.Ctx) error {
	target, err := d.existing(c)
	if err != nil {
		return err
	}
	var body TemplateBody
	if err = read(c, &body); err != nil {
		return err
	}
	chosen, err := body.choice()
	if err != nil {
		return err
	}
	if err = d.services.Invitations.Library().Check(chosen); err != nil {
		return err
	}
	if err = d.services.Notes.Put(c.UserContext(), templates(target.SessionID), target.GroupJID, chosen); err != nil {
		return err
	}
	return showTemplate(c, chosen)
}

// templateList answers with the templates that there are.
func (d *Dialect) templateList(c *fiber.Ctx) error {
	if _, err := d.session(c); err != nil {
		return err
	}
	rows := []TemplateRow{}
	for _, t := range d.services.Invitations.Library().All() {
		rows = append(rows, TemplateRow{
			Active: true, Channel: channelWhatsApp, Text: t.Text, ID: t.ID, Language: templateLanguage, Type: typeTemplate,
			VariableCount: len(t.Variables()),
		})
	}
	return c.JSON(rows)
}
