package v1

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/internal/fault"
)

// FreshnessView says how far an answer from the mirror can be relied on.
type FreshnessView struct {
	SyncedAt int64 `json:"synced_at" example:"1760000000" doc:"When this was last compared with WhatsApp, UNIX seconds; events have kept it since. 0 is never."`
	Stale    bool  `json:"stale" doc:"Changes may be missing: the session is not connected, has just connected, or WhatsApp is being asked about something unclear."`
}

// MirroredView is a group as the mirror has it.
type MirroredView struct {
	GroupView
	FreshnessView
}

type groupInfo struct {
	MirroredView
	Participants []participantView `json:"participants" nullable:"false"`
}

type groupList struct {
	Groups     []listedGroup `json:"groups" nullable:"false"`
	Total      int           `json:"total" example:"1" doc:"How many groups there are in all, not only on this page."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
	Complete   bool          `json:"complete" doc:"Whether the list was compared with WhatsApp's since the account was linked. One that was not has the groups that were heard of."`
	FreshnessView
}

// listedGroup is a group of the list, with all fields or some.
type listedGroup struct {
	MirroredView
	fields []string
}

// MarshalJSON leaves out the fields that were not asked for.
func (g listedGroup) MarshalJSON() ([]byte, error) {
	whole, err := json.Marshal(g.MirroredView)
	if err != nil || g.fields == nil {
		return whole, err
	}
	var all map[string]json.RawMessage
	if err = json.Unmarshal(whole, &all); err != nil {
		return nil, err
	}
	some := make(map[string]json.RawMessage, len(g.fields)+1)
	for _, name := range append(g.fields, "jid") {
		if value, ok := all[name]; ok {
			some[name] = value
		}
	}
	return json.Marshal(some)
}

type listGroupsInput struct {
	SessionID string   `path:"session_id" doc:"The session's id." example:"my-session"`
	Limit     int      `query:"limit" minimum:"1" maximum:"2000" default:"1000" doc:"The most groups in one answer."`
	Cursor    string   `query:"cursor" maxLength:"200" doc:"next_cursor of the page before."`
	Q         string   `query:"q" maxLength:"100" doc:"Only groups whose name contains this, whatever the case." example:"family"`
	Role      string   `query:"role" enum:"admin" doc:"Only groups where this session's account is an admin."`
	Community string   `query:"community" maxLength:"64" doc:"Only groups of this community, by its JID." example:"120363012345678901@g.us"`
	Fields    []string `query:"fields" maxItems:"40" doc:"Only these fields of each group, separated by commas; jid is always there." example:"name,participant_count"`
	Refresh   bool     `query:"refresh" doc:"Ask WhatsApp first. Simultaneous refreshes become one query."`
}

type getGroupInput struct {
	GroupPath
	Refresh bool `query:"refresh" doc:"Ask WhatsApp first. Simultaneous refreshes of a group become one query."`
}

const readDescription = "It comes from the mirror, which events keep: WhatsApp is not asked unless refresh=true. " +
	"The answer has an ETag; send it as If-None-Match to get 304 when nothing has changed. "

const unknownDescription = "About a group that the mirror has not heard of WhatsApp is asked all the same, but not again and again. "

func registerGroupReads(api huma.API, router fiber.Router, service *groups.Service) {
	cache := newReadCache(service, cacheBytes)
	known := fieldNames(reflect.TypeFor[MirroredView]())
	cache.mount(router, groupsPath)
	handle(api, route{
		Method: http.MethodGet, Path: groupsPath, ID: "list-groups", Tag: groupsTag,
		Summary:     "List groups",
		Description: "The groups that the session's account is in, in the order of their JIDs. " + readDescription,
	}, func(ctx context.Context, in *listGroupsInput) (groupList, error) {
		for _, name := range in.Fields {
			if !slices.Contains(known, name) {
				return groupList{}, fault.Field("fields", "%q is not a field of a group", name)
			}
		}
		list, err := service.List(ctx, groups.ListRequest{
			SessionID: in.SessionID, Limit: in.Limit, Cursor: in.Cursor, Query: in.Q, Admin: in.Role != "",
			Community: in.Community, Refresh: in.Refresh,
		})
		return viewGroups(list, in.Fields), err
	})
	cache.mount(router, groupPath)
	handle(api, route{
		Method: http.MethodGet, Path: groupPath, ID: "get-group", Tag: groupsTag,
		Summary: "Get a group", Description: "A group without its participants. " + readDescription + unknownDescription,
	}, func(ctx context.Context, in *getGroupInput) (MirroredView, error) {
		group, err := service.Get(ctx, groups.GetRequest{Target: in.group(), Refresh: in.Refresh})
		return viewMirrored(group), err
	})
	cache.mount(router, groupPath+"/info")
	handle(api, route{
		Method: http.MethodGet, Path: groupPath + "/info", ID: "get-group-info", Tag: groupsTag,
		Summary: "Get a group with its participants", Description: readDescription + unknownDescription,
	}, func(ctx context.Context, in *getGroupInput) (groupInfo, error) {
		group, err := service.Get(ctx, groups.GetRequest{Target: in.group(), Members: true, Refresh: in.Refresh})
		return groupInfo{MirroredView: viewMirrored(group), Participants: viewParticipants(group.Participants)}, err
	})
	for _, path := range []string{groupsPath, groupPath, groupPath + "/info"} {
		documentCache(api.OpenAPI().Paths[prefix+path].Get)
	}
	handle(api, route{
		Method: http.MethodGet, Path: groupPath + "/invite-link", ID: "get-group-invite-link", Tag: groupsTag,
		Summary: "Get or reset the invite link", Description: "Who may do so is the group's member_link_mode; resetting needs an admin.",
	}, func(ctx context.Context, in *inviteLinkInput) (inviteLink, error) {
		link, err := service.InviteLink(ctx, groups.InviteLinkRequest{Target: in.group(), Reset: in.Reset})
		return inviteLink{InviteLink: link}, err
	})
}

// documentCache adds to an operation's description what the cache in front of
// it answers.
func documentCache(operation *huma.Operation) {
	etag := &huma.Param{Description: "Names this state of the answer.", Schema: &huma.Schema{Type: huma.TypeString}}
	operation.Parameters = append(operation.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Description: "The ETag of an earlier answer.", Schema: &huma.Schema{Type: huma.TypeString},
	})
	operation.Responses["200"].Headers = map[string]*huma.Param{"ETag": etag}
	operation.Responses["304"] = &huma.Response{
		Description: "Nothing has changed since the answer with this ETag.", Headers: map[string]*huma.Param{"ETag": etag},
	}
}

// fieldNames lists the JSON names of a struct's fields, embedded ones included.
func fieldNames(t reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && !field.Anonymous {
			names = append(names, name)
		}
	}
	return names
}

func viewGroups(list groups.List, fields []string) groupList {
	view := groupList{
		Groups: make([]listedGroup, len(list.Groups)), Total: list.Total, NextCursor: list.NextCursor,
		Complete: list.Complete, FreshnessView: viewFreshness(list.Freshness),
	}
	for i, group := range list.Groups {
		view.Groups[i] = listedGroup{MirroredView: viewMirrored(group), fields: fields}
	}
	return view
}

func viewMirrored(g groups.Listed) MirroredView {
	return MirroredView{GroupView: viewGroup(g.Group), FreshnessView: viewFreshness(g.Freshness)}
}

func viewFreshness(f groups.Freshness) FreshnessView {
	return FreshnessView{SyncedAt: seconds(f.SyncedAt), Stale: f.Stale}
}
