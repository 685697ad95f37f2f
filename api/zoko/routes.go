package zoko

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
)

const (
	groupsPath   = "/v2/channels/whatsapp/cloud/group"
	groupPath    = groupsPath + "/{id}"
	messagesPath = "/v2/message"
	messagePath  = messagesPath + "/{id}"
	hooksPath    = "/v2/webhook"
	hookPath     = hooksPath + "/{id}"
)

// route is one row of the table of paths.
type route struct {
	method, path string
	id           string // in the OpenAPI document
	summary      string
	description  string
	body         any // the type of the request's body; nil is none
	answers      map[int]any
	handle       func(c *fiber.Ctx) error
}

// ok is the answer of most operations.
func ok(answer any) map[int]any { return map[int]any{http.StatusOK: answer} }

func (d *Dialect) routes() []route {
	return append(append(d.groupRoutes(), d.peopleRoutes()...), d.otherRoutes()...)
}

func (d *Dialect) groupRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: groupsPath, id: "createGroup", summary: "Create a group",
			description: "Answers 200 once the group is made, and 202 where that takes long: the group is in the list once it is there.",
			body:        CreateBody{}, answers: map[int]any{http.StatusOK: Creation{}, http.StatusAccepted: Creation{}}, handle: d.create,
		},
		{
			method: http.MethodGet, path: groupsPath, id: "listGroups", summary: "List the groups",
			description: "Those that the account is an admin of.", answers: ok([]GroupRow{}), handle: d.list,
		},
		{
			method: http.MethodGet, path: groupPath, id: "getGroup", summary: "Get a group",
			description: "The id is the _id, the group_id or the JID, here and below.", answers: ok(GroupDetails{}), handle: d.details,
		},
		{
			method: http.MethodPut, path: groupPath + "/settings", id: "updateGroupSettings", summary: "Change a group",
			description: "Answers with the group as it is then.", body: SettingsBody{}, answers: ok(GroupDetails{}), handle: d.settings,
		},
		{
			method: http.MethodPost, path: groupPath + "/delete", id: "deleteGroup", summary: "Delete a group",
			description: "Removes everybody and leaves. Where somebody cannot be removed, the account stays, and the answer is 409.",
			answers:     ok(Deletion{}), handle: d.remove,
		},
		{
			method: http.MethodPut, path: groupPath + "/auto-approval", id: "setAutoApproval", summary: "Let everybody in who has the link, or not",
			description: "The same switch as join_approval_mode.", body: AutoApprovalBody{}, answers: ok(AutoApproval{}), handle: d.autoApproval,
		},
		{
			method: http.MethodGet, path: groupPath + "/invite-link", id: "getInviteLink", summary: "Get the invite link",
			answers: ok(InviteLink{}), handle: d.inviteLink,
		},
		{
			method: http.MethodPut, path: groupPath + "/invite-link", id: "resetInviteLink", summary: "Revoke the invite link and get a new one",
			description: "Invitations with the old link end: their recipients can be invited again.", answers: ok(InviteLink{}), handle: d.resetLink,
		},
	}
}

func (d *Dialect) peopleRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: groupPath + "/invitations", id: "inviteMembers", summary: "Invite people by message",
			description: "Each gets the group's invitation template as a text with the link. Who is in the group, has left it, was removed from it or " +
				"has an invitation with the present link is skipped.",
			body: InviteBody{}, answers: ok(Invited{}), handle: d.invite,
		},
		{
			method: http.MethodPost, path: groupPath + "/remove-participants", id: "removeParticipants", summary: "Remove people",
			body: RemoveBody{}, answers: ok(Removed{}), handle: d.removeParticipants,
		},
		{
			method: http.MethodGet, path: groupPath + "/join-requests", id: "getJoinRequests", summary: "List who waits to be let in",
			answers: ok(JoinRequests{}), handle: d.joinRequests,
		},
		{
			method: http.MethodPost, path: groupPath + "/join-requests/{action}", id: "handleJoinRequests", summary: "Let people in, or turn them down",
			description: "The action is approve or reject; the answer has the list approved or rejected.",
			body:        DecideBody{}, answers: ok(decision{}), handle: d.decide,
		},
		{
			method: http.MethodGet, path: groupPath + "/invitation-template", id: "getInvitationTemplate", summary: "Get the invitation template",
			answers: ok(InvitationTemplate{}), handle: d.template,
		},
		{
			method: http.MethodPut, path: groupPath + "/invitation-template", id: "setInvitationTemplate", summary: "Choose the invitation template",
			description: "A template's variables are {{brand.whatsapp_display_name}}, {{group.invite_link}}, {{group.subject}}, and others that " +
				"template_args must have.",
			body: TemplateBody{}, answers: ok(InvitationTemplate{}), handle: d.setTemplate,
		},
		{
			method: http.MethodGet, path: "/v2/account/templates", id: "listTemplates", summary: "List the templates",
			answers: ok([]TemplateRow{}), handle: d.templateList,
		},
	}
}

// decision is the answer to a decision, for the document.
type decision struct {
	Approved []string        `json:"approved,omitempty"`
	Rejected []string        `json:"rejected,omitempty"`
	Failed   []FailedRequest `json:"failed" nullable:"false"`
}

func (d *Dialect) otherRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: messagesPath, id: "sendMessage", summary: "Send a message",
			body: SendBody{}, answers: map[int]any{http.StatusAccepted: Accepted{}}, handle: d.send,
		},
		{
			method: http.MethodGet, path: messagePath, id: "getMessage", summary: "Get a message",
			description: "The id is a messageId, that of a webhook, or WhatsApp's.", answers: ok(Message{}), handle: d.message,
		},
		{
			method: http.MethodGet, path: messagePath + "/history", id: "getMessageHistory", summary: "Get what has become of a message",
			answers: ok(MessageHistory{}), handle: d.history,
		},
		{
			method: http.MethodGet, path: messagePath + "/file", id: "getMessageFile", summary: "Get the file of a message",
			description: "Where fileUrl leads.", answers: ok(nil), handle: d.file,
		},
		{
			method: http.MethodPost, path: hooksPath, id: "createWebhook", summary: "Create a webhook",
			body: HookBody{}, answers: ok(Hook{}), handle: d.createHook,
		},
		{method: http.MethodGet, path: hooksPath, id: "listWebhooks", summary: "List the webhooks", answers: ok([]Hook{}), handle: d.listHooks},
		{method: http.MethodGet, path: hookPath, id: "getWebhook", summary: "Get a webhook", answers: ok(Hook{}), handle: d.getHook},
		{
			method: http.MethodPut, path: hookPath, id: "updateWebhook", summary: "Change a webhook",
			description: "It is enabled by that. A challengeToken that is left out stays.", body: HookBody{}, answers: ok(Hook{}), handle: d.updateHook,
		},
		{
			method: http.MethodDelete, path: hookPath, id: "deleteWebhook", summary: "Delete a webhook",
			answers: map[int]any{http.StatusNoContent: nil}, handle: d.deleteHook,
		},
	}
}

// Routes registers the paths.
func (d *Dialect) Routes(r fiber.Router) {
	for _, each := range d.routes() {
		r.Add(each.method, strings.NewReplacer("{", ":", "}", "").Replace(each.path), each.handle)
	}
}
