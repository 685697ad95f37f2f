// Package signallog sends the log of libsignal where the rest of the log goes.
// Left alone, libsignal prints to standard output, where a user reads tokens
// and QR codes.
package signallog

import (
	"sync"

	"github.com/rs/zerolog"
	"go.mau.fi/libsignal/logger"
)

// installing keeps two servers of one process from setting libsignal's
// variable at once.
//
//nolint:gochecknoglobals // libsignal's logger is process-wide and has no lock
var installing sync.Mutex

// Install makes log the logger of libsignal, unless the process has chosen one
// already. It must be called before the first client or phone of the process
// works, because libsignal reads its logger without a lock.
func Install(log zerolog.Logger) {
	installing.Lock()
	defer installing.Unlock()
	if logger.Logger != nil {
		return
	}
	var bridge logger.Loggable = &bridge{log.With().Str("component", "signal").Logger()}
	logger.Setup(&bridge)
}

// bridge writes everything at debug level: what libsignal takes for an error,
// such as a message under keys that are gone, is daily life to a session, which
// reports it in its own words.
type bridge struct{ log zerolog.Logger }

// Debug drops what libsignal would say: message keys and plain text are in it.
func (b *bridge) Debug(string, string) {}

func (b *bridge) Info(caller, text string)    { b.log.Debug().Str("caller", caller).Msg(text) }
func (b *bridge) Warning(caller, text string) { b.log.Debug().Str("caller", caller).Msg(text) }
func (b *bridge) Error(caller, text string)   { b.log.Debug().Str("caller", caller).Msg(text) }
func (b *bridge) Configure(string)            {}
