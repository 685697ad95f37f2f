package cli

import (
	"errors"

	"muster/internal/fault"
)

// messageOf is a coded error as a person wants to read it.
func messageOf(err error) string {
	var coded *fault.Error
	if !errors.As(err, &coded) {
		return err.Error()
	}
	if coded.Field != "" {
		return coded.Field + ": " + coded.Message
	}
	return coded.Message
}

// usageOf makes an unacceptable value a usage error; other errors stay.
func usageOf(err error) error {
	if fault.Is(err, fault.Invalid) {
		return usageError{errors.New(messageOf(err))}
	}
	return err
}
