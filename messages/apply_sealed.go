package messages

import (
	"crypto/sha256"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"

	"muster/messages/content"
)

// unseal decrypts what a message says about another one under that one's
// secret, as whatsmeow's msgsecret.go does: the key is derived from the ids and
// the names of both authors, so every pair of their names is tried.
func unseal(use whatsmeow.MsgSecretType, e *entry, t *target) ([]byte, bool) {
	sealed, secret := e.said.Sealed, t.said.Secret
	if sealed == nil || len(secret) == 0 {
		return nil, false
	}
	for _, author := range []string{t.author.lid, t.author.pn} {
		for _, actor := range []string{e.sender.lid, e.sender.pn} {
			if author == "" || actor == "" {
				continue
			}
			key := hkdfutil.SHA256(secret, nil, []byte(t.id+author+actor+string(use)), 32)
			var bound []byte // what the ciphertext is bound to
			if use == whatsmeow.EncSecretPollVote {
				bound = fmt.Appendf(nil, "%s\x00%s", t.id, actor)
			}
			if opened, err := gcmutil.Decrypt(key, sealed.IV, sealed.Payload, bound); err == nil {
				return opened, true
			}
		}
	}
	return nil, false
}

// openVote reads the options that a vote chooses, in the poll's order.
func openVote(e *entry, t *target) ([]string, bool) {
	opened, ok := unseal(whatsmeow.EncSecretPollVote, e, t)
	var vote waE2E.PollVoteMessage
	if !ok || proto.Unmarshal(opened, &vote) != nil {
		return nil, false
	}
	chosen := make(map[[sha256.Size]byte]bool)
	for _, hash := range vote.GetSelectedOptions() {
		if len(hash) == sha256.Size {
			chosen[[sha256.Size]byte(hash)] = true
		}
	}
	options := []string{}
	for _, option := range t.said.Poll.Options {
		if chosen[content.OptionHash(option)] {
			options = append(options, option)
		}
	}
	return options, true
}

// unsealInto opens a reaction or an edit that is sealed, as in the groups where
// a community makes its announcements.
func unsealInto(said *content.Content, t *target, e *entry) bool {
	switch said.Kind {
	case content.KindReaction:
		opened, ok := unseal(whatsmeow.EncSecretReaction, e, t)
		var reaction waE2E.ReactionMessage
		if !ok || proto.Unmarshal(opened, &reaction) != nil {
			return false
		}
		inner := content.Parse(&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: keyOf(t), Text: reaction.Text}})
		said.Emoji = inner.Emoji
		return inner.Kind == content.KindReaction
	case content.KindEdit:
		opened, ok := unseal(whatsmeow.EncSecretMessageEdit, e, t)
		var message waE2E.Message
		if !ok || proto.Unmarshal(opened, &message) != nil {
			return false
		}
		edited := content.Parse(&message)
		if edited.Kind == content.KindEdit && edited.Edited != nil {
			edited = *edited.Edited
		}
		if edited.Kind == content.KindNone || edited.Kind.ChangesTarget() {
			return false
		}
		said.Text, said.Mentions, said.MentionAll, said.Edited = edited.Text, edited.Mentions, edited.MentionAll, &edited
		return true
	}
	return false
}

// keyOf is just enough of a key for the parser, which wants to see one.
func keyOf(t *target) *waCommon.MessageKey {
	return &waCommon.MessageKey{ID: proto.String(t.id)}
}
