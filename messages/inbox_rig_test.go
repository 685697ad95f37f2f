package messages_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/event"
	"muster/internal/queue"
	"muster/messages"
	"muster/messages/media"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/session"
	"muster/store"
	"muster/store/storetest"
)

// patience bounds every wait; only a failing test ever uses it up.
const patience = 30 * time.Second

const (
	mine = "my-session"
	me   = "628111000000"
	ann  = "628111000001"
	bob  = "628111000002"
	cid  = "628111000003"
)

// rig is an inbox on a database, with a simulated WhatsApp of its own.
type rig struct {
	t       *testing.T
	wa      *sandbox.Server
	db      *dbutil.Database
	log     *event.Log
	files   *media.Store
	manager *session.Manager
	inbox   *messages.Inbox
	seen    event.Cursor // of the events that told was asked about
	sent    int          // messages of ours
}

// everywhere runs a test on each database, with a linked session.
func everywhere(t *testing.T, test func(r *rig), change ...func(*messages.InboxOptions)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) { test(newRig(t, db, change...)) })
}

func newRig(t *testing.T, db *dbutil.Database, change ...func(*messages.InboxOptions)) *rig {
	t.Helper()
	r := &rig{t: t, wa: sandboxtest.Start(t), db: db}
	for i, number := range []string{me, ann, bob, cid} {
		if _, err := r.wa.AddPhone(sandbox.PhoneOptions{Number: number, Name: fmt.Sprintf("Person %d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	r.log = event.NewLog(event.Options{DB: db, Log: log})
	var err error
	r.files, err = media.OpenStore(media.StoreOptions{Dir: t.TempDir(), Log: log})
	r.must(err)
	t.Cleanup(func() { r.must(r.files.Close()) })
	jobs, err := queue.Open(t.Context(), db, log)
	r.must(err)
	options := messages.InboxOptions{
		DB: db, Log: log, Events: r.log, Retention: messages.Retention{Age: -1, Count: -1},
		Files: r.files, Later: jobs.Insert, MaxFile: 1 << 20,
	}
	for _, apply := range change {
		apply(&options)
	}
	r.inbox, err = messages.OpenInbox(t.Context(), options)
	r.must(err)
	queue.Register(jobs, &messages.Fetcher{Inbox: r.inbox})
	network, err := session.Sandbox(r.wa.Endpoint(), r.wa.RootKey())
	r.must(err)
	fast := session.Pace{Rate: 1000, Burst: 1000}
	r.manager, err = session.NewManager(t.Context(), session.Options{
		DB: db, Network: network, Log: log, Handlers: []session.Handler{r.inbox.Apply}, Events: r.log,
		BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond, StartJitter: time.Millisecond,
		ReadPace: fast, WritePace: fast,
	})
	r.must(err)
	r.inbox.Attach(r.manager)
	r.must(jobs.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.must(jobs.Stop(ctx))
		r.must(r.manager.Close(ctx))
	})
	r.link()
	return r
}

// link links the session to its phone.
func (r *rig) link() {
	r.t.Helper()
	_, err := r.manager.Create(r.t.Context(), session.CreateRequest{ID: mine})
	r.must(err)
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	codes, err := r.manager.WatchQR(ctx, mine)
	r.must(err)
	first := <-codes
	_, err = r.wa.ScanQR(ctx, me, first.Code)
	r.must(err)
	for range codes { // until it is linked
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// eventually waits until the condition holds, looking after each event and now
// and then.
func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	limit := time.After(patience)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-limit:
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// group lets ann make a group with everybody.
func (r *rig) group() types.JID {
	r.t.Helper()
	jid, _, _, err := r.wa.CreateGroup(ann, sandbox.GroupOptions{Name: "Anglers", Participants: []string{me, bob, cid}})
	r.must(err)
	return jid
}

// says lets a phone send something, and waits for it in the inbox.
func (r *rig) says(number, to string, c sandbox.Content) messages.Detail {
	r.t.Helper()
	id, err := r.wa.Send(number, to, sandbox.Outgoing{Content: c})
	r.must(err)
	return r.arrival(id)
}

// acts lets a phone send something that changes another message.
func (r *rig) acts(number, to string, c sandbox.Content) {
	r.t.Helper()
	_, err := r.wa.Send(number, to, sandbox.Outgoing{Content: c})
	r.must(err)
}

func (r *rig) arrival(id string) (found messages.Detail) {
	r.t.Helper()
	r.eventually("message "+id, func() bool {
		var err error
		found, err = r.inbox.Message(r.t.Context(), messages.MessageRequest{SessionID: mine, ID: id})
		return err == nil
	})
	return found
}

func (r *rig) message(id string) messages.Detail {
	r.t.Helper()
	found, err := r.inbox.Message(r.t.Context(), messages.MessageRequest{SessionID: mine, ID: id})
	r.must(err)
	return found
}

// apply gives the inbox an event, as the session's pump does.
func (r *rig) apply(evt any) {
	r.t.Helper()
	r.must(store.Txn(r.t.Context(), r.db, func(ctx context.Context) error { return r.inbox.Apply(ctx, mine, evt) }))
}

// send sends a message of ours and records it, as the service does: it is in
// the outbox until its outcome is known.
func (r *rig) send(to types.JID, message *waE2E.Message) string {
	r.t.Helper()
	id := fmt.Sprintf("3EB0TEST%d", r.sent)
	r.sent++
	_, err := r.db.Exec(r.t.Context(), `INSERT INTO outbox (session_id, chat, id, kind, state, created_at, updated_at)
		VALUES ($1, $2, $3, 'text', 'sending', 1, 1)`, mine, to.String(), id)
	r.must(err)
	var answer whatsmeow.SendResponse
	r.must(r.manager.Do(r.t.Context(), mine, session.Write, func(ctx context.Context, client *whatsmeow.Client) (err error) {
		answer, err = client.SendMessage(ctx, to, message, whatsmeow.SendRequestExtra{ID: id})
		return err
	}))
	r.must(store.Txn(r.t.Context(), r.db, func(ctx context.Context) error {
		if _, err := r.db.Exec(ctx, `DELETE FROM outbox WHERE id = $1`, id); err != nil {
			return err
		}
		return r.inbox.RecordSent(ctx, messages.Outgoing{
			SessionID: mine, Chat: to, ID: id, Timestamp: answer.Timestamp, Message: message, RequestID: "req-" + id,
		})
	}))
	return id
}

// told returns the events of messages since it was last asked, one a line:
// the type and the data's fields that are named.
func (r *rig) told(fields ...string) string {
	r.t.Helper()
	page, err := r.log.Read(r.t.Context(), event.Query{After: r.seen, Limit: event.MaxLimit})
	r.must(err)
	r.seen = page.Next
	var lines []string
	for _, e := range page.Events {
		if !strings.HasPrefix(string(e.Type), "message.") {
			continue
		}
		var data map[string]any
		r.must(e.Decode(&data))
		line := string(e.Type)
		for _, field := range fields {
			value, err := json.Marshal(data[field])
			r.must(err)
			line += " " + string(value)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// chat returns one of the session's chats, or nil.
func (r *rig) chat(jid string) *messages.Chat {
	r.t.Helper()
	list, err := r.inbox.Chats(r.t.Context(), messages.ChatsRequest{SessionID: mine})
	r.must(err)
	for i := range list.Chats {
		if list.Chats[i].JID == jid {
			return &list.Chats[i]
		}
	}
	return nil
}

func phoneJID(number string) types.JID { return types.NewJID(number, types.DefaultUserServer) }

func kindsOf(list []messages.Message) string {
	var kinds []string
	for _, m := range list {
		kinds = append(kinds, string(m.Kind))
	}
	return strings.Join(kinds, " ")
}
