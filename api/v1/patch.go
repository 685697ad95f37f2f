package v1

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	edge "muster/api"
	"muster/groups"
	"muster/internal/fault"
)

// nullableText is a text that may be null, which is something else than absent.
type nullableText struct {
	given bool
	text  string // empty for null
}

// UnmarshalJSON implements json.Unmarshaler; it runs only for what is given.
func (n *nullableText) UnmarshalJSON(data []byte) error {
	n.given = true
	if bytes.Equal(data, []byte("null")) {
		n.text = ""
		return nil
	}
	return json.Unmarshal(data, &n.text)
}

// Schema implements huma.SchemaProvider.
func (nullableText) Schema(huma.Registry) *huma.Schema {
	longest := groups.MaxDescription
	schema := &huma.Schema{Type: huma.TypeString, Nullable: true, MaxLength: &longest, Description: "The description; null deletes it."}
	schema.PrecomputeMessages()
	return schema
}

// value is the text, or nil when it was not given.
func (n nullableText) value() *string {
	if !n.given {
		return nil
	}
	return &n.text
}

type patchInput struct {
	GroupPath
	Body struct {
		Subject     *string      `json:"subject,omitempty" nullable:"true" minLength:"1" maxLength:"100" example:"New Group Name" doc:"null and absent leave it."`
		Description nullableText `json:"description,omitempty"`
		PrevID      *string      `json:"prev_id,omitempty" nullable:"true" maxLength:"128" doc:"The topic_id that the description replaces; if another is current, it is not changed (description_conflict)."`
		SettingsChange
	}
}

// fieldResult is what became of one field.
type fieldResult struct {
	Field  string       `json:"field" example:"subject"`
	Status string       `json:"status" enum:"Changed,Failed,NotTried" doc:"NotTried: what went wrong before would have gone wrong here, too."`
	Error  *failureView `json:"error,omitempty" doc:"Why it failed, or was not tried."`
}

type failureView struct {
	Code   string `json:"code" example:"not_admin" doc:"One of the codes of problem documents."`
	Reason string `json:"reason" doc:"The same for people."`
}

type patchDone struct {
	Success bool          `json:"success" example:"true" doc:"false when one or more fields were not changed: see results."`
	Results []fieldResult `json:"results" nullable:"false" doc:"One for each field given, in the order tried."`
}

func registerPatch(api huma.API, service *groups.Service) {
	handle(api, route{
		Method: http.MethodPatch, Path: groupPath, ID: "patch-group", Tag: groupsTag,
		Summary: "Change subject, description and settings",
		Description: "Only the given fields are changed, one after the other, and each has its own result. " +
			"When not one could be changed, the answer is the first one's problem. When WhatsApp does not answer for one of them, " +
			"it is 504 outcome_unknown, with the results in the problem document.",
	}, func(ctx context.Context, in *patchInput) (patchDone, error) {
		results, err := service.Patch(ctx, groups.PatchRequest{
			Target: in.group(), Subject: in.Body.Subject, Description: in.Body.Description.value(),
			PrevID: in.Body.PrevID, Settings: in.Body.settings(),
		})
		view := viewPatch(results)
		if err != nil {
			return patchDone{}, edge.PartialProblem(ctx, err, view.Results)
		}
		return view, nil
	})
}

func viewPatch(results []groups.FieldResult) patchDone {
	view := patchDone{Success: true, Results: make([]fieldResult, len(results))}
	for i, r := range results {
		view.Results[i] = fieldResult{Field: r.Field, Status: string(r.Status), Error: viewFailure(r.Failure)}
		view.Success = view.Success && r.Status == groups.FieldChanged
	}
	return view
}

func viewFailure(failure *fault.Error) *failureView {
	if failure == nil {
		return nil
	}
	return &failureView{Code: string(failure.Code), Reason: failure.Message}
}
