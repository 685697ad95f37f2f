package service

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
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
const stateVersion = 2

// Snapshot is the world's lasting state at one moment.
type Snapshot struct {
	// Sequence grows with every snapshot: of two of one world, the one with the
	// larger number is the later.
	Sequence uint64
	// State is JSON. It names media by the hash of their content.
	State []byte
	// Blobs is the content of media by its hash, in hexadecimal. A snapshot that
	// is not Full has none.
	Blobs map[string][]byte
	// Full snapshots are to survive a crash of the machine. Others are taken
	// between them, before a change is acknowledged, to survive the process.
	Full bool
}

// state is the world as JSON. Connections, faults and counts are of the moment
// and are not kept.
type state struct {
	Version  int             `json:"version"`
	NextID   uint64          `json:"next_id"`
	Runs     uint64          `json:"runs,omitempty"`
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
	Off        bool            `json:"off,omitempty"`
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
	StandIn    bool          `json:"stand_in,omitempty"`
	Keys       keysState     `json:"keys"`
	Queue      []queuedState `json:"queue,omitempty"`
}

// keysState is DeviceKeys with keys that JSON writes as base64; arrays of bytes
// it would write as lists of numbers.
type keysState struct {
	Registration uint32         `json:"registration"`
	Type         byte           `json:"type"`
	Identity     []byte         `json:"identity"`
	SignedID     uint32         `json:"signed_id"`
	SignedKey    []byte         `json:"signed_key"`
	SignedSig    []byte         `json:"signed_sig"`
	OneTime      []oneTimeState `json:"one_time,omitempty"`
}

type oneTimeState struct {
	ID  uint32 `json:"id"`
	Key []byte `json:"key"`
}

type queuedState struct {
	Class       string    `json:"class"`
	ID          string    `json:"id"`
	Participant string    `json:"participant,omitempty"`
	At          time.Time `json:"at"`
	Node        []byte    `json:"node"` // in WhatsApp's binary form, which keeps attribute types
}

// Snapshot takes a full snapshot of the world.
func (w *World) Snapshot() (Snapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snapshot(true)
}

// snapshot is Snapshot for callers that hold the lock.
func (w *World) snapshot(full bool) (Snapshot, error) {
	groups, err := w.groups.Snapshot()
	if err != nil {
		return Snapshot{}, fmt.Errorf("groups: %w", err)
	}
	index, blobs, err := w.media.Snapshot()
	if err != nil {
		return Snapshot{}, fmt.Errorf("media: %w", err)
	}
	out := state{Version: stateVersion, NextID: w.nextID, Runs: w.runs, Groups: groups, Media: index}
	for _, a := range w.people() {
		saved, err := saveAccount(a)
		if err != nil {
			return Snapshot{}, fmt.Errorf("account %s: %w", a.PN.User, err)
		}
		out.Accounts = append(out.Accounts, saved)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return Snapshot{}, fmt.Errorf("write state: %w", err)
	}
	w.saved = len(raw)
	w.sequence++
	snapshot := Snapshot{Sequence: w.sequence, State: raw, Full: full}
	if full {
		snapshot.Blobs = blobs
	}
	return snapshot, nil
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
		AppState: a.AppState, Passkey: a.Passkey, Talked: a.Talked, Off: a.Off,
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
			Linked: d.Linked, LastSeen: d.LastSeen, Introduced: d.Introduced, StandIn: d.StandIn, Keys: saveKeys(&d.Keys),
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

func saveKeys(k *DeviceKeys) keysState {
	out := keysState{
		Registration: k.Registration, Type: k.Type, Identity: k.Identity[:],
		SignedID: k.SignedID, SignedKey: k.SignedKey[:], SignedSig: k.SignedSig[:],
	}
	for i := range k.OneTime {
		out.OneTime = append(out.OneTime, oneTimeState{k.OneTime[i].ID, k.OneTime[i].Key[:]})
	}
	return out
}

// idGap is how many ids of stanzas a restored world leaves out, since more may
// have been given out after the snapshot was taken.
const idGap = 1 << 20

// Restore replaces the world's state by a snapshot. It is meant for a world
// that nobody is connected to. Media without content are left out.
func (w *World) Restore(from Snapshot) error {
	var in state
	if err := json.Unmarshal(from.State, &in); err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if in.Version != stateVersion {
		return fmt.Errorf("state has version %d, this program reads version %d", in.Version, stateVersion)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.empty()
	w.nextID = in.NextID + idGap
	w.runs = in.Runs + 1
	w.reseed()
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
	lost, err := w.media.Restore(in.Media, from.Blobs)
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	if lost > 0 {
		w.log.Warn().Int("blobs", lost).Msg("Media of the saved state are gone")
	}
	return nil
}

// reseed gives each run of a world with a seed random numbers of its own: the
// ids of messages, among other things, must not come again.
func (w *World) reseed() {
	source, ok := w.random.(*mathrand.ChaCha8)
	if !ok || w.opts.Seed == 0 {
		return
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:8], w.opts.Seed)
	binary.LittleEndian.PutUint64(key[8:16], w.runs)
	source.Seed(key)
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
		Unconfirmed: map[uint16]*Device{}, Passkey: in.Passkey, Off: in.Off, Talked: orEmpty(in.Talked),
	}
	for _, saved := range in.Inbox {
		saved.Message = new(waE2E.Message)
		if err := proto.Unmarshal(saved.Proto, saved.Message); err != nil {
			return nil, fmt.Errorf("received %s: %w", saved.ID, err)
		}
		if saved.Content.Kind == "" { // written by an older version
			saved.Content = phone.Read(saved.Message)
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
	keys, err := loadKeys(in.Keys)
	if err != nil {
		return nil, err
	}
	d := &Device{
		ID: in.ID, Account: a, Noise: [32]byte(in.Noise), Identity: [32]byte(in.Identity),
		KeyIndex: in.KeyIndex, Platform: in.Platform, Linked: in.Linked, LastSeen: in.LastSeen,
		Introduced: in.Introduced, StandIn: in.StandIn, Keys: keys,
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

func loadKeys(in keysState) (DeviceKeys, error) {
	if len(in.Identity) != 32 || len(in.SignedKey) != 32 || len(in.SignedSig) != 64 {
		return DeviceKeys{}, fmt.Errorf("uploaded keys have the wrong size")
	}
	out := DeviceKeys{
		Registration: in.Registration, Type: in.Type, Identity: [32]byte(in.Identity),
		SignedID: in.SignedID, SignedKey: [32]byte(in.SignedKey), SignedSig: [64]byte(in.SignedSig),
	}
	for _, key := range in.OneTime {
		if len(key.Key) != 32 {
			return DeviceKeys{}, fmt.Errorf("one-time key %d has the wrong size", key.ID)
		}
		out.OneTime = append(out.OneTime, PreKey{ID: key.ID, Key: [32]byte(key.Key)})
	}
	return out, nil
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

// Save hands a full snapshot to Options.Persist, if there is one. The world
// goes on while it is written.
func (w *World) Save() error {
	if w.opts.Persist == nil {
		return nil
	}
	snapshot, err := w.Snapshot()
	if err != nil {
		return err
	}
	return w.opts.Persist(snapshot)
}

// save is Save for callers that hold the lock: nothing else happens until the
// snapshot is written.
func (w *World) save() error { return w.write(true) }

func (w *World) write(full bool) error {
	if w.opts.Persist == nil {
		return nil
	}
	snapshot, err := w.snapshot(full)
	if err != nil {
		return err
	}
	return w.opts.Persist(snapshot)
}

// commitLimit is the size of a state that is still written at every change.
// Larger ones are left to whoever saves at intervals.
const commitLimit = 2 << 20

// commit writes the state before somebody is told that a change was made: what
// was acknowledged survives the death of the process. The caller holds the lock.
// A failure is left to whoever saves at intervals, who is told of a change.
func (w *World) commit() {
	w.touch()
	if w.saved > commitLimit {
		return
	}
	if err := w.write(false); err != nil {
		w.log.Error().Err(err).Msg("A change was not saved")
	}
}
