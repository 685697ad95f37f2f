package phone

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"
)

// Votes are encrypted under a key that is derived from the secret inside the
// poll, so that only who has the poll can read them (whatsmeow's
// generateMsgSecretKey, Baileys' decryptPollVote). The names of poll's author
// and voter go into the key, in the addressing of the chat.

// voteUse is the label of votes among the uses of a message's secret.
const voteUse = "Poll Vote"

// errSealed says that a vote does not open under any of the names tried.
var errSealed = errors.New("the vote does not open")

// voteKey derives the key of one person's votes in one poll, and what is
// authenticated beside them.
func voteKey(secret []byte, pollID string, author, voter types.JID) (key, beside []byte) {
	by := voter.ToNonAD().String()
	return hkdfutil.SHA256(secret, nil, []byte(pollID+author.ToNonAD().String()+by+voteUse), 32),
		[]byte(pollID + "\x00" + by)
}

// sealVote encrypts a vote for the options in a poll.
func (p *Phone) sealVote(poll Target, voter types.JID, options []string) (*waE2E.PollEncValue, error) {
	names, secret := pollOf(poll.Message)
	if len(names) == 0 || len(secret) == 0 {
		return nil, fmt.Errorf("target: %s is no poll", poll.ID)
	}
	vote := new(waE2E.PollVoteMessage)
	for i, option := range options {
		if !slices.Contains(names, option) {
			return nil, fmt.Errorf("votes[%d]: the poll has no option %q", i, option)
		}
		hash := sha256.Sum256([]byte(option))
		vote.SelectedOptions = append(vote.SelectedOptions, hash[:])
	}
	plain, err := proto.Marshal(vote)
	if err != nil {
		return nil, fmt.Errorf("serialise the vote: %w", err)
	}
	iv, err := randomBytes(p.random, 12)
	if err != nil {
		return nil, fmt.Errorf("draw the vote's initialisation vector: %w", err)
	}
	key, beside := voteKey(secret, poll.ID, poll.Sender, voter)
	sealed, err := gcmutil.Encrypt(key, iv, plain, beside)
	if err != nil {
		return nil, fmt.Errorf("encrypt the vote: %w", err)
	}
	return &waE2E.PollEncValue{EncPayload: sealed, EncIV: iv}, nil
}

// OpenVote reads which options a vote chooses. Authors and voters are the names
// that the poll's author and the voter go by: which of them the voter's client
// took depends on the chat and on the client.
func OpenVote(poll, vote *waE2E.Message, pollID string, authors, voters []types.JID) ([]string, error) {
	names, secret := pollOf(poll)
	value := unwrap(vote).GetPollUpdateMessage().GetVote()
	for _, author := range authors {
		for _, voter := range voters {
			key, beside := voteKey(secret, pollID, author, voter)
			var plain []byte
			err := guard(func() (inner error) { // a wrong size of the vector panics
				plain, inner = gcmutil.Decrypt(key, value.GetEncIV(), value.GetEncPayload(), beside)
				return inner
			})
			if err != nil {
				continue
			}
			var chosen waE2E.PollVoteMessage
			if err := proto.Unmarshal(plain, &chosen); err != nil {
				return nil, fmt.Errorf("%w: %w", errSealed, err)
			}
			return choices(names, chosen.GetSelectedOptions())
		}
	}
	return nil, errSealed
}

// choices turns hashes of options into the options.
func choices(names []string, hashes [][]byte) ([]string, error) {
	byHash := make(map[string]string, len(names))
	for _, name := range names {
		hash := sha256.Sum256([]byte(name))
		byHash[string(hash[:])] = name
	}
	chosen := make([]string, 0, len(hashes))
	for _, hash := range hashes {
		name, known := byHash[string(hash)]
		if !known {
			return nil, fmt.Errorf("%w: the poll has no option with the hash %x", errSealed, hash)
		}
		chosen = append(chosen, name)
	}
	return chosen, nil
}

// pollOf takes the options and the secret out of a message that is a poll.
func pollOf(m *waE2E.Message) (options []string, secret []byte) {
	poll := pollIn(unwrap(m))
	for _, option := range poll.GetOptions() {
		options = append(options, option.GetOptionName())
	}
	secret = m.GetMessageContextInfo().GetMessageSecret()
	if len(secret) == 0 {
		secret = unwrap(m).GetMessageContextInfo().GetMessageSecret()
	}
	return options, secret
}
