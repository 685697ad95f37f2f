package app

import (
	"context"
	"path/filepath"

	"muster/messages/media"
)

// openMedia opens the files of the messages, below the data directory.
func (a *App) openMedia() error {
	limits, log := a.config.Media, a.log.With().Str("component", "media").Logger()
	files, err := media.OpenStore(media.StoreOptions{
		Dir: filepath.Join(a.config.DataDir, "media"), MaxBytes: int64(limits.MaxTotal), Retention: limits.Retention, Log: log,
	})
	if err != nil {
		return err
	}
	a.onClose("media", func(context.Context) error { return files.Close() })
	a.media = media.NewLibrary(media.Options{
		Store: files,
		Fetch: media.FetchOptions{Timeout: limits.FetchTimeout, MaxRedirects: limits.MaxRedirects, AllowPrivate: limits.AllowPrivate},
		Limits: media.Limits{
			Image: int64(limits.MaxImage), Video: int64(limits.MaxVideo), Audio: int64(limits.MaxAudio),
			Document: int64(limits.MaxDocument), Sticker: int64(limits.MaxSticker),
		},
		FFmpeg: limits.FFmpeg, Log: log,
	})
	return nil
}
