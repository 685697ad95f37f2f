package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"

	"muster/internal/fault"
)

const problemType = "application/problem+json"

// ProblemDocument is the body of every error of our own API (RFC 9457).
type ProblemDocument struct {
	Type      string       `json:"type" example:"about:blank" doc:"Always about:blank: the code says which problem it is."`
	Title     string       `json:"title" example:"Not Found" doc:"The status in words."`
	Status    int          `json:"status" example:"404" doc:"The HTTP status."`
	Detail    string       `json:"detail" example:"there is no session named \"x\"" doc:"What went wrong, for people."`
	Code      fault.Code   `json:"code" example:"session_not_found" doc:"What went wrong, for programs. Codes are never renamed."`
	RequestID string       `json:"request_id,omitempty" doc:"The id of the request, also in X-Request-Id and in the server's log."`
	Errors    []FieldError `json:"errors,omitempty" doc:"The fields that are not acceptable."`
	Results   []any        `json:"results,omitempty" doc:"With outcome_unknown, of a request that does several things: what became of each as far as it is known, as in the answer of a success."`

	retryAfter time.Duration
}

// FieldError says what is wrong with one input field.
type FieldError struct {
	Field   string `json:"field" example:"participants[0]" doc:"The field, as spelled in the request."`
	Message string `json:"message" doc:"What is expected of it."`
	Value   any    `json:"value,omitempty" doc:"The value that was refused, where it is short."`
}

// Error implements error.
func (p *ProblemDocument) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *ProblemDocument) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *ProblemDocument) GetHeaders() http.Header {
	header := http.Header{}
	if p.retryAfter > 0 {
		// Rounded up: a client that comes back early is refused again.
		header.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	return header
}

// ContentType implements huma.ContentTypeFilter.
func (p *ProblemDocument) ContentType(string) string { return problemType }

// Problem turns any error into the document that the client gets, and writes
// what the client must not see to the log of the context, under the request id.
func Problem(ctx context.Context, err error) *ProblemDocument {
	var done *ProblemDocument
	if errors.As(err, &done) {
		return done
	}
	failure := fault.From(err)
	status := statusOf(failure.Code)
	if status == 0 {
		status = http.StatusInternalServerError
	}
	p := &ProblemDocument{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: failure.Message, Code: failure.Code, RequestID: RequestID(ctx), retryAfter: failure.RetryAfter,
	}
	if failure.Field != "" {
		p.Errors = []FieldError{{Field: failure.Field, Message: failure.Message}}
		p.Detail = failure.Field + ": " + failure.Message
	}
	logProblem(ctx, p.Status, failure, err)
	return p
}

// PartialProblem is Problem for a request of which some parts have a result.
func PartialProblem[Result any](ctx context.Context, err error, results []Result) *ProblemDocument {
	p := Problem(ctx, err)
	for _, result := range results {
		p.Results = append(p.Results, result)
	}
	return p
}

// logProblem writes loudest about our own defects, and always about what has a
// cause that the client does not see.
func logProblem(ctx context.Context, status int, failure *fault.Error, err error) {
	level := zerolog.DebugLevel
	switch {
	case status == http.StatusInternalServerError:
		level = zerolog.ErrorLevel
	case status > http.StatusInternalServerError:
		level = zerolog.WarnLevel
	case failure.Unwrap() != nil:
		level = zerolog.InfoLevel
	}
	zerolog.Ctx(ctx).WithLevel(level).Err(err).Str("code", string(failure.Code)).Msg("request failed")
}

// renderProblem is Fiber's error handler: errors of plain handlers, of
// middleware, of the router and of the HTTP parser end here.
func renderProblem(c *fiber.Ctx, err error) error {
	ctx := ensureRequestID(c)
	p := Problem(ctx, fromFiber(err))
	for name, values := range p.GetHeaders() {
		c.Set(name, values[0])
	}
	return c.Status(p.Status).JSON(p, problemType)
}

// fromFiber gives Fiber's own refusals our codes and texts.
func fromFiber(err error) error {
	var own *fiber.Error
	if !errors.As(err, &own) {
		return err
	}
	switch code := codeOf(own.Code); code {
	case fault.Internal:
		return err
	case fault.NotFound:
		return fault.New(code, "there is nothing at this path")
	case fault.MethodNotAllowed:
		return fault.New(code, "the path exists, but not for this method")
	case fault.TooLarge:
		return fault.New(code, "the request is larger than this server accepts")
	default:
		// What the HTTP parser refuses it quotes, which would hand out whatever
		// was sent; the log has it.
		return fault.New(code, "the request is not one that this server understands").Because(err)
	}
}

// fromHuma is the transformer that turns what huma's own validation refuses
// into our document. huma offers replaceable error constructors as well, but
// they belong to the whole process, and the sandbox's control API lives in the
// same one.
func fromHuma(hc huma.Context, _ string, answer any) (any, error) {
	model, ok := answer.(*huma.ErrorModel)
	if !ok {
		return answer, nil
	}
	p := refusal(hc.Context(), model)
	p.Status, p.Title = model.Status, http.StatusText(model.Status)
	return p, nil
}

// refusal describes a request that huma did not accept.
func refusal(ctx context.Context, model *huma.ErrorModel) *ProblemDocument {
	code := codeOf(model.Status)
	switch {
	case code == fault.Internal:
		return Problem(ctx, errors.New(modelText(model)))
	case model.Status == http.StatusUnsupportedMediaType:
		return Problem(ctx, fault.New(code, "the body must be JSON, with the Content-Type application/json"))
	case code == fault.Malformed:
		// huma repeats the body in the details; the reason alone is enough.
		return Problem(ctx, fault.New(code, "the request cannot be read: %s", reason(model)))
	}
	p := Problem(ctx, fault.New(code, "%s", model.Detail))
	for _, detail := range model.Errors {
		p.Errors = append(p.Errors, fieldError(detail))
	}
	if len(p.Errors) > 0 {
		p.Detail = strings.TrimPrefix(p.Errors[0].Field+": "+p.Errors[0].Message, ": ")
	}
	return p
}

func reason(model *huma.ErrorModel) string {
	if len(model.Errors) > 0 {
		return model.Errors[0].Message
	}
	return model.Detail
}

// modelText is for the log only.
func modelText(model *huma.ErrorModel) string {
	return model.Detail + ": " + reason(model)
}

// missing is how huma reports an absent property: at the parent's location.
var missing = regexp.MustCompile(`^expected required property (.+) to be present$`)

func fieldError(detail *huma.ErrorDetail) FieldError {
	_, field, nested := strings.Cut(detail.Location, ".")
	if !nested && strings.HasPrefix(detail.Location, "body[") {
		field = strings.TrimPrefix(detail.Location, "body")
	}
	e := FieldError{Field: field, Message: detail.Message}
	if match := missing.FindStringSubmatch(detail.Message); match != nil {
		e.Field = strings.TrimPrefix(field+"."+match[1], ".")
		e.Message = "is required"
		return e
	}
	e.Value = shortValue(detail.Value)
	return e
}

// shortValue repeats scalars so that the client sees which one it was, and
// leaves out everything that would make the answer as large as the question.
func shortValue(v any) any {
	const longest = 100
	switch value := v.(type) {
	case string:
		if len(value) > longest {
			return nil
		}
		return value
	case float64, int, int64, bool:
		return value
	default:
		return nil
	}
}
