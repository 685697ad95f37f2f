package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	edge "muster/api"
	"muster/groups"
)

type deletion struct {
	Success   bool         `json:"success" example:"true" doc:"Nobody is in the group any more. false: it stopped, and the session's account is still in it."`
	Results   []resultView `json:"results" nullable:"false" doc:"One for each person whom WhatsApp was asked to remove."`
	Remaining int          `json:"remaining" example:"0" doc:"How many others are still in the group."`
	Error     *failureView `json:"error,omitempty" doc:"What stopped it, when that was not one of the people."`
}

func registerDelete(api huma.API, service *groups.Service) {
	handle(api, route{
		Method: http.MethodDelete, Path: groupPath, ID: "delete-group", Tag: groupsTag,
		Summary: "Delete a group",
		Description: "For admins. Removes everybody, in batches, and then leaves. When somebody cannot be removed (nobody can remove the creator, " +
			"who is tried first) it stops, stays in the group, and says so. When WhatsApp does not answer, it is 504 outcome_unknown, " +
			"with the results until then in the problem document. A community is dissolved; its groups go on by themselves.",
	}, func(ctx context.Context, in *struct{ GroupPath }) (deletion, error) {
		d, err := service.Delete(ctx, groups.DeleteRequest{Target: in.group()})
		results := viewResults(d.Results)
		if err != nil {
			return deletion{}, edge.PartialProblem(ctx, err, results)
		}
		return deletion{Success: d.Deleted, Results: results, Remaining: d.Remaining, Error: viewFailure(d.Obstacle)}, nil
	})
}
