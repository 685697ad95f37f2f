// Package zernio speaks Zernio's API for WhatsApp groups, the inbox and webhooks
// over our sessions. What was known of that API when this was written is its
// public documentation and its Node.js SDK, @zernio/node 0.2.881.
package zernio

import (
	_ "embed"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"muster/api"
)

const (
	// Name is the dialect's, and that of its format of webhooks.
	Name   = "zernio"
	prefix = "/zernio/api"

	platform = "whatsapp" // the only one of Zernio's that there is here
)

//go:embed openapi.json
var document []byte

// Dialect is Zernio's API. An account of theirs is a session of ours: its id is
// the session's, and the session's phone number is understood too.
type Dialect struct {
	services *api.Services
	now      func() time.Time
}

// New makes the dialect. What the services are is looked at when requests come.
func New(services *api.Services) *Dialect { return &Dialect{services: services, now: time.Now} }

// Name is "zernio".
func (*Dialect) Name() string { return Name }

// Prefix is "/zernio/api": Zernio's own base URL ends in /api.
func (*Dialect) Prefix() string { return prefix }

// OpenAPI is the document of what is understood here.
func (*Dialect) OpenAPI() ([]byte, error) { return document, nil }

// Credential is the bearer token.
func (*Dialect) Credential(header func(name string) string) string {
	scheme, token, _ := strings.Cut(header(fiber.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Routes registers every path.
func (d *Dialect) Routes(r fiber.Router) {
	const (
		groups        = "/v1/whatsapp/wa-groups"
		group         = groups + "/:groupId"
		conversations = "/v1/inbox/conversations"
		conversation  = conversations + "/:conversationId"
		settings      = "/v1/webhooks/settings"
	)
	r.Use(showPace)

	r.Get(groups, d.listGroups)
	r.Post(groups, d.createGroup)
	r.Get(group, d.getGroup)
	r.Post(group, d.updateGroup)
	r.Delete(group, d.deleteGroup)
	r.Post(group+"/participants", d.addParticipants)
	r.Delete(group+"/participants", d.removeParticipants)
	r.Post(group+"/invite-link", d.resetInviteLink)
	r.Get(group+"/join-requests", d.listJoinRequests)
	r.Post(group+"/join-requests", d.approveJoinRequests)
	r.Delete(group+"/join-requests", d.rejectJoinRequests)

	r.Get(conversations, d.listConversations)
	r.Get(conversation, d.getConversation)
	r.Get(conversation+"/messages", d.listMessages)
	r.Post(conversation+"/messages", d.sendMessage)
	r.Get(mediaPath+":mediaId", d.getMedia)

	r.Get(settings, d.listWebhooks)
	r.Post(settings, d.createWebhook)
	r.Put(settings, d.updateWebhook)
	r.Delete(settings, d.deleteWebhook)
	r.Post("/v1/webhooks/test", d.testWebhook)
}
