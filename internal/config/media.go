package config

import "time"

// Media bounds files: those that are sent, those that are received, and how
// they are fetched and kept.
type Media struct {
	MaxImage     Size          `key:"max_image" doc:"Largest image, to send or to keep of what is received."`
	MaxVideo     Size          `key:"max_video" doc:"Largest video."`
	MaxAudio     Size          `key:"max_audio" doc:"Largest recording or voice note."`
	MaxDocument  Size          `key:"max_document" doc:"Largest document."`
	MaxSticker   Size          `key:"max_sticker" doc:"Largest sticker."`
	MaxTotal     Size          `key:"max_total" doc:"How much all kept files may have together; the oldest go first."`
	Retention    time.Duration `key:"retention" doc:"How long a file is kept after it was sent or received."`
	FetchTimeout time.Duration `key:"fetch_timeout" doc:"How long fetching a file by URL may take, redirects and all."`
	MaxRedirects int           `key:"max_redirects" doc:"How many redirects of such a URL are followed."`
	AllowPrivate bool          `key:"allow_private" doc:"Fetch from loopback, private and link-local addresses and from any port, too. Whoever may send messages can then reach what this machine can."`
	FFmpeg       string        `key:"ffmpeg" doc:"Program that makes thumbnails of videos, by name or path. Without it they have none."`
}

func defaultMedia() Media {
	return Media{
		MaxImage: 16 << 20, MaxVideo: 64 << 20, MaxAudio: 16 << 20, MaxDocument: 100 << 20, MaxSticker: 1 << 20,
		MaxTotal: 10 << 30, Retention: 30 * 24 * time.Hour,
		FetchTimeout: time.Minute, MaxRedirects: 5, FFmpeg: "ffmpeg",
	}
}
