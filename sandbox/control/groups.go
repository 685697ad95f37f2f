package control

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/service"
)

// GroupPath names a phone and a group.
type GroupPath struct {
	PhonePath
	JID string `path:"jid" doc:"Group JID" example:"120363000000000000@g.us"`
}

type newGroup struct {
	Name           string   `json:"name"`
	Participants   []string `json:"participants,omitempty" doc:"Phone numbers or JIDs"`
	AddressingMode string   `json:"addressing_mode,omitempty" enum:"lid,pn" doc:"How members are addressed; absent: lid"`
	Description    string   `json:"description,omitempty"`
	service.Settings
}

type createdGroup struct {
	JID        string           `json:"group_jid"`
	InviteLink string           `json:"invite_link"`
	Results    []service.Result `json:"results"`
}

type peopleBody struct {
	Participants []string `json:"participants" minItems:"1" doc:"Phone numbers or JIDs"`
}

type results struct {
	Results []service.Result `json:"results"`
}

type joinBody struct {
	Link string `json:"link" doc:"Invite link, or its code"`
}

type joined struct {
	Status   service.JoinStatus `json:"status" enum:"joined,requested"`
	GroupJID string             `json:"group_jid"`
}

type groupList struct {
	Groups []group.Truth `json:"groups"`
}

type link struct {
	InviteLink string `json:"invite_link"`
}

func registerGroups(api huma.API, world *service.World) {
	huma.Register(api, operation("create-group", http.MethodPost, "/phones/{number}/groups", "The phone makes a group", http.StatusCreated),
		func(_ context.Context, in *struct {
			PhonePath
			Body newGroup
		}) (*body[createdGroup], error) {
			jid, invite, each, err := world.CreateGroup(in.Number, service.GroupOptions{
				Name: in.Body.Name, Participants: in.Body.Participants, AddressingMode: in.Body.AddressingMode,
				Description: in.Body.Description, Settings: in.Body.Settings,
			})
			return reply(createdGroup{JID: jid.String(), InviteLink: invite, Results: each}, err)
		})
	for _, act := range []service.PeopleAct{
		service.ActAdd, service.ActRemove, service.ActPromote, service.ActDemote, service.ActApprove, service.ActReject,
	} {
		registerPeopleAct(api, world, act)
	}
	registerGroupActs(api, world)
	registerTruth(api, world)
}

func registerPeopleAct(api huma.API, world *service.World, act service.PeopleAct) {
	summary := "The phone acts on people: " + string(act)
	huma.Register(api, operation(string(act), http.MethodPost, "/phones/{number}/groups/{jid}/"+string(act), summary, 0),
		func(_ context.Context, in *struct {
			GroupPath
			Body peopleBody
		}) (*body[results], error) {
			jid, err := groupJID(in.JID)
			if err != nil {
				return nil, err
			}
			each, err := world.ChangePeople(in.Number, jid, act, in.Body.Participants)
			return reply(results{Results: each}, err)
		})
}

func registerGroupActs(api huma.API, world *service.World) {
	huma.Register(api, operation("leave", http.MethodPost, "/phones/{number}/groups/{jid}/leave", "The phone leaves", 0),
		func(_ context.Context, in *GroupPath) (*body[success], error) {
			jid, err := groupJID(in.JID)
			if err != nil {
				return nil, err
			}
			return done(world.LeaveGroup(in.Number, jid))
		})
	huma.Register(api, operation("subject", http.MethodPost, "/phones/{number}/groups/{jid}/subject", "The phone renames the group", 0),
		func(_ context.Context, in *struct {
			GroupPath
			Body struct {
				Subject string `json:"subject"`
			}
		}) (*body[success], error) {
			jid, err := groupJID(in.JID)
			if err != nil {
				return nil, err
			}
			return done(world.SetSubject(in.Number, jid, in.Body.Subject))
		})
	huma.Register(api, operation("description", http.MethodPost, "/phones/{number}/groups/{jid}/description", "The phone describes the group", 0),
		func(_ context.Context, in *struct {
			GroupPath
			Body struct {
				Description *string `json:"description,omitempty" nullable:"true" doc:"Absent, null or empty: delete it"`
			}
		}) (*body[success], error) {
			jid, err := groupJID(in.JID)
			if err != nil {
				return nil, err
			}
			text := ""
			if in.Body.Description != nil {
				text = *in.Body.Description
			}
			return done(world.SetDescription(in.Number, jid, text))
		})
	huma.Register(api, operation("settings", http.MethodPost, "/phones/{number}/groups/{jid}/settings", "The phone changes settings", 0),
		func(_ context.Context, in *struct {
			GroupPath
			Body service.Settings
		}) (*body[success], error) {
			jid, err := groupJID(in.JID)
			if err != nil {
				return nil, err
			}
			return done(world.SetSettings(in.Number, jid, in.Body))
		})
	registerInvites(api, world)
}

func registerInvites(api huma.API, world *service.World) {
	huma.Register(api, operation("invite-link", http.MethodGet, "/phones/{number}/groups/{jid}/invite-link", "The link as the phone sees it", 0),
		func(_ context.Context, in *struct {
			GroupPath
			Reset bool `query:"reset"`
		}) (*body[link], error) {
			jid, err := groupJID(in.JID)
			if err != nil {
				return nil, err
			}
			text, err := world.InviteLink(in.Number, jid, in.Reset)
			return reply(link{InviteLink: text}, err)
		})
	huma.Register(api, operation("join", http.MethodPost, "/phones/{number}/join", "The phone joins by link", 0),
		func(_ context.Context, in *struct {
			PhonePath
			Body joinBody
		}) (*body[joined], error) {
			jid, status, err := world.Join(in.Number, in.Body.Link)
			return reply(joined{Status: status, GroupJID: jid.String()}, err)
		})
}

func registerTruth(api huma.API, world *service.World) {
	huma.Register(api, operation("get-group", http.MethodGet, "/groups/{jid}", "The service's truth about a group", 0),
		func(_ context.Context, in *struct {
			JID string `path:"jid"`
		}) (*body[group.Truth], error) {
			jid, err := groupJID(in.JID)
			if err != nil {
				return nil, err
			}
			return reply(world.GroupTruth(jid))
		})
	huma.Register(api, operation("list-groups", http.MethodGet, "/groups", "The service's truth about every group", 0),
		func(context.Context, *struct{}) (*body[groupList], error) {
			list := groupList{Groups: []group.Truth{}}
			for _, jid := range world.Groups() {
				truth, err := world.GroupTruth(jid)
				if err != nil {
					return nil, problem(err)
				}
				list.Groups = append(list.Groups, truth)
			}
			return reply(list, nil)
		})
}

// groupJID reads a group's JID; bare digits will do.
func groupJID(text string) (types.JID, error) {
	jid, err := types.ParseJID(text)
	if err == nil && jid.User == "" {
		jid = types.NewJID(jid.Server, types.GroupServer)
	}
	if err != nil || jid.Server != types.GroupServer {
		return types.EmptyJID, huma.Error422UnprocessableEntity("jid: " + text + " is not a group JID")
	}
	return jid, nil
}
