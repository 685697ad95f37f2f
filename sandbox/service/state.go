package service

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// stateVersion is the layout of the state file. A file of another version is
// refused: a sandbox is cheap to make anew, a half-understood one is not.
const stateVersion = 1

// state is the world as the state file holds it. Connections, faults and
// counts are of the moment and are not kept.
type state struct {
	Version  int             `json:"version"`
	NextID   uint64          `json:"next_id"`
	Accounts []accountState  `json:"accounts"`
	Groups   json.RawMessage `json:"groups"`
	Media    json.RawMessage `json:"media"`
}

type accountState struct {
	PN         types.JID       `json:"pn"`
	LID        types.JID       `json:"lid"`
	Name       string          `json:"name"`
	Created    time.Time       `json:"created"`
	OnWhatsApp bool            `json:"on_whatsapp"`
	Business   bool            `json:"business,omitempty"`
	Phone      json.RawMessage `json:"phone"`
	Devices    []deviceState   `json:"devices,omitempty"`
	// Unconfirmed devices may still sign in; see Account.
	Unconfirmed []deviceState          `json:"unconfirmed,omitempty"`
	NextDevice  uint16                 `json:"next_device"`
	Passkey     bool                   `json:"passkey,omitempty"`
	Talked      map[string]bool        `json:"talked,omitempty"`
	Privacy     map[string]string      `json:"privacy,omitempty"`
	Blocked     map[string]time.Time   `json:"blocked,omitempty"`
	Contacts    map[string]bool        `json:"contacts,omitempty"`
	About       string                 `json:"about,omitempty"`
	AboutAt     time.Time              `json:"about_at"`
	AppState    map[string]*Collection `json:"app_state,omitempty"`
	Inbox       []receivedState        `json:"inbox,omitempty"`
}

// receivedState is a message in an inbox. The message itself is kept as
// protobuf: encoding/json cannot read back its oneof fields.
type receivedState struct {
	phone.Received
	Proto []byte `json:"proto,omitempty"`
}

type deviceState struct {
	ID         uint16        `json:"id"`
	Noise      []byte        `json:"noise"`
	Identity   []byte        `json:"identity"`
	KeyIndex   uint32        `json:"key_index"`
	Platform   string        `json:"platform,omitempty"`
	Linked     time.Time     `json:"linked"`
	LastSeen   time.Time     `json:"last_seen"`
	Introduced bool          `json:"introduced,omitempty"`
	Keys       DeviceKeys    `json:"keys"`
	Queue      []queuedState `json:"queue,omitempty"`
}

type queuedState struct {
	Class       string    `json:"class"`
	ID          string    `json:"id"`
	Participant string    `json:"participant,omitempty"`
	At          time.Time `json:"at"`
	Node        []byte    `json:"node"` // in WhatsApp's binary form, which keeps attribute types
}

// Snapshot writes the world's lasting state as JSON.
func (w *World) Snapshot() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snapshot()
}

// snapshot is Snapshot for callers that hold the lock.
func (w *World) snapshot() ([]byte, error) {
	groups, err := w.groups.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	blobs, err := w.media.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	out := state{Version: stateVersion, NextID: w.nextID, Groups: groups, Media: blobs}
	for _, a := range w.people() {
		saved, err := saveAccount(a)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", a.PN.User, err)
		}
		out.Accounts = append(out.Accounts, saved)
	}
	return json.Marshal(out)
}

func saveAccount(a *Account) (accountState, error) {
	signal, err := a.Phone.Snapshot()
	if err != nil {
		return accountState{}, err
	}
	out := accountState{
		PN: a.PN, LID: a.LID, Name: a.Name, Created: a.Created, OnWhatsApp: a.OnWhatsApp,
		Business: a.Business, Phone: signal, NextDevice: a.NextDevice, Privacy: a.Privacy,
		Blocked: a.Blocked, Contacts: a.Contacts, About: a.About, AboutAt: a.AboutAt,
		AppState: a.AppState, Passkey: a.Passkey, Talked: a.Talked,
	}
	for _, m := range a.Inbox {
		raw, err := proto.Marshal(m.Message)
		if err != nil {
			return accountState{}, fmt.Errorf("received %s: %w", m.ID, err)
		}
		m.Message = nil
		out.Inbox = append(out.Inbox, receivedState{m, raw})
	}
	if out.Devices, err = saveDevices(a.Devices); err != nil {
		return accountState{}, err
	}
	if out.Unconfirmed, err = saveDevices(a.Unconfirmed); err != nil {
		return accountState{}, err
	}
	return out, nil
}

// saveDevices writes devices, ordered by number.
func saveDevices(devices map[uint16]*Device) ([]deviceState, error) {
	var out []deviceState
	for _, id := range slices.Sorted(maps.Keys(devices)) {
		d := devices[id]
		saved := deviceState{
			ID: d.ID, Noise: d.Noise[:], Identity: d.Identity[:], KeyIndex: d.KeyIndex, Platform: d.Platform,
			Linked: d.Linked, LastSeen: d.LastSeen, Introduced: d.Introduced, Keys: d.Keys,
		}
		for _, q := range d.Queue {
			raw, err := waBinary.Marshal(q.Node)
			if err != nil {
				return nil, fmt.Errorf("queued %s %s: %w", q.Class, q.ID, err)
			}
			saved.Queue = append(saved.Queue, queuedState{q.Class, q.ID, q.Participant, q.At, raw[1:]})
		}
		out = append(out, saved)
	}
	return out, nil
}

// Restore replaces the world's state by a snapshot. It is meant for a world
// that nobody is connected to.
func (w *World) Restore(data []byte) error {
	var in state
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if in.Version != stateVersion {
		return fmt.Errorf("state has version %d, this program reads version %d", in.Version, stateVersion)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.empty()
	w.nextID = in.NextID
	for _, saved := range in.Accounts {
		a, err := w.loadAccount(saved)
		if err != nil {
			return fmt.Errorf("account %s: %w", saved.PN.User, err)
		}
		w.accounts[a.LID.User] = a
		w.byNumber[a.PN.User] = a
	}
	if err := w.groups.Restore(in.Groups); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	if err := w.media.Restore(in.Media); err != nil {
		return fmt.Errorf("media: %w", err)
	}
	return nil
}

func (w *World) loadAccount(in accountState) (*Account, error) {
	signal, err := phone.Restore(in.Phone, w.random)
	if err != nil {
		return nil, err
	}
	a := &Account{
		PN: in.PN, LID: in.LID, Name: in.Name, Created: in.Created, OnWhatsApp: in.OnWhatsApp,
		Business: in.Business, Phone: signal, Devices: map[uint16]*Device{}, NextDevice: in.NextDevice,
		Privacy: orEmpty(in.Privacy), Blocked: orEmpty(in.Blocked), Contacts: orEmpty(in.Contacts),
		About: in.About, AboutAt: in.AboutAt, AppState: orEmpty(in.AppState),
		Unconfirmed: map[uint16]*Device{}, Passkey: in.Passkey, Talked: orEmpty(in.Talked),
	}
	for _, saved := range in.Inbox {
		saved.Message = new(waE2E.Message)
		if err := proto.Unmarshal(saved.Proto, saved.Message); err != nil {
			return nil, fmt.Errorf("received %s: %w", saved.ID, err)
		}
		a.Inbox = append(a.Inbox, saved.Received)
	}
	if err := loadDevices(a, in.Devices, a.Devices); err != nil {
		return nil, err
	}
	return a, loadDevices(a, in.Unconfirmed, a.Unconfirmed)
}

func loadDevices(a *Account, saved []deviceState, into map[uint16]*Device) error {
	for _, one := range saved {
		d, err := loadDevice(a, one)
		if err != nil {
			return fmt.Errorf("device %d: %w", one.ID, err)
		}
		into[d.ID] = d
	}
	return nil
}

func loadDevice(a *Account, in deviceState) (*Device, error) {
	if len(in.Noise) != 32 || len(in.Identity) != 32 {
		return nil, fmt.Errorf("keys must have 32 bytes")
	}
	d := &Device{
		ID: in.ID, Account: a, Noise: [32]byte(in.Noise), Identity: [32]byte(in.Identity),
		KeyIndex: in.KeyIndex, Platform: in.Platform, Linked: in.Linked, LastSeen: in.LastSeen,
		Introduced: in.Introduced, Keys: in.Keys,
	}
	for _, q := range in.Queue {
		node, err := unmarshalNode(q.Node)
		if err != nil {
			return nil, fmt.Errorf("queued %s %s: %w", q.Class, q.ID, err)
		}
		d.Queue = append(d.Queue, Queued{Class: q.Class, ID: q.ID, Participant: q.Participant, At: q.At, Node: node})
	}
	return d, nil
}

// unmarshalNode reads a node; whatsmeow's decoder panics on some broken input,
// and a state file may be broken.
func unmarshalNode(raw []byte) (node stanza.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not a node: %v", p)
		}
	}()
	read, err := waBinary.Unmarshal(raw)
	if err != nil {
		return stanza.Node{}, err
	}
	return *read, nil
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// Save hands the state to Options.Persist, if there is one.
func (w *World) Save() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.save()
}

// save is Save for callers that hold the lock.
func (w *World) save() error { return w.write(true) }

func (w *World) write(durable bool) error {
	if w.opts.Persist == nil {
		return nil
	}
	snapshot, err := w.snapshot()
	if err != nil {
		return err
	}
	w.saved = len(snapshot)
	return w.opts.Persist(snapshot, durable)
}

// commitLimit is the size of a state that is still written at every change.
// Larger ones are left to whoever saves at intervals.
const commitLimit = 2 << 20

// commit writes the state before somebody is told that a change was made: what
// was acknowledged survives the death of the process. The caller holds the lock.
func (w *World) commit() {
	w.touch()
	if w.saved > commitLimit {
		return
	}
	if err := w.write(false); err != nil {
		w.log.Error().Err(err).Msg("A change was not saved")
	}
}
