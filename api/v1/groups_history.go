package v1

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/groups"
)

type groupChanges struct {
	Changes []changeView `json:"changes" nullable:"false" doc:"The oldest first."`
	After   int64        `json:"after" doc:"Give this as after to go on from here, now or later."`
	More    bool         `json:"more" doc:"Whether there are newer changes already."`
}

// changeView is one entry of a group's history.
type changeView struct {
	Seq    int64           `json:"seq" example:"42" doc:"Grows with every change of any of the session's groups."`
	At     int64           `json:"at" example:"1760000000" doc:"UNIX seconds: WhatsApp's time for events, else when it was done or found here."`
	Kind   string          `json:"kind" enum:"created,joined,left,removed,deleted,gone,subject,description,announce,locked,suspended,disappearing_seconds,membership_approval_mode,member_add_mode,member_link_mode,photo,invite_link_reset,community_linked,community_unlinked,details,participants_added,participants_joined,participants_removed,participants_left,participants_promoted,participants_demoted,join_requests_created,join_requests_revoked,join_requests_approved,join_requests_rejected" example:"subject" doc:"What has changed. created to gone are about this session's account and the group as a whole; gone is a group that was no longer there when the lists were compared."`
	Actor  *PersonView     `json:"actor,omitempty" doc:"Who did it; absent where that is not known."`
	Source string          `json:"source" enum:"event,api,reconcile" doc:"event: WhatsApp said so. api: this server did it and wrote it down before WhatsApp said so. reconcile: it was found when comparing with WhatsApp."`
	Before json.RawMessage `json:"before" doc:"What it was: text, number, boolean, object or list by kind; null where there is nothing to say."`
	After  json.RawMessage `json:"after" doc:"What it is now, likewise."`
}

type groupChangesInput struct {
	GroupPath
	After int64 `query:"after" minimum:"0" doc:"Only changes after the one with this seq."`
	Limit int   `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"The most changes in one answer."`
}

func registerGroupHistory(api huma.API, service *groups.Service) {
	handle(api, route{
		Method: http.MethodGet, Path: groupPath + "/changes", ID: "list-group-changes", Tag: groupsTag,
		Summary: "List what has happened to a group",
		Description: "Who changed what and when, before and after. The history begins when the session first knew the group, " +
			"and stays when the account leaves it. Old changes are forgotten: see groups.history_age and groups.history_count in the configuration.",
	}, func(ctx context.Context, in *groupChangesInput) (groupChanges, error) {
		history, err := service.History(ctx, groups.HistoryRequest{Target: in.group(), After: in.After, Limit: in.Limit})
		return viewHistory(history, in.After), err
	})
}

func viewHistory(h groups.History, after int64) groupChanges {
	view := groupChanges{Changes: make([]changeView, len(h.Entries)), After: after, More: h.More}
	for i, e := range h.Entries {
		view.Changes[i] = changeView{
			Seq: e.Seq, At: seconds(e.At), Kind: string(e.Kind), Source: string(e.Source), Before: e.Before, After: e.After,
		}
		if e.Actor != (groups.Identity{}) {
			actor := viewPerson(e.Actor)
			view.Changes[i].Actor = &actor
		}
		view.After = e.Seq
	}
	return view
}
