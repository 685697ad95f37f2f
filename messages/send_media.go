package messages

import (
	"context"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
)

// MediaRequest asks to send a file.
type MediaRequest struct {
	Envelope
	// Kind is what the file is sent as: an image, video, audio, document or sticker.
	Kind content.Kind
	File media.Source
	// Mimetype is what the sender says the file is; empty for what it shows itself to be.
	Mimetype string
	Filename string // of a document
	Caption  string // not of audio and stickers
	PTT      bool   // audio: a voice note
	ViewOnce bool   // image, video and audio
}

// Validate checks everything but the file itself.
func (r MediaRequest) Validate() error {
	_, err := r.parse()
	if err != nil {
		return err
	}
	given := 0
	for _, is := range []bool{r.File.URL != "", r.File.Data != nil, r.File.From != nil} {
		if is {
			given++
		}
	}
	kind := r.Kind
	switch {
	case !kind.HasMedia():
		return fault.Field("kind", "%q is sent without a file", kind)
	case given != 1:
		return fault.Field(string(kind), "must have one of url and data")
	case len(r.Caption) > MaxText:
		return fault.Field("caption", "has %d bytes; %d is the most", len(r.Caption), MaxText)
	case r.Caption != "" && (kind == content.KindAudio || kind == content.KindSticker):
		return fault.Field("caption", "WhatsApp shows none with this kind of message")
	case r.Filename != "" && kind != content.KindDocument:
		return fault.Field("filename", "is for documents only")
	case r.PTT && kind != content.KindAudio:
		return fault.Field("ptt", "is for audio only")
	case r.ViewOnce && (kind == content.KindDocument || kind == content.KindSticker):
		return fault.Field("view_once", "is for images, videos and audio only")
	}
	return nil
}

// SendMedia takes a file in and sends it.
func (s *Service) SendMedia(ctx context.Context, req MediaRequest) (Sent, error) {
	if err := req.Validate(); err != nil {
		return Sent{}, err
	}
	return s.post(ctx, req.Envelope, func(ctx context.Context, l *letter) error {
		file, err := s.media.Take(ctx, media.Want{
			Kind: req.Kind, Field: string(req.Kind), PTT: req.PTT, Mimetype: req.Mimetype, Filename: req.Filename,
		}, req.File)
		if err != nil {
			return err
		}
		l.content = content.Content{Kind: req.Kind, Text: req.Caption, Media: &file, ViewOnce: req.ViewOnce}
		return nil
	})
}
