package zernio

import (
	"encoding/json"
	"testing"

	"muster/internal/fault"
)

// TestEveryCodeHasARow compares the table of errors with the codes that there
// are.
func TestEveryCodeHasARow(t *testing.T) {
	t.Parallel()
	classes := map[string]bool{
		typeInvalid: true, typeAuthentication: true, typePermission: true, typeNotFound: true, typeRateLimit: true, typePlatform: true, typeAPI: true,
	}
	for _, code := range fault.Codes() {
		what, ok := sortOf(code)
		if !ok || what.status < 400 || what.status > 599 || !classes[what.class] || what.code == "" {
			t.Errorf("%s becomes %+v", code, what)
		}
		status, body := errorOf(fault.New(code, "why"))
		if status != what.status || body.Error != "why" || body.Type != what.class {
			t.Errorf("%s becomes %d %+v", code, status, body)
		}
		if (body.Platform == platform) != (what.class == typePlatform) || (body.PlatformError != nil) != (what.class == typePlatform) {
			t.Errorf("%s: platform %q %+v", code, body.Platform, body.PlatformError)
		}
	}
	if _, ok := sortOf("no such code"); ok {
		t.Error("a code that there is not has a row")
	}
}

// TestRename has the fields of our operations as Zernio calls them.
func TestRename(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"participants[2]": "phoneNumbers[2]", "name": "subject", "membership_approval_mode": "joinApprovalMode", "to": "conversationId",
		"text": "message", "image": "attachmentUrl", "contacts[1].name": "contacts[1].name", "description": "description", "": "",
	} {
		if got := rename(field); got != want {
			t.Errorf("rename(%q) = %q, want %q", field, got, want)
		}
	}
	_, body := errorOf(fault.Field("participants[2]", "is no number"))
	got, err := json.Marshal(body)
	const want = `{"error":"phoneNumbers[2]: is no number","type":"invalid_request_error","code":"validation_error","param":"phoneNumbers[2]","details":{"fields":{"phoneNumbers[2]":["is no number"]}}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}
