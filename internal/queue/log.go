package queue

import (
	"context"
	"log/slog"
)

// quieter passes River's log on one level lower where it is only about River:
// its every start and migration is an "info".
type quieter struct{ slog.Handler }

func (q quieter) lowered(level slog.Level) slog.Level {
	if level == slog.LevelInfo {
		return slog.LevelDebug
	}
	return level
}

func (q quieter) Enabled(ctx context.Context, level slog.Level) bool {
	return q.Handler.Enabled(ctx, q.lowered(level))
}

func (q quieter) Handle(ctx context.Context, record slog.Record) error {
	record.Level = q.lowered(record.Level)
	return q.Handler.Handle(ctx, record)
}

func (q quieter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quieter{q.Handler.WithAttrs(attrs)}
}

func (q quieter) WithGroup(name string) slog.Handler {
	return quieter{q.Handler.WithGroup(name)}
}
