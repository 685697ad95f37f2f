package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"muster/groups"
)

type joinInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		Link string `json:"link" maxLength:"512" example:"https://chat.whatsapp.com/AbCdEfGhIjK" doc:"The invite link, or its code."`
	}
}

type inviteInfoInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Link      string `query:"link" required:"true" maxLength:"512" example:"https://chat.whatsapp.com/AbCdEfGhIjK" doc:"The invite link, or its code."`
}

type acceptInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		GroupJID   string `json:"group_jid" example:"123456789-1234567890@g.us"`
		Code       string `json:"code" minLength:"1" maxLength:"128" doc:"The invite message's code."`
		Expiration int64  `json:"expiration" minimum:"1" example:"1700000000" doc:"The invite message's expiration, in UNIX seconds."`
		Inviter    string `json:"inviter" example:"628123456789@s.whatsapp.net" doc:"Who sent the invite message: a phone JID, LID or phone number."`
	}
}

type joined struct {
	Status   string `json:"status" enum:"joined,requested" example:"joined" doc:"requested: an admin has to approve first."`
	GroupJID string `json:"group_jid" example:"123456789-1234567890@g.us"`
}

// invitedGroup is a group as its invite link shows it.
type invitedGroup struct {
	GroupView
	Participants []participantView `json:"participants" nullable:"false" doc:"Outsiders see the admins only."`
}

// registerInvites adds what is done with an invitation.
func registerInvites(api huma.API, service *groups.Service) {
	const refusals = "Problems: invite_revoked (410), invite_invalid (422), group_full and already_member (409)."
	handle(api, route{
		Method: http.MethodGet, Path: groupsPath + "/invite-info", ID: "get-invite-info", Tag: groupsTag,
		Summary: "See what an invite link leads to", Description: "Without joining. " + refusals,
	}, func(ctx context.Context, in *inviteInfoInput) (invitedGroup, error) {
		group, err := service.InviteInfo(ctx, groups.LinkRequest{SessionID: in.SessionID, Link: in.Link})
		return invitedGroup{GroupView: viewGroup(group), Participants: viewParticipants(group.Participants)}, err
	})
	handle(api, route{
		Method: http.MethodPost, Path: groupsPath + "/join", ID: "join-group", Tag: groupsTag,
		Summary: "Join a group by its invite link", Description: refusals,
	}, func(ctx context.Context, in *joinInput) (joined, error) {
		result, err := service.Join(ctx, groups.LinkRequest{SessionID: in.SessionID, Link: in.Body.Link})
		return viewJoined(result), err
	})
	handle(api, route{
		Method: http.MethodPost, Path: groupsPath + "/accept-invite", ID: "accept-group-invite", Tag: groupsTag,
		Summary: "Join a group by an invite message", Description: refusals,
	}, func(ctx context.Context, in *acceptInput) (joined, error) {
		result, err := service.Accept(ctx, groups.AcceptRequest{
			Target: groups.Target{SessionID: in.SessionID, GroupJID: in.Body.GroupJID},
			Code:   in.Body.Code, Expiration: time.Unix(in.Body.Expiration, 0), Inviter: in.Body.Inviter,
		})
		return viewJoined(result), err
	})
}

func viewJoined(result groups.JoinResult) joined {
	view := joined{Status: "joined", GroupJID: result.GroupJID}
	if result.Requested {
		view.Status = "requested"
	}
	return view
}
