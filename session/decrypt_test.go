package session

import (
	"context"
	"errors"
	"testing"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
)

// roughBuffer is a buffer whose transactions fail as it says.
type roughBuffer struct {
	wastore.EventBuffer
	begin, commit error
}

func (b roughBuffer) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	if b.begin != nil {
		return b.begin
	}
	if err := decrypt(ctx); err != nil {
		return err
	}
	return b.commit
}

func TestFailuresOfTheDatabaseAreToldFromThoseOfTheCipher(t *testing.T) {
	broken, garbled := errors.New("disk full"), errors.New("no valid session")
	for _, row := range []struct {
		name    string
		buffer  roughBuffer
		decrypt func(context.Context) error
		fails   bool
		told    error
	}{
		{name: "decrypted", decrypt: func(context.Context) error { return nil }},
		{name: "garbled", decrypt: func(context.Context) error { return garbled }, fails: true},
		{name: "panic", decrypt: func(context.Context) error { panic("a defect") }, fails: true},
		{name: "not begun", buffer: roughBuffer{begin: broken}, fails: true, told: broken},
		{name: "not committed", buffer: roughBuffer{commit: broken}, decrypt: func(context.Context) error { return nil }, fails: true, told: broken},
		{name: "keys not stored", decrypt: func(ctx context.Context) error {
			_ = noted(ctx, broken)
			return garbled
		}, fails: true, told: broken},
		{name: "a stored key is wrong", decrypt: func(ctx context.Context) error { return noted(ctx, sqlstore.ErrInvalidLength) }, fails: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var told error
			o := &ownedDevice{keysFailed: func(_ context.Context, err error) { told = err }}
			err := watchedBuffer{row.buffer, o}.DoDecryptionTxn(t.Context(), row.decrypt)
			if (err != nil) != row.fails || !errors.Is(told, row.told) || row.told == nil && told != nil {
				t.Errorf("error %v, told %v", err, told)
			}
			select {
			case <-o.decrypting.zero():
			default:
				t.Error("it still counts as in work")
			}
		})
	}
}
