package phone

import (
	"bytes"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// welcome hands the phone's first messages to a companion, through Signal, as
// whatsmeow handles them.
func (c *companion) welcome(t testing.TB, p *Phone) []*waHistorySync.HistorySync {
	t.Helper()
	messages, err := p.Welcome(c.lid, testTime)
	must(t, err)
	if len(messages) != 3 {
		t.Fatalf("the phone has %d things to say", len(messages))
	}
	var histories []*waHistorySync.HistorySync
	for i, m := range messages {
		// The signed pre-key alone must do: the companion uploads keys later.
		enc, _, err := p.Encrypt(c.lid, c.bundle(t, false), m)
		must(t, err)
		got := c.decrypt(t, enc, testLID).GetProtocolMessage()
		if i == 0 {
			c.DangerousInternals().HandleAppStateSyncKeyShare(t.Context(), got.GetAppStateSyncKeyShare())
			continue
		}
		history, err := c.DownloadHistorySync(t.Context(), got.GetHistorySyncNotification(), true)
		must(t, err)
		if int32(history.GetSyncType()) != int32(got.GetHistorySyncNotification().GetSyncType()) {
			t.Errorf("notification of %s holds %s", got.GetHistorySyncNotification().GetSyncType(), history.GetSyncType())
		}
		histories = append(histories, history)
	}
	return histories
}

func TestWelcome(t *testing.T) {
	p := newPhone(t)
	c := linked(t, p, 1)
	histories := c.welcome(t, p)
	if histories[0].GetSyncType() != waHistorySync.HistorySync_INITIAL_BOOTSTRAP || len(histories[0].Conversations) != 0 ||
		len(histories[0].PastParticipants) != 0 {
		t.Errorf("first history is %v", histories[0])
	}
	if histories[1].GetSyncType() != waHistorySync.HistorySync_PUSH_NAME {
		t.Errorf("second history is %v", histories[1])
	}
	contact, err := c.Store.Contacts.GetContact(t.Context(), testPN)
	must(t, err)
	if contact.PushName != "Ada" {
		t.Errorf("whatsmeow knows the owner as %q", contact.PushName)
	}
	key, err := c.Store.AppStateKeys.GetAppStateSyncKey(t.Context(), p.vault.AppStateKey.ID)
	must(t, err)
	if key == nil || !bytes.Equal(key.Data, p.vault.AppStateKey.Data) || key.Timestamp != testTime.UnixMilli() {
		t.Errorf("whatsmeow has the key %+v", key)
	}
}

func TestWelcomeIsForOwnCompanions(t *testing.T) {
	p := newPhone(t)
	stranger := peerLID
	stranger.Device = 1
	for _, jid := range []types.JID{testLID, stranger} {
		if _, err := p.Welcome(jid, testTime); err == nil {
			t.Errorf("%v was welcomed", jid)
		}
	}
}

// The key is dated once, or companions would disagree on which is the latest.
func TestKeyShareIsStable(t *testing.T) {
	p := newPhone(t)
	before, err := p.KeyShare(testTime)
	must(t, err)
	after, err := p.KeyShare(testTime.Add(time.Hour))
	must(t, err)
	if !proto.Equal(before, after) {
		t.Errorf("first shared as %v, then as %v", before, after)
	}
}
