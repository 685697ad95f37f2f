package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/groups"
)

type joinRequestView struct {
	PersonView
	RequestedAt int64       `json:"requested_at" example:"1640000000" doc:"UNIX seconds; 0 when WhatsApp does not say."`
	Method      string      `json:"method,omitempty" example:"invite_link" doc:"How they asked: invite_link, non_admin_add, linked_group_join, or another word of WhatsApp's."`
	RequestedBy *PersonView `json:"requested_by,omitempty" doc:"The member who asked for them."`
}

type joinRequestList struct {
	JoinRequests []joinRequestView `json:"join_requests" nullable:"false" doc:"The oldest first."`
	Total        int               `json:"total" example:"1"`
}

func registerJoinRequests(api huma.API, service *groups.Service) {
	const path = groupPath + "/join-requests"
	handle(api, route{
		Method: http.MethodGet, Path: path, ID: "list-group-join-requests", Tag: groupsTag,
		Summary: "List who waits to be let in", Description: "Asked of WhatsApp, which tells admins only.",
	}, func(ctx context.Context, in *struct{ GroupPath }) (joinRequestList, error) {
		requests, err := service.JoinRequests(ctx, groups.JoinRequestsRequest{Target: in.group()})
		return viewJoinRequests(requests), err
	})
	handle(api, route{
		Method: http.MethodPost, Path: path + "/approve", ID: "approve-group-join-requests", Tag: groupsTag,
		Summary: "Let people in who have asked",
	}, func(ctx context.Context, in *peopleInput) (resultList, error) {
		results, err := service.Approve(ctx, in.request())
		return resultList{Results: viewResults(results)}, err
	})
	handle(api, route{
		Method: http.MethodPost, Path: path + "/reject", ID: "reject-group-join-requests", Tag: groupsTag,
		Summary: "Turn people down who have asked",
	}, func(ctx context.Context, in *peopleInput) (resultList, error) {
		results, err := service.Reject(ctx, in.request())
		return resultList{Results: viewResults(results)}, err
	})
}

func viewJoinRequests(requests []groups.JoinRequest) joinRequestList {
	view := joinRequestList{JoinRequests: make([]joinRequestView, len(requests)), Total: len(requests)}
	for i, r := range requests {
		view.JoinRequests[i] = joinRequestView{PersonView: viewPerson(r.Identity), RequestedAt: seconds(r.RequestedAt), Method: r.Method}
		if r.RequestedBy.JID != "" {
			by := viewPerson(r.RequestedBy)
			view.JoinRequests[i].RequestedBy = &by
		}
	}
	return view
}
