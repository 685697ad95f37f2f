package zernio

import (
	"time"

	"muster/groups"
	"muster/session"
)

// iso is a time as Zernio writes it; empty for none.
func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// done is the answer of changes that have nothing else to say.
type done struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

// doneWith says more than Zernio does, where not everybody was reached.
type doneWith struct {
	done
	Details *peopleDetails `json:"details,omitempty"`
}

// warning says what of a success was left out.
type warning struct {
	Code    string `json:"code"`
	Param   string `json:"param"`
	Message string `json:"message"`
}

type listedGroup struct {
	ID        string `json:"id"`
	Subject   string `json:"subject"`
	CreatedAt string `json:"createdAt"` // here a text, in the details a number
}

type groupList struct {
	Groups []listedGroup `json:"groups"`
	Paging struct {
		Cursors struct {
			Before string `json:"before,omitempty"`
			After  string `json:"after,omitempty"` // absent on the last page
		} `json:"cursors"`
	} `json:"paging"`
}

type newGroup struct {
	ID         string `json:"groupId"`
	InviteLink string `json:"inviteLink,omitempty"`
}

type createdGroup struct {
	Success  bool      `json:"success"`
	Group    newGroup  `json:"group"`
	Warnings []warning `json:"warnings,omitempty"`
}

type member struct {
	// User is absent, and UserID there, where WhatsApp hides the phone number.
	User   string `json:"user,omitempty"`
	UserID string `json:"userId,omitempty"`
	Admin  string `json:"admin,omitempty"` // superadmin or admin
}

type group struct {
	ID               string   `json:"id"`
	Subject          string   `json:"subject"`
	Description      string   `json:"description"`
	JoinApprovalMode string   `json:"joinApprovalMode,omitempty"`
	Participants     []member `json:"participants"`
	ParticipantCount int      `json:"participantCount"`
	CreatedAt        int64    `json:"createdAt"`
	IsSuspended      bool     `json:"isSuspended"`
}

type groupAnswer struct {
	Success bool  `json:"success"`
	Group   group `json:"group"`
}

type linkAnswer struct {
	Success    bool   `json:"success"`
	InviteLink string `json:"inviteLink"`
}

type joinRequest struct {
	User      string `json:"user,omitempty"`
	UserID    string `json:"userId,omitempty"`
	Timestamp int64  `json:"timestamp"`
}

type joinRequests struct {
	Success  bool          `json:"success"`
	Requests []joinRequest `json:"joinRequests"`
}

// hidden is the LID of somebody whose phone number is not known.
func hidden(who groups.Identity) string {
	if who.PhoneNumber != "" {
		return ""
	}
	return who.LID
}

func viewListed(s session.Session, g groups.Group) listedGroup {
	return listedGroup{ID: groupID(s, g.JID), Subject: g.Subject, CreatedAt: iso(g.CreatedAt)}
}

func viewGroup(s session.Session, g groups.Group) group {
	view := group{
		ID: groupID(s, g.JID), Subject: g.Subject, Description: g.Topic, Participants: []member{},
		ParticipantCount: g.ParticipantCount, IsSuspended: g.Suspended,
	}
	if !g.CreatedAt.IsZero() {
		view.CreatedAt = g.CreatedAt.Unix()
	}
	switch g.Settings.MembershipApproval {
	case groups.ApprovalOn:
		view.JoinApprovalMode = modeApproval
	case groups.ApprovalOff:
		view.JoinApprovalMode = modeOpen
	}
	for _, p := range g.Participants {
		m := member{User: plus(p.PhoneNumber), UserID: hidden(p.Identity)}
		if p.Role.Admin() {
			m.Admin = string(p.Role)
		}
		view.Participants = append(view.Participants, m)
	}
	return view
}

// peopleDetails say what has become of each person of a request.
type peopleDetails struct {
	Participants []personResult `json:"participants"`
}

type personResult struct {
	// PhoneNumber is as the request has it.
	PhoneNumber string `json:"phoneNumber"`
	Status      string `json:"status"` // added, removed, approved, rejected, invited, requested, already_member, failed
	Code        string `json:"code,omitempty"`
	Reason      string `json:"reason,omitempty"`
	// PlatformCode is the number that WhatsApp has refused with.
	PlatformCode int `json:"platformCode,omitempty"`
}

// statuses are what becomes of people, in the words of the details.
var statuses = map[groups.Status]string{
	groups.StatusAdded: "added", groups.StatusRemoved: "removed", groups.StatusApproved: "approved", groups.StatusRejected: "rejected",
	groups.StatusInvited: "invited", groups.StatusRequested: "requested", groups.StatusFailed: "failed",
}

func viewPeople(results []groups.Result) []personResult {
	list := []personResult{}
	for _, r := range results {
		view := personResult{PhoneNumber: r.Input, Status: statuses[r.Status]}
		if view.PhoneNumber == "" {
			view.PhoneNumber = plus(r.PhoneNumber)
		}
		if happened(r) && r.Failure != nil {
			view.Status = r.Failure.Code // already_member: nothing was to be done
		} else if f := r.Failure; f != nil {
			view.Code, view.Reason, view.PlatformCode = f.Code, f.Reason, f.WhatsAppCode
		}
		list = append(list, view)
	}
	return list
}
