// Package control is the sandbox's HTTP API for tests and people: make phones,
// link them, let them act in groups, and script faults.
package control

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"muster/sandbox/phone"
	"muster/sandbox/service"
	"muster/sandbox/stanza"
)

// Info is what a client needs to be pointed at the sandbox.
type Info struct {
	Endpoint string
	RootKey  [32]byte
}

// New makes the API's handler; it serves paths under /control/v1/.
func New(world *service.World, info Info) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Muster sandbox control", "1")
	config.OpenAPIPath = "/control/v1/openapi"
	config.DocsPath = ""    // the default page loads scripts from another host
	config.SchemasPath = "" // schemas are in the document itself
	config.CreateHooks = nil
	config.Info.Description = "Act on the simulated WhatsApp: phones, groups, messages and faults. It serves loopback only and asks for no key."
	api := humago.New(mux, config)
	registerWorld(api, world, info)
	registerPhones(api, world)
	registerGroups(api, world)
	registerFaults(api, world)
	return mux
}

// operation is the description of one endpoint.
func operation(id, method, path, summary string, status int) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: "/control/v1" + path, Summary: summary,
		DefaultStatus: status, MaxBodyBytes: 1 << 20,
	}
}

// body wraps an answer for huma.
type body[T any] struct{ Body T }

// reply turns a result and its error into huma's pair.
func reply[T any](value T, err error) (*body[T], error) {
	if err != nil {
		return nil, problem(err)
	}
	return &body[T]{Body: value}, nil
}

// success is the answer of acts that return nothing else.
type success struct {
	Success bool `json:"success"`
}

// done answers an act that returns nothing else.
func done(err error) (*body[success], error) {
	return reply(success{Success: true}, err)
}

// problem gives an error the status that fits: the service's own refusals keep
// their code where HTTP has it.
func problem(err error) error {
	var refused *stanza.Error
	switch {
	case errors.As(err, &refused):
		status := refused.Code
		if http.StatusText(status) == "" || status < 400 {
			status = http.StatusUnprocessableEntity
		}
		return huma.NewError(status, "the service refuses: "+refused.Error())
	case errors.Is(err, service.ErrUnknownPhone), errors.Is(err, service.ErrUnknownGroup), errors.Is(err, service.ErrUnknownDevice),
		errors.Is(err, service.ErrUnknownMessage), errors.Is(err, phone.ErrNoFile):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, service.ErrPhoneExists), errors.Is(err, service.ErrTooManyDevices), errors.Is(err, service.ErrLinkRefused):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, service.ErrLinkLost), errors.Is(err, service.ErrLinkUnanswered):
		return huma.Error504GatewayTimeout(err.Error())
	default:
		return huma.Error422UnprocessableEntity(err.Error())
	}
}

type infoBody struct {
	Endpoint string `json:"endpoint" doc:"Web socket address for clients"`
	RootKey  string `json:"root_key" doc:"Public key that signs the service's certificates, hexadecimal"`
}

func registerWorld(api huma.API, world *service.World, info Info) {
	huma.Register(api, operation("info", http.MethodGet, "/info", "Where clients connect, and the key they must trust", 0),
		func(context.Context, *struct{}) (*body[infoBody], error) {
			return reply(infoBody{Endpoint: info.Endpoint, RootKey: hex.EncodeToString(info.RootKey[:])}, nil)
		})
	huma.Register(api, operation("stats", http.MethodGet, "/stats", "What clients have sent so far", 0),
		func(context.Context, *struct{}) (*body[service.Stats], error) {
			return reply(world.Stats(), nil)
		})
	huma.Register(api, operation("reset", http.MethodPost, "/reset", "Disconnect everybody and empty the world", 0),
		func(context.Context, *struct{}) (*body[success], error) {
			world.Reset()
			return done(nil)
		})
}
