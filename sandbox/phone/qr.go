package phone

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// QR is what a companion shows for the phone to scan.
type QR struct {
	Ref       string   // the server's name for the waiting connection
	Noise     [32]byte // the companion's static Noise key
	Identity  [32]byte // its Signal identity
	AdvSecret []byte   // 32 bytes; proves the pairing to it
	// ClientType is the kind of browser in whatsmeow's PairClientType letters,
	// "" in the old form.
	ClientType string
}

// ParseQR reads the text of a QR code, either as today's companions write it,
//
//	https://wa.me/settings/linked_devices#ref,noise,identity,secret,clientType
//
// or as old ones do, the four fields alone. Keys are standard base64. Every
// error is an ErrBadQR that names the field.
func ParseQR(text string) (QR, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "https://") {
		_, fragment, found := strings.Cut(text, "#")
		if !found {
			return QR{}, fmt.Errorf("%w: the link has no fragment", ErrBadQR)
		}
		text = fragment
	}
	fields := strings.Split(text, ",")
	if len(fields) != 4 && len(fields) != 5 {
		return QR{}, fmt.Errorf("%w: %d fields, not 4 or 5", ErrBadQR, len(fields))
	}
	if fields[0] == "" {
		return QR{}, fmt.Errorf("%w: the ref is empty", ErrBadQR)
	}
	qr := QR{Ref: fields[0], AdvSecret: make([]byte, 32)}
	keys := []struct {
		name string
		into []byte
	}{{"noise key", qr.Noise[:]}, {"identity key", qr.Identity[:]}, {"ADV secret", qr.AdvSecret}}
	for i, key := range keys {
		raw, err := base64.StdEncoding.DecodeString(fields[1+i])
		if err != nil {
			return QR{}, fmt.Errorf("%w: the %s is not base64: %w", ErrBadQR, key.name, err)
		}
		if err = fill(key.into, raw, key.name); err != nil {
			return QR{}, fmt.Errorf("%w: the %w", ErrBadQR, err)
		}
	}
	if len(fields) == 5 {
		qr.ClientType = fields[4]
	}
	return qr, nil
}
