package phone

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"google.golang.org/protobuf/proto"
)

// keyIndexListPrefix starts what is signed of a key-index list (WhatsApp Web
// calls it ADV_PREFIX_KEY_INDEX_LIST_ACCOUNT_SIGNATURE); whatsmeow has the
// other prefixes but not this one, because it never checks the list.
var keyIndexListPrefix = []byte{6, 2}

// SignCompanion signs a companion's identity key into the account and returns
// the content of <device-identity> in <pair-success>: a serialised
// ADVSignedDeviceIdentityHMAC, which the companion checks with the secret it
// showed in its QR code or agreed on through the phone code.
func (p *Phone) SignCompanion(identity [32]byte, advSecret []byte, keyIndex uint32, now time.Time) ([]byte, error) {
	if len(advSecret) == 0 {
		return nil, errors.New("the companion's ADV secret is empty")
	}
	details, err := proto.Marshal(&waAdv.ADVDeviceIdentity{
		RawID:       &p.rawID,
		Timestamp:   proto.Uint64(uint64(now.Unix())),
		KeyIndex:    &keyIndex,
		AccountType: waAdv.ADVEncryptionType_E2EE.Enum(),
		DeviceType:  waAdv.ADVEncryptionType_E2EE.Enum(),
	})
	if err != nil {
		return nil, fmt.Errorf("serialise the device identity: %w", err)
	}
	signature := p.sign(whatsmeow.AdvAccountSignaturePrefix, details, identity[:])
	signed, err := proto.Marshal(&waAdv.ADVSignedDeviceIdentity{
		Details:             details,
		AccountSignatureKey: p.device.IdentityKey.Pub[:],
		AccountSignature:    signature[:],
	})
	if err != nil {
		return nil, fmt.Errorf("serialise the signed device identity: %w", err)
	}
	mac := hmac.New(sha256.New, advSecret)
	mac.Write(signed)
	container, err := proto.Marshal(&waAdv.ADVSignedDeviceIdentityHMAC{
		Details:     signed,
		HMAC:        mac.Sum(nil),
		AccountType: waAdv.ADVEncryptionType_E2EE.Enum(),
	})
	if err != nil {
		return nil, fmt.Errorf("serialise the device identity container: %w", err)
	}
	p.lastKeyIndex = max(p.lastKeyIndex, keyIndex)
	return container, nil
}

// VerifyCompanion checks what a companion answers in <pair-device-sign>: the
// ADVSignedDeviceIdentity that it was given, now with its own signature and
// without the account's key. Every mismatch is ErrBadSignature.
func (p *Phone) VerifyCompanion(identity [32]byte, selfSigned []byte) error {
	var signed waAdv.ADVSignedDeviceIdentity
	if err := proto.Unmarshal(selfSigned, &signed); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	account := p.Identity()
	if !verify(account, signed.GetAccountSignature(), whatsmeow.AdvAccountSignaturePrefix, signed.GetDetails(), identity[:]) {
		return fmt.Errorf("%w: these details were never signed for this identity", ErrBadSignature)
	}
	if !verify(identity, signed.GetDeviceSignature(),
		whatsmeow.AdvDeviceSignaturePrefix, signed.GetDetails(), identity[:], account[:]) {
		return fmt.Errorf("%w: not signed by this identity", ErrBadSignature)
	}
	return nil
}

// KeyIndexList makes the content of <key-index-list>: a serialised
// ADVSignedKeyIndexList with the key indexes of the companions that are linked
// now. Index 0, the phone's own, is always among them.
func (p *Phone) KeyIndexList(valid []uint32, now time.Time) ([]byte, error) {
	indexes := append([]uint32{0}, valid...)
	slices.Sort(indexes)
	indexes = slices.Compact(indexes)
	details, err := proto.Marshal(&waAdv.ADVKeyIndexList{
		RawID:        &p.rawID,
		Timestamp:    proto.Uint64(uint64(now.Unix())),
		CurrentIndex: proto.Uint32(max(p.lastKeyIndex, indexes[len(indexes)-1])),
		ValidIndexes: indexes,
		AccountType:  waAdv.ADVEncryptionType_E2EE.Enum(),
	})
	if err != nil {
		return nil, fmt.Errorf("serialise the key-index list: %w", err)
	}
	signature := p.sign(keyIndexListPrefix, details)
	list, err := proto.Marshal(&waAdv.ADVSignedKeyIndexList{
		Details:             details,
		AccountSignature:    signature[:],
		AccountSignatureKey: p.device.IdentityKey.Pub[:],
	})
	if err != nil {
		return nil, fmt.Errorf("serialise the signed key-index list: %w", err)
	}
	return list, nil
}

// sign makes the account's XEdDSA signature over the parts in a row.
func (p *Phone) sign(parts ...[]byte) [64]byte {
	return ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*p.device.IdentityKey.Priv), bytes.Join(parts, nil))
}

// verify checks an XEdDSA signature over the parts in a row.
func verify(key [32]byte, signature []byte, parts ...[]byte) bool {
	var sig [64]byte
	if fill(sig[:], signature, "signature") != nil {
		return false
	}
	return ecc.VerifySignature(ecc.NewDjbECPublicKey(key), bytes.Join(parts, nil), sig)
}
