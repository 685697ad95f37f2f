package app

import (
	"context"

	"github.com/riverqueue/river"

	v1 "muster/api/v1"
	"muster/internal/queue"
	"muster/messages"
	"muster/session"
)

// Files of messages are fetched in a lane, so many at once.
const (
	filesLane   = "message_files"
	filesAtOnce = 16
)

// conversation is everything about messages.
type conversation struct {
	inbox *messages.Inbox
	send  *messages.Service
}

// openInbox makes the inbox. It works once openMessages has given it the rest,
// before any session connects.
func (a *App) openInbox(ctx context.Context) (err error) {
	a.talk.inbox, err = messages.OpenInbox(ctx, messages.InboxOptions{
		DB: a.db, Log: a.log, Events: a.events, Files: a.media.Store(), MaxFile: a.largestFile(),
		Retention: messages.Retention{Age: a.config.Inbox.KeepFor, Count: a.config.Inbox.Keep},
		// In a lane of their own, where large files keep nothing else waiting.
		Later: func(ctx context.Context, job river.JobArgs) (int64, error) {
			return 0, a.jobs.InsertMany(ctx, []queue.LaneJob{{Lane: filesLane, Args: job}})
		},
	})
	return err
}

// largestFile is the largest of the limits of files.
func (a *App) largestFile() int64 {
	limits := a.config.Media
	return int64(max(limits.MaxImage, limits.MaxVideo, limits.MaxAudio, limits.MaxDocument, limits.MaxSticker))
}

// talkHandlers take the sessions' events for messages.
func (a *App) talkHandlers() []session.Handler {
	return []session.Handler{
		a.talk.inbox.Apply,
		// It is made after the sessions, and they connect after that.
		func(ctx context.Context, sessionID string, evt any) error {
			return a.talk.send.Apply(ctx, sessionID, evt)
		},
	}
}

// openMessages makes sending possible. The job queue must be open, and not
// started.
func (a *App) openMessages() error {
	if err := a.jobs.AddLane(filesLane, filesAtOnce); err != nil {
		return err
	}
	a.talk.inbox.Attach(a.sessions)
	queue.Register(a.jobs, &messages.Fetcher{Inbox: a.talk.inbox})
	a.talk.send = messages.NewService(messages.Options{
		DB: a.db, Log: a.log, Sessions: a.sessions, Inbox: a.talk.inbox, Media: a.media, Queue: a.jobs, Timer: a.mirror.DisappearingSeconds,
	})
	a.services.Messages, a.services.Inbox = a.talk.send, a.talk.inbox
	v1.RegisterMessages(a.server, v1.MessageServices{
		// In base64 with room for the rest of the request, so that one that is
		// slightly too large is told what the limit is.
		Send: a.talk.send, Inbox: a.talk.inbox, UploadLimit: int(a.largestFile()*4/3) + 1<<20,
	})
	return nil
}

// startMessages begins the background work: what was being sent when the last
// run ended, and retention.
func (a *App) startMessages(ctx context.Context) error {
	if err := a.talk.send.Start(ctx); err != nil {
		return err
	}
	a.onClose("messages", a.talk.send.Close)
	a.talk.inbox.Start(ctx)
	a.onClose("inbox", a.talk.inbox.Close)
	return nil
}
