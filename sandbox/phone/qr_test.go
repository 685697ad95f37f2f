package phone

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
)

func TestParseQRReadsWhatsmeow(t *testing.T) {
	c := newCompanion(t, testPN, testLID, 1)
	text := c.DangerousInternals().MakeQRData([]byte("2@abc+/="), whatsmeow.PairClientChrome)
	_, fields, _ := strings.Cut(text, "#")
	old := fields[:strings.LastIndexByte(fields, ',')]
	for name, tc := range map[string]struct{ text, client string }{
		"link":       {text, "1"},
		"spaces":     {" " + text + "\n", "1"},
		"no link":    {fields, "1"},
		"old form":   {old, ""},
		"empty type": {old + ",", ""},
	} {
		t.Run(name, func(t *testing.T) {
			qr, err := ParseQR(tc.text)
			must(t, err)
			if qr.Ref != "2@abc+/=" || qr.Noise != *c.Store.NoiseKey.Pub || qr.Identity != *c.Store.IdentityKey.Pub ||
				!bytes.Equal(qr.AdvSecret, c.Store.AdvSecretKey) || qr.ClientType != tc.client {
				t.Errorf("read %+v", qr)
			}
		})
	}
}

func TestParseQRRefuses(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for text, complaint := range map[string]string{
		"":                                      "fields",
		"2@a,b,c":                               "fields",
		"a,b,c,d,e,f":                           "fields",
		"https://wa.me/settings/linked_devices": "fragment",
		strings.Join([]string{"", key, key, key}, ","):           "ref",
		strings.Join([]string{"2@a", "?", key, key}, ","):        "noise key",
		strings.Join([]string{"2@a", key, short, key}, ","):      "identity key",
		strings.Join([]string{"2@a", key, key, short, "1"}, ","): "ADV secret",
	} {
		t.Run(complaint, func(t *testing.T) {
			_, err := ParseQR(text)
			if !errors.Is(err, ErrBadQR) || !strings.Contains(err.Error(), complaint) {
				t.Errorf("error %v, want one about the %s", err, complaint)
			}
		})
	}
}

func FuzzParseQR(f *testing.F) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	f.Add("https://wa.me/settings/linked_devices#2@ref," + key + "," + key + "," + key + ",1")
	f.Add("2@ref," + key + "," + key + "," + key)
	f.Add("https://#,,,")
	f.Fuzz(func(t *testing.T, text string) {
		qr, err := ParseQR(text)
		if err != nil {
			if !errors.Is(err, ErrBadQR) {
				t.Errorf("error %v is not ErrBadQR", err)
			}
			return
		}
		if qr.Ref == "" || strings.Contains(qr.Ref, ",") || len(qr.AdvSecret) != 32 {
			t.Errorf("accepted %+v", qr)
		}
	})
}
