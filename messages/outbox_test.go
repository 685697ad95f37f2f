package messages_test

import (
	"testing"
	"time"

	"muster/internal/fault"
	"muster/messages"
	"muster/messages/media"
	"muster/sandbox"
)

// What was being sent when the server ended is sent by the next run under the
// same id, and read once.
func TestOutboxSurvives(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]sandbox.FaultEffect{
		"taken": {ApplyThenDisconnect: true},
		"not":   {Close: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sending(t, func(s *sender) {
				_, err := s.text("First")
				s.must(err)
				s.fails(effect)
				if _, err = s.text("Perhaps"); !fault.Is(err, fault.OutcomeUnknown) {
					t.Fatalf("a message without an answer: %v", err)
				}
				_, err = s.manager.Disconnect(t.Context(), mine)
				s.must(err)
				s.rerun()
				s.connect()
				s.reads("First", "Perhaps")
				_, err = s.text("Last")
				s.must(err)
				s.reads("First", "Perhaps", "Last")
			})
		})
	}
}

// A message that is refused when it is sent again has failed, and says why.
func TestOutboxRefused(t *testing.T) {
	t.Parallel()
	sending(t, func(s *sender) {
		s.fails(sandbox.FaultEffect{Close: true})
		if _, err := s.text("Perhaps"); !fault.Is(err, fault.OutcomeUnknown) {
			t.Fatalf("a message without an answer: %v", err)
		}
		_, err := s.manager.Disconnect(t.Context(), mine)
		s.must(err)
		s.fails(sandbox.FaultEffect{Error: 463})
		s.connect()
		_, err = s.text("Next")
		s.must(err)
		s.reads("Next")
		list, err := s.inbox.ChatMessages(t.Context(), messages.ChatMessagesRequest{SessionID: mine, Chat: ann})
		s.must(err)
		states := map[string]string{}
		for _, m := range list.Messages {
			states[m.Content.Text] = string(m.State) + " " + m.ErrorCode
		}
		if states["Perhaps"] != "failed account_restricted" || states["Next"] != "sent " {
			t.Errorf("the messages are %v", states)
		}
	})
}

// A message for later is sent by the next run, once the session is connected,
// with its file and with what it quotes.
func TestScheduleSurvives(t *testing.T) {
	t.Parallel()
	sending(t, func(s *sender) {
		first, err := s.text("First")
		s.must(err)
		at := time.Now().Add(2 * time.Second)
		envelope := messages.Envelope{SessionID: mine, To: ann, SendAt: at, ReplyTo: first.ID}
		later, err := s.service.SendMedia(t.Context(), messages.MediaRequest{
			Envelope: envelope, Kind: "document", Filename: "report.txt", File: media.Source{Data: []byte("What there is to say")},
		})
		s.must(err)
		if later.SendAt.IsZero() || !later.Timestamp.IsZero() {
			t.Errorf("a message for later: %+v", later)
		}
		_, err = s.manager.Disconnect(t.Context(), mine)
		s.must(err)
		s.rerun()
		s.waits(later.ID, string(fault.SessionNotConnected))
		s.connect()
		s.sent(later.ID)
		inbox, err := s.wa.Inbox(ann)
		s.must(err)
		last := inbox[len(inbox)-1]
		if m := last.Content.Media; last.ID != later.ID || m == nil || m.FileName != "report.txt" || last.Content.Quoted == nil || last.Content.Quoted.Text != "First" {
			t.Errorf("it arrived as %+v", last.Content)
		}
		if file, err := s.wa.Download(ann, later.ID); err != nil || string(file) != "What there is to say" {
			t.Errorf("its file is %q: %v", file, err)
		}
	})
}

// What WhatsApp refuses has failed; what can still be taken back is not sent.
func TestScheduleEnds(t *testing.T) {
	t.Parallel()
	sending(t, func(s *sender) {
		soon := messages.Envelope{SessionID: mine, To: ann, SendAt: time.Now().Add(time.Second)}
		s.fails(sandbox.FaultEffect{Error: 475})
		refused, err := s.service.SendText(t.Context(), messages.TextRequest{Envelope: soon, Text: "Refused"})
		s.must(err)
		s.state(refused.ID, messages.OutboxFailed, string(fault.AccountRestricted))
		later := messages.Envelope{SessionID: mine, To: ann, SendAt: time.Now().Add(time.Hour)}
		kept, err := s.service.SendText(t.Context(), messages.TextRequest{Envelope: later, Text: "Taken back"})
		s.must(err)
		_, err = s.service.Cancel(t.Context(), mine, kept.ID)
		s.must(err)
		if _, err = s.service.Cancel(t.Context(), mine, refused.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("cancelling what has failed: %v", err)
		}
		list, err := s.service.Scheduled(t.Context(), messages.ScheduledRequest{SessionID: mine})
		s.must(err)
		if len(list.Messages) != 2 || list.Messages[1].State != messages.OutboxCancelled || list.NextCursor != "" {
			t.Errorf("the list is %+v", list)
		}
		list, err = s.service.Scheduled(t.Context(), messages.ScheduledRequest{SessionID: mine, State: messages.OutboxFailed, Limit: 1})
		s.must(err)
		if len(list.Messages) != 1 || list.Messages[0].ID != refused.ID {
			t.Errorf("those that have failed are %+v", list)
		}
	})
}

// state waits until a message for later is in a state, with an error code.
func (s *sender) state(id string, state messages.OutboxState, code string) {
	s.t.Helper()
	limit := time.After(patience)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		m, err := s.service.ScheduledMessage(s.t.Context(), mine, id)
		s.must(err)
		if m.State == state && m.ErrorCode == code {
			return
		}
		select {
		case <-ticker.C:
		case <-limit:
			s.t.Fatalf("the message for later is %+v, want %s %s", m, state, code)
		}
	}
}

func (s *sender) waits(id, code string) {
	s.t.Helper()
	s.state(id, messages.OutboxScheduled, code)
}

func (s *sender) sent(id string) {
	s.t.Helper()
	s.state(id, messages.OutboxSent, "")
}
