package phone

import (
	"fmt"

	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/whatsmeow/store"
)

// retire ends every chain that the phone itself, under its Signal address, has
// been sending in. A snapshot may be older than the last message: a message
// encrypted with the next key of such a chain could use a key for the second
// time, and a receiver drops it as one it has read.
//
// Own sender keys are forgotten. Of sessions only the sending side is over, so
// they stay, and are told by their ratchet keys: the receiving side may bring an
// archived one back, and a new ratchet key, as it comes with an answer to what
// was just received, is free of the past.
func (v *vault) retire(own string) error {
	for _, keys := range v.SenderKeys {
		delete(keys, own)
	}
	v.stale = make(map[string]map[[32]byte]bool, len(v.Sessions))
	for address, raw := range v.Sessions {
		session, err := readSession(raw)
		if err != nil {
			return fmt.Errorf("session with %s: %w", address, err)
		}
		chains := make(map[[32]byte]bool)
		for _, state := range append(session.PreviousSessionStates(), session.SessionState()) {
			if state.HasSenderChain() {
				chains[state.SenderRatchetKey().PublicKey()] = true
			}
		}
		v.stale[address] = chains
	}
	return nil
}

// canSend tells whether there is a session with an address in which the phone
// may send: one with a chain that is not from before a restore.
func (v *vault) canSend(address string) bool {
	raw, ok := v.Sessions[address]
	if !ok || len(v.stale[address]) == 0 {
		return ok
	}
	session, err := readSession(raw)
	if err != nil {
		return false
	}
	state := session.SessionState()
	return state.HasSenderChain() && !v.stale[address][state.SenderRatchetKey().PublicKey()]
}

func readSession(raw []byte) (session *record.Session, err error) {
	err = guard(func() (inner error) {
		serializer := store.SignalProtobufSerializer
		session, inner = record.NewSessionFromBytes(raw, serializer.Session, serializer.State)
		return inner
	})
	return session, err
}
