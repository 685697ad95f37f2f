package zoko

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/google/uuid"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/fault"
)

// made is the UUID of a name, in a namespace of this package.
func made(name string) string {
	space := uuid.UUID{0x6b, 0x1d, 0x3c, 0x0e, 0x5a, 0x84, 0x5d, 0x0b, 0x9a, 0x0f, 0x2f, 0x6a, 0x1c, 0x0b, 0x7e, 0x55}
	return uuid.NewSHA1(space, []byte(name)).String()
}

// At Zoko a group is a customer record, as a person is: one id stands for
// both. It is made of the session and the JID, and always the same.
func recordID(sessionID, jid string) string {
	return made(sessionID + "\x00" + jid)
}

func webhookID(id string) string {
	return made("webhook\x00" + id)
}

const (
	groupServer = "@g.us"
	lidServer   = "@lid"
)

// groupID is a group's id at WhatsApp: the JID's digits.
func groupID(jid string) string { return strings.TrimSuffix(jid, groupServer) }

// directory remembers which group a UUID is made of. What it has is right for
// ever; forgetting costs a look at the list of groups.
type directory struct {
	mu   sync.RWMutex
	jids map[string]string // by recordID
}

const maxDirectory = 50_000

func (d *directory) find(id string) (string, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	jid, ok := d.jids[id]
	return jid, ok
}

func (d *directory) add(sessionID string, jids ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.jids == nil || len(d.jids) > maxDirectory {
		d.jids = map[string]string{}
	}
	for _, jid := range jids {
		d.jids[recordID(sessionID, jid)] = jid
	}
}

// group finds the group that an id means: the _id of a record, the digits or
// the JID.
func (d *Dialect) group(ctx context.Context, sessionID, id string) (groups.Target, error) {
	target := groups.Target{SessionID: sessionID}
	unknown := fault.New(fault.GroupNotFound, "there is no group %.100q: give its _id, its group_id or its JID", id)
	record, err := uuid.Parse(id)
	if err != nil {
		jid, err := address.Group("id", id)
		if err != nil {
			return target, unknown.Because(err)
		}
		target.GroupJID = jid.String()
		return target, nil
	}
	if jid, ok := d.directory.find(record.String()); ok {
		target.GroupJID = jid
		return target, nil
	}
	if _, err = d.all(ctx, sessionID, false); err != nil {
		return target, err
	}
	jid, ok := d.directory.find(record.String())
	if !ok {
		return target, unknown
	}
	target.GroupJID = jid
	return target, nil
}

// all reads the groups of a session, and remembers their ids.
func (d *Dialect) all(ctx context.Context, sessionID string, admin bool) ([]groups.Listed, error) {
	var all []groups.Listed
	req := groups.ListRequest{SessionID: sessionID, Limit: groups.MaxPage, Admin: admin}
	for {
		page, err := d.services.Groups.List(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, g := range page.Groups {
			d.directory.add(sessionID, g.JID)
		}
		all = append(all, page.Groups...)
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			return all, nil
		}
	}
}

// The ids of messages are UUIDs at Zoko. WhatsApp's are hexadecimal; those of
// this server's messages, and of most others, fit into a UUID of version 8: six
// bytes, the version and the length, one byte, the variant, seven bytes.
const (
	maxIDBytes  = 14
	idVersion   = 0x80
	idVariant   = 0x80
	versionByte = 6
	variantByte = 8
)

// messageID is WhatsApp's id of a message as a UUID. One that does not fit gets
// one that cannot be read back.
func messageID(id string) string {
	bytes, err := hex.DecodeString(id)
	if err != nil || id != strings.ToUpper(id) || len(bytes) == 0 || len(bytes) > maxIDBytes {
		return made("message\x00" + id)
	}
	var u uuid.UUID
	u[versionByte], u[variantByte] = idVersion|byte(len(bytes)), idVariant
	for i, b := range bytes {
		u[placeOf(i)] = b
	}
	return u.String()
}

// placeOf is where the byte of an id is in its UUID.
func placeOf(i int) int {
	switch {
	case i >= variantByte-1:
		return i + 2
	case i >= versionByte:
		return i + 1
	}
	return i
}

// whatsAppID reads a message's id back; one that is no UUID is WhatsApp's own.
func whatsAppID(id string) (string, error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return id, nil //nolint:nilerr // not a UUID
	}
	length := int(u[versionByte] & 0x0f)
	if u[versionByte]&0xf0 != idVersion || u[variantByte] != idVariant || length == 0 || length > maxIDBytes {
		return "", fault.New(fault.NotFound, "there is no message %s; the ids of some incoming messages cannot be looked up", id)
	}
	bytes := make([]byte, length)
	for i := range bytes {
		bytes[i] = u[placeOf(i)]
	}
	return strings.ToUpper(hex.EncodeToString(bytes)), nil
}

// joinRequestID names somebody's request to join a group: in base64 their phone
// number, or their LID where that is not known, a colon, and the group's digits.
func joinRequestID(who groups.Identity, jid string) string {
	asking := who.PhoneNumber
	if asking == "" {
		asking = who.LID
	}
	return base64.StdEncoding.EncodeToString([]byte(asking + ":" + groupID(jid)))
}

// requester is who the request is of, if it is one for the group.
func requester(id, jid string) (who string, ok bool) {
	text, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		return "", false
	}
	who, group, found := strings.Cut(string(text), ":")
	if !found || group != groupID(jid) {
		return "", false
	}
	if !strings.HasSuffix(who, lidServer) && strings.Contains(who, "@") {
		return "", false
	}
	_, err = address.Person("join_requests", who)
	return who, err == nil
}
