package messages

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/riverqueue/river"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
	"muster/session"
)

// FetchFile is the job of fetching the file of one message.
type FetchFile struct {
	Seq       int64  `json:"seq"` // of the message
	SessionID string `json:"session_id"`
}

// Kind implements river.JobArgs.
func (FetchFile) Kind() string { return "message_file" }

// needFile notes what is to become of the message's file: ours is here already,
// another one is fetched later.
func (b *Inbox) needFile(ctx context.Context, e *entry) error {
	if e.said.Media == nil || e.said.ViewOnce || e.confirmed {
		return nil
	}
	state := MediaState{State: MediaPending, Size: e.said.Media.Size}
	sum, named := media.SumOf(e.said.Media.SHA256)
	_, loadable := e.said.Downloadable()
	have := false
	if named && b.files != nil {
		var err error
		if have, err = b.hasFile(ctx, e, sum); err != nil {
			return err
		}
	}
	switch {
	case b.files == nil:
		state.State = MediaSkipped
	case have:
		state.State, state.Hash = MediaStored, sum.String()
	case !loadable || b.later == nil:
		state.State = MediaSkipped
	case b.maxFile > 0 && e.said.Media.Size > b.maxFile:
		state.State = MediaSkipped
		state.ErrorCode, state.Error = string(fault.TooLarge), fmt.Sprintf("the file has %d bytes; %d are the most that is fetched", e.said.Media.Size, b.maxFile)
	}
	if err := b.setFile(ctx, e.seq, e.session, state); err != nil {
		return err
	}
	if state.State != MediaPending {
		return nil
	}
	if _, err := b.later(ctx, FetchFile{Seq: e.seq, SessionID: e.session}); err != nil {
		return fmt.Errorf("have the file of message %s fetched: %w", e.id, err)
	}
	return nil
}

// hasFile tells whether a message's file need not be fetched: it was
// taken in here, or the session was sent the same before. What other sessions have does not count.
// The hash is what the sender says, and whoever has learnt the hash of somebody
// else's file must not get the file for it.
func (b *Inbox) hasFile(ctx context.Context, e *entry, sum media.Sum) (bool, error) {
	known := e.fileKept
	if !known {
		err := b.db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM message_media WHERE session_id = $1 AND hash = $2 AND hash <> '' AND state = 'stored')`,
			e.session, sum.String()).Scan(&known)
		if err != nil {
			return false, fmt.Errorf("look for the file of message %s: %w", e.id, err)
		}
	}
	if !known {
		return false, nil
	}
	have, err := b.files.Touch(sum) // it is kept as long as if it came now
	if err != nil {
		b.log.Warn().Err(err).Str("session", e.session).Msg("a file that is kept cannot be used again; it is fetched anew")
		return false, nil
	}
	return have, nil
}

func (b *Inbox) setFile(ctx context.Context, seq int64, sessionID string, s MediaState) error {
	_, err := b.db.Exec(ctx, `INSERT INTO message_media (message_seq, session_id, state, hash, size, error_code, error, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (message_seq) DO UPDATE SET state = excluded.state, hash = excluded.hash, size = excluded.size,
			error_code = excluded.error_code, error = excluded.error, updated_at = excluded.updated_at`,
		seq, sessionID, s.State, s.Hash, s.Size, s.ErrorCode, s.Error, b.now().Unix())
	if err != nil {
		return fmt.Errorf("note the state of a file: %w", err)
	}
	return nil
}

// present corrects what a row says of a file that the store has removed since,
// for its age or for want of space.
func (b *Inbox) present(s *MediaState) *MediaState {
	if s == nil || s.State != MediaStored {
		return s
	}
	if sum, err := media.ParseSum(s.Hash); b.files != nil && err == nil && b.files.Has(sum) {
		return s
	}
	return &MediaState{State: MediaExpired, Size: s.Size}
}

// filesUsed is the media.Owner of the files of messages.
func (b *Inbox) filesUsed(ctx context.Context, sums []media.Sum) (map[media.Sum]media.Use, error) {
	used := make(map[media.Sum]media.Use)
	for len(sums) > 0 {
		n := min(len(sums), maxIDs)
		hashes := make([]string, n)
		for i, sum := range sums[:n] {
			hashes[i] = sum.String()
		}
		sums = sums[n:]
		list, values := placeholders(nil, hashes)
		rows, err := b.db.Query(ctx, `SELECT DISTINCT hash FROM message_media WHERE hash IN (`+list+`)`, values...)
		found, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[media.Sum], err).AsList()
		if err != nil {
			return nil, fmt.Errorf("look for the messages of files: %w", err)
		}
		for _, sum := range found {
			used[sum] = media.Kept
		}
	}
	return used, nil
}

// Fetcher works on FetchFile jobs.
type Fetcher struct {
	river.WorkerDefaults[FetchFile]
	Inbox *Inbox
}

// Timeout implements river.Worker: the transfer has a deadline of its own.
func (*Fetcher) Timeout(*river.Job[FetchFile]) time.Duration { return -1 }

// How often a file is tried, and how long a job waits for its session.
const (
	fetchAttempts = 8
	sessionWait   = time.Minute
)

// Work implements river.Worker.
func (f *Fetcher) Work(ctx context.Context, job *river.Job[FetchFile]) error {
	b := f.Inbox
	said, wanted, err := b.fileWanted(ctx, job.Args.Seq)
	if err != nil || !wanted {
		return err
	}
	err = b.fetchFile(ctx, job.Args, said)
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case fault.Is(err, fault.SessionNotFound):
		return nil
	case fault.Is(err, fault.SessionNotConnected), fault.Is(err, fault.RateLimited), fault.Is(err, fault.Unavailable):
		return river.JobSnooze(max(sessionWait, fault.From(err).RetryAfter))
	case final(err) || job.Attempt >= fetchAttempts:
		why := fault.From(err)
		b.log.Warn().Err(err).Str("session", job.Args.SessionID).Msg("the file of a message cannot be fetched")
		return b.setFile(ctx, job.Args.Seq, job.Args.SessionID, MediaState{
			State: MediaFailed, Size: said.Media.Size, ErrorCode: string(why.Code), Error: why.Message,
		})
	}
	return err
}

// final tells whether trying again is of no use.
func final(err error) bool {
	return fault.Is(err, fault.NotFound) || fault.Is(err, fault.TooLarge) || fault.Is(err, fault.Rejected) || fault.Is(err, fault.SessionNotLinked)
}

// fileWanted reads a message whose file is pending still.
func (b *Inbox) fileWanted(ctx context.Context, seq int64) (said content.Content, wanted bool, err error) {
	var raw string
	err = b.db.QueryRow(ctx, `SELECT m.content FROM messages m JOIN message_media f ON f.message_seq = m.seq
		WHERE m.seq = $1 AND f.state = 'pending' AND m.content <> ''`, seq).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return said, false, nil // revoked, deleted or done
	}
	if err == nil {
		err = json.Unmarshal([]byte(raw), &said)
	}
	if err != nil {
		return said, false, fmt.Errorf("read message %d: %w", seq, err)
	}
	return said, said.Media != nil, nil
}

// fetchFile downloads a file and keeps it.
func (b *Inbox) fetchFile(ctx context.Context, job FetchFile, said content.Content) error {
	source, ok := said.Downloadable()
	if !ok {
		return fault.New(fault.NotFound, "the message does not say where its file is")
	}
	sum, size, err := b.files.Download(ctx, cmp.Or(b.maxFile, anySize), func(ctx context.Context, into whatsmeow.File) error {
		return b.sessions.Do(ctx, job.SessionID, session.Transfer, func(ctx context.Context, client *whatsmeow.Client) error {
			// Of an attempt before that broke off, something may be left.
			if _, err := into.Seek(0, io.SeekStart); err != nil {
				return fmt.Errorf("begin a download: %w", err)
			}
			if err := into.Truncate(0); err != nil {
				return fmt.Errorf("begin a download: %w", err)
			}
			return downloadFault(client.DownloadToFile(ctx, source, into))
		})
	})
	if err != nil {
		return err
	}
	return b.setFile(ctx, job.Seq, job.SessionID, MediaState{State: MediaStored, Hash: sum.String(), Size: size})
}

// anySize is the limit where there is none: no file has so many bytes.
const anySize = math.MaxInt64 / 2

// downloadFault gives what whatsmeow says of a download its code.
func downloadFault(err error) error {
	switch {
	case errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith403), errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404),
		errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410):
		return fault.New(fault.NotFound, "WhatsApp does not have the file any more").Because(err)
	case errors.Is(err, whatsmeow.ErrInvalidMediaHMAC), errors.Is(err, whatsmeow.ErrInvalidMediaSHA256),
		errors.Is(err, whatsmeow.ErrInvalidMediaEncSHA256), errors.Is(err, whatsmeow.ErrNoURLPresent),
		errors.Is(err, whatsmeow.ErrTooShortFile):
		return fault.New(fault.Rejected, "the file is not the one that its message names").Because(err)
	}
	return err
}
