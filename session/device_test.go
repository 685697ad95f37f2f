package session

import (
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/proto/waAdv"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"muster/store"
	"muster/store/storetest"
)

func newDeviceStore(db *dbutil.Database) *deviceStore {
	return &deviceStore{db: db, container: store.Devices(db, zerolog.Nop()), repo: repo{db}, now: func() time.Time { return morning }}
}

// paired makes a device in the state in which whatsmeow saves it first.
func paired(o *ownedDevice, jid types.JID) *wastore.Device {
	device := o.own(o.container.NewDevice())
	device.ID = &jid
	device.LID = types.JID{User: "1000", Device: jid.Device, Server: types.HiddenUserServer}
	device.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte{1}, AccountSignature: make([]byte, 64), AccountSignatureKey: make([]byte, 32), DeviceSignature: make([]byte, 64),
	}
	return device
}

func owned(s *deviceStore, sessionID string) (o *ownedDevice, evicted *string) {
	evicted = new(string)
	o = &ownedDevice{deviceStore: s, sessionID: sessionID, deleted: func() {},
		saved: func(_ identity, other string) { *evicted = other }}
	return o, evicted
}

var device7 = types.JID{User: "491700000001", Device: 7, Server: types.DefaultUserServer}

func TestDeviceAndSessionAreSavedTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		s := newDeviceStore(db)
		insert(t, s.repo, "a")
		o, _ := owned(s, "a")
		device := paired(o, device7)
		if err := device.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rec := only(t, s.repo); rec.JID != device7.String() || rec.PhoneNumber != device7.User {
			t.Fatalf("session after the save: %+v", rec.Session)
		}
		device.PushName = "Ann"
		if err := device.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rec := only(t, s.repo); rec.PushName != "Ann" {
			t.Fatalf("push name %q", rec.PushName)
		}
		if err := device.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rec := only(t, s.repo); rec.JID != "" {
			t.Fatalf("session after the deletion: %+v", rec.Session)
		}
		if left, err := s.load(t.Context(), device7); err != nil || left != nil {
			t.Fatalf("device after the deletion: %v, %v", left, err)
		}
	})
}

func TestNothingIsSavedForADeletedSession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		s := newDeviceStore(db)
		o, _ := owned(s, "deleted")
		if err := paired(o, device7).Save(t.Context()); !errors.Is(err, errSessionGone) {
			t.Fatalf("save: %v", err)
		}
		if left, err := s.load(t.Context(), device7); err != nil || left != nil {
			t.Fatalf("a device was stored: %v, %v", left, err)
		}
	})
}

func TestEndedClientSavesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		s := newDeviceStore(db)
		insert(t, s.repo, "a")
		o, _ := owned(s, "a")
		o.closed.Store(true)
		if err := paired(o, device7).Save(t.Context()); !errors.Is(err, errClientClosed) {
			t.Fatalf("save: %v", err)
		}
	})
}

func TestNewLinkTakesOverTheDeviceNumber(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		s := newDeviceStore(db)
		insert(t, s.repo, "old")
		insert(t, s.repo, "young")
		first, _ := owned(s, "old")
		if err := paired(first, device7).Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		second, evicted := owned(s, "young")
		device := paired(second, device7)
		if err := device.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		if *evicted != "old" {
			t.Fatalf("evicted %q", *evicted)
		}
		stored, err := s.load(t.Context(), device7)
		if err != nil || *stored.NoiseKey.Priv != *device.NoiseKey.Priv {
			t.Fatalf("the stored keys are not the new link's (%v)", err)
		}
		all, err := s.repo.all(t.Context())
		if err != nil || all[0].JID != "" || all[1].JID != device7.String() {
			t.Fatalf("owners: %+v, %v", all, err)
		}
	})
}

// TestReconcileLeavesOtherDevicesAlone: they may be another program's
// credentials. They are in nobody's way when their JID is given out again.
func TestReconcileLeavesOtherDevicesAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		s := newDeviceStore(db)
		insert(t, s.repo, "a")
		o, _ := owned(s, "a")
		if err := paired(o, device7).Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		stray := types.JID{User: "491700000002", Device: 3, Server: types.DefaultUserServer}
		orphan := paired(o, stray)
		if err := s.container.PutDevice(t.Context(), orphan); err != nil {
			t.Fatal(err)
		}
		stored, orphans, sessions, err := s.reconcile(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(orphans) != 1 || orphans[0] != stray || len(sessions) != 1 || !stored[device7.String()] || len(stored) != 1 {
			t.Fatalf("stored %v, orphans %v, sessions %v", stored, orphans, sessions)
		}
		for _, jid := range []types.JID{stray, device7} {
			if left, err := s.load(t.Context(), jid); err != nil || left == nil {
				t.Fatalf("device %s is gone: %v", jid, err)
			}
		}
		insert(t, s.repo, "b")
		young, _ := owned(s, "b")
		linked := paired(young, stray)
		if err = linked.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now, err := s.load(t.Context(), stray); err != nil || *now.NoiseKey.Priv != *linked.NoiseKey.Priv {
			t.Fatalf("the stored keys are not the new link's (%v)", err)
		}
	})
}
