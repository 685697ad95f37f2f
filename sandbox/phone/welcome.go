package phone

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Welcome is what the phone tells a companion it has just linked, in order:
// the app-state key, the first history (empty: a new account has none), and
// the push names. They are peer messages, to be Encrypt()ed for the companion.
// Baileys holds back everything until a history arrives.
func (p *Phone) Welcome(companion types.JID, now time.Time) ([]*waE2E.Message, error) {
	if !p.owns(companion) || companion.Device == 0 {
		return nil, fmt.Errorf("%s is not a companion of %s", companion, p.LID())
	}
	keys, err := p.KeyShare(now)
	if err != nil {
		return nil, err
	}
	bootstrap, err := historySync(&waHistorySync.HistorySync{
		SyncType:   waHistorySync.HistorySync_INITIAL_BOOTSTRAP.Enum(),
		ChunkOrder: proto.Uint32(1),
		Progress:   proto.Uint32(100),
		PhoneNumberToLidMappings: []*waHistorySync.PhoneNumberToLIDMapping{{
			PnJID:  proto.String(p.PN().String()),
			LidJID: proto.String(p.LID().String()),
		}},
	}, waE2E.HistorySyncType_INITIAL_BOOTSTRAP)
	if err != nil {
		return nil, err
	}
	names, err := historySync(&waHistorySync.HistorySync{
		SyncType:   waHistorySync.HistorySync_PUSH_NAME.Enum(),
		ChunkOrder: proto.Uint32(1),
		Progress:   proto.Uint32(100),
		Pushnames: []*waHistorySync.Pushname{{
			ID:       proto.String(p.PN().String()),
			Pushname: proto.String(p.name),
		}},
	}, waE2E.HistorySyncType_PUSH_NAME)
	if err != nil {
		return nil, err
	}
	return []*waE2E.Message{keys, bootstrap, names}, nil
}

// KeyShare is the message with the account's app-state key: part of the
// welcome, and the answer to a KindKeyRequest. The key keeps the time at which
// it was first shared.
func (p *Phone) KeyShare(now time.Time) (*waE2E.Message, error) {
	key := &p.vault.AppStateKey
	if key.Timestamp == 0 {
		key.Timestamp = now.UnixMilli()
	}
	fingerprint := new(waE2E.AppStateSyncKeyFingerprint)
	if err := proto.Unmarshal(key.Fingerprint, fingerprint); err != nil {
		return nil, fmt.Errorf("read the app-state key's fingerprint: %w", err)
	}
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum(),
		AppStateSyncKeyShare: &waE2E.AppStateSyncKeyShare{Keys: []*waE2E.AppStateSyncKey{{
			KeyID: &waE2E.AppStateSyncKeyId{KeyID: key.ID},
			KeyData: &waE2E.AppStateSyncKeyData{
				KeyData:     key.Data,
				Fingerprint: fingerprint,
				Timestamp:   proto.Int64(key.Timestamp),
			},
		}}},
	}}, nil
}

// historySync puts a history, compressed, into the notification itself, so
// that nothing has to be uploaded.
func historySync(history *waHistorySync.HistorySync, kind waE2E.HistorySyncType) (*waE2E.Message, error) {
	raw, err := proto.Marshal(history)
	if err != nil {
		return nil, fmt.Errorf("serialise history %s: %w", kind, err)
	}
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	if _, err = w.Write(raw); err != nil {
		return nil, fmt.Errorf("compress history %s: %w", kind, err)
	}
	if err = w.Close(); err != nil {
		return nil, fmt.Errorf("compress history %s: %w", kind, err)
	}
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION.Enum(),
		HistorySyncNotification: &waE2E.HistorySyncNotification{
			SyncType:                          kind.Enum(),
			ChunkOrder:                        history.ChunkOrder,
			Progress:                          history.Progress,
			InitialHistBootstrapInlinePayload: packed.Bytes(),
		},
	}}, nil
}
