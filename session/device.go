package session

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
)

// errSessionGone refuses a pairing whose session was deleted meanwhile.
var errSessionGone = errors.New("the session was deleted")

// deviceStore saves and deletes whatsmeow's device rows together with the
// owning session's jid, in one transaction each. That is what makes linking
// safe against a crash: whatsmeow saves the device before it confirms the link
// to the phone, so at every moment either both rows know of the link or
// neither does, and a confirmed link is always owned by a session.
type deviceStore struct {
	db        *dbutil.Database
	container *sqlstore.Container
	repo      repo
	now       func() time.Time
}

// load returns the stored device of the jid, or nil.
func (s *deviceStore) load(ctx context.Context, jid types.JID) (*store.Device, error) {
	device, err := s.container.GetDevice(ctx, jid)
	if err != nil {
		return nil, fmt.Errorf("load the device's keys: %w", err)
	}
	return device, nil
}

// remove deletes the device and its session's jid.
func (s *deviceStore) remove(ctx context.Context, jid types.JID) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if err := s.container.DeleteDevice(ctx, &store.Device{ID: &jid}); err != nil {
			return fmt.Errorf("delete the device's keys: %w", err)
		}
		_, err := s.repo.unbind(ctx, jid.String(), s.now())
		return err
	})
}

// reconcile reads the sessions, the JIDs of their stored devices, and those of
// devices that no session owns.
//
// A device and its session's jid are written and deleted together, so an
// unowned device is not a link that lost its session: it belongs to another
// program that shares the database, or to sessions that are missing after a
// partial restore. Either way its keys are somebody's credentials, and not
// ours to delete. They are in nobody's way: see makeRoom.
func (s *deviceStore) reconcile(ctx context.Context) (stored map[string]bool, orphans []types.JID, sessions []record, err error) {
	devices, err := s.container.GetAllDevices(ctx)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read the devices: %w", err)
	}
	if sessions, err = s.repo.all(ctx); err != nil {
		return nil, nil, nil, err
	}
	owned := make(map[string]bool, len(sessions))
	for _, rec := range sessions {
		owned[rec.JID] = true
	}
	stored = make(map[string]bool, len(devices))
	for _, device := range devices {
		if jid := device.GetJID(); owned[jid.String()] {
			stored[jid.String()] = true
		} else {
			orphans = append(orphans, jid)
		}
	}
	return stored, orphans, sessions, nil
}

// ownedDevice is the store.DeviceContainer of one session's client.
type ownedDevice struct {
	*deviceStore
	sessionID string
	// saved runs after a commit, with what the device now is and the id of the
	// session that lost the same device number ("" almost always).
	saved func(who identity, evicted string)
	// deleted runs after a commit.
	deleted func()
	// keysFailed is told when the database failed during a decryption under the
	// context.
	keysFailed func(ctx context.Context, err error)
	// decrypting counts the decryptions in work.
	decrypting tally
	// closed is set once the client is no longer in use. What a late event
	// would save then is dropped, so that it cannot bring back a deleted device.
	closed atomic.Bool
}

// errClientClosed refuses what a client saves after its end.
var errClientClosed = errors.New("the session's client has ended")

var _ store.DeviceContainer = (*ownedDevice)(nil)

// PutDevice implements store.DeviceContainer.
func (o *ownedDevice) PutDevice(ctx context.Context, device *store.Device) error {
	if o.closed.Load() {
		return errClientClosed
	}
	who := identityOf(device)
	var evicted string
	err := o.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if !device.Initialized {
			var err error
			if evicted, err = o.makeRoom(ctx, *device.ID); err != nil {
				return err
			}
		}
		found, err := o.repo.bind(ctx, o.sessionID, who, o.now())
		if err != nil {
			return err
		}
		if !found {
			return errSessionGone
		}
		return o.container.PutDevice(ctx, device)
	})
	o.own(device) // the container's initialisation has put itself there
	if err != nil {
		return err
	}
	o.saved(who, evicted)
	return nil
}

// makeRoom deletes an older device with the same JID. WhatsApp gives freed
// device numbers out again, so a session that was unlinked while the server
// was down may still hold it; and the container keeps the old keys of a JID
// that it already knows.
func (o *ownedDevice) makeRoom(ctx context.Context, jid types.JID) (evicted string, err error) {
	if err = o.container.DeleteDevice(ctx, &store.Device{ID: &jid}); err != nil {
		return "", fmt.Errorf("delete the older device: %w", err)
	}
	evicted, err = o.repo.unbind(ctx, jid.String(), o.now())
	if evicted == o.sessionID {
		evicted = ""
	}
	return evicted, err
}

// DeleteDevice implements store.DeviceContainer.
func (o *ownedDevice) DeleteDevice(ctx context.Context, device *store.Device) error {
	if device.ID == nil {
		return sqlstore.ErrDeviceIDMustBeSet
	}
	if err := o.remove(ctx, *device.ID); err != nil {
		return err
	}
	o.deleted()
	return nil
}

func identityOf(device *store.Device) identity {
	who := identity{jid: device.ID.String(), phoneNumber: device.ID.User, pushName: device.PushName}
	if !device.LID.IsEmpty() {
		who.lid = device.LID.String()
	}
	return who
}
