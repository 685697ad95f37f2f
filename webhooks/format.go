package webhooks

import (
	"encoding/json"
	"fmt"
	"runtime/debug"

	"muster/internal/event"
)

// FormatMuster is the format that a webhook has when it is not told which: the
// event as the log shows it.
const FormatMuster = "muster"

// Encoder writes events in one format.
type Encoder interface {
	// Encode returns the requests that say an event to an endpoint; none says
	// that the format has nothing for it. It is called inside the transaction
	// that writes the event, and so does nothing but compute.
	Encode(e event.Event, to Endpoint) ([]Request, error)
}

// Request is what one POST carries.
type Request struct {
	Body string
	// ContentType is application/json when it is empty.
	ContentType string
	// Header has what the format wants besides; it never replaces the signatures.
	Header map[string]string
}

const jsonType = "application/json"

// musterFormat is FormatMuster.
type musterFormat struct{}

func (musterFormat) Encode(e event.Event, _ Endpoint) ([]Request, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return []Request{{Body: string(body)}}, nil
}

// encode is the encoder's answer, with its panics as errors: a defect in a
// format must not keep the event from being written.
func (s *Service) encode(e event.Event, to Endpoint) (requests []Request, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	encoder, ok := s.encoders[to.Format]
	if !ok {
		return nil, fmt.Errorf("there is no format %q", to.Format)
	}
	return encoder.Encode(e, to)
}
