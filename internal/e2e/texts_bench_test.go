package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const (
	textMembers = 256 // of the group, with two devices each
	textRounds  = 20  // in which the two senders take turns
	textsAtOnce = 50  // by each in a round: 1,000 texts in all
	// textLimit is how much longer the server may take than a bare client.
	textLimit = 1.25
)

// BenchmarkGroupTexts sends 1,000 texts to a group of 256 members with two
// devices each, through the server's API and with a bare whatsmeow client that
// has the same kind of store, in turns and against the same simulator. What
// counts is the ratio. The other members exist by their keys alone, so that
// the time is that of the senders; each sender has a group of its own, with
// the same people, so that neither has to read what the other sends.
//
//	go test ./internal/e2e -run '^$' -bench GroupTexts -benchtime 1x -timeout 30m
func BenchmarkGroupTexts(b *testing.B) {
	for b.Loop() {
		measureTexts(b)
	}
}

func measureTexts(b *testing.B) {
	const served, bare = "4915900000001", "4915900000002"
	b.Setenv("MUSTER_LOG_LEVEL", "warn")
	for _, setting := range []string{"READ_RATE", "READ_BURST", "WRITE_RATE", "WRITE_BURST"} {
		b.Setenv("MUSTER_SESSIONS_"+setting, "100000")
	}
	w := startWorld(b)
	w.phone(b, served, "Served")
	w.phone(b, bare, "Bare")
	members := textPeople(b, w)
	s := serve(b, w, filepath.Join(b.TempDir(), "served"))
	s.link(b, w, "me", served)
	client := textClient(b, w, bare)
	senders := []func(string) error{
		serverSender(s, textGroup(b, w, served, members)), clientSender(b, client, textGroup(b, w, bare, members)),
	}
	var took [2]time.Duration
	for round := range textRounds {
		for turn := range senders {
			i := (round + turn) % 2 // who begins changes
			began := time.Now()
			for n := range textsAtOnce {
				if err := senders[i](fmt.Sprintf("Text %d of round %d: the market opens at eight.", n, round)); err != nil {
					b.Fatal(err)
				}
			}
			took[i] += time.Since(began)
		}
	}
	each := func(i int) float64 { return took[i].Seconds() * 1000 / (textRounds * textsAtOnce) }
	ratio := each(0) / each(1)
	b.ReportMetric(each(0), "muster-ms/text")
	b.ReportMetric(each(1), "bare-ms/text")
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(0, "ns/op")
	client.Disconnect()
	for _, p := range []*process{s.process, w.process} {
		p.end(b)
	}
	if ratio > textLimit {
		b.Errorf("a text takes %.1f ms, which is %.2f times the %.1f ms of a bare client; it should be %.2f at most", each(0), ratio, each(1), textLimit)
	}
}

// textPeople makes the members that exist by their keys alone: a phone that is
// switched off and a stand-in for a companion.
func textPeople(b *testing.B, w *world) []string {
	b.Helper()
	numbers := make([]string, 0, textMembers-1)
	for i := range textMembers - 1 {
		numbers = append(numbers, benchNumber(i))
		w.control(b, http.MethodPost, "/phones", map[string]any{"number": benchNumber(i), "off": true, "stand_ins": 1}, nil)
	}
	return numbers
}

// textGroup lets a phone make a group of all.
func textGroup(b *testing.B, w *world, owner string, members []string) string {
	b.Helper()
	var made struct {
		JID string `json:"group_jid"`
	}
	w.control(b, http.MethodPost, "/phones/"+owner+"/groups", map[string]any{"name": "Everybody", "participants": members}, &made)
	return made.JID
}

// textClient links a bare client that keeps its keys in a file, as the server does.
func textClient(b *testing.B, w *world, number string) *whatsmeow.Client {
	b.Helper()
	trust(b, w)
	path := filepath.Join(b.TempDir(), "bare.db")
	container, err := sqlstore.New(b.Context(), "sqlite3", "file:"+path+"?_foreign_keys=on&_journal_mode=WAL&_synchronous=FULL&_busy_timeout=10000&_txlock=immediate", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := container.Close(); err != nil {
			b.Error(err)
		}
	})
	order := holding{World: w.url, RootKey: w.rootKey}
	client := bareClient(order, container.NewDevice())
	if err = connectBare(b.Context(), order, client, number); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Disconnect)
	return client
}

// serverSender sends texts through the API, one request after the other.
func serverSender(s *server, group string) func(string) error {
	return func(text string) error {
		status, answer, err := request(http.MethodPost, s.url+"/api/v1/sessions/me/messages/text", map[string]any{"to": group, "text": text})
		if err == nil && status/100 != 2 {
			err = fmt.Errorf("send: %d %s", status, answer)
		}
		return err
	}
}

func clientSender(b *testing.B, client *whatsmeow.Client, group string) func(string) error {
	b.Helper()
	to, err := types.ParseJID(group)
	if err != nil {
		b.Fatal(err)
	}
	return func(text string) error {
		ctx, cancel := context.WithTimeout(b.Context(), patience)
		defer cancel()
		_, err := client.SendMessage(ctx, to, &waE2E.Message{Conversation: proto.String(text)})
		return err
	}
}
