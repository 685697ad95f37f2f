package groups

import (
	"context"
	"unicode/utf8"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/store"
)

// DescriptionRequest asks for a new description (topic), or for none.
type DescriptionRequest struct {
	Target
	// Description is the new text, at most MaxDescription characters; nil (or
	// empty) deletes.
	Description *string
	// PrevID is the Group.TopicID that this change replaces; when another is
	// current by now, the change fails with description_conflict. Nil (or
	// empty) replaces whatever is current.
	PrevID *string
}

// Validate checks the group and the length.
func (r DescriptionRequest) Validate() error {
	if err := r.Target.Validate(); err != nil {
		return err
	}
	return checkDescription(r.text())
}

func checkDescription(text string) error {
	if n := utf8.RuneCountInString(text); n > MaxDescription {
		return fault.Field("description", "has %d characters; WhatsApp allows %d", n, MaxDescription)
	}
	return nil
}

func (r DescriptionRequest) text() string {
	if r.Description == nil {
		return ""
	}
	return *r.Description
}

func (r DescriptionRequest) prev() string {
	if r.PrevID == nil {
		return ""
	}
	return *r.PrevID
}

// descriptionAttempts bounds how often a change that replaces whatever is
// current starts again because somebody else was faster.
const descriptionAttempts = 3

// SetDescription changes or deletes the description.
func (s *Service) SetDescription(ctx context.Context, req DescriptionRequest) error {
	if err := req.Validate(); err != nil {
		return err
	}
	group, err := req.group()
	if err != nil {
		return err
	}
	return s.explain(ctx, req.SessionID, group, s.setDescription(ctx, req.SessionID, group, req.prev(), req.text()))
}

// setDescription replaces the description that prev names, or whatever is
// current.
func (s *Service) setDescription(ctx context.Context, sessionID string, group types.JID, prev, text string) error {
	ctx, done, err := s.exclusive(ctx, sessionID, group)
	if err != nil {
		return err
	}
	defer done()
	ctx, expected := s.expect(ctx, sessionID, group, "", as(ChangeDescription))
	defer expected()
	so, err := s.already(ctx, sessionID, group, func(g Group) bool { return g.Topic == text })
	if err != nil || so {
		return err
	}
	current := s.group // the mirror knows; should it be behind, WhatsApp says so
	for attempt := 1; ; attempt++ {
		replaces := prev
		if replaces == "" {
			present, err := current(ctx, sessionID, group)
			if err != nil {
				return err
			}
			replaces = present.TopicID
		}
		change := s.own(sessionID, group, ChangeDescription)
		change.Text = text
		err = s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
			change.TopicID = client.GenerateMessageID()
			return sendDescription(ctx, client, group, replaces, change.TopicID, text)
		})
		switch {
		case err == nil:
			s.recorded(ctx, change)
			return nil
		case prev == "" && attempt < descriptionAttempts && fault.Is(err, fault.DescriptionConflict):
			current = s.fresh
		default:
			return s.disputed(ctx, sessionID, group, replaces, err)
		}
	}
}

// disputed has WhatsApp asked about a group when a change was refused as being
// against another description than the current one, and the mirror takes that
// one for current. The error stays what it is.
func (s *Service) disputed(ctx context.Context, sessionID string, group types.JID, replaced string, err error) error {
	if !fault.Is(err, fault.DescriptionConflict) {
		return err
	}
	known, failed := s.mirror.readGroup(ctx, sessionID, group.String())
	if failed == nil && known.known && known.TopicID == replaced {
		failed = store.Txn(ctx, s.mirror.db, func(ctx context.Context) error {
			return s.mirror.suspect(ctx, sessionID, group, hint{})
		})
	}
	if failed != nil {
		zerolog.Ctx(ctx).Error().Err(failed).Msg("a group was found to differ from the mirror, and that could not be noted")
	}
	return err
}

// sendDescription does what the client's SetGroupTopic does. That one cannot be
// used: for an empty predecessor it asks for the group itself, and then misses
// the id of a deleted description.
func sendDescription(ctx context.Context, client *whatsmeow.Client, group types.JID, prev, id, text string) error {
	node := waBinary.Node{Tag: "description", Attrs: waBinary.Attrs{"id": id}}
	if prev != "" {
		node.Attrs["prev"] = prev
	}
	if text == "" {
		node.Attrs["delete"] = "true"
	} else {
		node.Content = []waBinary.Node{{Tag: "body", Content: []byte(text)}}
	}
	_, err := client.DangerousInternals().SendGroupIQ(ctx, "set", group, node)
	switch iqCode(err) {
	case 409:
		return fault.New(fault.DescriptionConflict, "somebody changed the description meanwhile: prev_id is not the current topic_id").Because(err)
	case 406:
		return fault.Field("description", "WhatsApp does not accept this text; it may be too long").Because(err)
	}
	return refused(err)
}
