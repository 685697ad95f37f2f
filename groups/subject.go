package groups

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

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
	return s.explain(ctx, req.SessionID, group, s.setSubject(ctx, req.SessionID, group, req.Subject))
}

func (s *Service) setSubject(ctx context.Context, sessionID string, group types.JID, subject string) error {
	ctx, done, err := s.exclusive(ctx, sessionID, group)
	if err != nil {
		return err
	}
	defer done()
	ctx, expected := s.expect(ctx, sessionID, group, "", as(ChangeSubject))
	defer expected()
	so, err := s.already(ctx, sessionID, group, func(g Group) bool { return g.Subject == subject })
	if err != nil || so {
		return err
	}
	err = s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		return refusedSubject("subject", client.SetGroupName(ctx, group, subject))
	})
	if err != nil {
		return err
	}
	change := s.own(sessionID, group, ChangeSubject)
	change.Text = subject
	s.recorded(ctx, change)
	return nil
}

// refusedSubject names the field when WhatsApp does not like the subject.
func refusedSubject(field string, err error) error {
	if iqCode(err) == 406 {
		return fault.Field(field, "WhatsApp does not accept this text; it may be too long").Because(err)
	}
	return refused(err)
}
