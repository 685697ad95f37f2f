package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 90 * time.Second // the server may have to reach WhatsApp first
	// maxAnswer bounds what is read of an answer that is not a stream.
	maxAnswer = 1 << 20
	// maxEvent bounds one line of a stream; a QR code has some 300 characters.
	maxEvent = 64 << 10
)

// client talks to a running server about one session.
type client struct {
	base, token string
	http        *http.Client
}

func newClient(server, token, session string) (*client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Errorf("%q is not a URL such as http://127.0.0.1:3451", server)}
	}
	return &client{
		base:  strings.TrimSuffix(u.String(), "/") + "/api/v1/sessions/" + url.PathEscape(session),
		token: token,
		// No overall timeout: a QR code's stream lasts minutes.
		http: &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: headerTimeout,
			IdleConnTimeout:       time.Minute,
		}},
	}, nil
}

// send makes a request; the caller closes the answer's body. Anything but
// success is an error with the server's own words.
func (c *client) send(ctx context.Context, method, path, accept string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Accept", accept)
	if content != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("reach the server: %w", err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	return nil, errors.Join(refusal(response), response.Body.Close())
}

func refusal(response *http.Response) error {
	var problem struct {
		Detail    string `json:"detail"`
		RequestID string `json:"request_id"`
	}
	err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&problem)
	if err != nil || problem.Detail == "" {
		return fmt.Errorf("the server answered %s", response.Status)
	}
	if response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s (request %s)", problem.Detail, problem.RequestID)
	}
	return errors.New(problem.Detail)
}

// call makes a request and decodes its JSON answer.
func (c *client) call(ctx context.Context, method, path string, body, answer any) error {
	response, err := c.send(ctx, method, path, "application/json", body)
	if err != nil {
		return err
	}
	err = json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// event is one server-sent event.
type event struct {
	name string
	data []byte
}

// stream reads server-sent events until take says that it has seen the last
// one, by returning true, or an error.
func (c *client) stream(ctx context.Context, path string, take func(event) (bool, error)) (err error) {
	response, err := c.send(ctx, http.MethodGet, path, "text/event-stream", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEvent)
	var current event
	for lines.Scan() {
		line := lines.Bytes()
		if value, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			current.name = string(value)
		} else if value, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			current.data = bytes.Clone(value)
		} else if len(line) == 0 && current.name != "" {
			last, err := take(current)
			if err != nil || last {
				return err
			}
			current = event{}
		}
	}
	if err = errors.Join(ctx.Err(), lines.Err()); err != nil {
		return fmt.Errorf("the connection to the server broke: %w", err)
	}
	return errors.New("the server ended the connection")
}
