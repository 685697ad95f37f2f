package control

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/service"
)

// linkLimit is how long a link may take: the client has to answer, and a
// client that never does must not hold the request for ever.
const linkLimit = 30 * time.Second

// PhonePath names a phone. huma sees embedded structs only when they are exported.
type PhonePath struct {
	Number string `path:"number" doc:"Phone number, digits, a leading + allowed" example:"4915112345678"`
}

type phoneList struct {
	Phones []service.PhoneInfo `json:"phones"`
}

type newPhone struct {
	Number     string `json:"number" doc:"Phone number in international form, a leading + allowed" example:"4915112345678"`
	Name       string `json:"name,omitempty" doc:"Push name"`
	GroupAdd   string `json:"privacy_groupadd,omitempty" enum:"all,contacts,none" doc:"Who may add it to groups; absent: all"`
	OnWhatsApp *bool  `json:"on_whatsapp,omitempty" doc:"false: a number without an account; absent: true"`
	Business   bool   `json:"business,omitempty"`
	Off        bool   `json:"off,omitempty" doc:"Switched off: others encrypt for it, and what they send it is lost"`
	StandIns   int    `json:"stand_ins,omitempty" minimum:"0" maximum:"4" doc:"Companions that exist by their keys alone: what is sent to them is lost"`
}

type linkBody struct {
	QR   string `json:"qr,omitempty" doc:"Text of the QR code the phone scans"`
	Code string `json:"code,omitempty" doc:"Code the phone's user types, with or without the dash"`
}

type linked struct {
	DeviceJID string `json:"device_jid"`
}

type unlinkBody struct {
	Device string `json:"device,omitempty" doc:"Device JID; absent: every companion"`
}

func registerPhones(api huma.API, world *service.World) {
	huma.Register(api, operation("add-phone", http.MethodPost, "/phones", "Make a phone", http.StatusCreated),
		func(_ context.Context, in *struct{ Body newPhone }) (*body[service.PhoneInfo], error) {
			return reply(world.AddPhone(service.PhoneOptions{
				Number: in.Body.Number, Name: in.Body.Name, GroupAdd: in.Body.GroupAdd, Business: in.Body.Business,
				NotOnWhatsApp: in.Body.OnWhatsApp != nil && !*in.Body.OnWhatsApp, Off: in.Body.Off, StandIns: in.Body.StandIns,
			}))
		})
	huma.Register(api, operation("list-phones", http.MethodGet, "/phones", "Every phone, with its devices and groups", 0),
		func(context.Context, *struct{}) (*body[phoneList], error) {
			return reply(phoneList{Phones: world.Phones()}, nil)
		})
	huma.Register(api, operation("get-phone", http.MethodGet, "/phones/{number}", "One phone", 0),
		func(_ context.Context, in *PhonePath) (*body[service.PhoneInfo], error) {
			return reply(world.Phone(in.Number))
		})
	registerLinks(api, world)
	registerMessages(api, world)
}

func registerLinks(api huma.API, world *service.World) {
	huma.Register(api, operation("link", http.MethodPost, "/phones/{number}/link", "Scan a QR code, or type a code, with the phone", 0),
		func(ctx context.Context, in *struct {
			PhonePath
			Body linkBody
		}) (*body[linked], error) {
			if (in.Body.QR == "") == (in.Body.Code == "") {
				return nil, huma.Error422UnprocessableEntity("give either qr or code")
			}
			ctx, cancel := context.WithTimeout(ctx, linkLimit)
			defer cancel()
			link, proof := world.ScanQR, in.Body.QR
			if in.Body.Code != "" {
				link, proof = world.EnterCode, in.Body.Code
			}
			device, err := link(ctx, in.Number, proof)
			return reply(linked{DeviceJID: device.String()}, err)
		})
	huma.Register(api, operation("unlink", http.MethodPost, "/phones/{number}/unlink", "Log companions out from the phone", 0),
		func(_ context.Context, in *struct {
			PhonePath
			Body *unlinkBody // a pointer: it may be absent
		}) (*body[success], error) {
			if in.Body == nil || in.Body.Device == "" {
				return done(world.Unlink(in.Number, nil))
			}
			device, err := types.ParseJID(in.Body.Device)
			if err != nil {
				return nil, huma.Error422UnprocessableEntity("device: " + err.Error())
			}
			return done(world.Unlink(in.Number, &device))
		})
	huma.Register(api, operation("demand-passkey", http.MethodPost, "/phones/{number}/passkey", "Make linking to this phone demand a passkey, or no longer", 0),
		func(_ context.Context, in *struct {
			PhonePath
			Body struct {
				Demand bool `json:"demand"`
			}
		}) (*body[success], error) {
			return done(world.DemandPasskey(in.Number, in.Body.Demand))
		})
	huma.Register(api, operation("add-contact", http.MethodPost, "/phones/{number}/contacts", "Put another phone into the address book", 0),
		func(_ context.Context, in *struct {
			PhonePath
			Body struct {
				Number string `json:"number"`
			}
		}) (*body[success], error) {
			return done(world.Befriend(in.Number, in.Body.Number))
		})
}
