package control

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/sandbox/fault"
	"muster/sandbox/service"
)

type faultList struct {
	Faults []fault.Fault `json:"faults"`
}

func registerFaults(api huma.API, world *service.World) {
	huma.Register(api, operation("list-faults", http.MethodGet, "/faults", "Faults in force", 0),
		func(context.Context, *struct{}) (*body[faultList], error) {
			return reply(faultList{Faults: world.Faults().List()}, nil)
		})
	huma.Register(api, operation("add-fault", http.MethodPost, "/faults", "Script a fault", http.StatusCreated),
		func(_ context.Context, in *struct{ Body fault.Fault }) (*body[fault.Fault], error) {
			return reply(world.Faults().Add(in.Body))
		})
	huma.Register(api, operation("clear-faults", http.MethodDelete, "/faults", "End every fault, and release stalled connections", 0),
		func(context.Context, *struct{}) (*body[success], error) {
			world.ClearFaults()
			return done(nil)
		})
	huma.Register(api, operation("remove-fault", http.MethodDelete, "/faults/{id}", "End one fault", 0),
		func(_ context.Context, in *struct {
			ID string `path:"id"`
		}) (*body[success], error) {
			if !world.Faults().Remove(in.ID) {
				return nil, huma.Error404NotFound("no fault " + in.ID)
			}
			return done(nil)
		})
}
