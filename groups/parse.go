package groups

import (
	"context"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// readGroup makes a Group of whatsmeow's reading of a <group> and of the
// stanza itself, which wins where the two disagree.
func readGroup(ctx context.Context, client *whatsmeow.Client, info *types.GroupInfo, node *waBinary.Node) (Group, error) {
	group := groupOf(info, node)
	known := client.Store.LIDs
	var err error
	if group.Owner, err = ownerOf(ctx, known, info); err != nil {
		return Group{}, err
	}
	ownPN, ownLID := client.Store.GetJID().ToNonAD(), client.Store.GetLID().ToNonAD()
	group.Participants = make([]Participant, len(info.Participants))
	for i, p := range info.Participants {
		pn, lid := pair(p.JID, p.PhoneNumber, p.LID)
		if pn, lid, err = complete(ctx, known, pn, lid); err != nil {
			return Group{}, err
		}
		role := roleOf(p)
		group.Participants[i] = Participant{Identity: identity(pn, lid), Role: role}
		if !pn.IsEmpty() && pn == ownPN || !lid.IsEmpty() && lid == ownLID {
			group.MyRole = role
		}
	}
	return group, nil
}

// groupOf reads everything but the people.
func groupOf(info *types.GroupInfo, node *waBinary.Node) Group {
	group := Group{
		JID:              info.JID.String(),
		Subject:          info.Name,
		CreatedAt:        info.GroupCreated,
		AddressingMode:   string(info.AddressingMode),
		ParticipantCount: info.ParticipantCount,
		Settings:         settingsOf(node),
		Announce:         info.IsAnnounce,
		Locked:           info.IsLocked,
		Suspended:        info.Suspended,
		Incognito:        info.IsIncognito,
		version:          info.ParticipantVersionID,
		Community: Community{
			IsCommunity:         info.IsParent,
			IsAnnouncementGroup: info.IsDefaultSubGroup,
		},
		// whatsmeow calls a group ephemeral whenever the element is there, and
		// new groups have one that says 0.
		DisappearingSeconds: info.DisappearingTimer,
	}
	if group.AddressingMode == "" {
		// Groups from before LIDs do not say; they are addressed by phone.
		group.AddressingMode = string(types.AddressingModePN)
	}
	if len(info.Participants) > 0 {
		// The size attribute is sometimes absent and never more right.
		group.ParticipantCount = len(info.Participants)
	}
	if !info.LinkedParentJID.IsEmpty() {
		group.Community.Parent = info.LinkedParentJID.String()
	}
	group.Topic, group.TopicID = topicOf(node)
	if group.Topic != "" {
		group.TopicSetAt = info.TopicSetAt
	}
	return group
}

// topicOf reads the description. whatsmeow drops the id of a deleted one,
// although the server wants it as the predecessor of the next.
func topicOf(node *waBinary.Node) (topic, id string) {
	description, ok := node.GetOptionalChildByTag("description")
	if !ok {
		return "", ""
	}
	if body, ok := description.GetOptionalChildByTag("body"); ok {
		topic = text(&body)
	}
	return topic, description.AttrGetter().OptionalString("id")
}

// settingsOf reads the three modes. whatsmeow takes the mere presence of
// membership_approval_mode for "on", whatever its state says; it reads
// member_add_mode only when the content arrives as bytes; and it does not know
// member_link_mode.
func settingsOf(node *waBinary.Node) Settings {
	settings := Settings{MembershipApproval: ApprovalOff}
	if approval, ok := node.GetOptionalChildByTag("membership_approval_mode"); ok {
		settings.MembershipApproval = ApprovalOn
		if join, ok := approval.GetOptionalChildByTag("group_join"); ok && join.AttrGetter().OptionalString("state") == "off" {
			settings.MembershipApproval = ApprovalOff
		}
	}
	if mode, ok := node.GetOptionalChildByTag("member_add_mode"); ok {
		settings.MemberAdd = AddMode(text(&mode))
	}
	if mode, ok := node.GetOptionalChildByTag("member_link_mode"); ok {
		settings.MemberLink = LinkMode(text(&mode))
	}
	return settings
}

// ownerOf names the creator, by phone where it is known.
func ownerOf(ctx context.Context, known store.LIDStore, info *types.GroupInfo) (string, error) {
	pn, lid := pair(info.OwnerJID, info.OwnerPN)
	if pn.IsEmpty() && lid.IsEmpty() {
		return "", nil
	}
	pn, lid, err := complete(ctx, known, pn, lid)
	return identity(pn, lid).JID, err
}

// text reads a node's content, which the decoder delivers as bytes or, when it
// was one of the protocol's tokens or packed digits, as a string.
func text(node *waBinary.Node) string {
	switch content := node.Content.(type) {
	case []byte:
		return string(content)
	case string:
		return content
	}
	return ""
}
