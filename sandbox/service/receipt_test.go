package service_test

import (
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox/sandboxtest"
)

// receipt waits for a receipt of one type for a message.
func receipt(t *testing.T, c *sandboxtest.Client, id string, kind types.ReceiptType, fits func(*events.Receipt) bool) *events.Receipt {
	t.Helper()
	return sandboxtest.Wait(t, c, "a receipt of type "+kind.GoString(), func(e *events.Receipt) bool {
		return e.Type == kind && slices.Contains(e.MessageIDs, id) && fits(e)
	})
}

func TestDirectReceipts(t *testing.T) {
	srv := world(t, alice, bob)
	a, b1, b2 := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob), sandboxtest.Link(t, srv, bob)
	aliceLID, bobLID := lid(t, srv, alice), lid(t, srv, bob)
	first := send(t, a, bobLID, text("first"))
	second := send(t, a, bobLID, text("second"))
	for _, device := range []types.JID{bobLID, b1.Store.LID, b2.Store.LID} {
		receipt(t, a, first, types.ReceiptTypeDelivered, func(e *events.Receipt) bool { return e.Sender == device && e.Chat == bobLID })
	}
	// Alice's own phone has it as well.
	receipt(t, a, first, types.ReceiptTypeSender, func(e *events.Receipt) bool { return e.IsFromMe && e.Chat == bobLID })
	b1.Text(t, aliceLID, "second")
	if err := b1.MarkRead(t.Context(), []string{first, second}, time.Now(), aliceLID, aliceLID); err != nil {
		t.Fatal(err)
	}
	read := receipt(t, a, second, types.ReceiptTypeRead, func(e *events.Receipt) bool { return e.Sender == b1.Store.LID })
	if len(read.MessageIDs) != 2 || read.IsFromMe || read.Chat != bobLID {
		t.Errorf("read receipt: %+v", read)
	}
	// Bob's other client learns that he has read.
	receipt(t, b2, second, types.ReceiptTypeRead, func(e *events.Receipt) bool { return e.IsFromMe && e.Chat == aliceLID })
	for _, number := range []string{alice, bob} {
		settled(t, srv, number)
	}
}

func TestGroupReceipts(t *testing.T) {
	for _, mode := range []string{"lid", "pn"} {
		t.Run(mode, func(t *testing.T) {
			srv := world(t, alice, bob, carol)
			a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
			group := newGroup(t, srv, mode, carol, alice, bob)
			id := send(t, a, group, text("for all"))
			for _, user := range []string{bob, carol} {
				receipt(t, a, id, types.ReceiptTypeDelivered, func(e *events.Receipt) bool {
					return e.Chat == group && (e.Sender.User == user || e.SenderAlt.User == user)
				})
			}
			got := b.Text(t, group, "for all")
			if err := b.MarkRead(t.Context(), []string{id}, time.Now(), group, got.Info.Sender); err != nil {
				t.Fatal(err)
			}
			receipt(t, a, id, types.ReceiptTypeRead, func(e *events.Receipt) bool {
				return e.Sender.Device == b.Store.ID.Device && (e.Sender.User == bob || e.SenderAlt.User == bob)
			})
			for _, number := range []string{alice, bob} {
				settled(t, srv, number)
			}
		})
	}
}
