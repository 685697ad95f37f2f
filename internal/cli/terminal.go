package cli

import (
	"io"
	"os"
)

// isTerminal tells whether a person reads the output, so that it may be
// coloured and redrawn.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
