package service

import (
	"slices"
	"strconv"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// privacyValues are the categories an account can set and the values of each,
// as whatsmeow's types.PrivacySettingType documents them, in the order in which
// they are shown.
var privacyValues = []struct {
	name   string
	values []string
}{
	{"readreceipts", []string{"all", "none"}},
	{"profile", []string{"all", "contacts", "contact_blacklist", "none"}},
	{"status", []string{"all", "contacts", "contact_blacklist", "none"}},
	{"online", []string{"all", "match_last_seen"}},
	{"last", []string{"all", "contacts", "contact_blacklist", "none"}},
	{"groupadd", []string{"all", "contacts", "contact_blacklist", "none"}},
	{"calladd", []string{"all", "known"}},
	{"messages", []string{"all", "contacts"}},
	{"defense", []string{"on_standard", "off"}},
	{"stickers", []string{"contacts", "contact_allowlist", "none"}},
}

// privacyTokenSize is how many bytes a trusted contact's token has.
const privacyTokenSize = 24

// shows tells whether the account lets a viewer see what a category guards:
// "profile", "status", "last" and so on. The lists behind contact_blacklist
// are not kept, so it shows what "contacts" shows.
func (a *Account) shows(category string, viewer *Account) bool {
	if viewer == a {
		return true
	}
	if a.blocks(viewer) {
		return false
	}
	switch a.Privacy[category] {
	case "none":
		return false
	case "contacts", "contact_blacklist", "contact_allowlist":
		return a.Contacts[viewer.LID.User]
	}
	return true
}

// blocks tells whether the account has blocked another.
func (a *Account) blocks(other *Account) bool {
	_, blocked := a.Blocked[other.LID.User]
	return blocked
}

// iqGetPrivacy shows the account's privacy settings.
func (w *World) iqGetPrivacy(c *call) ([]stanza.Node, *stanza.Error) {
	if stanza.Child(c.iq, "privacy") == nil {
		return nil, stanza.Refuse(501)
	}
	a := c.device.Account
	var list []stanza.Node
	for _, category := range privacyValues {
		if value := a.Privacy[category.name]; value != "" {
			list = append(list, privacyCategory(category.name, value))
		}
	}
	return []stanza.Node{{Tag: "privacy", Content: list}}, nil
}

func privacyCategory(name, value string) stanza.Node {
	return stanza.Node{Tag: "category", Attrs: stanza.Attrs{"name": name, "value": value}}
}

// iqSetPrivacy changes privacy settings, or gives trusted contacts their tokens.
func (w *World) iqSetPrivacy(c *call) ([]stanza.Node, *stanza.Error) {
	if tokens := stanza.Child(c.iq, "tokens"); tokens != nil {
		return nil, w.issueTokens(c, tokens)
	}
	privacy := stanza.Child(c.iq, "privacy")
	if privacy == nil {
		return nil, stanza.Refuse(501)
	}
	var changes []stanza.Node
	for _, category := range stanza.Children(privacy, "category") {
		name, value := stanza.Text(&category, "name"), stanza.Text(&category, "value")
		if !validPrivacy(name, value) {
			return nil, stanza.Refuse(400)
		}
		changes = append(changes, privacyCategory(name, value))
	}
	if len(changes) == 0 {
		return nil, stanza.Refuse(400)
	}
	a := c.device.Account
	for _, change := range changes {
		a.Privacy[stanza.Text(&change, "name")] = stanza.Text(&change, "value")
	}
	c.then(func() { w.syncAccount(c.device, stanza.Node{Tag: "privacy", Content: changes}) })
	return nil, nil
}

func validPrivacy(name, value string) bool {
	for _, category := range privacyValues {
		if category.name == name {
			return slices.Contains(category.values, value)
		}
	}
	return false
}

// syncAccount tells the account's other companions what one of them changed.
func (w *World) syncAccount(by *Device, change stanza.Node) {
	w.notifyAccount(by.Account, stanza.Node{
		Tag:     "notification",
		Attrs:   stanza.Attrs{"from": by.Account.PN, "type": "account_sync", "t": w.opts.Now().Unix()},
		Content: []stanza.Node{change},
	}, by)
}

// issueTokens hands each named person a token that says "I trust you". Clients
// keep it and attach it to messages, picture requests and presence
// subscriptions; the sandbox asks nobody for it.
func (w *World) issueTokens(c *call, tokens *stanza.Node) *stanza.Error {
	list := stanza.Children(tokens, "token")
	if len(list) == 0 {
		return stanza.Refuse(400)
	}
	for _, token := range list {
		jid, ok := stanza.JID(&token, "jid")
		at, timed := stanza.Int(&token, "t")
		if !ok || !timed || stanza.Text(&token, "type") != "trusted_contact" {
			return stanza.Refuse(400)
		}
		c.then(func() { w.deliverToken(c.device.Account, jid, at) })
	}
	return nil
}

// deliverToken gives one person the token of an issuer. Nobody learns of a
// token that was meant for somebody unknown, for oneself, or for somebody who
// blocked the issuer.
func (w *World) deliverToken(issuer *Account, to types.JID, at int64) {
	peer := w.account(to)
	if peer == nil || peer == issuer || peer.blocks(issuer) {
		return
	}
	w.notifyAccount(peer, stanza.Node{
		Tag: "notification",
		Attrs: stanza.Attrs{
			"from": issuer.PN, "sender_lid": issuer.LID, "type": "privacy_token", "t": w.opts.Now().Unix(),
		},
		Content: []stanza.Node{{Tag: "tokens", Content: []stanza.Node{{
			Tag: "token",
			Attrs: stanza.Attrs{
				"jid": peer.PN, "type": "trusted_contact", "t": strconv.FormatInt(at, 10),
			},
			Content: w.bytes(privacyTokenSize),
		}}}},
	}, nil)
}
