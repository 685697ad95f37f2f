package api

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"muster/internal/fault"
)

// Every code has a status that fits it; a new code without a row fails here.
func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	want := map[fault.Code]int{
		fault.Malformed: 400, fault.Invalid: 422, fault.TooLarge: 413, fault.UnsupportedMedia: 415, fault.Unauthenticated: 401, fault.Forbidden: 403,
		fault.NotFound: 404, fault.MethodNotAllowed: 405, fault.Conflict: 409,
		fault.SessionNotFound: 404, fault.SessionExists: 409, fault.SessionNotLinked: 409, fault.SessionLinked: 409,
		fault.SessionNotConnected: 503,
		fault.GroupNotFound:       404, fault.NotInGroup: 403, fault.NotAdmin: 403, fault.DescriptionConflict: 409,
		fault.InviteRevoked: 410, fault.InviteInvalid: 422, fault.GroupFull: 409, fault.AlreadyMember: 409,
		fault.RateLimited: 429, fault.AccountRestricted: 403, fault.Rejected: 422, fault.NoAnswer: 504, fault.OutcomeUnknown: 504,
		fault.Unavailable: 503, fault.Internal: 500,
	}
	for _, code := range fault.Codes() {
		if got := statusOf(code); got != want[code] || got == 0 {
			t.Errorf("%s has the status %d, want %d", code, got, want[code])
		}
	}
	if len(want) != len(fault.Codes()) {
		t.Errorf("the table has %d rows for %d codes", len(want), len(fault.Codes()))
	}
}

// What Fiber or huma refuse by status gets a code that leads back to a status
// of the same kind.
func TestStatusesLeadToCodes(t *testing.T) {
	t.Parallel()
	for status := 400; status < 600; status++ {
		if http.StatusText(status) == "" {
			continue
		}
		if back := statusOf(codeOf(status)); back/100 != status/100 && status != http.StatusNotImplemented {
			t.Errorf("%d leads to %s and back to %d", status, codeOf(status), back)
		}
	}
}

func TestCausesStayInside(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("secret cause"),
		fault.New(fault.NoAnswer, "no answer").Because(errors.New("secret cause")),
	} {
		p := Problem(context.Background(), err)
		if p.Detail == "" || p.Detail == "secret cause" || p.Error() == err.Error() {
			t.Errorf("%v is shown as %q", err, p.Detail)
		}
	}
}

func TestFieldsAsInTheRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		detail huma.ErrorDetail
		want   FieldError
	}{
		{huma.ErrorDetail{Location: "body.participants[0]", Message: "expected string", Value: 1.0}, FieldError{"participants[0]", "expected string", 1.0}},
		{huma.ErrorDetail{Location: "body", Message: "expected required property name to be present"}, FieldError{"name", "is required", nil}},
		{huma.ErrorDetail{Location: "body.a.b", Message: "expected required property c to be present"}, FieldError{"a.b.c", "is required", nil}},
		{huma.ErrorDetail{Location: "body.extra", Message: "unexpected property", Value: map[string]any{"extra": 1}}, FieldError{"extra", "unexpected property", nil}},
		{huma.ErrorDetail{Location: "query.limit", Message: "expected number <= 100", Value: int64(1000)}, FieldError{"limit", "expected number <= 100", int64(1000)}},
		{huma.ErrorDetail{Location: "body[2]", Message: "expected string"}, FieldError{"[2]", "expected string", nil}},
		{huma.ErrorDetail{Location: "body", Message: "expected object"}, FieldError{"", "expected object", nil}},
	} {
		if got := fieldError(&test.detail); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.detail.Location, got, test.want)
		}
	}
}
