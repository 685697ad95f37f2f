package content

import (
	"strconv"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// uploaded tells whether the receiver could download the file.
func (m *Media) uploaded() bool {
	return len(m.Key) == keySize && len(m.SHA256) == hashSize && len(m.EncSHA256) == hashSize && isDirectPath(m.DirectPath)
}

// withFile is a message with a file. Quoting one needs no upload, and in what
// is kept of an expired file even the description may be missing.
func (c Content) withFile(info *waE2E.ContextInfo) *waE2E.Message {
	m := c.Media
	if m == nil {
		m = &Media{}
	}
	switch c.Kind {
	case KindImage:
		return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			URL: given(m.URL), DirectPath: given(m.DirectPath), MediaKey: m.Key, MediaKeyTimestamp: seconds(m.KeyTime),
			FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256, FileLength: proto.Uint64(uint64(m.Size)), Mimetype: given(m.Mimetype),
			Width: number(m.Width), Height: number(m.Height), JPEGThumbnail: m.Thumbnail,
			Caption: given(c.Text), ViewOnce: yes(c.ViewOnce), ContextInfo: info,
		}}
	case KindVideo:
		return c.video(m, info)
	case KindAudio:
		return &waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			URL: given(m.URL), DirectPath: given(m.DirectPath), MediaKey: m.Key, MediaKeyTimestamp: seconds(m.KeyTime),
			FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256, FileLength: proto.Uint64(uint64(m.Size)), Mimetype: given(m.Mimetype),
			Seconds: number(m.Seconds), PTT: proto.Bool(m.PTT), Waveform: m.Waveform, ViewOnce: yes(c.ViewOnce), ContextInfo: info,
		}}
	case KindSticker:
		return c.sticker(m, info)
	default:
		return c.document(m, info)
	}
}

func (c Content) video(m *Media, info *waE2E.ContextInfo) *waE2E.Message {
	video := &waE2E.VideoMessage{
		URL: given(m.URL), DirectPath: given(m.DirectPath), MediaKey: m.Key, MediaKeyTimestamp: seconds(m.KeyTime),
		FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256, FileLength: proto.Uint64(uint64(m.Size)), Mimetype: given(m.Mimetype),
		Width: number(m.Width), Height: number(m.Height), Seconds: number(m.Seconds), JPEGThumbnail: m.Thumbnail,
		Caption: given(c.Text), GifPlayback: yes(m.GIF), ViewOnce: yes(c.ViewOnce), ContextInfo: info,
	}
	if m.Round {
		return &waE2E.Message{PtvMessage: video}
	}
	return &waE2E.Message{VideoMessage: video}
}

// sticker wraps Lottie animations, as clients do.
func (c Content) sticker(m *Media, info *waE2E.ContextInfo) *waE2E.Message {
	message := &waE2E.Message{StickerMessage: &waE2E.StickerMessage{
		URL: given(m.URL), DirectPath: given(m.DirectPath), MediaKey: m.Key, MediaKeyTimestamp: seconds(m.KeyTime),
		FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256, FileLength: proto.Uint64(uint64(m.Size)), Mimetype: given(m.Mimetype),
		Width: number(m.Width), Height: number(m.Height), PngThumbnail: m.Thumbnail,
		IsAnimated: proto.Bool(m.Animated), IsLottie: yes(m.Lottie), ContextInfo: info,
	}}
	if m.Lottie {
		return &waE2E.Message{LottieStickerMessage: &waE2E.FutureProofMessage{Message: message}}
	}
	return message
}

// document wraps documents that have a caption: clients that do not know
// captions would drop it silently.
func (c Content) document(m *Media, info *waE2E.ContextInfo) *waE2E.Message {
	title := m.Title
	if title == "" {
		title = m.Filename
	}
	message := &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		URL: given(m.URL), DirectPath: given(m.DirectPath), MediaKey: m.Key, MediaKeyTimestamp: seconds(m.KeyTime),
		FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256, FileLength: proto.Uint64(uint64(m.Size)), Mimetype: given(m.Mimetype),
		FileName: given(m.Filename), Title: given(title), PageCount: number(m.Pages), JPEGThumbnail: m.Thumbnail,
		Caption: given(c.Text), ContextInfo: info,
	}}
	if c.Text != "" {
		return &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: message}}
	}
	return message
}

// Downloadable is the content's file as whatsmeow's Download takes it; false
// when there is none or its keys are missing. It has no URL, which a stranger
// chooses: files come from WhatsApp's hosts only.
func (c Content) Downloadable() (whatsmeow.DownloadableMessage, bool) {
	m := c.Media
	if !c.Kind.HasMedia() || m == nil || !m.uploaded() {
		return nil, false
	}
	switch c.Kind {
	case KindImage:
		return &waE2E.ImageMessage{DirectPath: &m.DirectPath, MediaKey: m.Key, FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256}, true
	case KindVideo:
		return &waE2E.VideoMessage{DirectPath: &m.DirectPath, MediaKey: m.Key, FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256}, true
	case KindAudio:
		return &waE2E.AudioMessage{DirectPath: &m.DirectPath, MediaKey: m.Key, FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256}, true
	case KindSticker:
		return &waE2E.StickerMessage{DirectPath: &m.DirectPath, MediaKey: m.Key, FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256}, true
	}
	return &waE2E.DocumentMessage{DirectPath: &m.DirectPath, MediaKey: m.Key, FileEncSHA256: m.EncSHA256, FileSHA256: m.SHA256}, true
}

// MediaType is the type under which a kind's file is uploaded; false for kinds
// without one.
func (k Kind) MediaType() (whatsmeow.MediaType, bool) {
	switch k {
	case KindImage, KindSticker:
		return whatsmeow.MediaImage, true
	case KindVideo:
		return whatsmeow.MediaVideo, true
	case KindAudio:
		return whatsmeow.MediaAudio, true
	case KindDocument:
		return whatsmeow.MediaDocument, true
	}
	return "", false
}

func seconds(t int64) *int64 {
	if t <= 0 {
		return nil
	}
	return &t
}

func number(n int) *uint32 {
	if n <= 0 {
		return nil
	}
	return proto.Uint32(uint32(n))
}

func yes(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}

func several(n int) string { return strconv.Itoa(n) + " contacts" }
