package service

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
)

// What acting on phones from outside may fail with.
var (
	ErrUnknownPhone  = errors.New("no phone has that number")
	ErrUnknownGroup  = errors.New("no such group")
	ErrUnknownDevice = errors.New("no such device is linked")
	ErrPhoneExists   = errors.New("a phone has that number already")
)

// PhoneOptions describe a phone to be made.
type PhoneOptions struct {
	// Number is the phone number: 7 to 15 digits, a leading + allowed.
	Number string
	// Name is the push name; "" is "Phone " and the number.
	Name string
	// GroupAdd says who may add it to groups: all, contacts or none; "" is all.
	GroupAdd string
	// NotOnWhatsApp makes a number that has no account.
	NotOnWhatsApp bool
	Business      bool
	// Off makes a phone that is switched off: others encrypt for it, and what
	// they send it is lost. Nor does it answer companions that are linked to it.
	Off bool
	// StandIns is how many companions it has from the start, 0 to 4, that exist
	// by their keys alone: what is sent to them is lost. With them and with
	// phones that are off, groups of hundreds of devices cost next to nothing.
	StandIns int
}

// PhoneInfo is a phone seen from outside.
type PhoneInfo struct {
	Number     string       `json:"number"`
	Name       string       `json:"name"`
	JID        string       `json:"jid" doc:"Address by phone number"`
	LID        string       `json:"lid" doc:"Hidden address"`
	GroupAdd   string       `json:"privacy_groupadd"`
	OnWhatsApp bool         `json:"on_whatsapp"`
	Business   bool         `json:"business"`
	Off        bool         `json:"off" doc:"Switched off"`
	Devices    []DeviceInfo `json:"devices" doc:"Linked companions"`
	Groups     []string     `json:"groups" doc:"JIDs of the groups it is in"`
}

// DeviceInfo is a linked companion seen from outside.
type DeviceInfo struct {
	JID      string `json:"jid"`
	LID      string `json:"lid"`
	Platform string `json:"platform"`
	Online   bool   `json:"online"`
	LinkedAt int64  `json:"linked_at"`
	Queued   int    `json:"queued" doc:"Stanzas it has not acknowledged"`
	StandIn  bool   `json:"stand_in" doc:"Exists by its keys alone"`
}

var numberForm = regexp.MustCompile(`^\+?[1-9][0-9]{6,14}$`)

// groupAddValues are the settings of "groupadd" the sandbox offers to choose.
var groupAddValues = map[string]bool{"all": true, "contacts": true, "none": true}

// AddPhone makes an account with its phone.
func (w *World) AddPhone(o PhoneOptions) (PhoneInfo, error) {
	if !numberForm.MatchString(o.Number) {
		return PhoneInfo{}, fmt.Errorf("number: %q is not a phone number of 7 to 15 digits in international form", o.Number)
	}
	if o.GroupAdd == "" {
		o.GroupAdd = "all"
	}
	if !groupAddValues[o.GroupAdd] {
		return PhoneInfo{}, fmt.Errorf("privacy_groupadd: %q is not one of all, contacts, none", o.GroupAdd)
	}
	number := strings.TrimPrefix(o.Number, "+")
	if o.Name == "" {
		o.Name = "Phone " + number
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byNumber[number] != nil {
		return PhoneInfo{}, fmt.Errorf("%w: %s", ErrPhoneExists, number)
	}
	a, err := w.newAccount(number, o)
	if err != nil {
		return PhoneInfo{}, err
	}
	if err = w.addStandIns(a, o.StandIns); err != nil {
		return PhoneInfo{}, err
	}
	w.accounts[a.LID.User] = a
	w.byNumber[number] = a
	w.commit()
	return w.info(a), nil
}

func (w *World) newAccount(number string, o PhoneOptions) (*Account, error) {
	pn, lid := types.NewJID(number, types.DefaultUserServer), w.newLID()
	signal, err := phone.New(pn, lid, o.Name, w.random)
	if err != nil {
		return nil, fmt.Errorf("make the phone's keys: %w", err)
	}
	return &Account{
		PN: pn, LID: lid, Name: o.Name, Created: w.opts.Now(), OnWhatsApp: !o.NotOnWhatsApp, Business: o.Business, Off: o.Off,
		Phone: signal, Devices: map[uint16]*Device{}, Unconfirmed: map[uint16]*Device{}, NextDevice: 1,
		Talked:   map[string]bool{},
		Privacy:  defaultPrivacy(o.GroupAdd),
		Blocked:  map[string]time.Time{},
		Contacts: map[string]bool{},
		About:    "Hey there! I am using WhatsApp.", AboutAt: w.opts.Now(),
		AppState: map[string]*Collection{},
	}, nil
}

// defaultPrivacy are the settings a new account starts with, by the categories
// clients ask for.
func defaultPrivacy(groupAdd string) map[string]string {
	return map[string]string{
		"readreceipts": "all", "profile": "all", "status": "all", "online": "all", "last": "all",
		"groupadd": groupAdd, "calladd": "all", "messages": "all", "defense": "off", "stickers": "contacts",
	}
}

// Phones lists every phone by number.
func (w *World) Phones() []PhoneInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]PhoneInfo, 0, len(w.accounts))
	for _, a := range w.people() {
		list = append(list, w.info(a))
	}
	return list
}

// Phone shows one phone.
func (w *World) Phone(number string) (PhoneInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return PhoneInfo{}, err
	}
	return w.info(a), nil
}

// Inbox is what a phone received and decrypted, oldest first.
func (w *World) Inbox(number string) ([]phone.Received, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return nil, err
	}
	return append([]phone.Received{}, a.Inbox...), nil
}

// Befriend puts one phone into the other's address book, which matters to
// those who let only contacts add them to groups.
func (w *World) Befriend(number, contact string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return err
	}
	b, err := w.byPhone(contact)
	if err != nil {
		return err
	}
	a.Contacts[b.LID.User] = true
	w.touch()
	return nil
}

// byPhone finds an account by number, with or without +.
func (w *World) byPhone(number string) (*Account, error) {
	a := w.byNumber[strings.TrimPrefix(number, "+")]
	if a == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownPhone, number)
	}
	return a, nil
}

func (w *World) info(a *Account) PhoneInfo {
	out := PhoneInfo{
		Number: a.PN.User, Name: a.Name, JID: a.PN.String(), LID: a.LID.String(),
		GroupAdd: a.Privacy["groupadd"], OnWhatsApp: a.OnWhatsApp, Business: a.Business, Off: a.Off,
		Devices: []DeviceInfo{}, Groups: []string{},
	}
	for _, d := range a.companions() {
		out.Devices = append(out.Devices, DeviceInfo{
			JID: d.PNJID().String(), LID: d.LIDJID().String(), Platform: d.Platform,
			Online: d.online(), LinkedAt: d.Linked.Unix(), Queued: len(d.Queue), StandIn: d.StandIn,
		})
	}
	for _, jid := range w.groups.GroupsOf(a.LID) {
		out.Groups = append(out.Groups, jid.String())
	}
	return out
}

// NumberOf is the phone number behind a JID of either kind, or "".
func (w *World) NumberOf(jid types.JID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.account(jid); a != nil {
		return a.PN.User
	}
	return ""
}
