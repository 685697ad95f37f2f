package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/messages"
)

type sendTextInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		To   string `json:"to" minLength:"1" maxLength:"128" example:"123456789-1234567890@g.us" doc:"A group's JID, or a person: phone JID, LID, or phone number with or without +."`
		Text string `json:"text" minLength:"1" maxLength:"65536" example:"Hello group!" doc:"At most 65,536 bytes of UTF-8."`
	}
}

type sent struct {
	MessageID string `json:"message_id" example:"3EB0C431C26A1916E07A"`
	Timestamp int64  `json:"timestamp" example:"1640000000" doc:"When WhatsApp took the message, in UNIX seconds."`
	To        string `json:"to" example:"123456789-1234567890@g.us" doc:"The chat that it went to."`
}

// RegisterMessages adds the sending of messages.
func RegisterMessages(api huma.API, service *messages.Service) {
	handle(api, route{
		Method: http.MethodPost, Path: "/sessions/{session_id}/messages/text", ID: "send-text", Tag: "Messages",
		Summary:     "Send a text",
		Description: "To a person or a group. Success means that WhatsApp has taken the message, not that anybody has it.",
	}, func(ctx context.Context, in *sendTextInput) (sent, error) {
		message, err := service.SendText(ctx, messages.TextRequest{SessionID: in.SessionID, To: in.Body.To, Text: in.Body.Text})
		return sent{MessageID: message.ID, Timestamp: seconds(message.Timestamp), To: message.To}, err
	})
}
