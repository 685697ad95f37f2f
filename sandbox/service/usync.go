package service

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waVnameCert"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

// usyncProtocol answers one thing that a usync may ask about each user: the
// child node for one user, or false where there is nothing to say. The asker
// matters because of the asked account's privacy.
type usyncProtocol func(w *World, asker *Account, user usyncUser) (stanza.Node, bool)

// usyncUser is one user of a query.
type usyncUser struct {
	account *Account // nil for somebody unknown
	jid     types.JID
	// query is what the user's <contact> said, when it was asked by number.
	query []byte
}

// usyncProtocols are the protocols the sandbox knows; "contact" is also what
// addresses a user by number.
var usyncProtocols = map[string]usyncProtocol{
	"devices":           (*World).usyncDevices,
	"lid":               (*World).usyncLID,
	"contact":           (*World).usyncContact,
	"status":            (*World).usyncStatus,
	"picture":           (*World).usyncPicture,
	"business":          (*World).usyncBusiness,
	"disappearing_mode": (*World).usyncDisappearingMode,
	// Nobody in the sandbox has a username, which is answered by silence.
	"username": func(*World, *Account, usyncUser) (stanza.Node, bool) { return stanza.Node{}, false },
}

// iqUsync answers a query about any number of users. Each is answered in the
// addressing it was asked by, because clients cache under that.
func (w *World) iqUsync(c *call) ([]stanza.Node, *stanza.Error) {
	usync := stanza.Child(c.iq, "usync")
	if usync == nil {
		return nil, stanza.Refuse(501)
	}
	query, list := stanza.Child(usync, "query"), stanza.Child(usync, "list")
	if query == nil || list == nil {
		return nil, stanza.Refuse(400)
	}
	var wanted []usyncProtocol
	var done []stanza.Node
	for _, q := range stanza.Children(query) {
		protocol := usyncProtocols[q.Tag]
		if protocol == nil {
			return nil, stanza.Refuse(501)
		}
		wanted = append(wanted, protocol)
		done = append(done, stanza.Node{Tag: q.Tag})
	}
	inLIDs := false
	if contact := stanza.Child(query, "contact"); contact != nil {
		inLIDs = stanza.Text(contact, "addressing_mode") == "lid"
	}
	var users []stanza.Node
	for _, node := range stanza.Children(list, "user") {
		users = append(users, w.usyncAnswer(c.device.Account, &node, wanted, inLIDs))
	}
	reply := stanza.Node{Tag: "usync", Attrs: stanza.Attrs{}, Content: []stanza.Node{
		{Tag: "result", Content: done}, {Tag: "list", Content: users},
	}}
	for _, name := range []string{"sid", "mode", "last", "index", "context"} {
		if value := stanza.Text(usync, name); value != "" {
			reply.Attrs[name] = value
		}
	}
	return []stanza.Node{reply}, nil
}

// usyncAnswer is one user of the answer.
func (w *World) usyncAnswer(asker *Account, node *stanza.Node, wanted []usyncProtocol, inLIDs bool) stanza.Node {
	user := w.usyncFind(node)
	attrs := stanza.Attrs{}
	switch {
	case user.query == nil:
		attrs["jid"] = user.jid
	case inLIDs && user.account != nil:
		attrs["jid"], attrs["pn_jid"] = user.account.LID, user.account.PN
	case !user.jid.IsEmpty():
		attrs["jid"] = user.jid
	}
	var content []stanza.Node
	for _, protocol := range wanted {
		if child, ok := protocol(w, asker, user); ok {
			content = append(content, child)
		}
	}
	return stanza.Node{Tag: "user", Attrs: attrs, Content: content}
}

// usyncFind tells who a <user> of a query is: by JID, or by the number in its
// <contact>, which whatsmeow writes "+49…@c.us" and Baileys "+49…".
func (w *World) usyncFind(node *stanza.Node) usyncUser {
	var user usyncUser
	if jid, ok := stanza.JID(node, "jid"); ok {
		user.jid = jid.ToNonAD()
	} else {
		user.query = contentOf(node, "contact")
		if user.query == nil {
			user.query = []byte{}
		}
		if number := digits(string(user.query)); number != "" {
			user.jid = types.NewJID(number, types.DefaultUserServer)
		}
	}
	if a := w.account(user.jid); a != nil && a.OnWhatsApp {
		user.account = a
	}
	return user
}

// digits is the phone number in a contact query: the digits before any "@", or
// "" when there is anything but digits and the usual separators.
func digits(query string) string {
	query, _, _ = strings.Cut(query, "@")
	number := strings.NewReplacer("+", "", " ", "", "-", "", "(", "", ")", "").Replace(query)
	for _, r := range number {
		if r < '0' || r > '9' {
			return ""
		}
	}
	return number
}

// usyncContact says whether there is an account, echoing the query.
func (w *World) usyncContact(_ *Account, user usyncUser) (stanza.Node, bool) {
	kind := "out"
	switch {
	case user.account != nil:
		kind = "in"
	case user.jid.IsEmpty():
		kind = "invalid"
	}
	node := stanza.Node{Tag: "contact", Attrs: stanza.Attrs{"type": kind}}
	if len(user.query) > 0 {
		node.Content = user.query
	}
	return node, true
}

// usyncDevices lists a user's devices, the phone always among them. Baileys
// only addresses companions that come with a key index.
func (w *World) usyncDevices(_ *Account, user usyncUser) (stanza.Node, bool) {
	a := user.account
	if a == nil {
		return stanza.Node{}, false
	}
	devices := []stanza.Node{{Tag: "device", Attrs: stanza.Attrs{"id": 0}}}
	for _, d := range a.companions() {
		devices = append(devices, stanza.Node{Tag: "device", Attrs: stanza.Attrs{"id": int(d.ID), "key-index": d.KeyIndex}})
	}
	content := []stanza.Node{{
		Tag:     "device-list",
		Attrs:   stanza.Attrs{"hash": deviceHash(a.addresses(user.jid.Server == types.HiddenUserServer))},
		Content: devices,
	}}
	return stanza.Node{Tag: "devices", Content: append(content, w.keyIndexList(a))}, true
}

// usyncLID tells a user's LID. whatsmeow cannot write to somebody without it.
func (w *World) usyncLID(_ *Account, user usyncUser) (stanza.Node, bool) {
	if user.account == nil {
		return stanza.Node{}, false
	}
	return stanza.Node{Tag: "lid", Attrs: stanza.Attrs{"val": user.account.LID}}, true
}

// usyncStatus is the about text; code 401 is how a hidden one looks (Baileys'
// USyncStatusProtocol).
func (w *World) usyncStatus(asker *Account, user usyncUser) (stanza.Node, bool) {
	a := user.account
	switch {
	case a == nil:
		return stanza.Node{}, false
	case !a.shows("status", asker):
		return stanza.Node{Tag: "status", Attrs: stanza.Attrs{"code": 401, "type": "fail"}}, true
	}
	return stanza.Node{Tag: "status", Attrs: stanza.Attrs{"t": a.AboutAt.Unix()}, Content: []byte(a.About)}, true
}

// usyncPicture is the id of the profile picture, when there is one to be seen.
func (w *World) usyncPicture(asker *Account, user usyncUser) (stanza.Node, bool) {
	if user.account == nil || !user.account.shows("profile", asker) {
		return stanza.Node{}, false
	}
	picture, ok := w.media.Picture(user.account.LID.String())
	if !ok {
		return stanza.Node{}, false
	}
	return stanza.Node{Tag: "picture", Attrs: stanza.Attrs{"id": picture.ID}}, true
}

// usyncBusiness is the verified name of a business.
func (w *World) usyncBusiness(_ *Account, user usyncUser) (stanza.Node, bool) {
	if user.account == nil || !user.account.Business {
		return stanza.Node{}, false
	}
	return w.businessName(user.account)
}

// businessName is the certificate of a business's name. whatsmeow reads the
// attributes and the details and checks no signature.
func (w *World) businessName(a *Account) (stanza.Node, bool) {
	details, err := proto.Marshal(&waVnameCert.VerifiedNameCertificate_Details{
		Serial: proto.Uint64(1), Issuer: proto.String("smb:wa"), VerifiedName: proto.String(a.Name),
	})
	if err != nil {
		w.log.Error().Err(err).Str("number", a.PN.User).Msg("Business name could not be written")
		return stanza.Node{}, false
	}
	certificate, err := proto.Marshal(&waVnameCert.VerifiedNameCertificate{Details: details})
	if err != nil {
		w.log.Error().Err(err).Str("number", a.PN.User).Msg("Business certificate could not be written")
		return stanza.Node{}, false
	}
	return stanza.Node{Tag: "business", Content: []stanza.Node{{
		Tag: "verified_name",
		Attrs: stanza.Attrs{
			"verified_level": "unknown", "v": 1, "host_storage": 1, "actual_actors": 1,
			"privacy_mode_ts": a.Created.Unix(),
		},
		Content: certificate,
	}}}, true
}

// usyncDisappearingMode is a user's default timer for new chats.
func (w *World) usyncDisappearingMode(_ *Account, user usyncUser) (stanza.Node, bool) {
	if user.account == nil {
		return stanza.Node{}, false
	}
	return user.account.defaultTimer().node(), true
}
