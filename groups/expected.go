package groups

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/event"
	"muster/internal/fault"
)

// WhatsApp tells every device of an account what the account has done, so each
// change of ours comes back, and sometimes before the answer to it. Then the
// echo is what is recorded, and it has to say whose request it was. So each
// operation says before it asks WhatsApp what it expects to come back.

// becoming maps the kind of change as its echo tells it to what it is: the
// departure of the account, for example, may be the end of a deletion.
type becoming map[ChangeKind]ChangeKind

// as is becoming where the echo tells the kinds as they are.
func as(kinds ...ChangeKind) becoming {
	same := becoming{}
	for _, kind := range kinds {
		same[kind] = kind
	}
	return same
}

// expectation is what one operation expects.
type expectation struct {
	request string // the API's request id, or empty
	kinds   becoming
	group   string // empty for groups that are made or entered by it
	subject string // of a group that is made; empty is any
	// lost is set when the answer did not come; then the echo may come late.
	lost  bool
	until time.Time // zero while the operation goes on
}

// lostWindow is how long the echo of a change is expected whose answer was lost.
const lostWindow = 2 * time.Minute

// expectations are those of all sessions. They are safe for concurrent use.
type expectations struct {
	mu   sync.Mutex
	list map[string][]*expectation // by session
}

func (e *expectations) add(sessionID string, one *expectation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.list == nil {
		e.list = map[string][]*expectation{}
	}
	e.list[sessionID] = append(e.list[sessionID], one)
}

// end forgets an expectation, or lets it last for a while when its answer was
// lost.
func (e *expectations) end(sessionID string, one *expectation, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if one.lost {
		one.until = now.Add(lostWindow)
	}
	left := slices.DeleteFunc(e.list[sessionID], func(other *expectation) bool {
		return other == one && !one.lost || !other.until.IsZero() && now.After(other.until)
	})
	if e.list[sessionID] = left; len(left) == 0 {
		delete(e.list, sessionID)
	}
}

// find returns what the change is and whose request it was, if it is expected.
func (e *expectations) find(c Change, now time.Time) (kind ChangeKind, request string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.list[c.SessionID] {
		kind, named := one.kinds[c.Kind]
		switch {
		case !named || !one.until.IsZero() && now.After(one.until):
		case one.group != "" && one.group != c.Group.String():
		case one.subject != "" && (c.Info == nil || c.Info.Subject != one.subject):
		default:
			return kind, one.request, true
		}
	}
	return c.Kind, "", false
}

func (e *expectations) lose(one *expectation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	one.lost = true
}

type expectedKey struct{}

// expect says that changes of a group will come back as the operation's own.
// Call done once they are recorded. The group is empty for one that is made or
// entered by a link; subject is that of a group to be made.
func (s *Service) expect(ctx context.Context, sessionID string, group types.JID, subject string, kinds becoming) (_ context.Context, done func()) {
	one := &expectation{request: event.RequestOf(ctx), kinds: kinds, subject: subject}
	if !group.IsEmpty() {
		one.group = group.String()
	}
	s.mirror.expected.add(sessionID, one)
	outer, _ := ctx.Value(expectedKey{}).([]*expectation)
	ctx = context.WithValue(ctx, expectedKey{}, append(slices.Clip(outer), one))
	return ctx, func() { s.mirror.expected.end(sessionID, one, s.mirror.now()) }
}

// noteLoss lets the echo come late of a change whose answer was lost.
func (s *Service) noteLoss(ctx context.Context, err error) {
	if !fault.Is(err, fault.OutcomeUnknown) {
		return
	}
	list, _ := ctx.Value(expectedKey{}).([]*expectation)
	for _, one := range list {
		s.mirror.expected.lose(one)
	}
}

// recognise gives a change that an event tells its kind and its request, if it
// is the echo of an operation.
func (w *writing) recognise(c Change) Change {
	if c.Source != SourceEvent || !c.Actor.same(w.me) {
		return c
	}
	if kind, request, ok := w.expected.find(c, w.now); ok {
		c.Kind, c.request, c.echo = kind, request, true
	}
	return c
}
