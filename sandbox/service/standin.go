package service

import (
	"fmt"

	"go.mau.fi/whatsmeow/util/keys"
)

// maxStandIns is how many stand-ins a phone may have: as many as companions.
const maxStandIns = 4

// addStandIns links companions that exist by their keys alone: others encrypt
// for them, and what is sent to them is lost. They cost nothing, so that groups
// of hundreds of devices can be tried.
func (w *World) addStandIns(a *Account, count int) error {
	if count < 0 || count > maxStandIns {
		return fmt.Errorf("stand_ins: %d is not between 0 and %d", count, maxStandIns)
	}
	for range count {
		registration := w.bytes(2)
		identity := keys.NewKeyPair()
		signed := identity.CreateSignedPreKey(1)
		index := a.NextDevice
		a.NextDevice++
		a.Devices[deviceNumber(index)] = &Device{
			ID: deviceNumber(index), Account: a, KeyIndex: uint32(index), Platform: "stand-in", StandIn: true,
			Noise: *keys.NewKeyPair().Pub, Identity: *identity.Pub, Linked: w.opts.Now(), Introduced: true,
			Keys: DeviceKeys{
				Registration: 1 + (uint32(registration[0])<<8|uint32(registration[1]))%16380, Type: keyType, Identity: *identity.Pub,
				SignedID: signed.KeyID, SignedKey: *signed.Pub, SignedSig: *signed.Signature,
			},
		}
	}
	return nil
}
