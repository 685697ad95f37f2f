// Package session keeps WhatsApp accounts linked as companion devices: it
// links them (QR, phone code, passkey), keeps their connections alive, records
// what happened to them, hands their events on, and is the only door through
// which the other domains reach WhatsApp (Manager.Do).
package session

import (
	"regexp"
	"strings"
	"time"

	"muster/internal/fault"
)

// Status is what a session is doing. The names are part of the public API.
type Status string

// Every status a session can be in.
const (
	StatusDisconnected       Status = "disconnected"          // no connection, and none is being made
	StatusConnecting         Status = "connecting"            // on the way to WhatsApp, or waiting to try again
	StatusWaitingForQR       Status = "waiting_for_qr"        // a QR code is there to be scanned
	StatusWaitingForPairCode Status = "waiting_for_pair_code" // a code is there to be typed into the phone
	StatusPasskeyRequired    Status = "passkey_required"      // WhatsApp wants a passkey before it links
	StatusConnected          Status = "connected"
	StatusDegraded           Status = "degraded"   // connected, but nothing arrives and a probe was not answered
	StatusLoggedOut          Status = "logged_out" // the link is gone; linking again keeps the session
	StatusBanned             Status = "banned"     // WhatsApp has banned the account for a time
)

// online tells whether operations can be sent.
func (s Status) online() bool { return s == StatusConnected || s == StatusDegraded }

// linking tells whether an unpaired socket is open.
func (s Status) linking() bool {
	return s == StatusWaitingForQR || s == StatusWaitingForPairCode || s == StatusPasskeyRequired
}

// Reasons say why a session is in its status. They are stable; the sentence
// for people is in Session.Detail.
const (
	ReasonCreated        = "created"
	ReasonRequested      = "requested"         // someone asked for it
	ReasonStarted        = "server_started"    // reconnecting after a start of the server
	ReasonStopped        = "server_stopped"    // a clean shutdown
	ReasonLinked         = "linked"            // the phone has just linked this session
	ReasonQRExpired      = "qr_expired"        // every code was shown and none was scanned
	ReasonCodeExpired    = "code_expired"      // the pairing code was not used in time
	ReasonPasskeyExpired = "passkey_expired"   // the passkey was not presented in time
	ReasonPairingFailed  = "pairing_failed"    // the phone confirmed, but linking did not complete
	ReasonConnectionLost = "connection_lost"   // the connection broke; another attempt follows
	ReasonUnreachable    = "unreachable"       // the connection could not be made; another attempt follows
	ReasonNoLogin        = "no_login"          // connected, but WhatsApp did not answer the login
	ReasonRefused        = "refused"           // WhatsApp refused the login for an unusual reason
	ReasonStreamError    = "stream_error"      // WhatsApp ended the connection with an unusual error
	ReasonSilent         = "silent"            // nothing arrives
	ReasonRedelivery     = "redelivery"        // to be given events again that could not be stored
	ReasonReplaced       = "replaced"          // another process connected with the same keys
	ReasonOutdated       = "outdated"          // WhatsApp no longer accepts this client version
	ReasonTemporaryBan   = "temporary_ban"     // with WhatsApp's code and the expiry in the detail
	ReasonUnlinked       = "unlinked"          // removed in the phone's list of linked devices
	ReasonPrimaryGone    = "primary_gone"      // the phone itself was logged out or locked (403)
	ReasonAccountBanned  = "account_banned"    // WhatsApp's 406
	ReasonLoggedOutHere  = "logged_out_here"   // a logout through this server
	ReasonDeviceTaken    = "device_taken_over" // the phone gave this device's number to a newer link
	ReasonDeviceMissing  = "device_missing"    // the stored keys are gone
)

// Session is a snapshot of one session.
type Session struct {
	ID   string
	Name string
	// PhoneNumber is the linked account's number, digits only.
	PhoneNumber string
	// JID and LID are those of the linked device, with its device number;
	// empty while no phone is linked.
	JID, LID string
	PushName string
	Status   Status
	Reason   string // one of the Reason constants
	Detail   string // the reason as a sentence, or empty
	// Proxy is redacted: it shows the user name but never the password.
	Proxy                string
	CreatedAt, UpdatedAt time.Time
	LastConnectedAt      time.Time // zero when it never was
	// LoggedIn tells whether a phone is linked, connected or not.
	LoggedIn bool
}

// AccountJID is the linked account's phone JID, without a device number.
func (s Session) AccountJID() string { return withoutDevice(s.JID) }

// AccountLID is the linked account's LID, without a device number.
func (s Session) AccountLID() string { return withoutDevice(s.LID) }

// withoutDevice cuts ":7" out of "491700000001:7@s.whatsapp.net".
func withoutDevice(jid string) string {
	user, server, _ := strings.Cut(jid, "@")
	user, _, numbered := strings.Cut(user, ":")
	if !numbered {
		return jid
	}
	return user + "@" + server
}

// StateChange is one entry of a session's history.
type StateChange struct {
	At     time.Time
	Status Status
	Reason string
	Detail string
}

// CreateRequest asks for a new session.
type CreateRequest struct {
	ID    string // generated when empty
	Name  string // the id when empty
	Proxy string // http, https or socks5 URL; direct when empty
}

// maxName bounds a session's display name, in bytes.
const maxName = 200

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate checks the request's shape; the proxy is checked by the manager,
// which knows the network.
func (r CreateRequest) Validate() error {
	if r.ID != "" && !validID.MatchString(r.ID) {
		return fault.Field("id", "a session id is 1 to 64 letters, digits, underscores or hyphens")
	}
	if len(r.Name) > maxName {
		return fault.Field("name", "a session name has at most %d bytes", maxName)
	}
	return nil
}

// joinReason and splitReason store a reason and its sentence in one column.
func joinReason(reason, detail string) string {
	if detail == "" {
		return reason
	}
	return reason + ": " + detail
}

func splitReason(stored string) (reason, detail string) {
	reason, detail, _ = strings.Cut(stored, ": ")
	return reason, detail
}
