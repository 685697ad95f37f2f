package store

import (
	"context"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

// slowQuery is where a query becomes worth a warning.
const slowQuery = time.Second

// queryLog reports slow queries and migrations. Unlike dbutil's own logger it
// never shows the arguments: they hold keys, tokens' hashes and messages.
type queryLog struct{ log zerolog.Logger }

var _ dbutil.DatabaseLogger = queryLog{}

func (q queryLog) QueryTiming(_ context.Context, method, query string, _ []any, rows int, took time.Duration, err error) {
	if took < slowQuery {
		return
	}
	q.log.Warn().Str("method", method).Str("query", strings.Join(strings.Fields(query), " ")).
		Int("rows", rows).Dur("took", took).AnErr("result", err).Msg("slow query")
}

func (q queryLog) WarnUnsupportedVersion(current, compat, latest int) {
	q.log.Warn().Int("current", current).Int("compatible_from", compat).Int("latest_known", latest).
		Msg("database schema is newer than this release")
}

func (q queryLog) PrepareUpgrade(current, _, latest int) {
	if current < latest {
		q.log.Info().Int("from", current).Int("to", latest).Msg("upgrading the database schema")
	}
}

func (q queryLog) DoUpgrade(from, to int, message string, _ dbutil.TxnMode) {
	q.log.Debug().Int("from", from).Int("to", to).Str("change", message).Msg("schema migration")
}

func (q queryLog) Warn(msg string, _ ...any) { q.log.Warn().Msg(msg) }
