package service

import (
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// GroupOptions describe a group a phone makes.
type GroupOptions struct {
	Name         string
	Participants []string // phone numbers or JIDs
	// AddressingMode is "lid" or "pn"; "" is "lid", today's default.
	AddressingMode string
	Description    string
	Settings       Settings
}

// Settings of a group; nil leaves one as it is.
type Settings struct {
	Announce       *bool   `json:"announce,omitempty" doc:"Only admins may send"`
	Locked         *bool   `json:"locked,omitempty" doc:"Only admins may edit subject, description and photo"`
	Ephemeral      *uint32 `json:"disappearing_seconds,omitempty" doc:"0, 86400, 604800 or 7776000"`
	ApprovalMode   *string `json:"membership_approval_mode,omitempty" enum:"on,off"`
	MemberAddMode  *string `json:"member_add_mode,omitempty" enum:"admin_add,all_member_add"`
	MemberLinkMode *string `json:"member_link_mode,omitempty" enum:"admin_link,all_member_link"`
	Suspended      *bool   `json:"suspended,omitempty" doc:"The service's own act, whoever asks"`
}

// Result is what became of one person in a change of several.
type Result struct {
	JID    string `json:"jid" doc:"As asked for"`
	Number string `json:"number,omitempty"`
	Code   int    `json:"code" doc:"0: done; otherwise the service's code for this person"`
}

// PeopleAct is a change of several people in a group.
type PeopleAct string

// The changes of people a phone can make.
const (
	ActAdd     PeopleAct = "add"
	ActRemove  PeopleAct = "remove"
	ActPromote PeopleAct = "promote"
	ActDemote  PeopleAct = "demote"
	ActApprove PeopleAct = "approve"
	ActReject  PeopleAct = "reject"
)

// JoinStatus is the outcome of joining by link.
type JoinStatus string

// The outcomes.
const (
	Joined    JoinStatus = "joined"
	Requested JoinStatus = "requested"
)

// CreateGroup lets a phone make a group; it returns its JID, its invite link
// and what became of each participant.
func (w *World) CreateGroup(number string, o GroupOptions) (types.JID, string, []Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.linkable(number)
	if err != nil {
		return types.EmptyJID, "", nil, err
	}
	people, err := parsePeople(o.Participants)
	if err != nil {
		return types.EmptyJID, "", nil, err
	}
	request := group.CreateRequest{Subject: o.Name, Participants: people, Description: o.Description}
	switch o.AddressingMode {
	case "", "lid":
		request.AddressingMode = types.AddressingModeLID
	case "pn":
		request.AddressingMode = types.AddressingModePN
	default:
		return types.EmptyJID, "", nil, fmt.Errorf("addressing_mode: %q is neither lid nor pn", o.AddressingMode)
	}
	o.Settings.apply(&request)
	g, results, pushes, refusal := w.groups.Create(a.person(), request)
	if refusal != nil {
		return types.EmptyJID, "", nil, refusal
	}
	w.publish(pushes)
	return g.JID, group.InviteLink(g.InviteCode), w.results(results), nil
}

func (s Settings) apply(r *group.CreateRequest) {
	if s.Announce != nil {
		r.Announce = *s.Announce
	}
	if s.Locked != nil {
		r.Locked = *s.Locked
	}
	if s.Ephemeral != nil {
		r.Ephemeral = *s.Ephemeral
	}
	if s.ApprovalMode != nil {
		r.Approval = *s.ApprovalMode == "on"
	}
	if s.MemberAddMode != nil {
		r.MemberAddMode = *s.MemberAddMode
	}
	if s.MemberLinkMode != nil {
		r.MemberLinkMode = *s.MemberLinkMode
	}
}

// ChangePeople lets a phone change several people of a group.
func (w *World) ChangePeople(number string, jid types.JID, act PeopleAct, people []string) ([]Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.linkable(number)
	if err != nil {
		return nil, err
	}
	targets, err := parsePeople(people)
	if err != nil {
		return nil, err
	}
	change := map[PeopleAct]func(group.Person, types.JID, []types.JID) ([]group.ParticipantResult, []group.Push, *stanza.Error){
		ActAdd: w.groups.Add, ActRemove: w.groups.Remove, ActPromote: w.groups.Promote, ActDemote: w.groups.Demote,
		ActApprove: w.groups.Approve, ActReject: w.groups.Reject,
	}[act]
	if change == nil {
		return nil, fmt.Errorf("%q is not a change of people", act)
	}
	results, pushes, refusal := change(a.person(), jid, targets)
	if refusal != nil {
		return nil, refusal
	}
	w.publish(pushes)
	return w.results(results), nil
}

// LeaveGroup lets a phone leave a group.
func (w *World) LeaveGroup(number string, jid types.JID) error {
	return w.actInGroup(number, func(p group.Person) ([]group.Push, *stanza.Error) { return w.groups.Leave(p, jid) })
}

// SetSubject lets a phone rename a group.
func (w *World) SetSubject(number string, jid types.JID, subject string) error {
	return w.actInGroup(number, func(p group.Person) ([]group.Push, *stanza.Error) {
		return w.groups.SetSubject(p, jid, subject)
	})
}

// SetDescription lets a phone describe a group; "" deletes the description.
func (w *World) SetDescription(number string, jid types.JID, text string) error {
	return w.actInGroup(number, func(p group.Person) ([]group.Push, *stanza.Error) {
		change := group.DescriptionChange{Text: text, AnyPrev: true}
		return w.groups.SetDescription(p, jid, change)
	})
}

// SetSettings lets a phone change a group's settings, in the order of the
// fields; it stops at the first that is refused.
func (w *World) SetSettings(number string, jid types.JID, s Settings) error {
	for _, step := range w.settingSteps(jid, s) {
		if err := w.actInGroup(number, step); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) settingSteps(jid types.JID, s Settings) []func(group.Person) ([]group.Push, *stanza.Error) {
	var steps []func(group.Person) ([]group.Push, *stanza.Error)
	flag := func(value *bool, set func(group.Person, types.JID, bool) ([]group.Push, *stanza.Error)) {
		if value != nil {
			steps = append(steps, func(p group.Person) ([]group.Push, *stanza.Error) { return set(p, jid, *value) })
		}
	}
	mode := func(value *string, set func(group.Person, types.JID, string) ([]group.Push, *stanza.Error)) {
		if value != nil {
			steps = append(steps, func(p group.Person) ([]group.Push, *stanza.Error) { return set(p, jid, *value) })
		}
	}
	flag(s.Announce, w.groups.SetAnnounce)
	flag(s.Locked, w.groups.SetLocked)
	if s.Ephemeral != nil {
		steps = append(steps, func(p group.Person) ([]group.Push, *stanza.Error) {
			return w.groups.SetEphemeral(p, jid, *s.Ephemeral)
		})
	}
	if s.ApprovalMode != nil {
		steps = append(steps, func(p group.Person) ([]group.Push, *stanza.Error) {
			return w.groups.SetApproval(p, jid, *s.ApprovalMode == "on")
		})
	}
	mode(s.MemberAddMode, w.groups.SetMemberAdd)
	mode(s.MemberLinkMode, w.groups.SetMemberLink)
	if s.Suspended != nil {
		steps = append(steps, func(group.Person) ([]group.Push, *stanza.Error) {
			return w.groups.Suspend(jid, *s.Suspended)
		})
	}
	return steps
}

// Join lets a phone join by invite link or code.
func (w *World) Join(number, link string) (types.JID, JoinStatus, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.linkable(number)
	if err != nil {
		return types.EmptyJID, "", err
	}
	result, pushes, refusal := w.groups.Join(a.person(), group.InviteCodeOf(link))
	if refusal != nil {
		return types.EmptyJID, "", refusal
	}
	w.publish(pushes)
	if result.Requested {
		return result.Group, Requested, nil
	}
	return result.Group, Joined, nil
}

// InviteLink is a group's link as an admin's phone shows it; reset makes a new one.
func (w *World) InviteLink(number string, jid types.JID, reset bool) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.linkable(number)
	if err != nil {
		return "", err
	}
	code, pushes, refusal := w.groups.Invite(a.person(), jid, reset)
	if refusal != nil {
		return "", refusal
	}
	w.publish(pushes)
	return group.InviteLink(code), nil
}

// GroupTruth is everything the service knows about a group.
func (w *World) GroupTruth(jid types.JID) (group.Truth, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	truth, ok := w.groups.Truth(jid)
	if !ok {
		return group.Truth{}, fmt.Errorf("%w: %s", ErrUnknownGroup, jid)
	}
	return truth, nil
}

// Groups lists every group's JID, in the order they were made.
func (w *World) Groups() []types.JID {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []types.JID
	for _, g := range w.groups.All() {
		list = append(list, g.JID)
	}
	return list
}

// actInGroup runs one act of a phone under the lock and tells everybody.
func (w *World) actInGroup(number string, act func(group.Person) ([]group.Push, *stanza.Error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.linkable(number)
	if err != nil {
		return err
	}
	pushes, refusal := act(a.person())
	if refusal != nil {
		return refusal
	}
	w.publish(pushes)
	return nil
}

// publish delivers pushes and saves the change.
func (w *World) publish(pushes []group.Push) {
	w.deliverPushes(pushes)
	w.commit()
}

func (w *World) results(list []group.ParticipantResult) []Result {
	out := make([]Result, 0, len(list))
	for _, r := range list {
		out = append(out, Result{JID: r.JID.String(), Number: r.Person.PN.User, Code: r.Code})
	}
	return out
}

// parsePeople reads phone numbers and JIDs.
func parsePeople(people []string) ([]types.JID, error) {
	list := make([]types.JID, 0, len(people))
	for i, text := range people {
		jid, err := parsePerson(text)
		if err != nil {
			return nil, fmt.Errorf("participants[%d]: %w", i, err)
		}
		list = append(list, jid)
	}
	return list, nil
}

func parsePerson(text string) (types.JID, error) {
	if numberForm.MatchString(text) {
		return types.NewJID(strings.TrimPrefix(text, "+"), types.DefaultUserServer), nil
	}
	jid, err := types.ParseJID(text)
	if err != nil || jid.User == "" || jid.Server == types.GroupServer {
		return types.EmptyJID, fmt.Errorf("%q is neither a phone number nor a person's JID", text)
	}
	return jid.ToNonAD(), nil
}
