package phone

import (
	"errors"
	"fmt"

	"go.mau.fi/libsignal/signalerror"
)

// Linking.
var (
	// ErrBadQR is the error of every text that is no linking code.
	ErrBadQR = errors.New("not a WhatsApp linking QR code")
	// ErrBadCode is the error of a phone code of the wrong length or alphabet.
	ErrBadCode = errors.New("not a phone linking code")
	// ErrWrongCode says that companion and phone do not use the same code, or
	// that someone stands between them: the key bundle does not open, or holds
	// other identities than the two that are linking.
	ErrWrongCode = errors.New("the linking code does not match")
	// ErrBadSignature is the error of a companion whose identity is not the
	// one that was signed.
	ErrBadSignature = errors.New("the companion's device signature is invalid")
)

// Encrypting and decrypting.
var (
	// ErrNoSession says that there is no session with the device, or none that
	// fits what it sent.
	ErrNoSession = errors.New("no Signal session with the device")
	// ErrNoSenderKey says that the sender's group key never arrived.
	ErrNoSenderKey = errors.New("no sender key of the device for the group")
	// ErrUnknownPreKey says that the message was made for a pre-key that the
	// phone never had or has used up.
	ErrUnknownPreKey = errors.New("the message uses an unknown pre-key")
	// ErrDuplicate says that this very ciphertext was read before, or is older
	// than the key it would need. It must not be asked for again.
	ErrDuplicate = errors.New("the message was decrypted before")
	// ErrUndecryptable is every other failure to open a ciphertext.
	ErrUndecryptable = errors.New("the message cannot be decrypted")
	// ErrNoCiphertext says that the message carries nothing for this phone.
	ErrNoCiphertext = errors.New("the message has no ciphertext")
	// ErrUnknownMessage says that the phone did not send, or no longer
	// remembers, the message that is asked for again.
	ErrUnknownMessage = errors.New("the message is not among the recent ones")
)

// ErrPatchOrder is the error of an app-state patch that does not follow on the
// version the phone has.
var ErrPatchOrder = errors.New("the app-state patch is out of order")

// NeedsRetry tells whether a failed Decrypt is to be answered with a retry
// receipt, so that the sender tries again.
func NeedsRetry(err error) bool {
	return err != nil && !errors.Is(err, ErrDuplicate) && !errors.Is(err, ErrNoCiphertext)
}

// decryptError sorts libsignal's errors into the few that matter to a caller.
// The library's own error stays in the chain.
func decryptError(err error) error {
	kinds := []struct {
		kind   error
		causes []error
	}{
		{ErrDuplicate, []error{signalerror.ErrOldCounter}},
		{ErrUnknownPreKey, []error{signalerror.ErrNoOneTimeKeyFound, signalerror.ErrNoSignedPreKey}},
		{ErrNoSenderKey, []error{signalerror.ErrNoSenderKeyForUser, signalerror.ErrNoSenderKeyStateForID,
			signalerror.ErrNoSenderKeyStatesInRecord}},
		{ErrNoSession, []error{signalerror.ErrNoSessionForUser, signalerror.ErrNoValidSessions,
			signalerror.ErrUninitializedSession}},
	}
	for _, k := range kinds {
		for _, cause := range k.causes {
			if errors.Is(err, cause) {
				return fmt.Errorf("%w: %w", k.kind, err)
			}
		}
	}
	return fmt.Errorf("%w: %w", ErrUndecryptable, err)
}
