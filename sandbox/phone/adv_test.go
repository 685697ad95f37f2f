package phone

import (
	"errors"
	"slices"
	"testing"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// pair runs whatsmeow's own pairing. Without a connection it ends with an
// error at the latest when it wants to answer the server; everything before is
// as in earnest. accepted tells that all signatures were good.
func pair(t *testing.T, c *companion, container []byte) (accepted bool, err error) {
	t.Helper()
	c.PrePairCallback = func(types.JID, string, string) bool {
		accepted = true
		return true
	}
	err = c.DangerousInternals().HandlePair(t.Context(), container, "1", "", "android", c.jid, c.lid)
	return accepted, err
}

func TestWhatsmeowAcceptsCompanionSignature(t *testing.T) {
	p := newPhone(t)
	c := newCompanion(t, testPN, testLID, 3)
	identity := *c.Store.IdentityKey.Pub
	container, err := p.SignCompanion(identity, c.Store.AdvSecretKey, 3, testTime)
	must(t, err)

	accepted, err := pair(t, c, container)
	if !accepted || !errors.Is(err, whatsmeow.ErrNotConnected) {
		t.Fatalf("accepted %v, error %v; want acceptance, and no connection for the answer", accepted, err)
	}
	if c.Store.Account == nil {
		t.Fatal("whatsmeow kept no account")
	}
	// What whatsmeow would have answered.
	answer := proto.Clone(c.Store.Account).(*waAdv.ADVSignedDeviceIdentity)
	answer.AccountSignatureKey = nil
	selfSigned, err := proto.Marshal(answer)
	must(t, err)
	must(t, p.VerifyCompanion(identity, selfSigned))

	var details waAdv.ADVDeviceIdentity
	must(t, proto.Unmarshal(answer.Details, &details))
	if details.GetKeyIndex() != 3 || int64(details.GetTimestamp()) != testTime.Unix() {
		t.Errorf("signed key index %d at %d", details.GetKeyIndex(), details.GetTimestamp())
	}
}

func TestWhatsmeowRefusesForeignSignature(t *testing.T) {
	p := newPhone(t)
	t.Run("other secret", func(t *testing.T) {
		c := newCompanion(t, testPN, testLID, 3)
		container, err := p.SignCompanion(*c.Store.IdentityKey.Pub, make([]byte, 32), 3, testTime)
		must(t, err)
		if accepted, err := pair(t, c, container); accepted || !errors.Is(err, whatsmeow.ErrPairInvalidDeviceIdentityHMAC) {
			t.Errorf("accepted %v, error %v", accepted, err)
		}
	})
	t.Run("other identity", func(t *testing.T) {
		c := newCompanion(t, testPN, testLID, 3)
		container, err := p.SignCompanion([32]byte{1}, c.Store.AdvSecretKey, 3, testTime)
		must(t, err)
		if accepted, err := pair(t, c, container); accepted || !errors.Is(err, whatsmeow.ErrPairInvalidDeviceSignature) {
			t.Errorf("accepted %v, error %v", accepted, err)
		}
	})
}

func TestSignCompanionNeedsSecret(t *testing.T) {
	if _, err := newPhone(t).SignCompanion([32]byte{1}, nil, 1, testTime); err == nil {
		t.Error("signed without a secret")
	}
}

func TestVerifyCompanionRefuses(t *testing.T) {
	p := newPhone(t)
	c := newCompanion(t, testPN, testLID, 1)
	identity := *c.Store.IdentityKey.Pub
	container, err := p.SignCompanion(identity, c.Store.AdvSecretKey, 1, testTime)
	must(t, err)
	_, err = pair(t, c, container)
	if !errors.Is(err, whatsmeow.ErrNotConnected) {
		t.Fatal(err)
	}
	changed := func(change func(*waAdv.ADVSignedDeviceIdentity)) []byte {
		answer := proto.Clone(c.Store.Account).(*waAdv.ADVSignedDeviceIdentity)
		change(answer)
		raw, err := proto.Marshal(answer)
		must(t, err)
		return raw
	}
	other := newCompanion(t, testPN, testLID, 2)
	cases := map[string]struct {
		identity [32]byte
		answer   []byte
	}{
		"not a message":       {identity, []byte{0xff}},
		"empty":               {identity, nil},
		"other identity":      {*other.Store.IdentityKey.Pub, changed(func(*waAdv.ADVSignedDeviceIdentity) {})},
		"changed details":     {identity, changed(func(a *waAdv.ADVSignedDeviceIdentity) { a.Details[0] ^= 1 })},
		"no device signature": {identity, changed(func(a *waAdv.ADVSignedDeviceIdentity) { a.DeviceSignature = nil })},
		"foreign device signature": {identity, changed(func(a *waAdv.ADVSignedDeviceIdentity) {
			sig := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*other.Store.IdentityKey.Priv), a.Details)
			a.DeviceSignature = sig[:]
		})},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := p.VerifyCompanion(tc.identity, tc.answer); !errors.Is(err, ErrBadSignature) {
				t.Errorf("error %v, want ErrBadSignature", err)
			}
		})
	}
}

func TestKeyIndexList(t *testing.T) {
	p := newPhone(t)
	_, err := p.SignCompanion([32]byte{1}, []byte("secret"), 7, testTime)
	must(t, err)
	raw, err := p.KeyIndexList([]uint32{5, 2, 5}, testTime)
	must(t, err)

	var list waAdv.ADVSignedKeyIndexList
	must(t, proto.Unmarshal(raw, &list))
	signed := append([]byte{6, 2}, list.Details...)
	key := ecc.NewDjbECPublicKey(p.Identity())
	if !ecc.VerifySignature(key, signed, [64]byte(list.AccountSignature)) {
		t.Error("the account's signature is wrong")
	}
	var details waAdv.ADVKeyIndexList
	must(t, proto.Unmarshal(list.Details, &details))
	if !slices.Equal(details.ValidIndexes, []uint32{0, 2, 5}) {
		t.Errorf("valid indexes %v", details.ValidIndexes)
	}
	if details.GetCurrentIndex() != 7 {
		t.Errorf("current index %d, want that of the last companion signed", details.GetCurrentIndex())
	}
	if details.GetRawID() != p.rawID {
		t.Error("the list has another raw id than the devices")
	}
}
