package signallog

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestBridgeKeepsSecretsOut(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := &bridge{zerolog.New(&log).Level(zerolog.TraceLevel)}
	b.Debug("SessionCipher.go:407", "Using cipherKey: [169 28 254 63]")
	if log.Len() > 0 {
		t.Errorf("libsignal's debug output reached the log: %s", log.String())
	}
	b.Warning("SessionCipher.go:1", "no session")
	if !strings.Contains(log.String(), "no session") {
		t.Errorf("a warning did not reach the log: %s", log.String())
	}
}
