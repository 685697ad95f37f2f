package broker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/broker"
	"muster/internal/event"
	"muster/store"
	"muster/store/storetest"
)

// patience bounds every wait; only a failing test uses it up.
const patience = 30 * time.Second

// natsServer runs a real server with its files in the folder; addr may have
// port -1. It returns the address and what ends it.
func natsServer(t *testing.T, dir, port string) (url string, end func()) {
	t.Helper()
	path, err := exec.LookPath("nats-server")
	if err != nil {
		if os.Getenv("MUSTER_REQUIRE_ALL") == "1" {
			t.Fatal("MUSTER_REQUIRE_ALL is set and there is no nats-server")
		}
		t.Skip("there is no nats-server")
	}
	cmd := exec.Command(path, "-js", "-sd", dir, "-a", "127.0.0.1", "-p", port)
	output, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(end)
	listening, ready := regexp.MustCompile(`Listening for client connections on (127\.0\.0\.1:\d+)`), regexp.MustCompile(`Server is ready`)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			url = "nats://" + found[1]
		}
		if ready.MatchString(lines.Text()) {
			go func() {
				for lines.Scan() { // or the server would block on its log
				}
			}()
			return url, end
		}
	}
	t.Fatal("nats-server did not start")
	return "", nil
}

type rig struct {
	t   *testing.T
	db  *dbutil.Database
	log *event.Log
}

func newRig(t *testing.T, db *dbutil.Database) *rig {
	t.Helper()
	if _, err := db.Exec(t.Context(), "INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ('shop', 'shop', 'connected', 1, 1)"); err != nil {
		t.Fatal(err)
	}
	return &rig{t, db, event.NewLog(event.Options{DB: db})}
}

func (r *rig) add(count int) {
	r.t.Helper()
	for i := range count {
		err := store.Txn(r.t.Context(), r.db, func(ctx context.Context) error {
			return r.log.Append(ctx, event.Event{
				Type: event.GroupSubject, SessionID: "shop", Group: "1@g.us", Data: event.Subject{PreviousSubject: fmt.Sprint(i)},
			})
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) publish(url string) (end func()) {
	r.t.Helper()
	p, err := broker.Start(r.t.Context(), broker.Options{
		DB: r.db, Events: r.log, Log: zerolog.Nop(), URL: url, Stream: "MUSTER", Subject: "muster",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			r.t.Error(err)
		}
	}
}

// consumed reads the first messages of the stream, waiting for them.
func (r *rig) consumed(url string, count int) (ids []string) {
	r.t.Helper()
	connection, err := nats.Connect(url, nats.RetryOnFailedConnect(true))
	if err != nil {
		r.t.Fatal(err)
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, "MUSTER", jetstream.OrderedConsumerConfig{FilterSubjects: []string{"muster.shop.group.subject"}})
	for ; err != nil && ctx.Err() == nil; consumer, err = js.OrderedConsumer(ctx, "MUSTER", jetstream.OrderedConsumerConfig{}) {
		<-time.After(10 * time.Millisecond) // the publisher makes the stream, and tells nobody here
	}
	for len(ids) < count {
		message, err := consumer.Next(jetstream.FetchMaxWait(patience))
		if err != nil {
			r.t.Fatalf("after %d of %d events: %v", len(ids), count, err)
		}
		var e event.Envelope
		if err = json.Unmarshal(message.Data(), &e); err != nil {
			r.t.Fatal(err)
		}
		if id := message.Headers().Get(nats.MsgIdHdr); id != e.ID || e.Seq != int64(len(ids)+1) {
			r.t.Fatalf("event %d is %+v with id %s", len(ids)+1, e, id)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

// TestEveryEventOnce checks that the broker has every event once and in order,
// whatever was down when: the broker, the publisher, or both.
func TestEveryEventOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		r, dir := newRig(t, db), t.TempDir()
		r.add(150) // before there is anything
		url, kill := natsServer(t, dir, "-1")
		end := r.publish(url)
		first := r.consumed(url, 150)
		kill()
		r.add(20) // while the broker is away
		_, port, _ := cutLast(url)
		url, _ = natsServer(t, dir, port)
		second := r.consumed(url, 170)
		end()
		r.add(20) // while nobody publishes
		// As after a crash between publishing and noting it.
		if _, err := db.Exec(t.Context(), `UPDATE broker_cursors SET position = 160`); err != nil {
			t.Fatal(err)
		}
		end = r.publish(url)
		defer end()
		all := r.consumed(url, 190)
		if !slices.Equal(first, all[:150]) || !slices.Equal(second, all[:170]) {
			t.Error("the events changed their ids or places")
		}
		if page, err := r.log.Read(t.Context(), event.Query{Limit: 1000}); err != nil || len(page.Events) != len(all) || page.Events[189].ID != all[189] {
			t.Errorf("the log has %d events: %v", len(page.Events), err)
		}
	})
}

// TestOnceAfterALongPause checks that nothing is doubled when the publisher was
// cut off before it had noted what the broker has, and comes back when the
// broker no longer recognises repetitions.
func TestOnceAfterALongPause(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		r := newRig(t, db)
		url, _ := natsServer(t, t.TempDir(), "-1")
		connection, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		js, err := jetstream.New(connection)
		if err != nil {
			t.Fatal(err)
		}
		for name, subject := range map[string]string{"MUSTER": "muster.>", "CLOCK": "clock"} {
			if _, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}, Duplicates: 100 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		}
		r.add(30)
		end := r.publish(url)
		r.consumed(url, 30)
		end()
		if _, err = db.Exec(t.Context(), `UPDATE broker_cursors SET position = 10`); err != nil {
			t.Fatal(err)
		}
		for range 3 { // what is new to the stream each time was forgotten in between
			for {
				ack, err := js.Publish(t.Context(), "clock", nil, jetstream.WithMsgID("tick"))
				if err != nil {
					t.Fatal(err)
				}
				if !ack.Duplicate {
					break
				}
				<-time.After(10 * time.Millisecond)
			}
		}
		r.add(5)
		defer r.publish(url)()
		r.consumed(url, 35)
	})
}

func cutLast(url string) (host, port string, ok bool) {
	at := len(url) - 1
	for at >= 0 && url[at] != ':' {
		at--
	}
	return url[:max(at, 0)], url[at+1:], at >= 0
}
