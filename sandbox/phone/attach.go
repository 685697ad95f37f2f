package phone

import (
	"fmt"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// attachment encrypts and uploads a file and writes the message around it.
func (p *Phone) attachment(c Content, s Scene, context *waE2E.ContextInfo) (*waE2E.Message, error) {
	kind := fileKinds[c.Kind]
	sealed, f, err := sealFile(p.random, kind.label, c.Media.Data)
	if err != nil {
		return nil, err
	}
	if f.directPath, err = s.Upload(kind.host, sealed); err != nil {
		return nil, fmt.Errorf("media.data: %w", err)
	}
	m := *c.Media
	if m.Mimetype == "" {
		m.Mimetype = usualType(c.Kind, m.Voice)
	}
	stamp := proto.Int64(s.Now.Unix())
	switch c.Kind {
	case KindImage:
		return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			Mimetype: &m.Mimetype, Caption: optionalText(c.Text), Width: optionalNumber(m.Width), Height: optionalNumber(m.Height),
			JPEGThumbnail: m.Thumbnail, ContextInfo: context, MediaKeyTimestamp: stamp,
			DirectPath: &f.directPath, MediaKey: f.key, FileSHA256: f.sha256, FileEncSHA256: f.encSHA256, FileLength: &f.size,
		}}, nil
	case KindVideo:
		return &waE2E.Message{VideoMessage: &waE2E.VideoMessage{
			Mimetype: &m.Mimetype, Caption: optionalText(c.Text), Width: optionalNumber(m.Width), Height: optionalNumber(m.Height),
			Seconds: optionalNumber(m.Seconds), GifPlayback: &m.GIF, JPEGThumbnail: m.Thumbnail, ContextInfo: context, MediaKeyTimestamp: stamp,
			DirectPath: &f.directPath, MediaKey: f.key, FileSHA256: f.sha256, FileEncSHA256: f.encSHA256, FileLength: &f.size,
		}}, nil
	case KindAudio:
		return &waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			Mimetype: &m.Mimetype, Seconds: optionalNumber(m.Seconds), PTT: &m.Voice, Waveform: m.Waveform,
			ContextInfo: context, MediaKeyTimestamp: stamp,
			DirectPath: &f.directPath, MediaKey: f.key, FileSHA256: f.sha256, FileEncSHA256: f.encSHA256, FileLength: &f.size,
		}}, nil
	case KindSticker:
		return &waE2E.Message{StickerMessage: &waE2E.StickerMessage{
			Mimetype: &m.Mimetype, Width: optionalNumber(m.Width), Height: optionalNumber(m.Height), IsAnimated: &m.Animated,
			PngThumbnail: m.Thumbnail, ContextInfo: context, MediaKeyTimestamp: stamp,
			DirectPath: &f.directPath, MediaKey: f.key, FileSHA256: f.sha256, FileEncSHA256: f.encSHA256, FileLength: &f.size,
		}}, nil
	}
	document := &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		Mimetype: &m.Mimetype, FileName: optionalText(m.FileName), Title: optionalText(m.FileName), Caption: optionalText(c.Text),
		JPEGThumbnail: m.Thumbnail, ContextInfo: context, MediaKeyTimestamp: stamp,
		DirectPath: &f.directPath, MediaKey: f.key, FileSHA256: f.sha256, FileEncSHA256: f.encSHA256, FileLength: &f.size,
	}}
	if c.Text == "" {
		return document, nil
	}
	return &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: document}}, nil
}

// usualType is the type that a phone's own files of a kind have.
func usualType(kind string, voice bool) string {
	switch kind {
	case KindImage:
		return "image/jpeg"
	case KindVideo:
		return "video/mp4"
	case KindSticker:
		return "image/webp"
	case KindAudio:
		if voice {
			return "audio/ogg; codecs=opus"
		}
		return "audio/mp4"
	}
	return "application/octet-stream"
}
