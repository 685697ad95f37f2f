package messages

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"

	"muster/messages/content"
	"muster/store"
)

// searchIndex keeps the words of the messages. On PostgreSQL they are a column
// of the messages; on SQLite, a virtual table beside them whose name tells its
// module: FTS5 where the program was built with it (build tag sqlite_fts5),
// else FTS4, which go-sqlite3 always has.
type searchIndex struct {
	db     *dbutil.Database
	module string // empty on PostgreSQL
}

const (
	fts4 = "fts4"
	fts5 = "fts5"
)

func (x searchIndex) table() string { return "messages_" + x.module }

// openSearch finds the index, or makes it: it is made anew when a program that
// was built otherwise has kept its own one in the meantime.
func openSearch(ctx context.Context, db *dbutil.Database) (searchIndex, error) {
	x := searchIndex{db: db}
	if db.Dialect == dbutil.Postgres {
		return x, nil
	}
	var has bool
	if err := db.QueryRow(ctx, `SELECT sqlite_compileoption_used('ENABLE_FTS5')`).Scan(&has); err != nil {
		return x, fmt.Errorf("look for FTS5: %w", err)
	}
	x.module = fts4
	if has {
		x.module = fts5
	}
	var present string
	err := db.QueryRow(ctx, `SELECT module FROM search_index WHERE id = 1`).Scan(&present)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return x, err
	}
	if present == x.module {
		return x, nil
	}
	return x, store.Txn(ctx, db, x.rebuild)
}

// rebuild makes the index of what is stored.
func (x searchIndex) rebuild(ctx context.Context) error {
	create := `CREATE VIRTUAL TABLE messages_fts4 USING fts4(words, tokenize=simple, order=desc)`
	if x.module == fts5 {
		create = `CREATE VIRTUAL TABLE messages_fts5 USING fts5(words, tokenize='ascii')`
	}
	for _, statement := range []string{
		`DROP TRIGGER IF EXISTS messages_unindex`,
		`DROP TABLE IF EXISTS ` + x.table(),
		create,
		// However a message goes, with its session for example, its words go, too.
		`CREATE TRIGGER messages_unindex AFTER DELETE ON messages BEGIN DELETE FROM ` + x.table() + ` WHERE rowid = old.seq; END`,
		`INSERT INTO search_index (id, module) VALUES (1, '` + x.module + `') ON CONFLICT (id) DO UPDATE SET module = excluded.module`,
	} {
		if _, err := x.db.Exec(ctx, statement); err != nil {
			return err
		}
	}
	for after := int64(0); ; {
		last, err := x.rebuildFrom(ctx, after)
		if err != nil || last == after {
			return err
		}
		after = last
	}
}

// rebuildFrom indexes some of the messages after one, and returns the last.
func (x searchIndex) rebuildFrom(ctx context.Context, after int64) (last int64, err error) {
	const some = 1000
	type stored struct {
		seq int64
		raw string
	}
	rows, err := x.db.Query(ctx, `SELECT seq, content FROM messages WHERE seq > $1 AND shown AND content <> '' ORDER BY seq LIMIT $2`, after, some)
	list, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (s stored, err error) {
		return s, r.Scan(&s.seq, &s.raw)
	}, err).AsList()
	if err != nil {
		return after, err
	}
	last = after
	for _, s := range list {
		last = s.seq
		var c content.Content
		if err = json.Unmarshal([]byte(s.raw), &c); err != nil {
			return after, fmt.Errorf("message %d: %w", s.seq, err)
		}
		if c.ViewOnce {
			continue
		}
		if err = x.add(ctx, s.seq, wordsOf(c)); err != nil {
			return after, err
		}
	}
	return last, nil
}

// add indexes a message that has not been. On PostgreSQL its row has the words.
func (x searchIndex) add(ctx context.Context, seq int64, words string) error {
	if x.module == "" || words == "" {
		return nil
	}
	_, err := x.db.Exec(ctx, `INSERT INTO `+x.table()+` (rowid, words) VALUES ($1, $2)`, seq, words)
	return err
}

// replace indexes a message anew.
func (x searchIndex) replace(ctx context.Context, seq int64, words string) error {
	if x.module == "" {
		return nil
	}
	if _, err := x.db.Exec(ctx, `DELETE FROM `+x.table()+` WHERE rowid = $1`, seq); err != nil {
		return err
	}
	return x.add(ctx, seq, words)
}

// with adds the words to the values of the statements below.
func (x searchIndex) with(values []any, words string) []any {
	if x.module != "" {
		return values
	}
	return append(values, sql.NullString{String: tsvector(words), Valid: words != ""})
}

func (x searchIndex) insertion() string {
	column, value := "", ""
	if x.module == "" {
		column, value = ", words", ", CAST(CAST($17 AS TEXT) AS TSVECTOR)"
	}
	return `INSERT INTO messages (session_id, chat, id, sender_pn, sender_lid, sender_name, from_me, at, received_at, kind, shown, offline,
			content, state, request_id, expires_at` + column + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16` + value + `) RETURNING seq`
}

func (x searchIndex) repair() string {
	words := ""
	if x.module == "" {
		words = ", words = CAST(CAST($7 AS TEXT) AS TSVECTOR)"
	}
	return `UPDATE messages SET kind = $2, shown = $3, content = $4, expires_at = $5, sender_name = $6` + words + ` WHERE seq = $1`
}

func (x searchIndex) rewriting() string {
	words := ""
	if x.module == "" {
		words = ", words = CAST(CAST($5 AS TEXT) AS TSVECTOR)"
	}
	return `UPDATE messages SET kind = $2, content = $3, edited_at = $4` + words + ` WHERE seq = $1`
}

func (x searchIndex) emptying() string {
	words := ""
	if x.module == "" {
		words = ", words = NULL"
	}
	return `UPDATE messages SET content = '', revoked_at = $2, revoked_by = $3, pinned_until = 0` + words + ` WHERE seq = $1`
}

// matches is the condition for messages m that match a query, whose text is the
// statement's value of the number, and that text.
func (x searchIndex) matches(q query, number int) (condition, text string) {
	switch x.module {
	case fts5:
		return fmt.Sprintf(`m.seq IN (SELECT rowid FROM messages_fts5 WHERE words MATCH $%d)`, number), q.fts5()
	case fts4:
		return fmt.Sprintf(`m.seq IN (SELECT docid FROM messages_fts4 WHERE words MATCH $%d)`, number), q.fts4()
	}
	return fmt.Sprintf(`m.words @@ CAST(CAST($%d AS TEXT) AS TSQUERY)`, number), q.tsquery()
}
