package meta

import "muster/groups"

// GetLink tells a group's invite link.
func (a *API) GetLink(c Call) error { return a.link(c, false) }

// ResetLink revokes a group's invite link and makes another one.
func (a *API) ResetLink(c Call) error {
	if err := optionalProduct(c); err != nil {
		return err
	}
	return a.link(c, true)
}

func (a *API) link(c Call, reset bool) error {
	link, err := a.services.Groups.InviteLink(c.UserContext(), groups.InviteLinkRequest{Target: c.target(), Reset: reset})
	if err != nil {
		return err
	}
	return c.JSON(inviteLink{Product: product, Link: link})
}

// DeleteLink makes a group's invite link invalid. WhatsApp has no groups without
// a link, so there is a new one, which nobody is told.
func (a *API) DeleteLink(c Call) error {
	if err := optionalProduct(c); err != nil {
		return err
	}
	_, err := a.services.Groups.InviteLink(c.UserContext(), groups.InviteLinkRequest{Target: c.target(), Reset: true})
	if err != nil {
		return err
	}
	return c.JSON(deletedLink{Product: product, Success: "true"})
}

// optionalProduct checks a body that may be left out.
func optionalProduct(c Call) error {
	b, err := readBody(c.Ctx)
	if err != nil {
		return err
	}
	var said messagingProduct
	if err = b.into(&said); err != nil {
		return err
	}
	return said.optional()
}
