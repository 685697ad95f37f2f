package groups

import (
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// Status is what became of one person in a request about several.
type Status string

// Every status of a Result.
const (
	StatusAdded    Status = "Added"
	StatusRemoved  Status = "Removed"
	StatusPromoted Status = "Promoted"
	StatusDemoted  Status = "Demoted"
	// StatusInvited: privacy settings forbade adding, and the person was sent an
	// invite message instead.
	StatusInvited Status = "Invited"
	// StatusRequested: WhatsApp turned the addition into a request that an
	// admin has to approve.
	StatusRequested Status = "Requested"
	StatusApproved  Status = "Approved" // let in, on their request
	StatusRejected  Status = "Rejected" // turned down
	StatusFailed    Status = "Failed"
)

// Result is what became of one person.
type Result struct {
	// Input is the person as the request spelled it.
	Input string
	Identity
	Status Status
	// Failure is set when Status is Failed.
	Failure *Failure
	// Invite is set when Status is Invited.
	Invite *Ticket
	// offer is what WhatsApp gives with a privacy refusal: the means to invite.
	offer *offer
}

// Failure says why WhatsApp did not do it for this person.
type Failure struct {
	Code   string // one of the Code constants, or "unknown_<number>"
	Reason string // for people
	// WhatsAppCode is the number behind it, or 0 when it was not WhatsApp who refused.
	WhatsAppCode int
}

// Ticket is a personal invitation to a group, as an invite message carries it.
type Ticket struct {
	Code      string
	ExpiresAt time.Time
}

// offer is a ticket that has not been sent yet.
type offer struct {
	ticket Ticket
	to     types.JID
	// messageID names the invite message; empty is a new one.
	messageID types.MessageID
}

// The codes of failures. They are part of the public API.
const (
	CodeNotOnWhatsApp = "not_on_whatsapp"
	CodePrivacy       = "privacy"
	CodeBlocked       = "blocked"
	CodeRecentlyLeft  = "recently_left"
	CodeAlreadyMember = "already_member"
	CodeNotMember     = "not_member"
	CodeCommunity     = "community_restriction"
	CodeGroupFull     = "group_full"
	CodeLegal         = "legal"
	CodeCreator       = "creator"
	CodeNotAcceptable = "not_acceptable"
	CodeNoRequest     = "no_request"
	CodeNotMentioned  = "not_mentioned" // WhatsApp's answer leaves the person out
	codeUnknown       = "unknown_%d"
)

// The numbers with which WhatsApp answers for one person.
const (
	numberPrivacy  = 403
	numberAbsent   = 404
	numberMember   = 409
	numberApproval = 421 // the addition became a request to join
)

// addFailures has the refusals of adding somebody. 403, 408, 421 and 451 are
// those that WhatsApp's own web client tells apart; the others are agreed on by
// the clients that handle them.
var addFailures = map[int]Failure{
	401:           {Code: CodeBlocked, Reason: "one of the two accounts has blocked the other"},
	numberPrivacy: {Code: CodePrivacy, Reason: "the person's privacy settings do not let this account add them"},
	numberAbsent:  {Code: CodeNotOnWhatsApp, Reason: "there is no WhatsApp account with this number"},
	408:           {Code: CodeRecentlyLeft, Reason: "the person left this group a short while ago and cannot be added yet"},
	numberMember:  {Code: CodeAlreadyMember, Reason: "the person is a member already"},
	417:           {Code: CodeCommunity, Reason: "the rules of the community do not allow it"},
	419:           {Code: CodeGroupFull, Reason: "the group is full"},
	451:           {Code: CodeLegal, Reason: "WhatsApp does not allow it for legal reasons"},
}

// memberFailures has the refusals of removing, promoting and demoting.
var memberFailures = map[int]Failure{
	404: {Code: CodeNotMember, Reason: "the person is not a member of the group"},
	406: {Code: CodeNotAcceptable, Reason: "WhatsApp does not accept it: the account itself leaves instead, and the last admin stays one"},
	405: {Code: CodeCreator, Reason: "the creator of the group cannot be removed or demoted"},
}

// requestFailures has the refusals of deciding about requests to join.
var requestFailures = map[int]Failure{
	404:          {Code: CodeNoRequest, Reason: "the person has not asked to join, or not any more"},
	numberMember: {Code: CodeAlreadyMember, Reason: "the person is a member already"},
	417:          {Code: CodeCommunity, Reason: "the community is full, or its rules do not allow it"},
	419:          {Code: CodeGroupFull, Reason: "the group is full"},
}

// outcome reads the number that WhatsApp answered for one person; 0 is success.
func outcome(change whatsmeow.ParticipantChange, number int) (Status, *Failure) {
	table := memberFailures
	success := map[whatsmeow.ParticipantChange]Status{
		whatsmeow.ParticipantChangeAdd:     StatusAdded,
		whatsmeow.ParticipantChangeRemove:  StatusRemoved,
		whatsmeow.ParticipantChangePromote: StatusPromoted,
		whatsmeow.ParticipantChangeDemote:  StatusDemoted,
		approve:                            StatusApproved,
		reject:                             StatusRejected,
	}[change]
	switch change {
	case whatsmeow.ParticipantChangeAdd:
		table = addFailures
	case approve, reject:
		table = requestFailures
	}
	switch {
	case number == 0:
		return success, nil
	case number == numberApproval && change == whatsmeow.ParticipantChangeAdd:
		return StatusRequested, nil
	}
	failure, known := table[number]
	if !known {
		failure = unknownFailure(number)
	}
	failure.WhatsAppCode = number
	return StatusFailed, &failure
}

// unknownFailure is the refusal whose number no table has.
func unknownFailure(number int) Failure {
	return Failure{Code: fmt.Sprintf(codeUnknown, number), Reason: fmt.Sprintf("WhatsApp refused with the number %d", number)}
}

// reply is WhatsApp's answer about one person.
type reply struct {
	types.GroupParticipant
	used bool
}

// settle fills in the results of the people who were asked about. WhatsApp
// answers in the group's own addressing and normally in the order asked: a
// person is recognised by either name, and by position only where the answer
// in that place cannot be somebody else.
func settle(change whatsmeow.ParticipantChange, people []person, answer []types.GroupParticipant) []Result {
	replies := make([]reply, len(answer))
	for i := range answer {
		replies[i].GroupParticipant = answer[i]
	}
	matched := make([]*reply, len(people))
	for i := range people {
		for j := range replies {
			if !replies[j].used && people[i].is(pair(replies[j].JID, replies[j].PhoneNumber, replies[j].LID)) {
				replies[j].used, matched[i] = true, &replies[j]
				break
			}
		}
	}
	results := make([]Result, len(people))
	for i := range people {
		if matched[i] == nil && len(replies) == len(people) && !replies[i].used &&
			people[i].maybe(pair(replies[i].JID, replies[i].PhoneNumber, replies[i].LID)) {
			replies[i].used, matched[i] = true, &replies[i]
		}
		results[i] = people[i].result(change, matched[i])
	}
	return results
}

func (p person) result(change whatsmeow.ParticipantChange, answer *reply) Result {
	if answer == nil {
		return p.failed(Failure{Code: CodeNotMentioned, Reason: "WhatsApp's answer does not mention this person"})
	}
	p.learn(pair(answer.JID, answer.PhoneNumber, answer.LID))
	status, failure := outcome(change, answer.Error)
	result := Result{Input: p.input, Identity: identity(p.pn, p.lid), Status: status, Failure: failure}
	if answer.Error == numberPrivacy && answer.AddRequest != nil && answer.AddRequest.Code != "" {
		result.offer = &offer{
			ticket: Ticket{Code: answer.AddRequest.Code, ExpiresAt: answer.AddRequest.Expiration},
			to:     p.address(types.AddressingModePN),
		}
	}
	return result
}

func (p person) failed(why Failure) Result {
	return Result{Input: p.input, Identity: identity(p.pn, p.lid), Status: StatusFailed, Failure: &why}
}

// failures counts the people for whom it did not succeed.
func failures(results []Result) (count int) {
	for _, r := range results {
		if r.Status == StatusFailed {
			count++
		}
	}
	return count
}
