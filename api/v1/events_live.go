package v1

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"muster/api"
	"muster/internal/event"
)

// Streamer is where routes of both kinds are registered.
type Streamer interface {
	Huma() huma.API
	Router() fiber.Router
}

// Words about a stream itself. They are shaped like events, without a place in
// the log.
const (
	wordGap  = "stream.gap"
	wordSlow = "stream.slow"
)

// streamWord is what a stream says about itself.
type streamWord struct {
	Type   string `json:"type" enum:"stream.gap,stream.slow"`
	Detail string `json:"detail"`
	// After is where to resume.
	After string `json:"after"`
}

func (e *eventLog) mountStreams(server Streamer) {
	server.Router().Get(prefix+"/events/stream", func(c *fiber.Ctx) error {
		query, err := e.liveQuery(c)
		if err != nil {
			return err
		}
		return api.NumberedStream(c, func(ctx context.Context, send api.Numbered) error {
			return e.follow(ctx, query,
				func(ev event.Envelope) error { return send(ev.ID, string(ev.Type), ev) },
				func(word streamWord) error { return send("", word.Type, word) })
		})
	})
	server.Router().Get(prefix+"/events/ws", func(c *fiber.Ctx) error {
		query, err := e.liveQuery(c)
		if err != nil {
			return err
		}
		return api.Socket(c, func(ctx context.Context, send func(any) error) error {
			slow := false
			err := e.follow(ctx, query,
				func(ev event.Envelope) error { return send(ev) },
				func(word streamWord) error {
					slow = word.Type == wordSlow
					return send(word)
				})
			if slow && err == nil {
				return &api.SocketEnd{Code: api.SocketTryLater, Text: wordSlow}
			}
			return err
		})
	})
	documentStreams(server.Huma())
}

// liveQuery reads what a stream is to have. Without a place to resume from it
// begins now.
func (e *eventLog) liveQuery(c *fiber.Ctx) (event.Query, error) {
	ctx := c.UserContext()
	all := func(name string) (values []string) {
		for _, value := range c.Context().QueryArgs().PeekMulti(name) {
			values = append(values, string(value))
		}
		return values
	}
	filter, err := e.filter(ctx, all("session"), all("type"), c.Query("group"))
	if err != nil {
		return event.Query{}, err
	}
	// The header is the newer one: browsers repeat the first request's query.
	field, text := "Last-Event-ID", c.Get("Last-Event-ID")
	if text == "" {
		field, text = "after", c.Query("after", latest)
	}
	after, err := e.cursor(ctx, field, text, filter)
	return event.Query{Filter: filter, After: after}, err
}

// follow passes events on until the context ends, the reader has gone or is too
// slow; it returns nil when the reader was told why.
func (e *eventLog) follow(ctx context.Context, q event.Query, pass func(event.Envelope) error, say func(streamWord) error) error {
	reached := q.After
	err := e.log.Stream(ctx, q, e.patience, func(page event.Page) error {
		if page.Gap {
			err := say(streamWord{Type: wordGap, After: reached.String(),
				Detail: "events that followed this place are not kept any more: some may be missing before the next one"})
			if err != nil {
				return err
			}
		}
		for _, ev := range page.Events {
			envelope, err := ev.Envelope()
			if err != nil {
				return err
			}
			if err = pass(envelope); err != nil {
				return err
			}
		}
		reached = page.Next
		return nil
	})
	if errors.Is(err, event.ErrSlow) {
		return say(streamWord{Type: wordSlow, After: reached.String(),
			Detail: "you read more slowly than events come: connect again to go on from here"})
	}
	return err // also when the reader has gone or the server stops
}

func documentStreams(docs huma.API) {
	document := docs.OpenAPI()
	text := &huma.Schema{Type: huma.TypeString}
	params := func(more ...*huma.Param) []*huma.Param {
		return append(more,
			&huma.Param{Name: "after", In: "query", Schema: text, Description: "Where to begin, as in list-events; the default is latest: what happens from now on."},
			&huma.Param{Name: "session", In: "query", Schema: text, Description: "Only events of these sessions, separated by commas."},
			&huma.Param{Name: "type", In: "query", Schema: text, Description: "Only events of these types or families, separated by commas."},
			&huma.Param{Name: "group", In: "query", Schema: text, Description: "Only events about this group."})
	}
	word := document.Components.Schemas.Schema(schemaOf[streamWord](), true, "")
	document.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: prefix + "/events/stream", OperationID: "stream-events", Tags: []string{tagEvents},
		Summary: "Follow the events",
		Description: "Server-sent events: each has the event's id, its type as the name and the event as data. A client that reconnects with " +
			"Last-Event-ID (browsers do so by themselves) misses nothing and gets nothing twice. Comments keep the connection alive. " +
			"A reader that takes events in much more slowly than they come is told so with stream.slow and disconnected, and can resume. " +
			"stream.gap says that events before the next one are not kept any more.",
		Parameters: params(&huma.Param{Name: "Last-Event-ID", In: "header", Schema: text, Description: "The id of the last event that was received; wins over after."}),
		Responses: map[string]*huma.Response{
			"200":     {Description: "The stream. Its data are events, or a word about the stream itself.", Content: map[string]*huma.MediaType{mimeStream: {Schema: word}}},
			"default": problemResponse(document),
		},
	})
	document.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: prefix + "/events/ws", OperationID: "follow-events-by-websocket", Tags: []string{tagEvents},
		Summary:     "Follow the events by WebSocket",
		Description: "The same as the stream of server-sent events, with each event, or word about the stream, as one text message. What the client sends is not read. Resume with after. Slow readers are closed with the code 1013, and with 1001 everybody is when the server stops.",
		Parameters:  params(),
		Responses: map[string]*huma.Response{
			"101":     {Description: "The WebSocket."},
			"default": problemResponse(document),
		},
	})
}
