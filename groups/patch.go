package groups

import (
	"context"
	"slices"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// PatchRequest asks to change any of a group's texts and settings. What is nil,
// or empty in Settings, is left as it is; there must be something else.
type PatchRequest struct {
	Target
	Subject *string
	// Description is the new text; empty deletes it.
	Description *string
	// PrevID is as in DescriptionRequest.
	PrevID   *string
	Settings SettingsChange
}

// FieldStatus is what became of one field of a PatchRequest.
type FieldStatus string

// Every FieldStatus.
const (
	FieldChanged FieldStatus = "Changed"
	FieldFailed  FieldStatus = "Failed"
	// FieldNotTried: an earlier failure made it pointless or unwise to go on.
	FieldNotTried FieldStatus = "NotTried"
)

// FieldResult is what became of one field.
type FieldResult struct {
	Field  string // as the API spells it
	Status FieldStatus
	// Failure is why it Failed, or what stood in the way of trying.
	Failure *fault.Error
}

// The names of the texts in the API.
const (
	fieldSubject     = "subject"
	fieldDescription = "description"
)

// Validate checks every field; nothing is changed when one is not acceptable.
func (r PatchRequest) Validate() error {
	if err := r.Target.Validate(); err != nil {
		return err
	}
	if r.Subject != nil {
		if err := checkSubject(fieldSubject, *r.Subject); err != nil {
			return err
		}
	}
	if err := r.description().Validate(); err != nil {
		return err
	}
	switch {
	case r.Description == nil && r.PrevID != nil:
		return fault.Field("prev_id", "is about the description, which is not given")
	case r.Subject == nil && r.Description == nil && r.Settings.empty():
		return fault.New(fault.Invalid, "give at least one field to change")
	}
	return r.Settings.Validate()
}

func (r PatchRequest) description() DescriptionRequest {
	return DescriptionRequest{Target: r.Target, Description: r.Description, PrevID: r.PrevID}
}

// step is the change of one field.
type step struct {
	field string
	run   func(ctx context.Context) error
}

// Patch changes the fields one after the other and answers for each of them, in
// the order they were tried. When not one could be changed, it is an error: the
// first one's. When it is not known whether one was changed, it is the fault
// outcome_unknown, and the results are there as well.
func (s *Service) Patch(ctx context.Context, req PatchRequest) ([]FieldResult, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	group, err := req.group()
	if err != nil {
		return nil, err
	}
	ctx, done, err := s.exclusive(ctx, req.SessionID, group)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, expected := s.expect(ctx, req.SessionID, group, "", as(req.Settings.kinds()...))
	defer expected()
	results := s.run(ctx, s.steps(req, group), s.explainer(ctx, req.SessionID, group))
	s.verify(ctx, req, group, results)
	unknown := slices.IndexFunc(results, func(r FieldResult) bool {
		return r.Status == FieldFailed && r.Failure.Code == fault.OutcomeUnknown
	})
	switch {
	case unknown >= 0:
		return results, results[unknown].error()
	case !slices.ContainsFunc(results, func(r FieldResult) bool { return r.Status == FieldChanged }):
		return nil, results[0].error()
	}
	return results, nil
}

// error is the field's failure as that of a whole request.
func (r FieldResult) error() error {
	failure := *r.Failure
	if failure.Field == "" && (failure.Code == fault.Rejected || failure.Code == fault.OutcomeUnknown) {
		failure.Field = r.Field
	}
	return failure.Because(r.Failure)
}

// steps lists what there is to do.
func (s *Service) steps(req PatchRequest, group types.JID) (list []step) {
	if req.Subject != nil {
		list = append(list, step{fieldSubject, func(ctx context.Context) error {
			return s.setSubject(ctx, req.SessionID, group, *req.Subject)
		}})
	}
	if req.Description != nil {
		list = append(list, step{fieldDescription, func(ctx context.Context) error {
			return s.setDescription(ctx, req.SessionID, group, req.description().prev(), *req.Description)
		}})
	}
	for _, mode := range req.Settings.modes() {
		list = append(list, step{mode.field, func(ctx context.Context) error {
			return s.setMode(ctx, req.SessionID, group, mode)
		}})
	}
	return list
}

// run takes the steps until one fails in a way that the others would share.
func (s *Service) run(ctx context.Context, steps []step, explain func(error) error) []FieldResult {
	results := make([]FieldResult, len(steps))
	var obstacle *fault.Error
	for i, step := range steps {
		results[i] = FieldResult{Field: step.field, Status: FieldNotTried, Failure: obstacle}
		if obstacle != nil {
			continue
		}
		err := step.run(ctx)
		if err == nil {
			results[i].Status = FieldChanged
			continue
		}
		failure := fault.From(explain(err))
		results[i].Status, results[i].Failure = FieldFailed, failure
		if stops(failure.Code) {
			obstacle = failure
		}
	}
	return results
}

// stops tells whether a failure is about the session or the group as a whole.
func stops(code fault.Code) bool {
	switch code {
	case fault.SessionNotFound, fault.SessionNotLinked, fault.SessionNotConnected, fault.GroupNotFound, fault.NotInGroup,
		fault.RateLimited, fault.NoAnswer, fault.OutcomeUnknown, fault.Unavailable, fault.Internal:
		return true
	default:
		return false
	}
}

// verify reads the group back when settings were changed, and turns those into
// failures that WhatsApp accepted without effect. That it cannot be read back
// does not undo what WhatsApp has confirmed.
func (s *Service) verify(ctx context.Context, req PatchRequest, group types.JID, results []FieldResult) {
	var done []string
	for _, r := range results {
		if r.Status == FieldChanged && r.Field != fieldSubject && r.Field != fieldDescription {
			done = append(done, r.Field)
		}
	}
	if len(done) == 0 {
		return
	}
	now, err := s.readBack(ctx, req.SessionID, group, done, req.Settings)
	if err != nil && fault.From(err).Field != fieldLink {
		return
	}
	for _, wrong := range now.differing(req.Settings).modes() {
		for i := range results {
			if results[i].Field != wrong.field || results[i].Status != FieldChanged {
				continue
			}
			results[i].Status = FieldFailed
			results[i].Failure = fault.New(fault.Rejected, "WhatsApp accepted the change and did not make it")
			if err != nil {
				results[i].Failure = fault.From(err)
			}
		}
	}
}
