package messages

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

func TestTextRequestValidates(t *testing.T) {
	tests := []struct {
		name  string
		req   TextRequest
		field string
	}{
		{"group", TextRequest{Envelope{To: "123456789-1234567890@g.us"}, "Hello group!"}, ""},
		{"number", TextRequest{Envelope{To: "+628123456789"}, "x"}, ""},
		{"LID", TextRequest{Envelope{To: "98765432109876@lid"}, "x"}, ""},
		{"longest", TextRequest{Envelope{To: "628123456789"}, strings.Repeat("é", MaxText/2)}, ""},
		{"too long in bytes", TextRequest{Envelope{To: "628123456789"}, strings.Repeat("é", MaxText/2) + "."}, "text"},
		{"empty", TextRequest{Envelope: Envelope{To: "628123456789"}}, "text"},
		{"blank", TextRequest{Envelope{To: "628123456789"}, " \n\t"}, "text"},
		{"to nobody", TextRequest{Text: "x"}, "to"},
		{"to a broadcast", TextRequest{Envelope{To: "status@broadcast"}, "x"}, "to"},
	}
	for _, test := range tests {
		err := test.req.Validate()
		if test.field == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.field != "" && (!fault.Is(err, fault.Invalid) || fault.From(err).Field != test.field) {
			t.Errorf("%s: %v, want %s refused", test.name, err, test.field)
		}
	}
}

func TestRefusals(t *testing.T) {
	group, person := types.NewJID("120363012345678901", types.GroupServer), types.NewJID("628123456789", types.DefaultUserServer)
	tests := []struct {
		number int
		to     types.JID
		want   fault.Code
	}{
		{403, group, fault.Rejected},
		{404, group, fault.GroupNotFound},
		{404, person, fault.Rejected},
		{421, group, fault.Rejected},
		{429, person, fault.RateLimited},
		{463, person, fault.AccountRestricted},
		{499, person, fault.Rejected},
	}
	for _, test := range tests {
		// As whatsmeow makes it in SendMessage.
		err := fmt.Errorf("%w %d", whatsmeow.ErrServerReturnedError, test.number)
		number := refusalNumber(err)
		if number != test.number {
			t.Errorf("%v: number %d", err, number)
		}
		refusal := refused(test.to, number, err)
		if !fault.Is(refusal, test.want) || !errors.Is(refusal, whatsmeow.ErrServerReturnedError) {
			t.Errorf("%d to %s: %v, want %s", test.number, test.to, refusal, test.want)
		}
		if text := fault.From(refusal).Message; !strings.Contains(text, fmt.Sprint(test.number)) {
			t.Errorf("%q does not say the number", text)
		}
	}
	for _, err := range []error{nil, errors.New("server returned error 403"), whatsmeow.ErrMessageTimedOut} {
		if number := refusalNumber(err); number != 0 {
			t.Errorf("%v: number %d, want none", err, number)
		}
	}
	if number := refusalNumber(whatsmeow.ErrServerReturnedError); number != -1 {
		t.Errorf("a refusal without a number: %d", number)
	}
}
