package service

import (
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// Device is one linked companion.
type Device struct {
	ID       uint16
	Account  *Account
	Noise    [32]byte // the client's Noise static key: its credential at login
	Identity [32]byte // its Signal identity, as linked
	KeyIndex uint32
	Platform string
	Linked   time.Time
	LastSeen time.Time
	Keys     DeviceKeys
	// Queue holds what was sent to the device and not acknowledged yet, oldest first.
	Queue []Queued
	// held are the ids of queued notifications that a fault keeps back.
	held []string
	// Introduced devices have had the phone's welcome.
	Introduced bool
	// StandIn devices are nobody's: what is sent to them is lost.
	StandIn bool
	// sent are the device's last messages, in case it repeats them, and answered
	// the last answers to its requests.
	sent     []sentMessage
	answered []answered
	conn     *connection
}

// DeviceKeys is what a companion uploaded for others to start sessions with it.
type DeviceKeys struct {
	Registration uint32
	Type         byte
	Identity     [32]byte
	SignedID     uint32
	SignedKey    [32]byte
	SignedSig    [64]byte
	OneTime      []PreKey // consumed from the front
}

// PreKey is one one-time key.
type PreKey struct {
	ID  uint32
	Key [32]byte
}

// Queued is a stanza that waits for the device's acknowledgement.
type Queued struct {
	Class string // "message", "notification" or "receipt"
	ID    string
	// Participant tells receipts of one message apart.
	Participant string
	At          time.Time
	Node        stanza.Node
}

// PNJID is the device's address by phone number.
func (d *Device) PNJID() types.JID {
	jid := d.Account.PN
	jid.Device = d.ID
	return jid
}

// LIDJID is the device's address by LID.
func (d *Device) LIDJID() types.JID {
	jid := d.Account.LID
	jid.Device = d.ID
	return jid
}

// linked tells whether the device is one of its account's companions: it is not
// before its link was confirmed, nor after it was removed.
func (d *Device) linked() bool { return d.Account.Devices[d.ID] == d }

// online tells whether the device has a live connection.
func (d *Device) online() bool { return d.conn != nil }
