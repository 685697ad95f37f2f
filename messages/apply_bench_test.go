package messages_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/event"
	"muster/messages"
	"muster/session"
	"muster/store"
	"muster/store/storetest"
)

// BenchmarkApply is what one text in a group costs: everything that is written
// of it in its transaction, the commit included, beside a transaction that
// writes one row.
func BenchmarkApply(b *testing.B) {
	db, inbox := benchInbox(b)
	apply := func(b *testing.B, write func(ctx context.Context, i int) error) {
		for i := range b.N {
			if err := store.Txn(b.Context(), db, func(ctx context.Context) error { return write(ctx, i) }); err != nil {
				b.Fatal(err)
			}
		}
	}
	group, lid := types.NewJID("120363000000000001", types.GroupServer), types.NewJID("77777777777", types.HiddenUserServer)
	b.Run("row", func(b *testing.B) {
		apply(b, func(ctx context.Context, i int) error {
			_, err := db.Exec(ctx, `UPDATE sessions SET updated_at = $2 WHERE id = $1`, mine, i)
			return err
		})
	})
	run := 0
	b.Run("text", func(b *testing.B) {
		run++
		apply(b, func(ctx context.Context, i int) error {
			said := spoken(fmt.Sprint(run, "-", i), group, lid, text("Selamat pagi, semua! Besok kita memancing di danau."))
			said.Info.SenderAlt = phoneJID(bob)
			return inbox.Apply(ctx, mine, said)
		})
	})
}

// BenchmarkReceipts is what a text to a group of 255 brings: the receipts of two
// devices of each, one after the other.
func BenchmarkReceipts(b *testing.B) {
	db, inbox := benchInbox(b)
	group := types.NewJID("120363000000000001", types.GroupServer)
	const members = 255
	b.ResetTimer()
	for i := range b.N {
		id := fmt.Sprint("3EB0", i)
		err := inbox.RecordSent(b.Context(), messages.Outgoing{SessionID: mine, Chat: group, ID: id, Timestamp: time.Unix(1_800_000_000, 0), Message: text("hi"), State: messages.StateSent})
		if err != nil {
			b.Fatal(err)
		}
		for device := range uint16(2) {
			for person := range members {
				receipt := &events.Receipt{MessageSource: types.MessageSource{
					Chat: group, IsGroup: true, Sender: types.JID{User: fmt.Sprint(10_000_000_000 + person), Server: types.HiddenUserServer, Device: device},
				}, MessageIDs: []string{id}, Timestamp: time.Unix(1_800_000_001, 0), Type: types.ReceiptTypeDelivered}
				if err = store.Txn(b.Context(), db, func(ctx context.Context) error { return inbox.Apply(ctx, mine, receipt) }); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/members/2, "µs/receipt")
}

// benchInbox is an inbox with a session that nobody is linked to.
func benchInbox(b *testing.B) (*dbutil.Database, *messages.Inbox) {
	b.Helper()
	db := storetest.SQLite(b)
	log := event.NewLog(event.Options{DB: db})
	inbox, err := messages.OpenInbox(b.Context(), messages.InboxOptions{DB: db, Log: zerolog.Nop(), Events: log, Retention: messages.Retention{Age: -1, Count: -1}})
	if err != nil {
		b.Fatal(err)
	}
	manager, err := session.NewManager(b.Context(), session.Options{DB: db})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := manager.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	inbox.Attach(manager)
	if _, err = manager.Create(b.Context(), session.CreateRequest{ID: mine}); err != nil {
		b.Fatal(err)
	}
	return db, inbox
}
