package control

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/sandbox/phone"
	"muster/sandbox/service"
)

// sendLimit is how large a message to send may be, in bytes: a file of the
// media host's limit in base64, and what is around it.
const sendLimit = 48 << 20

// SendBody is a message to send. huma sees embedded structs only when they are
// exported.
type SendBody struct {
	To string `json:"to" doc:"Phone number, person's JID or group JID"`
	service.Outgoing
}

type sent struct {
	ID string `json:"id"`
}

// Message is one that a phone received.
type Message struct {
	ID        string `json:"id"`
	From      string `json:"from" doc:"Sender's device JID"`
	Number    string `json:"from_number,omitempty" doc:"Sender's phone number, where known"`
	Chat      string `json:"chat" doc:"Group JID, or the other party's"`
	FromMe    bool   `json:"from_me" doc:"Sent by a companion of the phone's own account"`
	Timestamp int64  `json:"timestamp" doc:"UNIX seconds"`
	phone.Content
}

type messageList struct {
	Messages []Message `json:"messages"`
}

type receipt struct {
	IDs       []string `json:"ids" doc:"Messages it is about"`
	Kind      string   `json:"type" enum:"delivered,read,played"`
	Chat      string   `json:"chat" doc:"Group JID, or the reader's"`
	From      string   `json:"from" doc:"Reader's device JID"`
	Number    string   `json:"from_number,omitempty"`
	Timestamp int64    `json:"timestamp" doc:"UNIX seconds"`
}

type receiptList struct {
	Receipts []receipt `json:"receipts"`
}

// MessagePath names a message of a phone.
type MessagePath struct {
	PhonePath
	ID string `path:"id" doc:"Message id"`
}

// fileBody is a file as it is.
type fileBody struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func registerMessages(api huma.API, world *service.World) {
	send := operation("send-message", http.MethodPost, "/phones/{number}/messages", "Send a message of any kind from the phone, encrypted", 0)
	send.MaxBodyBytes = sendLimit
	huma.Register(api, send, func(_ context.Context, in *struct {
		PhonePath
		Body SendBody
	}) (*body[sent], error) {
		id, err := world.Send(in.Number, in.Body.To, in.Body.Outgoing)
		return reply(sent{ID: id}, err)
	})
	huma.Register(api, operation("list-messages", http.MethodGet, "/phones/{number}/messages", "What the phone received and decrypted, oldest first", 0),
		func(_ context.Context, in *PhonePath) (*body[messageList], error) {
			inbox, err := world.Inbox(in.Number)
			list := messageList{Messages: make([]Message, 0, len(inbox))}
			for _, m := range inbox {
				list.Messages = append(list.Messages, show(world, m))
			}
			return reply(list, err)
		})
	huma.Register(api, operation("download", http.MethodGet, "/phones/{number}/messages/{id}/media", "The file of a message, decrypted", 0),
		func(_ context.Context, in *MessagePath) (*fileBody, error) {
			file, err := world.Download(in.Number, in.ID)
			if err != nil {
				return nil, problem(err)
			}
			return &fileBody{ContentType: "application/octet-stream", Body: file}, nil
		})
	huma.Register(api, operation("ask-again", http.MethodPost, "/phones/{number}/messages/{id}/ask-again", "Lose a message that was received, and ask its sender for it again", 0),
		func(_ context.Context, in *MessagePath) (*body[success], error) {
			return done(world.AskAgain(in.Number, in.ID))
		})
	registerReceipts(api, world)
}

func registerReceipts(api huma.API, world *service.World) {
	huma.Register(api, operation("read", http.MethodPost, "/phones/{number}/read", "See messages, or listen to them: their authors get a receipt", 0),
		func(_ context.Context, in *struct {
			PhonePath
			Body struct {
				IDs    []string `json:"ids" minItems:"1" doc:"Messages the phone received"`
				Played bool     `json:"played,omitempty" doc:"Listened to, and not only seen"`
			}
		}) (*body[success], error) {
			return done(world.MarkRead(in.Number, in.Body.IDs, in.Body.Played))
		})
	huma.Register(api, operation("list-receipts", http.MethodGet, "/phones/{number}/receipts", "What the phone was told about its account's messages, oldest first", 0),
		func(_ context.Context, in *PhonePath) (*body[receiptList], error) {
			receipts, err := world.Receipts(in.Number)
			list := receiptList{Receipts: make([]receipt, 0, len(receipts))}
			for _, r := range receipts {
				list.Receipts = append(list.Receipts, receipt{
					IDs: r.IDs, Kind: r.Kind, Chat: r.Chat.String(), From: r.From.String(),
					Number: world.NumberOf(r.From), Timestamp: r.At.Unix(),
				})
			}
			return reply(list, err)
		})
}

func show(world *service.World, m phone.Received) Message {
	return Message{
		ID: m.ID, From: m.From.String(), Number: world.NumberOf(m.From), Chat: m.Chat.String(), FromMe: m.FromMe,
		Timestamp: m.At.Unix(), Content: m.Content,
	}
}
