package messages

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
	"muster/session"
)

// noteFile notes which file the letter brings, if that is kept here. The one of
// a message that is forwarded may be WhatsApp's alone.
func (l *letter) noteFile() {
	if file := l.content.Media; file != nil && file.DirectPath == "" {
		if sum, ok := media.SumOf(file.SHA256); ok {
			l.file = sum.String()
		}
	}
}

// upload gives the letter's file to WhatsApp, encrypted, unless it is there
// already. It takes as long as the file is large, and changes nothing that
// anybody sees: so it comes before the sending and before the letter's turn, and
// has a deadline of its own.
func (s *Service) upload(ctx context.Context, l *letter) error {
	if l.payload != nil || l.content.Media == nil || l.content.Media.DirectPath != "" {
		return nil
	}
	file := *l.content.Media
	err := s.sessions.Do(ctx, l.session, session.Transfer, func(ctx context.Context, client *whatsmeow.Client) error {
		return s.uploadFile(ctx, client, l.content.Kind, &file)
	})
	if err == nil {
		l.content.Media = &file
	}
	return err
}

func (s *Service) uploadFile(ctx context.Context, client *whatsmeow.Client, kind content.Kind, file *content.Media) error {
	mediaType, ok := kind.MediaType()
	sum, hashed := media.SumOf(file.SHA256)
	if !ok || !hashed {
		return fmt.Errorf("upload a file of the kind %q", kind)
	}
	plain, err := s.media.Store().Open(sum)
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }() // it was only read
	uploaded, err := client.UploadReader(ctx, plain, nil, mediaType)
	switch {
	case err != nil && ctx.Err() != nil:
		return err // whose connection or time has ended, session tells
	case err != nil:
		return fault.New(fault.NoAnswer, "the file could not be uploaded to WhatsApp; nothing was sent").Because(errors.New(err.Error()))
	}
	file.Key, file.KeyTime, file.EncSHA256 = uploaded.MediaKey, s.now().Unix(), uploaded.FileEncSHA256
	file.DirectPath, file.URL, file.Size = uploaded.DirectPath, uploaded.URL, int64(uploaded.FileLength)
	return nil
}
