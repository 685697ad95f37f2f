package meta

import (
	"encoding/json"
	"strconv"
	"time"

	"muster/groups"
)

// What Meta answers with.

type createdGroup struct {
	Product   string `json:"messaging_product"`
	RequestID string `json:"request_id"`
	ID        string `json:"id,omitempty"`
}

type success struct {
	Success bool `json:"success"`
}

type groupList struct {
	Data   groupListData `json:"data"`
	Paging paging        `json:"paging"`
}

type groupListData struct {
	Groups []listedGroup `json:"groups"`
}

type listedGroup struct {
	ID        string `json:"id"`
	Subject   string `json:"subject"`
	CreatedAt string `json:"created_at"`
}

type paging struct {
	Cursors  *cursors `json:"cursors,omitempty"`
	Previous string   `json:"previous,omitempty"`
	Next     string   `json:"next,omitempty"`
}

type cursors struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

type inviteLink struct {
	Product string `json:"messaging_product"`
	Link    string `json:"invite_link"`
}

// deletedLink has its success as a text, as Meta's OpenAPI file does.
type deletedLink struct {
	Product string `json:"messaging_product"`
	Success string `json:"success"`
}

// member is somebody in a group. Who has no known phone is named by the id that
// Meta's newer documents have for that, and not by a number that is none.
type member struct {
	WaID   string `json:"wa_id,omitempty"`
	UserID string `json:"user_id,omitempty"`
}

func memberOf(who groups.Identity) member { return personOf(who.PhoneNumber, who.LID) }

func personOf(phone, lid string) member {
	if phone != "" {
		return member{WaID: phone}
	}
	return member{UserID: userOf(lid)}
}

type joinRequests struct {
	Data   []joinRequest `json:"data"`
	Paging paging        `json:"paging"`
}

type joinRequest struct {
	ID string `json:"join_request_id"`
	member
	CreatedAt timestamp `json:"creation_timestamp"`
}

type failedRequest struct {
	ID     string      `json:"join_request_id"`
	Errors []errorItem `json:"errors"`
}

// timestamp is a time in UNIX seconds, written as a number or as a text.
type timestamp struct {
	at   time.Time
	text bool
}

// MarshalJSON writes the seconds.
func (t timestamp) MarshalJSON() ([]byte, error) {
	digits := seconds(t.at)
	if t.text {
		return json.Marshal(digits)
	}
	return []byte(digits), nil
}

func (a *API) timestamp(at time.Time) timestamp { return timestamp{at, a.options.TextTimestamps} }

// seconds are UNIX seconds as text; what is not known is 0.
func seconds(at time.Time) string {
	if at.IsZero() {
		return "0"
	}
	return strconv.FormatInt(at.Unix(), 10)
}

// modeOf is how people come in; empty where WhatsApp has not said.
func modeOf(mode groups.ApprovalMode) approval {
	switch mode {
	case groups.ApprovalOn:
		return approvalRequired
	case groups.ApprovalOff:
		return autoApprove
	}
	return ""
}
