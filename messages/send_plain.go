package messages

import (
	"context"

	"muster/messages/content"
)

// LocationRequest asks to send a place.
type LocationRequest struct {
	Envelope
	Latitude, Longitude float64 // degrees
	Name, Address       string  // may be empty
}

func (r LocationRequest) content() content.Content {
	return content.Content{Kind: content.KindLocation, Location: &content.Location{
		Latitude: r.Latitude, Longitude: r.Longitude, Name: r.Name, Address: r.Address,
	}}
}

// Validate checks the address and the place.
func (r LocationRequest) Validate() error { return r.valid(r.content()) }

// SendLocation sends a place.
func (s *Service) SendLocation(ctx context.Context, req LocationRequest) (Sent, error) {
	return s.sendPlain(ctx, req.Envelope, req.content())
}

// ContactRequest asks to send cards.
type ContactRequest struct {
	Envelope
	Contacts []content.Contact // one at least
}

func (r ContactRequest) content() content.Content {
	return content.Content{Kind: content.KindContact, Contacts: r.Contacts}
}

// Validate checks the address and the cards.
func (r ContactRequest) Validate() error { return r.valid(r.content()) }

// SendContact sends cards.
func (s *Service) SendContact(ctx context.Context, req ContactRequest) (Sent, error) {
	return s.sendPlain(ctx, req.Envelope, req.content())
}

// PollRequest asks to send a poll.
type PollRequest struct {
	Envelope
	content.Poll
}

func (r PollRequest) content() content.Content {
	poll := r.Poll
	return content.Content{Kind: content.KindPoll, Poll: &poll, Secret: content.NewSecret()}
}

// Validate checks the address, the question and the answers.
func (r PollRequest) Validate() error { return r.valid(r.content()) }

// SendPoll sends a poll. The votes are in the inbox, with the message.
func (s *Service) SendPoll(ctx context.Context, req PollRequest) (Sent, error) {
	return s.sendPlain(ctx, req.Envelope, req.content())
}

// valid checks the envelope and what is in it.
func (e Envelope) valid(c content.Content) error {
	if _, err := e.parse(); err != nil {
		return err
	}
	return c.Validate()
}

// sendPlain sends what is nothing but its fields.
func (s *Service) sendPlain(ctx context.Context, e Envelope, c content.Content) (Sent, error) {
	if err := e.valid(c); err != nil {
		return Sent{}, err
	}
	return s.post(ctx, e, func(_ context.Context, l *letter) error {
		l.content = c
		return nil
	})
}
