package service

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/phone"
)

// Account is one WhatsApp user: a number, a LID, a simulated phone (device 0)
// and the companions linked to it.
type Account struct {
	PN, LID types.JID // bare
	Name    string
	Created time.Time
	// OnWhatsApp is false for a number that exists only to be asked about.
	OnWhatsApp bool
	Business   bool
	// Off phones are switched off: what is sent to them is lost.
	Off     bool
	Phone   *phone.Phone
	Devices map[uint16]*Device // companions; 0 is never among them
	// Unconfirmed devices have their credentials, but their clients have not
	// said so yet. They take part in nothing until they do, or sign in.
	Unconfirmed map[uint16]*Device
	NextDevice  uint16               // counts the account's links, from 1 on
	Passkey     bool                 // linking asks for a passkey
	Talked      map[string]bool      // LID users it has exchanged messages with
	Privacy     map[string]string    // category to value, as iq privacy shows them
	Blocked     map[string]time.Time // LID user of who is blocked, since when
	Contacts    map[string]bool      // LID users the phone's address book knows
	About       string
	AboutAt     time.Time
	AppState    map[string]*Collection
	// Inbox is what the phone received and could read, oldest first, bounded.
	Inbox []phone.Received
	// seen names the messages in the inbox; nil until it is needed.
	seen map[messageName]bool
	// receipts are what the phone was told about its account's messages, oldest
	// first, bounded. Like connections they do not outlive the process.
	receipts []Receipt
	// asked counts how often the phone asked for messages it could not read.
	asked map[askedAgain]int
}

// inboxLimit bounds what a simulated phone remembers.
const inboxLimit = 1000

// person is the account as the group model knows people.
func (a *Account) person() group.Person {
	return group.Person{PN: a.PN, LID: a.LID, Name: a.Name}
}

// companions lists the linked devices by number, for a stable order.
func (a *Account) companions() []*Device {
	list := make([]*Device, 0, len(a.Devices))
	for _, d := range a.Devices {
		list = append(list, d)
	}
	slices.SortFunc(list, func(x, y *Device) int { return int(x.ID) - int(y.ID) })
	return list
}

// addresses lists every device of the account, the phone first, in the
// addressing asked for.
func (a *Account) addresses(lid bool) []types.JID {
	base := a.PN
	if lid {
		base = a.LID
	}
	list := []types.JID{base}
	for _, d := range a.companions() {
		jid := base
		jid.Device = d.ID
		list = append(list, jid)
	}
	return list
}

// account finds the account behind any of its JIDs, or nil.
func (w *World) account(jid types.JID) *Account {
	switch jid.Server {
	case types.HiddenUserServer:
		return w.accounts[jid.User]
	case types.DefaultUserServer, types.LegacyUserServer:
		return w.byNumber[jid.User]
	}
	return nil
}

// device finds a companion by its JID in either addressing, or nil.
func (w *World) device(jid types.JID) *Device {
	a := w.account(jid)
	if a == nil {
		return nil
	}
	return a.Devices[jid.Device]
}

// newLID draws a LID that no account ever had: 15 digits, like the real ones.
func (w *World) newLID() types.JID {
	for {
		raw := w.bytes(8)
		n := uint64(0)
		for _, b := range raw {
			n = n<<8 | uint64(b)
		}
		jid := types.NewJID(fmt.Sprintf("%d", 100000000000000+n%900000000000000), types.HiddenUserServer)
		if w.accounts[jid.User] == nil {
			return jid
		}
	}
}

// directory lets the group model ask who people are.
type directory struct{ w *World }

// Lookup finds the person behind a JID of either kind.
func (d directory) Lookup(jid types.JID) (group.Person, bool) {
	a := d.w.account(jid)
	if a == nil || !a.OnWhatsApp {
		return group.Person{}, false
	}
	return a.person(), true
}

// AddRefusal tells why the target may not be added by the actor, as the code
// of the add: 401 when the target has blocked the actor, 403 when the target's
// "groupadd" setting excludes the actor, 0 when it may. "contact_blacklist" is
// "My contacts except…", which lets in, says WhatsApp's help, only contacts that
// are not excluded; no client known here can send the list of those, so that
// nobody is.
func (d directory) AddRefusal(actor, target group.Person) int {
	a := d.w.account(target.LID)
	if a == nil {
		return 404
	}
	if _, blocked := a.Blocked[actor.LID.User]; blocked {
		return 401
	}
	switch a.Privacy["groupadd"] {
	case "none":
		return 403
	case "contacts", "contact_blacklist":
		if !a.Contacts[actor.LID.User] {
			return 403
		}
	}
	return 0
}

// people lists every account by number, for a stable order.
func (w *World) people() []*Account {
	list := make([]*Account, 0, len(w.accounts))
	for _, a := range w.accounts {
		list = append(list, a)
	}
	slices.SortFunc(list, func(x, y *Account) int { return strings.Compare(x.PN.User, y.PN.User) })
	return list
}
