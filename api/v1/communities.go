package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/groups"
)

const communitiesTag = "Communities"

type createCommunityInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		Name        string   `json:"name" minLength:"1" maxLength:"100" example:"My Community"`
		Description string   `json:"description,omitempty" maxLength:"2048" example:"What it is about"`
		Groups      []string `json:"groups,omitempty" nullable:"false" maxItems:"100" doc:"JIDs of groups to link at once."`
	}
}

type communityCreated struct {
	GroupJID             string     `json:"group_jid" example:"120363000000000001@g.us" doc:"The community itself, a group that is the parent of others."`
	AnnouncementGroupJID string     `json:"announcement_group_jid,omitempty" example:"120363000000000002@g.us" doc:"The group that WhatsApp makes with it, for its announcements."`
	Results              []linkView `json:"results,omitempty" nullable:"false" doc:"One for each group to link, in the order asked."`
	Warnings             []warning  `json:"warnings,omitempty" nullable:"false" doc:"What was asked for and could not be done. The community exists all the same."`
}

// LinkBody names groups.
type LinkBody struct {
	Groups []string `json:"groups" nullable:"false" minItems:"1" maxItems:"100" example:"[\"120363000000000003@g.us\"]" doc:"Group JIDs."`
}

type linkInput struct {
	GroupPath
	Body LinkBody
}

type unlinkInput struct {
	GroupPath
	Body struct {
		LinkBody
		RemoveOrphans bool `json:"remove_orphans,omitempty" doc:"Also remove from the community whoever is in none of its other groups."`
	}
}

// linkView is what became of one group.
type linkView struct {
	JID    string       `json:"jid" example:"120363000000000003@g.us"`
	Input  string       `json:"input" doc:"The group as the request spelled it."`
	Status string       `json:"status" enum:"Linked,Unlinked,Failed" example:"Linked"`
	Error  *resultError `json:"error,omitempty" doc:"Why it failed. Codes: group_not_found, not_admin, is_community, already_linked, community_full, not_linked, announcement_group, or unknown_ and WhatsApp's number."`
}

type linkList struct {
	Results []linkView `json:"results" nullable:"false" doc:"One for each group, in the order asked."`
}

type subGroupView struct {
	JID                 string `json:"jid" example:"120363000000000003@g.us"`
	Name                string `json:"name" doc:"The subject."`
	Subject             string `json:"subject" doc:"The same as name."`
	ParticipantCount    int    `json:"participant_count" doc:"0 where WhatsApp does not say."`
	IsAnnouncementGroup bool   `json:"is_announcement_group" doc:"The group has the announcements of the community."`
}

type subGroupList struct {
	Groups               []subGroupView `json:"groups" nullable:"false" doc:"The announcement group first."`
	Total                int            `json:"total"`
	AnnouncementGroupJID string         `json:"announcement_group_jid,omitempty"`
}

type participantList struct {
	Participants []participantView `json:"participants" nullable:"false"`
	Total        int               `json:"total"`
}

func registerCommunities(api huma.API, service *groups.Service) {
	handle(api, route{
		Method: http.MethodPost, Path: "/sessions/{session_id}/communities", ID: "create-community", Tag: communitiesTag,
		Summary: "Create a community", Description: "Groups are made inside it with create-group, naming it as their community.",
	}, func(ctx context.Context, in *createCommunityInput) (communityCreated, error) {
		made, err := service.CreateCommunity(ctx, groups.CommunityRequest{
			SessionID: in.SessionID, Name: in.Body.Name, Description: in.Body.Description, Groups: in.Body.Groups,
		})
		return communityCreated{
			GroupJID: made.GroupJID, AnnouncementGroupJID: made.AnnouncementGroupJID,
			Results: viewLinks(made.Links), Warnings: viewWarnings(made.Warnings),
		}, err
	})
	handle(api, route{
		Method: http.MethodGet, Path: groupPath + "/participants", ID: "list-group-participants", Tag: groupsTag,
		Summary:     "List the participants",
		Description: "Of a community, everybody who is in any of its groups, asked of WhatsApp; of other groups what info says.",
	}, func(ctx context.Context, in *struct{ GroupPath }) (participantList, error) {
		people, err := service.Participants(ctx, groups.ParticipantsRequest{Target: in.group()})
		return participantList{Participants: viewParticipants(people), Total: len(people)}, err
	})
	registerSubGroups(api, service)
}

func registerSubGroups(api huma.API, service *groups.Service) {
	const path = groupPath + "/sub-groups"
	handle(api, route{
		Method: http.MethodGet, Path: path, ID: "list-sub-groups", Tag: communitiesTag,
		Summary: "List the groups of a community", Description: "Asked of WhatsApp: it has also those that the session's account is not in.",
	}, func(ctx context.Context, in *struct{ GroupPath }) (subGroupList, error) {
		subs, err := service.SubGroups(ctx, groups.SubGroupsRequest{Target: in.group()})
		return viewSubGroups(subs), err
	})
	handle(api, route{
		Method: http.MethodPost, Path: path, ID: "link-sub-groups", Tag: communitiesTag,
		Summary: "Put groups into a community", Description: "The session's account must be an admin of both.",
	}, func(ctx context.Context, in *linkInput) (linkList, error) {
		results, err := service.Link(ctx, groups.LinkGroupsRequest{Target: in.group(), Groups: in.Body.Groups})
		return linkList{Results: viewLinks(results)}, err
	})
	handle(api, route{
		Method: http.MethodDelete, Path: path, ID: "unlink-sub-groups", Tag: communitiesTag,
		Summary: "Take groups out of a community", Description: "They go on by themselves.",
	}, func(ctx context.Context, in *unlinkInput) (linkList, error) {
		results, err := service.Unlink(ctx, groups.LinkGroupsRequest{
			Target: in.group(), Groups: in.Body.Groups, RemoveOrphans: in.Body.RemoveOrphans,
		})
		return linkList{Results: viewLinks(results)}, err
	})
}

func viewLinks(results []groups.LinkResult) []linkView {
	views := make([]linkView, len(results))
	for i, r := range results {
		views[i] = linkView{JID: r.JID, Input: r.Input, Status: string(r.Status)}
		if r.Failure != nil {
			views[i].Error = &resultError{Code: r.Failure.Code, Reason: r.Failure.Reason, WhatsAppCode: r.Failure.WhatsAppCode}
		}
	}
	return views
}

func viewSubGroups(subs []groups.SubGroup) subGroupList {
	view := subGroupList{Groups: make([]subGroupView, len(subs)), Total: len(subs)}
	for i, sub := range subs {
		view.Groups[i] = subGroupView{
			JID: sub.JID, Name: sub.Subject, Subject: sub.Subject,
			ParticipantCount: sub.ParticipantCount, IsAnnouncementGroup: sub.Announcement,
		}
		if sub.Announcement {
			view.AnnouncementGroupJID = sub.JID
		}
	}
	return view
}
