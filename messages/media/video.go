package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"muster/internal/fault"
	"muster/internal/picture"
	"muster/messages/content"
)

// watch takes MP4 and 3GP videos. Seconds and dimensions are read from the
// container; the thumbnail needs ffmpeg, and is missing without it.
func (l *Library) watch(ctx context.Context, want Want, found *mimetype.MIME, draft *Draft, media *content.Media) error {
	switch {
	case anyOf(found, "video/mp4", "video/x-m4v", "audio/mp4", "audio/x-m4a"):
		media.Mimetype = "video/mp4"
	case anyOf(found, "video/3gpp", "video/3gpp2"):
		media.Mimetype = "video/3gpp"
	default:
		return wrongType(want, found, "MP4 or 3GP")
	}
	movie, err := readMovie(draft, draft.Size)
	if err != nil {
		return damaged(want, "a video", err)
	}
	if !movie.video {
		failure := fault.New(fault.UnsupportedMedia, "the file has no pictures: it is no video")
		failure.Field = want.Field
		return failure
	}
	media.Seconds, media.Width, media.Height = movie.seconds, movie.width, movie.height
	media.Thumbnail, err = l.frame(ctx, draft)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		l.options.Log.Debug().Msg("a video has no thumbnail, because ffmpeg is not installed")
	case err != nil:
		l.options.Log.Warn().Err(err).Msg("a video has no thumbnail")
	}
	return nil
}

// Limits of what ffmpeg is given and of what is taken from it.
const (
	frameTime = 10 * time.Second
	maxFrame  = 1 << 20
	maxStderr = 4 << 10
)

// frame has ffmpeg make a small picture of a video's first frame. It gets the
// file on its standard input and gives the picture on its standard output: it
// is allowed nothing else, so that a video that refers to files or hosts
// reaches none, and it gets none of our environment. Its own picture is trusted
// no more than a stranger's.
func (l *Library) frame(ctx context.Context, draft *Draft) ([]byte, error) {
	if l.options.FFmpeg == "" {
		return nil, exec.ErrNotFound
	}
	program, err := exec.LookPath(l.options.FFmpeg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", exec.ErrNotFound, err)
	}
	ctx, cancel := context.WithTimeout(ctx, frameTime)
	defer cancel()
	// Most phones write what describes a film behind it, which takes going back:
	// "fd:" can where the input is a file, and is there since ffmpeg 6.
	made, err := run(ctx, program, "fd:", draft)
	if err != nil && ctx.Err() == nil {
		made, err = run(ctx, program, "pipe:0", draft)
	}
	if err != nil {
		return nil, err
	}
	small, err := picture.Shrink("video", made, maxFrame)
	if err != nil {
		return nil, fmt.Errorf("the picture that ffmpeg made: %w", err)
	}
	return small.JPEG, nil
}

// run runs ffmpeg once.
func run(ctx context.Context, program, input string, draft *Draft) ([]byte, error) {
	file, err := draft.reopen()
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	command := exec.CommandContext(ctx, program, "-hide_banner", "-loglevel", "error", "-threads", "1",
		"-protocol_whitelist", "fd,pipe", "-f", "mov", "-i", input, "-an", "-sn", "-dn", "-frames:v", "1",
		"-vf", fmt.Sprintf("scale=%d:%d:force_original_aspect_ratio=decrease", 2*picture.ThumbnailSide, 2*picture.ThumbnailSide),
		"-f", "image2pipe", "-c:v", "mjpeg", "pipe:1")
	command.Env = []string{} // not nil, which would be ours
	command.Stdin = file
	out, said := &enough{limit: maxFrame}, &enough{limit: maxStderr}
	command.Stdout, command.Stderr = out, said
	command.WaitDelay = time.Second
	err = command.Run()
	if err == nil && out.kept.Len() == 0 {
		err = errors.New("it made nothing")
	}
	if err != nil {
		return nil, fmt.Errorf("ffmpeg: %w: %q", err, said.kept.Bytes())
	}
	return out.kept.Bytes(), nil
}

// enough keeps the beginning of what is written to it, and refuses the rest.
type enough struct {
	kept  bytes.Buffer
	limit int
}

func (e *enough) Write(data []byte) (int, error) {
	room := e.limit - e.kept.Len()
	if len(data) > room {
		e.kept.Write(data[:room])
		return room, io.ErrShortWrite
	}
	return e.kept.Write(data)
}
