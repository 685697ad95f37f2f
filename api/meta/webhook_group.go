package meta

import (
	"muster/groups"
	"muster/internal/event"
	"muster/internal/fault"
)

type groupValue struct {
	about
	Groups []item `json:"groups"`
}

// item is one thing that has happened to a group.
type item struct {
	Timestamp string `json:"timestamp"`
	GroupID   string `json:"group_id,omitempty"`
	Type      string `json:"type"`
	RequestID string `json:"request_id,omitempty"`

	Subject     string   `json:"subject,omitempty"`
	Description string   `json:"description,omitempty"`
	InviteLink  string   `json:"invite_link,omitempty"`
	Approval    approval `json:"join_approval_mode,omitempty"`

	Reason        string `json:"reason,omitempty"`
	JoinRequestID string `json:"join_request_id,omitempty"`
	member
	Added     []participant `json:"added_participants,omitempty"`
	Removed   []participant `json:"removed_participants,omitempty"`
	Failed    []participant `json:"failed_participants,omitempty"`
	Initiator string        `json:"initiated_by,omitempty"`

	Picture          *settledPicture `json:"profile_picture,omitempty"`
	GroupSubject     *settledText    `json:"group_subject,omitempty"`
	GroupDescription *settledText    `json:"group_description,omitempty"`

	Errors []errorItem `json:"errors,omitempty"`
}

type participant struct {
	Input string `json:"input,omitempty"`
	member
	Errors []errorItem `json:"errors,omitempty"`
}

type settledText struct {
	Text   string      `json:"text"`
	Done   bool        `json:"update_successful"`
	Errors []errorItem `json:"errors,omitempty"`
}

type settledPicture struct {
	Mimetype string      `json:"mime_type,omitempty"`
	SHA256   string      `json:"sha256,omitempty"`
	Done     bool        `json:"update_successful"`
	Errors   []errorItem `json:"errors,omitempty"`
}

// The types of items.
const (
	typeCreate   = "group_create"
	typeDelete   = "group_delete"
	typeAdd      = "group_participants_add"
	typeRemove   = "group_participants_remove"
	typeRequest  = "group_join_request_created"
	typeRevoke   = "group_join_request_revoked"
	typeSettings = "group_settings_update"
	typeSuspend  = "group_suspend"
	typeCleared  = "group_suspend_cleared"
)

// Who has removed people, and by what way people have come.
const (
	byBusiness    = "business"
	byParticipant = "participant"
	byLink        = "invite_link"
)

// item begins an item about the event's group.
func (s sender) item(e event.Event, kind string) item {
	i := item{Timestamp: seconds(s.at), Type: kind, RequestID: e.RequestID}
	if e.Group != "" {
		i.GroupID = GroupID(s.number, e.Group)
	}
	return i
}

// items are what there is to say of a change that was seen.
func (s sender) items(e event.Event) (field string, items []item, err error) {
	switch e.Type {
	case event.GroupCreated:
		return s.created(e)
	case event.GroupDeleted:
		return lifecycleField, []item{s.item(e, typeDelete)}, nil
	case event.GroupParticipants:
		return s.members(e)
	case event.GroupJoinRequest:
		return s.joinRequests(e)
	case event.GroupSuspended:
		var data event.Suspended
		if err = e.Decode(&data); err != nil {
			return "", nil, err
		}
		kind := typeCleared
		if data.Suspended {
			kind = typeSuspend
		}
		return statusField, []item{s.item(e, kind)}, nil
	case event.GroupSubject, event.GroupDescription, event.GroupPhoto:
		i, err := s.setting(e)
		return settingsField, []item{i}, err
	}
	return "", nil, nil
}

// created tells of groups that the account has made; others' are not the
// business's.
func (s sender) created(e event.Event) (field string, items []item, err error) {
	var data event.Created
	if err = e.Decode(&data); err != nil {
		return "", nil, err
	}
	if data.Actor == nil || data.Actor.PhoneNumber != s.number {
		return "", nil, nil
	}
	i := s.item(e, typeCreate)
	i.Subject = data.Subject
	return lifecycleField, []item{i}, nil
}

func (s sender) setting(e event.Event) (i item, err error) {
	i = s.item(e, typeSettings)
	switch e.Type {
	case event.GroupSubject:
		var data event.Subject
		err = e.Decode(&data)
		i.GroupSubject = &settledText{Text: data.Subject, Done: true}
	case event.GroupDescription:
		var data event.Description
		err = e.Decode(&data)
		i.GroupDescription = &settledText{Text: data.Topic, Done: true}
	default:
		var data event.Photo
		err = e.Decode(&data)
		if i.Picture = (&settledPicture{Done: true}); data.PhotoID != "" {
			i.Picture.Mimetype = jpegType // WhatsApp has no others
		}
	}
	return i, err
}

// members tells of people who have come or gone. Promotions are not Meta's.
func (s sender) members(e event.Event) (field string, items []item, err error) {
	var data event.Participants
	if err = e.Decode(&data); err != nil {
		return "", nil, err
	}
	var list []participant
	for _, m := range data.Participants {
		list = append(list, participant{member: personOf(m.PhoneNumber, m.LID)})
	}
	i := s.item(e, typeAdd)
	switch data.Action {
	case "added":
		i.Added = list
	case "joined":
		i.Added, i.Reason = list, byLink
		if data.Reason == approvedReason {
			i.RequestID = ""
			for k := range i.Added {
				i.Added[k].Input = i.Added[k].WaID
			}
		}
	case "removed", "left":
		i.Type, i.Removed, i.Initiator = typeRemove, list, byParticipant
		if data.Action == "removed" && data.Actor != nil && data.Actor.PhoneNumber == s.number {
			i.Initiator = byBusiness
			for k := range i.Removed {
				i.Removed[k].Input = i.Removed[k].WaID
			}
		}
	default:
		return "", nil, nil
	}
	return participantsField, []item{i}, nil
}

// approvedReason is why people whose requests were approved have come.
const approvedReason = "request_approved"

// joinRequests tells of requests that were made or withdrawn, each by itself.
// What admins decide is not told here: who was let in has joined, and of who was
// not, Meta says nothing.
func (s sender) joinRequests(e event.Event) (field string, items []item, err error) {
	var data event.JoinRequest
	if err = e.Decode(&data); err != nil {
		return "", nil, err
	}
	kind := typeRequest
	switch data.Action {
	case "created":
	case "revoked":
		kind = typeRevoke
	default:
		return "", nil, nil
	}
	for _, who := range data.Participants {
		i := s.item(e, kind)
		i.Reason, i.member = byLink, personOf(who.PhoneNumber, who.LID)
		i.JoinRequestID = requestID(identityOf(who), e.Group)
		items = append(items, i)
	}
	return participantsField, items, nil
}

func identityOf(who event.Person) groups.Identity {
	return groups.Identity{JID: who.JID, PhoneNumber: who.PhoneNumber, LID: who.LID}
}

// outcome tells what has come of a request of this API.
func (s sender) outcome(e event.Event) (field string, values []any, err error) {
	var data event.Outcome
	if err = e.Decode(&data); err != nil {
		return "", nil, err
	}
	i := s.item(e, typeSettings)
	switch data.Operation {
	case event.OperationCreateGroup:
		field = lifecycleField
		i.createdBy(data)
	case event.OperationDeleteGroup:
		field, i.Type = lifecycleField, typeDelete
		i.Errors = errorsOf(data.Error)
	case event.OperationUpdateGroup:
		field = settingsField
		i.updatedBy(data)
	case event.OperationAddParticipants:
		field, i.Type = participantsField, typeAdd
		i.Added = i.sort(data, func(p event.OutcomePerson) participant {
			return participant{Input: p.Input, member: personOf(p.PhoneNumber, p.LID)}
		})
	case event.OperationRemoveParticipants:
		field, i.Type, i.Initiator = participantsField, typeRemove, byBusiness
		i.Removed = i.sort(data, func(p event.OutcomePerson) participant { return participant{Input: p.Input} })
	default:
		return "", nil, nil
	}
	return field, []any{groupValue{s.about(), []item{i}}}, nil
}

func (i *item) createdBy(data event.Outcome) {
	i.Type, i.Subject, i.InviteLink = typeCreate, textOf(data.Subject), data.InviteLink
	i.Description = textOf(data.Description)
	if i.Errors = errorsOf(data.Error); data.Error != nil && data.Error.Code == string(fault.Rejected) && data.GroupJID == "" {
		i.Errors = []errorItem{problem(codeCreateDisabled, data.Error.Message).item()}
	}
	if data.Description != nil && data.Description.Error != nil { // the group is there, and this is not
		i.Description = ""
		i.Errors = append(i.Errors, errorsOf(data.Description.Error)...)
	}
	if data.GroupJID != "" {
		i.Approval = modeOf(groups.ApprovalMode(data.MembershipApproval))
	}
}

func textOf(text *event.OutcomeText) string {
	if text == nil {
		return ""
	}
	return text.Text
}

func (i *item) updatedBy(data event.Outcome) {
	settle := func(text *event.OutcomeText) *settledText {
		if text == nil {
			return nil
		}
		return &settledText{Text: text.Text, Done: text.Error == nil, Errors: i.blame(text.Error)}
	}
	i.GroupSubject, i.GroupDescription = settle(data.Subject), settle(data.Description)
	if p := data.Photo; p != nil {
		i.Picture = &settledPicture{Mimetype: p.Mimetype, SHA256: p.SHA256, Done: p.Error == nil, Errors: i.blame(p.Error)}
	}
}

// blame is the error of a part. The whole has one too, then, as in Meta's
// samples.
func (i *item) blame(why *event.OutcomeError) []errorItem {
	if why != nil {
		i.Errors = []errorItem{problem(codeInternal, "not all of the request was done; each part says why").item()}
	}
	return errorsOf(why)
}

// sort returns those for whom it was done, and puts the others where failures
// are.
func (i *item) sort(data event.Outcome, show func(event.OutcomePerson) participant) (done []participant) {
	for _, p := range data.Participants {
		if p.Error == nil {
			done = append(done, show(p))
			continue
		}
		i.Failed = append(i.Failed, participant{Input: p.Input, Errors: i.blame(p.Error)})
	}
	return done
}

// errorsOf is an error of an outcome as Meta describes it: one of a person, or a
// fault.
func errorsOf(why *event.OutcomeError) []errorItem {
	if why == nil {
		return nil
	}
	p := problem(personal(why.Code), why.Message)
	if p.Code == 0 {
		p = problemOf(fault.New(fault.Code(why.Code), "%s", why.Message))
	}
	return []errorItem{p.item()}
}
