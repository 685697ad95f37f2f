package service

import "muster/sandbox/stanza"

// iqBusiness answers with a business's profile. For an account that is no
// business the profile is empty but for its JID, which whatsmeow insists on.
func (w *World) iqBusiness(c *call) ([]stanza.Node, *stanza.Error) {
	request := stanza.Child(c.iq, "business_profile")
	if request == nil {
		return nil, stanza.Refuse(501)
	}
	var profiles []stanza.Node
	for _, asked := range stanza.Children(request, "profile") {
		jid, ok := stanza.JID(&asked, "jid")
		if !ok {
			return nil, stanza.Refuse(400)
		}
		profile := stanza.Node{Tag: "profile", Attrs: stanza.Attrs{"jid": jid.ToNonAD()}}
		if a := w.account(jid); a != nil && a.OnWhatsApp && a.Business {
			profile.Content = []stanza.Node{{Tag: "description", Content: []byte(a.About)}}
		}
		profiles = append(profiles, profile)
	}
	if len(profiles) == 0 {
		return nil, stanza.Refuse(400)
	}
	return []stanza.Node{{Tag: "business_profile", Content: profiles}}, nil
}
