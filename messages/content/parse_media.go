package content

import (
	"math"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

// parseMedia reads the messages that come with a file.
func parseMedia(m *waE2E.Message) (Content, bool) {
	switch {
	case m.GetImageMessage() != nil:
		image := m.GetImageMessage()
		media := parseFile(image)
		media.Width, media.Height, media.Thumbnail = count(image.GetWidth()), count(image.GetHeight()), thumbnail(image.GetJPEGThumbnail())
		return Content{Kind: KindImage, Text: clean(image.GetCaption(), maxRead), ViewOnce: image.GetViewOnce(), Media: media}, true
	case m.GetVideoMessage() != nil:
		return parseVideo(m.GetVideoMessage(), false), true
	case m.GetPtvMessage() != nil:
		return parseVideo(m.GetPtvMessage(), true), true
	case m.GetAudioMessage() != nil:
		audio := m.GetAudioMessage()
		media := parseFile(audio)
		media.Seconds, media.PTT, media.Waveform = count(audio.GetSeconds()), audio.GetPTT(), waveform(audio.GetWaveform())
		return Content{Kind: KindAudio, ViewOnce: audio.GetViewOnce(), Media: media}, true
	case m.GetDocumentMessage() != nil:
		document := m.GetDocumentMessage()
		media := parseFile(document)
		media.Filename, media.Title = BareName(document.GetFileName()), clean(document.GetTitle(), maxShort)
		media.Pages, media.Thumbnail = count(document.GetPageCount()), thumbnail(document.GetJPEGThumbnail())
		return Content{Kind: KindDocument, Text: clean(document.GetCaption(), maxRead), Media: media}, true
	case m.GetStickerMessage() != nil:
		sticker := m.GetStickerMessage()
		media := parseFile(sticker)
		media.Width, media.Height, media.Thumbnail = count(sticker.GetWidth()), count(sticker.GetHeight()), thumbnail(sticker.GetPngThumbnail())
		media.Animated, media.Lottie = sticker.GetIsAnimated(), sticker.GetIsLottie()
		return Content{Kind: KindSticker, Media: media}, true
	}
	return Content{}, false
}

func parseVideo(video *waE2E.VideoMessage, round bool) Content {
	media := parseFile(video)
	media.Width, media.Height, media.Seconds = count(video.GetWidth()), count(video.GetHeight()), count(video.GetSeconds())
	media.Thumbnail, media.GIF, media.Round = thumbnail(video.GetJPEGThumbnail()), video.GetGifPlayback(), round
	return Content{Kind: KindVideo, Text: clean(video.GetCaption(), maxRead), ViewOnce: video.GetViewOnce(), Media: media}
}

// file is what all messages with a file have.
type file interface {
	GetMimetype() string
	GetFileLength() uint64
	GetFileSHA256() []byte
	GetFileEncSHA256() []byte
	GetMediaKey() []byte
	GetMediaKeyTimestamp() int64
	GetDirectPath() string
	GetURL() string
}

// parseFile reads those. Keys and hashes of a wrong length, and a path that
// does not stay on WhatsApp's hosts, are left out: the file cannot be
// downloaded then.
func parseFile(f file) *Media {
	media := &Media{
		Mimetype: clean(f.GetMimetype(), maxShort), Size: int64(min(f.GetFileLength(), math.MaxInt64)),
		SHA256: exactly(f.GetFileSHA256(), hashSize), EncSHA256: exactly(f.GetFileEncSHA256(), hashSize),
		Key: exactly(f.GetMediaKey(), keySize), KeyTime: max(f.GetMediaKeyTimestamp(), 0),
	}
	if path := f.GetDirectPath(); isDirectPath(path) {
		media.DirectPath = path
	}
	if url := f.GetURL(); len(url) <= maxURL {
		media.URL = clean(url, maxURL)
	}
	return media
}

func exactly(bytes []byte, size int) []byte {
	if len(bytes) != size {
		return nil
	}
	return bytes
}

// isDirectPath tells whether a path can follow a host's name in a URL without
// becoming part of the name, and without ending the URL early.
func isDirectPath(path string) bool {
	if path == "" || path[0] != '/' || len(path) > maxURL {
		return false
	}
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '\\' || c == '"' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}

func thumbnail(picture []byte) []byte {
	if len(picture) > MaxThumbnail {
		return nil
	}
	return picture
}

// waveform takes what clients make: 64 values from 0 to 100.
func waveform(values []byte) []byte {
	if len(values) == 0 || len(values) > maxWaveform {
		return nil
	}
	for _, value := range values {
		if value > 100 {
			return nil
		}
	}
	return values
}
