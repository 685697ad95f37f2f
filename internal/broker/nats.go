// Package broker passes the log of events on to a message broker: NATS with
// JetStream, which keeps them and gives them to any number of consumers.
package broker

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/event"
)

const (
	// ackLimit is how long the broker may take to store one event.
	ackLimit = 10 * time.Second
	// firstPause and longestPause are the bounds of the growing pause after a failure.
	firstPause   = 200 * time.Millisecond
	longestPause = 30 * time.Second
	// duplicates is for how long a stream of ours recognises an event that is
	// published again, as after a crash between publishing and noting it.
	duplicates = 10 * time.Minute
)

// Options say which broker. DB, Events, URL, Stream and Subject are required.
type Options struct {
	DB      *dbutil.Database
	Events  *event.Log
	Log     zerolog.Logger
	Metrics prometheus.Registerer // default: none

	// URL is that of the server, or of several with commas between:
	// nats://host:4222 or tls://host:4222, with a user or a token in front of an @
	// where they are needed.
	URL string
	// Credentials is the path of a .creds file; empty is none.
	Credentials string
	// Stream is the name of the JetStream stream. It is made when it does not
	// exist; one that exists must take the subjects, and is not changed.
	Stream string
	// Subject begins every subject: SUBJECT.SESSION.TYPE, as in
	// muster.shop.group.participants.
	Subject string
}

// Publisher publishes every event of the log, in its order and one after the
// other. What the broker has is noted in the database: an event is published
// again after a crash at most, and then with the same Nats-Msg-Id, which is
// its id. While the broker is away nothing is lost but what the log no longer
// keeps.
type Publisher struct {
	options   Options
	log       zerolog.Logger
	published prometheus.Counter
	failures  prometheus.Counter
	stop      context.CancelFunc
	done      sync.WaitGroup
	noted     event.Cursor
}

// Start begins to publish, in the background and until Close. A broker that
// does not answer is no error: it is tried again.
func Start(ctx context.Context, o Options) (*Publisher, error) {
	p := &Publisher{
		options: o, log: o.Log.With().Str("component", "broker").Logger(),
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_broker_published_total", Help: "Events that the message broker has confirmed.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_broker_failures_total", Help: "Attempts to pass events on to the message broker that failed.",
		}),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(p.published, p.failures)
	}
	settings := []nats.Option{
		nats.Name("Muster"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		// What cannot be sent now is not kept by the client, but read again from the log.
		nats.ReconnectBufSize(-1),
	}
	if o.Credentials != "" {
		settings = append(settings, nats.UserCredentials(o.Credentials))
	}
	connection, err := nats.Connect(o.URL, settings...)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection to NATS: %w", err)
	}
	js, err := jetstream.New(connection)
	if err != nil {
		connection.Close()
		return nil, fmt.Errorf("prepare JetStream: %w", err)
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.done.Go(func() {
		defer connection.Close()
		p.run(ctx, js)
	})
	return p, nil
}

// Close ends the publishing, as soon as the context lets it.
func (p *Publisher) Close(ctx context.Context) error {
	p.stop()
	ended := make(chan struct{})
	go func() {
		p.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the publisher of events: %w", ctx.Err())
	}
}

// run publishes until the context ends, and begins anew after failures.
func (p *Publisher) run(ctx context.Context, js jetstream.JetStream) {
	pause := firstPause
	for {
		before := p.noted
		err := p.follow(ctx, js)
		if ctx.Err() != nil {
			return
		}
		if p.noted > before {
			pause = firstPause
		}
		p.failures.Inc()
		p.log.Warn().Err(err).Dur("again_in", pause).Msg("cannot pass events on to the message broker")
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// follow publishes from where the broker is until something fails.
func (p *Publisher) follow(ctx context.Context, js jetstream.JetStream) error {
	stream, err := p.ensure(ctx, js)
	if err != nil {
		return err
	}
	after, err := p.position(ctx)
	if err != nil {
		return err
	}
	stored, err := p.stored(ctx, stream)
	if err != nil {
		return err
	}
	after = max(after, stored)
	p.noted = after
	return p.options.Events.Stream(ctx, event.Query{After: after}, 0, func(page event.Page) error {
		if page.Gap {
			p.log.Error().Msg("the broker was away for longer than events are kept: some were not passed on")
		}
		for _, e := range page.Events {
			err := p.publish(ctx, js, e)
			if errors.Is(err, nats.ErrMaxPayload) {
				p.failures.Inc()
				p.log.Error().Err(err).Msg("an event is larger than the message broker takes, and was left out")
			} else if err != nil {
				return err
			}
		}
		return p.note(ctx, page.Next)
	})
}

// ensure makes the stream when there is none.
func (p *Publisher) ensure(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	stream, err := js.Stream(ctx, p.options.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: p.options.Stream, Subjects: []string{p.options.Subject + ".>"}, Duplicates: duplicates,
			Description: "What happens to Muster's sessions",
		})
	}
	if err != nil {
		return nil, fmt.Errorf("look for the stream %s: %w", p.options.Stream, err)
	}
	return stream, nil
}

// stored is the newest event of this log that the stream has, 0 for none. A
// crash between publishing and noting leaves what is noted behind it, and after
// a long pause the stream would not recognise what it is given again.
func (p *Publisher) stored(ctx context.Context, stream jetstream.Stream) (event.Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	last, err := stream.GetLastMsgForSubject(ctx, p.options.Subject+".>")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the end of the stream %s: %w", p.options.Stream, err)
	}
	id := last.Header.Get(nats.MsgIdHdr)
	if _, ours, err := p.options.Events.Get(ctx, id); err != nil || !ours {
		return 0, err // another log's, or of before this one was restored
	}
	return event.ParseCursor(id)
}

// publish waits until the broker has stored the event.
func (p *Publisher) publish(ctx context.Context, js jetstream.JetStream, e event.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write event %s: %w", e.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	subject := p.options.Subject + "." + e.SessionID + "." + string(e.Type)
	message := &nats.Msg{Subject: subject, Data: body, Header: nats.Header{}}
	_, err = js.PublishMsg(ctx, message, jetstream.WithMsgID(e.ID), jetstream.WithExpectStream(p.options.Stream))
	if err != nil {
		return fmt.Errorf("publish event %s: %w", e.ID, err)
	}
	p.published.Inc()
	return nil
}

// position is how far the broker has the log: at first its beginning.
func (p *Publisher) position(ctx context.Context) (event.Cursor, error) {
	var position event.Cursor
	err := p.options.DB.QueryRow(ctx, `SELECT position FROM broker_cursors WHERE stream = $1`, p.options.Stream).Scan(&position)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read how far the broker has the log of events: %w", err)
	}
	return position, nil
}

func (p *Publisher) note(ctx context.Context, position event.Cursor) error {
	_, err := p.options.DB.Exec(ctx, `INSERT INTO broker_cursors (stream, position) VALUES ($1, $2)
		ON CONFLICT (stream) DO UPDATE SET position = excluded.position`, p.options.Stream, int64(position))
	if err != nil {
		return fmt.Errorf("note how far the broker has the log of events: %w", err)
	}
	p.noted = cmp.Or(position, p.noted)
	return nil
}
