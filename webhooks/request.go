package webhooks

import (
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"muster/internal/address"
	"muster/internal/event"
	"muster/internal/fault"
)

// Bounds of an endpoint.
const (
	MaxEndpoints = 500

	MaxURL         = 2048
	MaxEvents      = 100
	MaxSessions    = 1000
	MaxGroups      = 1000
	MaxHeaders     = 50
	maxHeaderName  = 100
	maxHeaderValue = 4096

	// MaxOverlap is how long a secret can stay valid beside its successor.
	MaxOverlap     = 30 * 24 * time.Hour
	DefaultOverlap = 24 * time.Hour
)

// CreateRequest describes a new endpoint. Only URL is required.
type CreateRequest struct {
	URL              string
	Events           []string // default: all
	Sessions, Groups []string // default: no limit
	Secret           string   // default: one is made
	Format           string   // default: FormatMuster
	Headers          map[string]string
	Enabled          *bool // default: true
	// VerifyToken has the URL asked first whether it wants to be a webhook, the
	// way the format's vendor does; empty asks nothing.
	VerifyToken string
}

// UpdateRequest changes what is not nil. A new Secret is valid together with
// the old one for DefaultOverlap. A new URL, Secret or Headers ends a pause.
type UpdateRequest struct {
	ID                       string
	URL                      *string
	Events, Sessions, Groups *[]string
	Secret                   *string
	Format                   *string
	Headers                  *map[string]string
	Enabled                  *bool
}

// sessionName is what a session may be called; session.Manager has the rule.
var sessionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// normalize checks an endpoint's fields and writes them in one way. The error is
// a fault that names the field.
func (s *Service) normalize(e *Endpoint) error {
	for _, check := range []func(*Endpoint) error{checkURL, checkEvents, checkSessions, checkGroups, s.checkFormat, checkHeaders} {
		if err := check(e); err != nil {
			return err
		}
	}
	e.expand()
	return nil
}

func checkURL(e *Endpoint) error {
	const field = "url"
	u, err := url.Parse(e.URL)
	switch {
	case e.URL == "":
		return fault.Field(field, "is required")
	case len(e.URL) > MaxURL:
		return fault.Field(field, "at most %d characters", MaxURL)
	case err != nil:
		return fault.Field(field, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return fault.Field(field, "must begin with http:// or https://")
	case u.Hostname() == "":
		return fault.Field(field, "has no host")
	case u.User != nil:
		return fault.Field(field, "must not have a user name or password; send an Authorization header instead, see headers")
	case u.Fragment != "":
		return fault.Field(field, "must not have a fragment (#…)")
	}
	return nil
}

func checkEvents(e *Endpoint) error {
	if len(e.Events) == 0 {
		e.Events = []string{"*"}
	}
	if len(e.Events) > MaxEvents {
		return fault.Field("events", "at most %d patterns", MaxEvents)
	}
	if _, unknown := event.Expand(e.Events); unknown >= 0 {
		return fault.Field(fmt.Sprintf("events[%d]", unknown), "%q is no type of event, no family such as group.*, and not *", e.Events[unknown])
	}
	e.Events = unique(e.Events)
	return nil
}

func checkSessions(e *Endpoint) error {
	if len(e.Sessions) > MaxSessions {
		return fault.Field("sessions", "at most %d sessions", MaxSessions)
	}
	for i, id := range e.Sessions {
		if !sessionName.MatchString(id) {
			return fault.Field(fmt.Sprintf("sessions[%d]", i), "%q is not the id of a session", id)
		}
	}
	e.Sessions = unique(e.Sessions)
	return nil
}

func checkGroups(e *Endpoint) error {
	if len(e.Groups) > MaxGroups {
		return fault.Field("groups", "at most %d groups", MaxGroups)
	}
	groups := make([]string, len(e.Groups))
	for i, text := range e.Groups {
		jid, err := address.Group(fmt.Sprintf("groups[%d]", i), text)
		if err != nil {
			return err
		}
		groups[i] = jid.String()
	}
	e.Groups = unique(groups)
	return nil
}

func (s *Service) checkFormat(e *Endpoint) error {
	if e.Format == "" {
		e.Format = FormatMuster
	}
	if _, ok := s.encoders[e.Format]; !ok {
		return fault.Field("format", "%q is not one of %s", e.Format, strings.Join(s.Formats(), ", "))
	}
	return nil
}

// Formats lists the formats that there are.
func (s *Service) Formats() []string { return slices.Sorted(maps.Keys(s.encoders)) }

var (
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // a token, RFC 9110 section 5.6.2
	headerValue = regexp.MustCompile(`^[\t -~]*$`)
)

func checkHeaders(e *Endpoint) error {
	if len(e.Headers) > MaxHeaders {
		return fault.Field("headers", "at most %d headers", MaxHeaders)
	}
	headers := make(map[string]string, len(e.Headers))
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		value, field := e.Headers[name], "headers."+name
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		_, twice := headers[canonical]
		switch {
		case len(name) > maxHeaderName || !headerName.MatchString(name):
			return fault.Field("headers", "%.100q is not the name of a header", name)
		case len(value) > maxHeaderValue:
			return fault.Field(field, "at most %d characters", maxHeaderValue)
		case !headerValue.MatchString(value):
			return fault.Field(field, "may only have visible ASCII characters, spaces and tabs")
		case reserved(canonical):
			return fault.Field(field, "is set by this server")
		case twice:
			return fault.Field(field, "is there twice")
		default:
			headers[canonical] = value
		}
	}
	e.Headers = headers
	return nil
}

// reserved are the headers that a webhook cannot set: those of the signatures,
// and those by which HTTP keeps requests apart.
func reserved(canonical string) bool {
	switch canonical {
	case "Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer",
		"Expect", "Proxy-Authorization", "Proxy-Connection", "Accept-Encoding", "User-Agent":
		return true
	}
	return strings.HasPrefix(canonical, "Webhook-") || strings.HasPrefix(canonical, "X-Webhook-")
}

// unique leaves repetitions out, and is never nil.
func unique(list []string) []string {
	kept := make([]string, 0, len(list))
	for _, entry := range list {
		if !slices.Contains(kept, entry) {
			kept = append(kept, entry)
		}
	}
	return kept
}
