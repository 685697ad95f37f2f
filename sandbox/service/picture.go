package service

import (
	"errors"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/media"
	"muster/sandbox/stanza"
)

// iqGetPicture tells where the picture of a user or a group is: 404 when there
// is none, 401 when it is hidden from the asker. An asker who shows the id of
// what it has, and has the newest, gets an empty answer.
func (w *World) iqGetPicture(c *call) ([]stanza.Node, *stanza.Error) {
	request := stanza.Child(c.iq, "picture")
	if request == nil {
		return nil, stanza.Refuse(501)
	}
	owner, refusal := w.pictureOwner(c, request)
	if refusal != nil {
		return nil, refusal
	}
	picture, ok := w.media.Picture(owner)
	switch {
	case !ok:
		return nil, stanza.Refuse(404)
	case stanza.Text(request, "id") == picture.ID:
		return nil, nil
	}
	return []stanza.Node{w.pictureNode(picture, stanza.Text(request, "type"))}, nil
}

// pictureOwner is the key of the picture that an iq is about, if the asker may
// see it.
func (w *World) pictureOwner(c *call, request *stanza.Node) (string, *stanza.Error) {
	asker := c.device.Account
	target, ok := stanza.JID(c.iq, "target")
	if !ok {
		return asker.LID.String(), nil
	}
	if target.Server == types.GroupServer {
		g, ok := w.groups.Get(target)
		if !ok {
			return "", stanza.Refuse(404)
		}
		invite := stanza.Text(request, "invite")
		if _, member := g.Member(asker.LID); !member && (invite == "" || invite != g.InviteCode) {
			return "", stanza.Refuse(401)
		}
		return g.JID.String(), nil
	}
	a := w.account(target)
	switch {
	case a == nil || !a.OnWhatsApp:
		return "", stanza.Refuse(404)
	case !a.shows("profile", asker):
		return "", stanza.Refuse(401)
	}
	return a.LID.String(), nil
}

// pictureNode describes a picture; kind is "image" or "preview".
func (w *World) pictureNode(p media.Picture, kind string) stanza.Node {
	path := p.Path
	if kind == "preview" {
		path = p.Preview
	} else {
		kind = "image"
	}
	return stanza.Node{Tag: "picture", Attrs: stanza.Attrs{
		"id": p.ID, "type": kind, "url": "http://" + w.opts.MediaHost + path, "direct_path": path,
	}}
}

// communityPictures answers the w:g2 form of the question, which is how
// whatsmeow asks for a community's picture.
func (w *World) communityPictures(c *call, request *stanza.Node) ([]stanza.Node, *stanza.Error) {
	var list []stanza.Node
	for _, asked := range stanza.Children(request, "picture") {
		jid, ok := stanza.JID(&asked, "parent_group_jid")
		if !ok {
			return nil, stanza.Refuse(400)
		}
		g, ok := w.groups.Get(jid)
		if !ok {
			return nil, stanza.Refuse(404)
		}
		if _, member := g.Member(c.device.Account.LID); !member {
			return nil, stanza.Refuse(401)
		}
		picture, ok := w.media.Picture(g.JID.String())
		switch {
		case !ok:
			list = append(list, stanza.Node{Tag: "picture", Attrs: stanza.Attrs{"status": 204}})
		case stanza.Text(&asked, "id") == picture.ID:
			list = append(list, stanza.Node{Tag: "picture", Attrs: stanza.Attrs{"status": 304}})
		default:
			list = append(list, w.pictureNode(picture, stanza.Text(&asked, "type")))
		}
	}
	if len(list) == 0 {
		return nil, stanza.Refuse(400)
	}
	return []stanza.Node{{Tag: "pictures", Content: list}}, nil
}

// iqSetPicture changes or removes the asker's own picture, or that of a group
// whose information the asker may edit. 406 means that the content is no JPEG.
func (w *World) iqSetPicture(c *call) ([]stanza.Node, *stanza.Error) {
	a := c.device.Account
	target, ok := stanza.JID(c.iq, "target")
	if !ok || w.account(target) == a {
		return w.changePicture(c, a.LID.String(), func(change stanza.Node) { w.announceOwnPicture(c.device, change) })
	}
	if target.Server != types.GroupServer {
		return nil, stanza.Refuse(403)
	}
	g, ok := w.groups.Get(target)
	if !ok {
		return nil, stanza.Refuse(404)
	}
	if refusal := w.groups.MayEditInfo(a.person(), target); refusal != nil {
		return nil, refusal
	}
	return w.changePicture(c, g.JID.String(), func(change stanza.Node) { w.announceGroupPicture(g, a, change) })
}

// changePicture stores or removes a picture and has the change announced. The
// announcement's node lacks only whose picture it is.
func (w *World) changePicture(c *call, owner string, announce func(stanza.Node)) ([]stanza.Node, *stanza.Error) {
	content := contentOf(c.iq, "picture")
	if len(content) == 0 {
		if w.media.RemovePicture(owner) {
			c.then(func() { announce(stanza.Node{Tag: "delete", Attrs: stanza.Attrs{}}) })
		}
		return nil, nil
	}
	picture, err := w.media.SetPicture(owner, content)
	switch {
	case errors.Is(err, media.ErrNotJPEG):
		return nil, stanza.Refuse(406)
	case err != nil:
		w.log.Warn().Err(err).Str("owner", owner).Msg("Picture refused")
		return nil, stanza.Refuse(419)
	}
	c.then(func() { announce(stanza.Node{Tag: "set", Attrs: stanza.Attrs{"id": picture.ID}}) })
	return []stanza.Node{{Tag: "picture", Attrs: stanza.Attrs{"id": picture.ID}}}, nil
}

// announceOwnPicture tells the account's other companions and those who may
// see it of a new picture.
func (w *World) announceOwnPicture(by *Device, change stanza.Node) {
	a := by.Account
	change.Attrs["jid"], change.Attrs["author"] = a.PN, a.PN
	note := w.pictureNotification(a.PN, change)
	w.notifyAccount(a, note, by)
	for _, other := range w.acquaintances(a) {
		if a.shows("profile", other) {
			w.notifyAccount(other, note, nil)
		}
	}
}

// announceGroupPicture tells every member of a group of its new picture.
func (w *World) announceGroupPicture(g *group.Group, author *Account, change stanza.Node) {
	change.Attrs["jid"], change.Attrs["author"] = g.JID, g.Address(author.person())
	note := w.pictureNotification(g.JID, change)
	for _, m := range g.Members() {
		if a := w.account(m.LID); a != nil {
			w.notifyAccount(a, note, nil)
		}
	}
}

func (w *World) pictureNotification(from types.JID, change stanza.Node) stanza.Node {
	return stanza.Node{
		Tag:     "notification",
		Attrs:   stanza.Attrs{"from": from, "type": "picture", "t": w.opts.Now().Unix()},
		Content: []stanza.Node{change},
	}
}
