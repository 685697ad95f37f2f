package groups

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"

	"muster/internal/fault"
)

// SubjectRequest asks for a new subject (name).
type SubjectRequest struct {
	Target
	Subject string // 1 to MaxSubject characters
}

// Validate checks the group and the subject.
func (r SubjectRequest) Validate() error {
	if err := r.Target.Validate(); err != nil {
		return err
	}
	return checkSubject("subject", r.Subject)
}

func checkSubject(field, subject string) error {
	if strings.TrimSpace(subject) == "" {
		return fault.Field(field, "must not be empty")
	}
	if n := utf8.RuneCountInString(subject); n > MaxSubject {
		return fault.Field(field, "has %d characters; WhatsApp allows %d", n, MaxSubject)
	}
	return nil
}

// SetSubject changes the subject.
func (s *Service) SetSubject(ctx context.Context, req SubjectRequest) error {
	if err := req.Validate(); err != nil {
		return err
	}
	group, err := req.group()
	if err != nil {
		return err
	}
	err = s.write(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		return refusedSubject("subject", client.SetGroupName(ctx, group, req.Subject))
	})
	return s.explain(ctx, req.SessionID, group, err)
}

// refusedSubject names the field when WhatsApp does not like the subject.
func refusedSubject(field string, err error) error {
	if iqCode(err) == 406 {
		return fault.Field(field, "WhatsApp does not accept this text; it may be too long").Because(err)
	}
	return refused(err)
}
