package messages_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/event"
	"muster/internal/queue"
	"muster/messages"
	"muster/messages/media"
	"muster/sandbox"
	"muster/sandbox/phone"
	"muster/sandbox/sandboxtest"
	"muster/session"
	"muster/store/storetest"
)

// sender is everything that sends, on a database, as one run of the server has
// it; another run may follow on the same database.
type sender struct {
	t       *testing.T
	wa      *sandbox.Server
	db      *dbutil.Database
	dir     string // of files
	manager *session.Manager
	files   *media.Store
	inbox   *messages.Inbox
	service *messages.Service
	end     func()
}

// sending runs a test on each database, with a session that is linked to the
// phone of me, and phones of others.
func sending(t *testing.T, test func(s *sender)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		s := &sender{t: t, wa: sandboxtest.Start(t), db: db, dir: t.TempDir()}
		for _, number := range []string{me, ann, bob} {
			_, err := s.wa.AddPhone(sandbox.PhoneOptions{Number: number, Name: "N" + number[len(number)-2:]})
			s.must(err)
		}
		s.run()
		t.Cleanup(func() { s.end() })
		(&rig{t: t, wa: s.wa, manager: s.manager}).link()
		test(s)
	})
}

func (s *sender) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// run begins a run of the server. The test, or its end, ends it.
func (s *sender) run() {
	s.t.Helper()
	ctx := s.t.Context()
	log := zerolog.New(zerolog.NewTestWriter(s.t)).Level(zerolog.ErrorLevel)
	files, err := media.OpenStore(media.StoreOptions{Dir: s.dir, Log: log})
	s.must(err)
	s.files = files
	jobs, err := queue.Open(ctx, s.db, log)
	s.must(err)
	events := event.NewLog(event.Options{DB: s.db, Log: log})
	s.inbox, err = messages.OpenInbox(ctx, messages.InboxOptions{
		DB: s.db, Log: log, Events: events, Files: files, Later: jobs.Insert, Retention: messages.Retention{Age: -1, Count: -1},
	})
	s.must(err)
	queue.Register(jobs, &messages.Fetcher{Inbox: s.inbox})
	network, err := session.Sandbox(s.wa.Endpoint(), s.wa.RootKey())
	s.must(err)
	var service *messages.Service
	fast := session.Pace{Rate: 1000, Burst: 1000}
	s.manager, err = session.NewManager(ctx, session.Options{
		DB: s.db, Network: network, Log: log, Events: events, ReadPace: fast, WritePace: fast,
		BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond, StartJitter: time.Millisecond,
		Handlers: []session.Handler{s.inbox.Apply, func(ctx context.Context, id string, evt any) error { return service.Apply(ctx, id, evt) }},
	})
	s.must(err)
	s.inbox.Attach(s.manager)
	service = messages.NewService(messages.Options{
		DB: s.db, Log: log, Sessions: s.manager, Inbox: s.inbox, Queue: jobs,
		Media: media.NewLibrary(media.Options{
			Store: files, Fetch: media.FetchOptions{Timeout: patience},
			Limits: media.Limits{Image: 1 << 20, Video: 1 << 20, Audio: 1 << 20, Document: 1 << 20, Sticker: 1 << 20}, Log: log,
		}),
		Timer: func(context.Context, string, string) (uint32, error) { return 0, nil },
	})
	s.service = service
	s.must(jobs.Start(ctx))
	s.must(service.Start(ctx))
	s.end = func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.must(service.Close(ctx))
		s.must(jobs.Stop(ctx))
		s.must(s.manager.Close(ctx))
		s.must(files.Close())
	}
}

// rerun is the next run of the server; its sessions do not connect by themselves.
func (s *sender) rerun() {
	s.t.Helper()
	s.end()
	s.run()
}

// text sends a text to ann.
func (s *sender) text(text string) (messages.Sent, error) {
	return s.service.SendText(s.t.Context(), messages.TextRequest{Envelope: messages.Envelope{SessionID: mine, To: ann}, Text: text})
}

// connect connects the session, and waits until it is.
func (s *sender) connect() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	_, err := s.manager.Connect(ctx, mine)
	s.must(err)
	states, err := s.manager.Watch(ctx, mine)
	s.must(err)
	for state := range states {
		if state.Status == session.StatusConnected {
			return
		}
	}
	s.t.Fatal("the session does not connect")
}

// reads waits until ann has read exactly these texts.
func (s *sender) reads(want ...string) {
	s.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		changed := s.wa.Changed()
		inbox, err := s.wa.Inbox(ann)
		s.must(err)
		var got []string
		for _, m := range inbox {
			if m.Kind == phone.KindText {
				got = append(got, m.Text)
			}
		}
		if slices.Equal(got, want) {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			s.t.Fatalf("%s has read %q, want %q", ann, got, want)
		}
	}
}

// fails makes WhatsApp fail the next message.
func (s *sender) fails(effect sandbox.FaultEffect) {
	s.t.Helper()
	_, err := s.wa.Faults().Add(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: effect, Count: 1})
	s.must(err)
}
