package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/groups"
)

// PersonView is a person under the names that are known of them.
type PersonView struct {
	JID         string `json:"jid" example:"628123456789@s.whatsapp.net" doc:"The phone JID where the phone is known, else the LID."`
	PhoneNumber string `json:"phone_number,omitempty" example:"628123456789" doc:"Digits with the country code; absent when it is not known."`
	LID         string `json:"lid,omitempty" example:"98765432109876@lid" doc:"Absent when it is not known."`
}

type participantView struct {
	PersonView
	Role string `json:"role" enum:"superadmin,admin,member" example:"member" doc:"superadmin is the creator."`
}

// resultView is what became of one person of a request.
type resultView struct {
	PersonView
	Input  string       `json:"input" example:"+628123456789" doc:"The person as the request spelled it."`
	Status string       `json:"status" enum:"Added,Removed,Promoted,Demoted,Invited,Requested,Approved,Rejected,Failed" example:"Added" doc:"Requested: an admin has to approve first. Invited: privacy forbade adding, and an invite message was sent."`
	Error  *resultError `json:"error,omitempty" doc:"Why it failed."`
	Invite *ticketView  `json:"invite,omitempty" doc:"The invitation that was sent."`
}

type resultError struct {
	Code         string `json:"code" example:"privacy" doc:"not_on_whatsapp, privacy, blocked, recently_left, already_member, not_member, community_restriction, group_full, legal, creator, no_request, not_mentioned, or unknown_ and WhatsApp's number."`
	Reason       string `json:"reason" doc:"The same for people."`
	WhatsAppCode int    `json:"whatsapp_code,omitempty" example:"403" doc:"WhatsApp's number; absent when WhatsApp was not asked."`
}

type ticketView struct {
	Code      string `json:"code"`
	ExpiresAt int64  `json:"expires_at" doc:"UNIX seconds."`
}

type resultList struct {
	Results []resultView `json:"results" nullable:"false" doc:"One for each person, in the order asked."`
}

type promotionDone struct {
	Success bool         `json:"success" example:"true" doc:"false when it failed for one or more: see results."`
	Results []resultView `json:"results" nullable:"false" doc:"One for each person, in the order asked."`
}

// People is whom a request is about.
type People struct {
	Participants []string `json:"participants" nullable:"false" minItems:"1" maxItems:"1023" example:"[\"628123456789@s.whatsapp.net\"]" doc:"Phone JIDs, LIDs, or phone numbers with or without +."`
}

type peopleInput struct {
	GroupPath
	Body People
}

func (in *peopleInput) request() groups.MembershipRequest {
	return groups.MembershipRequest{Target: in.group(), Participants: in.Body.Participants}
}

type addInput struct {
	GroupPath
	Body struct {
		People
		OnPrivate string `json:"on_private,omitempty" enum:"fail,invite" default:"fail" doc:"What to do about people whose privacy settings do not let them be added: nothing, or send them an invite message."`
	}
}

func registerParticipants(api huma.API, service *groups.Service) {
	row := func(method, path, id, summary string) route {
		return route{Method: method, Path: groupPath + path, ID: id, Tag: groupsTag, Summary: summary}
	}
	handle(api, row(http.MethodPost, "/participants", "add-group-participants", "Add participants"),
		func(ctx context.Context, in *addInput) (resultList, error) {
			results, err := service.Add(ctx, groups.AddRequest{
				MembershipRequest: groups.MembershipRequest{Target: in.group(), Participants: in.Body.Participants},
				OnPrivate:         groups.OnPrivate(in.Body.OnPrivate),
			})
			return resultList{Results: viewResults(results)}, err
		})
	handle(api, row(http.MethodDelete, "/participants", "remove-group-participants", "Remove participants"),
		func(ctx context.Context, in *peopleInput) (resultList, error) {
			results, err := service.Remove(ctx, in.request())
			return resultList{Results: viewResults(results)}, err
		})
	handle(api, row(http.MethodPost, "/admins", "promote-group-participants", "Make participants admins"),
		func(ctx context.Context, in *peopleInput) (promotionDone, error) {
			outcome, err := service.Promote(ctx, in.request())
			return promotionDone{Success: outcome.Success, Results: viewResults(outcome.Results)}, err
		})
	handle(api, row(http.MethodDelete, "/admins", "demote-group-participants", "Make admins members again"),
		func(ctx context.Context, in *peopleInput) (promotionDone, error) {
			outcome, err := service.Demote(ctx, in.request())
			return promotionDone{Success: outcome.Success, Results: viewResults(outcome.Results)}, err
		})
}

func viewPerson(id groups.Identity) PersonView {
	return PersonView{JID: id.JID, PhoneNumber: id.PhoneNumber, LID: id.LID}
}

func viewParticipants(participants []groups.Participant) []participantView {
	views := make([]participantView, len(participants))
	for i, p := range participants {
		views[i] = participantView{PersonView: viewPerson(p.Identity), Role: string(p.Role)}
	}
	return views
}

func viewResults(results []groups.Result) []resultView {
	views := make([]resultView, len(results))
	for i, r := range results {
		views[i] = resultView{PersonView: viewPerson(r.Identity), Input: r.Input, Status: string(r.Status)}
		if r.Failure != nil {
			views[i].Error = &resultError{Code: r.Failure.Code, Reason: r.Failure.Reason, WhatsAppCode: r.Failure.WhatsAppCode}
		}
		if r.Invite != nil {
			views[i].Invite = &ticketView{Code: r.Invite.Code, ExpiresAt: seconds(r.Invite.ExpiresAt)}
		}
	}
	return views
}
