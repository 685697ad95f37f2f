package invitations

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/fault"
	"muster/internal/idempotency"
	"muster/internal/turns"
)

// turnWait is how long a request waits for those before it.
const turnWait = 30 * time.Second

// Request asks people into a group.
type Request struct {
	groups.Target // GroupJID is a whole JID
	// Numbers are phone numbers, phone JIDs or LIDs; repeated ones count once.
	Numbers []string
	Choice  Choice
	// Business is the value of VarBusiness.
	Business string
}

// Reason is why an invitation could not be sent.
type Reason string

// Every reason.
const (
	ReasonInvalid    Reason = "invalid number"
	ReasonNoAccount  Reason = "not on whatsapp"
	ReasonSendFailed Reason = "send failed"
)

// Failure is somebody to whom no invitation was sent.
type Failure struct {
	Number string
	Reason Reason
}

// Outcome is what became of the numbers, as the request spells them and each
// once, in its order.
type Outcome struct {
	// Sent: a message is on its way, or will be as soon as it can.
	Sent []string
	// Skipped: they are in the group, have left it or were removed from it, or
	// have an invitation with the present link.
	Skipped []string
	Failed  []Failure
}

// Invite sends a message with the group's link to everybody who is not known to
// have had it already. What keeps all of them from being asked is an error; after
// the first message, those to whom it could not be sent are in the answer.
func (s *Service) Invite(ctx context.Context, req Request) (Outcome, error) {
	if err := req.Validate(); err != nil {
		return Outcome{}, err
	}
	switch {
	case len(req.Numbers) == 0:
		return Outcome{}, fault.Field("phone_numbers", "must name at least one person")
	case len(req.Numbers) > s.max:
		return Outcome{}, fault.Field("phone_numbers", "has %d entries; %d is the most in one request", len(req.Numbers), s.max)
	}
	template, err := s.library.Find("invitation_template_id", req.Choice.TemplateID)
	if err != nil {
		return Outcome{}, err
	}
	turn := s.lines.Join(line{req.SessionID, req.GroupJID})
	defer turn.Leave()
	if err := turn.Wait(ctx, turnWait); errors.Is(err, turns.ErrTooLong) {
		return Outcome{}, fault.New(fault.RateLimited, "earlier invitations to this group are still being sent").After(time.Second)
	} else if err != nil {
		return Outcome{}, fault.New(fault.Unavailable, "the request was given up while earlier invitations were sent").Because(err)
	}
	run, err := s.prepare(ctx, req, template)
	if err != nil {
		return Outcome{}, err
	}
	return run.send(ctx)
}

// guest is one number of a request.
type guest struct {
	number string
	valid  bool
	groups.Prospect
}

// mailing is one request on its way.
type mailing struct {
	*Service
	request Request
	guests  []guest
	link    string
	text    string
	attempt *idempotency.Attempt
	// before are those to whom an earlier run of the same request has sent it.
	before  []string
	outcome Outcome
}

// prepare finds out about the people, gets the link and writes the text.
func (s *Service) prepare(ctx context.Context, req Request, template Template) (*mailing, error) {
	run := &mailing{Service: s, request: req, attempt: idempotency.From(ctx)}
	if _, err := run.attempt.Noted(noteInvited, &run.before); err != nil {
		return nil, err
	}
	run.attempt.Settle() // what an earlier run has sent is noted
	if err := run.meet(ctx); err != nil {
		return nil, err
	}
	group, err := s.groups.Get(ctx, groups.GetRequest{Target: req.Target})
	if err != nil {
		return nil, err
	}
	if run.link, err = s.Link(ctx, req.Target, false); err != nil {
		return nil, err
	}
	values, err := req.Choice.values()
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{VarBusiness: req.Business, VarLink: run.link, VarSubject: group.Subject} {
		if _, given := values[name]; !given {
			values[name] = value
		}
	}
	run.text, err = template.Render(values)
	return run, err
}

// noteInvited is the name of the note of whom a repeatable request has invited.
const noteInvited = "invited"

// meet reads the numbers and asks WhatsApp about the people.
func (m *mailing) meet(ctx context.Context) error {
	var numbers []string
	seen := map[string]bool{}
	for _, number := range m.request.Numbers {
		jid, err := address.Person("phone_numbers", number)
		name := number
		if err == nil {
			name = jid.String()
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		m.guests = append(m.guests, guest{number: number, valid: err == nil})
		if err == nil {
			numbers = append(numbers, number)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	prospects, err := m.groups.Prospects(ctx, groups.MembershipRequest{Target: m.request.Target, Participants: numbers})
	if err != nil {
		return err
	}
	for i := range m.guests {
		if m.guests[i].valid {
			m.guests[i].Prospect, prospects = prospects[0], prospects[1:]
		}
	}
	return nil
}

// send goes through the people.
func (m *mailing) send(ctx context.Context) (Outcome, error) {
	var obstacle error
	for _, g := range m.guests {
		skip, reason, err := m.judge(ctx, g)
		switch {
		case err != nil:
			return Outcome{}, err
		case reason == "" && !skip && obstacle == nil:
			if reason, obstacle, err = m.invite(ctx, g); err != nil {
				return Outcome{}, err
			}
		case reason == "" && !skip:
			reason = ReasonSendFailed
		}
		switch {
		case skip:
			m.outcome.Skipped = append(m.outcome.Skipped, g.number)
		case reason != "":
			m.outcome.Failed = append(m.outcome.Failed, Failure{g.number, reason})
		default:
			m.outcome.Sent = append(m.outcome.Sent, g.number)
		}
	}
	if obstacle != nil && len(m.outcome.Sent) == 0 {
		return Outcome{}, obstacle
	}
	return m.outcome, nil
}

// judge tells whom there is nothing to be sent to.
func (m *mailing) judge(ctx context.Context, g guest) (skip bool, reason Reason, err error) {
	switch {
	case !g.valid:
		return false, ReasonInvalid, nil
	case g.Absent:
		return false, ReasonNoAccount, nil
	case g.Member:
		return true, "", nil
	}
	known, ok, err := m.repo.find(ctx, m.request.SessionID, m.request.GroupJID, g.Identity)
	if err != nil || !ok || m.earlier(g.number) {
		return false, "", err
	}
	switch known.state {
	case stateLeft, stateRemoved:
		return true, "", nil
	case stateInvited:
		// An invitation ends with its link.
		return known.link == m.link, "", nil
	}
	return false, "", nil
}

func (m *mailing) earlier(number string) bool {
	for _, sent := range m.before {
		if sent == number {
			return true
		}
	}
	return false
}

// invite sends the message to one person. An obstacle is what all the others
// would meet, too.
func (m *mailing) invite(ctx context.Context, g guest) (reason Reason, obstacle, err error) {
	if m.earlier(g.number) {
		return "", nil, nil
	}
	if len(m.outcome.Sent) > 0 {
		if err := m.rest(ctx); err != nil {
			return ReasonSendFailed, err, nil
		}
	}
	if err := m.attempt.Sending(ctx); err != nil {
		return "", nil, err
	}
	// Each message has an id of its own, which one attempt has only one of.
	err = m.Service.send(idempotency.With(ctx, nil), m.request.SessionID, g.JID, m.text)
	switch {
	case err == nil:
	case common(fault.From(err).Code):
		return ReasonSendFailed, err, nil
	default:
		zerolog.Ctx(ctx).Info().Err(err).Str("group", m.request.GroupJID).Msg("an invitation could not be sent")
		return ReasonSendFailed, nil, nil
	}
	// It is sent, whatever becomes of the request.
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	m.before = append(m.before, g.number)
	return "", nil, errors.Join(
		m.repo.note(recording, m.request.SessionID, m.request.GroupJID, g.Identity, stateInvited, m.link, m.now()),
		m.attempt.Note(recording, noteInvited, m.before),
	)
}

// recordTimeout bounds the writing of what has happened already.
const recordTimeout = 30 * time.Second

// rest is the pause between two messages.
func (m *mailing) rest(ctx context.Context) error {
	timer := time.NewTimer(m.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "the request was given up while invitations were sent").Because(ctx.Err())
	}
}

// common tells whether a failure is about the session and not about a person.
func common(code fault.Code) bool {
	switch code {
	case fault.SessionNotFound, fault.SessionNotLinked, fault.SessionNotConnected, fault.RateLimited, fault.AccountRestricted,
		fault.NoAnswer, fault.Unavailable, fault.Internal:
		return true
	}
	return false
}
