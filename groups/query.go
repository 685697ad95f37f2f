package groups

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// The queries are sent here and not through the client's GetGroupInfo and
// GetJoinedGroups, because those hand out their own reading of the answer and
// drop the stanza, which has settings that they do not know or misread (see
// parse.go). What the client learns from an answer on the side, the members
// for sending and the pairs of phone and LID, it is taught here all the same.

// queryGroup asks for one group with its members.
func queryGroup(ctx context.Context, client *whatsmeow.Client, jid types.JID) (Group, error) {
	answer, err := client.DangerousInternals().SendGroupIQ(ctx, "get", jid, waBinary.Node{
		Tag:   "query",
		Attrs: waBinary.Attrs{"request": "interactive"},
	})
	if err != nil {
		return Group{}, unreadable(err)
	}
	node, ok := answer.GetOptionalChildByTag("group")
	if !ok {
		return Group{}, &whatsmeow.ElementMissingError{Tag: "group", In: "the answer to the group query"}
	}
	info, err := client.DangerousInternals().ParseGroupNode(&node)
	if err != nil {
		return Group{}, fmt.Errorf("read the answer to the group query: %w", err)
	}
	learn(ctx, client, info)
	return readGroup(ctx, client, info, &node)
}

// queryGroups asks for every group that the account is in, with members.
func queryGroups(ctx context.Context, client *whatsmeow.Client) ([]Group, error) {
	answer, err := client.DangerousInternals().SendGroupIQ(ctx, "get", types.GroupServerJID, waBinary.Node{
		Tag:     "participating",
		Content: []waBinary.Node{{Tag: "participants"}, {Tag: "description"}},
	})
	if err != nil {
		return nil, err
	}
	list, ok := answer.GetOptionalChildByTag("groups")
	if !ok {
		return nil, &whatsmeow.ElementMissingError{Tag: "groups", In: "the answer to the group list query"}
	}
	nodes := list.GetChildrenByTag("group")
	groups := make([]Group, 0, len(nodes))
	for i := range nodes {
		info, err := client.DangerousInternals().ParseGroupNode(&nodes[i])
		if err != nil {
			// One odd group must not hide all the others.
			zerolog.Ctx(ctx).Warn().Err(err).Any("group", nodes[i].Attrs["id"]).Msg("a group of the list cannot be read and is left out")
			continue
		}
		learn(ctx, client, info)
		group, err := readGroup(ctx, client, info, &nodes[i])
		if err != nil {
			return nil, err
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// learn teaches the client what a group's description says about people. What
// cannot be stored is learnt again from the next answer, so it is only logged.
func learn(ctx context.Context, client *whatsmeow.Client, info *types.GroupInfo) {
	if len(info.Participants) == 0 {
		// It would be remembered as a group with nobody to encrypt for.
		return
	}
	pairs, phones := client.DangerousInternals().CacheGroupInfo(info, true)
	log := zerolog.Ctx(ctx).With().Str("group", info.JID.String()).Logger()
	if err := client.Store.LIDs.PutManyLIDMappings(ctx, pairs); err != nil {
		log.Warn().Err(err).Msg("the members' phones and LIDs were not stored")
	}
	if err := client.Store.Contacts.PutManyRedactedPhones(ctx, phones); err != nil {
		log.Warn().Err(err).Msg("the members' redacted phone numbers were not stored")
	}
}
