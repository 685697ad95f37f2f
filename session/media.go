package session

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"go.mau.fi/whatsmeow/socket"

	"muster/internal/fault"
)

// mediaDomain is where WhatsApp's media hosts are (pps.whatsapp.net,
// media-….cdn.whatsapp.net and so on).
const mediaDomain = "whatsapp.net"

// Download fetches a file that WhatsApp has told the session the address of,
// such as a picture, over the session's own way to the internet. Addresses
// that are not WhatsApp's are refused, also as redirects.
//
// Errors are faults: not_found when the file is no longer there, no_answer when
// it does not come, rejected for foreign addresses and for more than limit bytes.
func (m *Manager) Download(ctx context.Context, id, address string, limit int64) ([]byte, error) {
	client, err := m.mediaClient(id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, m.options.ReadTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errForeign().Because(err)
	}
	if !m.options.Network.servesMedia(request.URL) {
		return nil, errForeign()
	}
	request.Header.Set("Origin", socket.Origin)
	request.Header.Set("Referer", socket.Origin+"/")
	response, err := client.Do(request)
	if err != nil {
		if fault.Is(err, fault.Rejected) {
			return nil, errForeign().Because(err)
		}
		return nil, fault.New(fault.NoAnswer, "WhatsApp's media server did not answer").Because(err)
	}
	defer func() { _ = response.Body.Close() }() // what matters of it has been read
	return readFile(response, limit)
}

// mediaClient is the HTTP client of the session's connection, with redirects
// watched.
func (m *Manager) mediaClient(id string) (*http.Client, error) {
	c, err := m.find(id)
	if err != nil {
		return nil, err
	}
	r, err := c.connected()
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: r.http.Transport, CheckRedirect: m.options.Network.followMedia}, nil
}

// followMedia refuses redirects that lead away from WhatsApp, or in circles.
func (n Network) followMedia(next *http.Request, before []*http.Request) error {
	const most = 3
	if len(before) > most || !n.servesMedia(next.URL) {
		return errForeign()
	}
	return nil
}

// servesMedia tells whether the address is one of WhatsApp's media hosts, or of
// the simulator in its place.
func (n Network) servesMedia(address *url.URL) bool {
	if n.IsSandbox() {
		return loopbackHost(address.Hostname()) && address.Port() == n.endpoint.Port()
	}
	host := strings.ToLower(address.Hostname())
	return address.Scheme == "https" && address.User == nil && address.Port() == "" && strings.HasSuffix(host, "."+mediaDomain)
}

func readFile(response *http.Response, limit int64) ([]byte, error) {
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return nil, fault.New(fault.NotFound, "WhatsApp's media server does not have the file any more")
	default:
		return nil, fault.New(fault.NoAnswer, "WhatsApp's media server answered %d", response.StatusCode)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	switch {
	case err != nil:
		return nil, fault.New(fault.NoAnswer, "WhatsApp's media server broke off").Because(err)
	case int64(len(content)) > limit:
		return nil, fault.New(fault.Rejected, "the file is larger than %d bytes", limit)
	}
	return content, nil
}

func errForeign() *fault.Error {
	return fault.New(fault.Rejected, "the address of the file is not one of WhatsApp's")
}
