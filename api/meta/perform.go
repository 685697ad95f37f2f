package meta

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rs/zerolog"

	"muster/groups"
	"muster/internal/event"
	"muster/internal/fault"
	"muster/internal/picture"
	"muster/messages/media"
)

// perform does what an order asks for, and describes what has come of it. The
// error is that of an order of which nothing was done.
func (a *API) perform(ctx context.Context, o order, image []byte) (event.Outcome, error) {
	out := o.outcome()
	var err error
	switch o.Operation {
	case event.OperationCreateGroup:
		err = a.create(ctx, o, &out)
	case event.OperationUpdateGroup:
		err = a.update(ctx, o, image, &out)
	case event.OperationDeleteGroup:
		err = a.delete(ctx, o, &out)
	case event.OperationAddParticipants:
		err = a.add(ctx, o, &out)
	case event.OperationRemoveParticipants:
		err = a.remove(ctx, o, &out)
	default:
		err = fmt.Errorf("there is no operation %q", o.Operation)
	}
	return out, err
}

// create makes a group, gives it its description, and asks for its link. What
// cannot be done of the latter two leaves a group without.
func (a *API) create(ctx context.Context, o order, out *event.Outcome) error {
	made, err := a.services.Groups.Create(ctx, groups.CreateRequest{
		SessionID: o.SessionID, Name: *o.Subject, Participants: []string{},
		Settings: groups.SettingsChange{Settings: groups.Settings{MembershipApproval: o.Approval}},
	})
	if err != nil {
		return inCreation(err)
	}
	out.GroupJID, out.MembershipApproval = made.GroupJID, string(o.Approval)
	for _, warning := range made.Warnings {
		out.Error = &event.OutcomeError{Code: string(warning.Code), Message: warning.Message}
		out.MembershipApproval = ""
	}
	target := groups.Target{SessionID: o.SessionID, GroupJID: made.GroupJID}
	if o.Description != nil {
		err = a.services.Groups.SetDescription(ctx, groups.DescriptionRequest{Target: target, Description: o.Description})
		if fault.Is(err, fault.OutcomeUnknown) {
			return err
		}
		if err != nil {
			out.Description.Error = outcomeError(err)
		}
	}
	if out.InviteLink, err = a.services.Groups.InviteLink(ctx, groups.InviteLinkRequest{Target: target}); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("group", made.GroupJID).Msg("a new group's invite link is not known")
	}
	return nil
}

// inCreation gives the refusals of a creation the name that Meta has for them.
func inCreation(err error) error {
	if failure := fault.From(err); failure.Code == fault.Rejected {
		return &refusal{codeCreateDisabled, failure}
	}
	return err
}

// update sets what was asked for, one after the other.
func (a *API) update(ctx context.Context, o order, image []byte, out *event.Outcome) error {
	failed, asked := []error{}, 0
	if o.Subject != nil || o.Description != nil {
		asked++
		if err := a.patch(ctx, o, out); err != nil {
			failed = append(failed, err)
		}
	}
	if o.PhotoSHA256 != "" {
		asked++
		if err := a.setPhoto(ctx, o, image); err != nil {
			out.Photo.Error = outcomeError(err)
			failed = append(failed, err)
		}
	}
	if len(failed) < asked {
		return nil
	}
	return failed[0]
}

// patch sets the texts. Its error says that none was set.
func (a *API) patch(ctx context.Context, o order, out *event.Outcome) error {
	results, err := a.services.Groups.Patch(ctx, groups.PatchRequest{Target: o.target(), Subject: o.Subject, Description: o.Description})
	texts := map[string]*event.OutcomeText{fieldSubject: out.Subject, fieldDescription: out.Description}
	for _, r := range results {
		if text := texts[r.Field]; text != nil && r.Status != groups.FieldChanged {
			text.Error = outcomeError(r.Failure)
		}
	}
	for _, text := range texts {
		if text != nil && err != nil {
			text.Error = outcomeError(err)
		}
	}
	return err
}

// setPhoto sets the picture; one that is carried on with is in the store.
func (a *API) setPhoto(ctx context.Context, o order, image []byte) error {
	if image == nil {
		sum, err := media.ParseSum(o.PhotoSHA256)
		if err != nil {
			return err
		}
		file, err := a.services.Media.Store().Open(sum)
		if err != nil {
			return err
		}
		image, err = io.ReadAll(io.LimitReader(file, picture.MaxBytes))
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("read the picture %s: %w", o.PhotoSHA256, err)
		}
	}
	_, err := a.services.Groups.SetPhoto(ctx, groups.SetPhotoRequest{Target: o.target(), Image: image})
	return err
}

// delete ends the group. What stops it half-way is an error, because the group
// goes on.
func (a *API) delete(ctx context.Context, o order, out *event.Outcome) error {
	done, err := a.services.Groups.Delete(ctx, groups.DeleteRequest{Target: o.target()})
	switch {
	case err != nil:
		return err
	case done.Deleted:
		return nil
	case done.Obstacle != nil:
		return done.Obstacle
	}
	out.Participants = people(done.Results)
	return fault.New(fault.Rejected, "%d people could not be removed; the group goes on, and so does the account in it", done.Remaining)
}

func (a *API) add(ctx context.Context, o order, out *event.Outcome) error {
	results, err := a.services.Groups.Add(ctx, groups.AddRequest{MembershipRequest: o.membership()})
	return membersChanged(results, err, out, groups.StatusAdded)
}

func (a *API) remove(ctx context.Context, o order, out *event.Outcome) error {
	results, err := a.services.Groups.Remove(ctx, o.membership())
	return membersChanged(results, err, out, groups.StatusRemoved)
}

// membersChanged describes what has become of people. Its error says that it was
// done for none of them.
func membersChanged(results []groups.Result, err error, out *event.Outcome, want groups.Status) error {
	if err != nil {
		fail(out, err)
		return err
	}
	out.Participants = people(results)
	var first error
	done := false
	for i, r := range results {
		if r.Status == want {
			done = true
			continue
		}
		if r.Failure == nil { // the addition became a request to join
			out.Participants[i].Error = &event.OutcomeError{Code: string(fault.Rejected), Message: "an admin of the group has to let this person in"}
		}
		if p := out.Participants[i].Error; first == nil {
			first = refuse(personProblem(p.Code, p.Message).Code, "%s: %s", r.Input, p.Message)
		}
	}
	if done {
		return nil
	}
	return first
}

// people are results as an outcome has them.
func people(results []groups.Result) []event.OutcomePerson {
	list := make([]event.OutcomePerson, len(results))
	for i, r := range results {
		list[i] = event.OutcomePerson{
			Input: r.Input, Person: event.Person{JID: r.JID, PhoneNumber: r.PhoneNumber, LID: r.LID},
		}
		if r.Failure != nil {
			list[i].Error = &event.OutcomeError{Code: r.Failure.Code, Message: r.Failure.Reason}
		}
	}
	return list
}
