package messages

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"muster/internal/fault"
)

const (
	// heldParallel bounds in how many chats unconfirmed messages are sent again
	// at the same time.
	heldParallel = 16
	// Between two attempts in a chat: the first pause, doubled each time up to
	// the longest.
	heldFirst, heldLongest = time.Second, time.Minute
	// heldMost is for how long an unconfirmed message is sent again. By then it
	// would surprise those who get it.
	heldMost = 24 * time.Hour
)

// held has the letters of which nobody knows whether WhatsApp has taken them,
// by chat and in their order. They are sent again before anything new is sent
// to the chat, and when the session is connected. It is safe for concurrent
// use; the letters themselves are touched only by whose turn it is in the chat.
type held struct {
	mu    sync.Mutex
	chats map[lineKey]*heldChat
	woken chan struct{}
}

type heldChat struct {
	letters []*letter
	tries   int
	due     time.Time
	busy    bool // it is being sent
}

func (h *held) init() {
	h.chats, h.woken = map[lineKey]*heldChat{}, make(chan struct{}, 1)
}

func (h *held) wake() {
	select {
	case h.woken <- struct{}{}:
	default:
	}
}

// add keeps a letter, after the others of its chat.
func (h *held) add(l *letter, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.wake()
	l.held = true
	chat := h.chats[l.line()]
	if chat == nil {
		chat = &heldChat{due: now.Add(heldFirst)}
		h.chats[l.line()] = chat
	}
	chat.letters = append(chat.letters, l)
}

// remove forgets a letter whose outcome is known.
func (h *held) remove(l *letter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	chat := h.chats[l.line()]
	if chat == nil {
		return
	}
	chat.letters = slices.DeleteFunc(chat.letters, func(other *letter) bool { return other == l })
	if len(chat.letters) == 0 {
		delete(h.chats, l.line())
	}
}

// of returns the letters of a chat.
func (h *held) of(line lineKey) []*letter {
	h.mu.Lock()
	defer h.mu.Unlock()
	if chat := h.chats[line]; chat != nil {
		return slices.Clone(chat.letters)
	}
	return nil
}

func (h *held) has(l *letter) bool { return slices.Contains(h.of(l.line()), l) }

// hurry makes the letters of a session due.
func (h *held) hurry(sessionID string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for line, chat := range h.chats {
		if line.session == sessionID {
			chat.due, chat.tries = now, 0
			h.wake()
		}
	}
}

// due returns the chats whose letters are to be sent now, marked as busy, and
// how long it is until there may be more.
func (h *held) due(now time.Time) (lines []lineKey, pause time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	pause = time.Hour
	for line, chat := range h.chats {
		switch wait := chat.due.Sub(now); {
		case chat.busy:
		case wait <= 0:
			chat.busy = true
			lines = append(lines, line)
		default:
			pause = min(pause, wait)
		}
	}
	return lines, pause
}

// rest ends an attempt: what is left of the chat waits for the next one.
func (h *held) rest(line lineKey, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.wake()
	if chat := h.chats[line]; chat != nil {
		chat.busy = false
		if !chat.due.After(now) {
			chat.due = now.Add(min(heldFirst<<min(chat.tries, 10), heldLongest))
			chat.tries++
		}
	}
}

// sendHeld sends what is held whenever it is due, until the context ends.
func (s *Service) sendHeld(ctx context.Context) {
	slots := make(chan struct{}, heldParallel)
	var sending sync.WaitGroup
	defer sending.Wait()
	for {
		lines, pause := s.held.due(s.now())
		for _, line := range lines {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			sending.Go(func() {
				s.sendLine(ctx, line)
				<-slots
			})
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.held.woken:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// sendLine sends what is held of a chat, in turn with those who send to it.
func (s *Service) sendLine(ctx context.Context, line lineKey) {
	defer func() { s.held.rest(line, s.now()) }()
	turn := s.lines.Join(line)
	defer turn.Leave()
	if wait(ctx, turn) != nil {
		return // the next attempt waits again
	}
	if err := s.flush(ctx, line); err != nil && ctx.Err() == nil {
		zerolog.Ctx(ctx).Info().Err(err).Str("session", line.session).Msg("a message is still not confirmed; it is sent again later")
	}
}

// flush sends what is held of a chat, whose turn the caller has. The error is
// that of the first letter whose outcome remains unknown.
func (s *Service) flush(ctx context.Context, line lineKey) error {
	for _, l := range s.held.of(line) {
		_, err := s.deliver(ctx, l)
		switch {
		case err == nil || !s.held.has(l):
			continue
		case s.now().Sub(l.created) < heldMost:
			return err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
		err = s.undo(ctx, l, fault.New(fault.OutcomeUnknown, "WhatsApp has not confirmed the message for %d hours", int(heldMost.Hours())))
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}
