package demo

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/service"
	"muster/sandbox/stanza"
)

// The pause between two things that happen is drawn between these.
const (
	shortestPause = 10 * time.Second
	longestPause  = 30 * time.Second
)

// lines are what the cast says.
var lines = []string{
	"Good morning, everyone.", "I can bring bread for ten.", "Is the square free on Saturday?", "The weather looks fine.",
	"Count me in.", "I will be a little late.", "Who has the key?", "Thank you all.", "See you there.",
	"Could somebody bring a table?", "That works for me.", "I have a spare helmet.", "Chapter four was my favourite.",
}

// Live makes things happen in the demo's groups until ctx ends. What the
// people try may be refused, as in life: by then somebody has changed the
// group's settings.
func Live(ctx context.Context, srv *sandbox.Server, log zerolog.Logger) {
	jids, err := groups(srv)
	if err != nil {
		log.Warn().Err(err).Msg("The demo stays quiet")
		return
	}
	timer := time.NewTimer(shortestPause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		what, err := happen(srv, jids)
		var refused *stanza.Error
		switch {
		case err == nil, errors.As(err, &refused):
			log.Debug().Str("what", what).AnErr("refused", err).Msg("Demo")
		default:
			log.Warn().Err(err).Str("what", what).Msg("Demo")
		}
		timer.Reset(shortestPause + rand.N(longestPause-shortestPause))
	}
}

// happen lets one thing happen.
func happen(srv *sandbox.Server, jids []types.JID) (string, error) {
	group := rand.N(len(jids))
	switch roll := rand.N(10); {
	case roll < 6:
		return "chat", chat(srv, jids[group])
	case roll < 9:
		return "come", come(srv, group, jids[group])
	default:
		return "go", leave(srv, jids[group])
	}
}

// chat lets a member say something.
func chat(srv *sandbox.Server, jid types.JID) error {
	speakers, err := members(srv, jid, func(i int) bool { return true })
	if err != nil || len(speakers) == 0 {
		return err
	}
	_, err = srv.SendText(speakers[rand.N(len(speakers))], jid.String(), lines[rand.N(len(lines))])
	return err
}

// come lets a visitor use the invite link; where admins approve, that is a
// request to join.
func come(srv *sandbox.Server, group int, jid types.JID) error {
	link, err := srv.InviteLink(number(plans[group].owner), jid, false)
	if err != nil {
		return err
	}
	_, _, err = srv.Join(number(regulars+rand.N(len(cast)-regulars)), link)
	return err
}

// leave lets a visitor go again.
func leave(srv *sandbox.Server, jid types.JID) error {
	visitors, err := members(srv, jid, func(i int) bool { return i >= regulars })
	if err != nil || len(visitors) == 0 {
		return err
	}
	return srv.LeaveGroup(visitors[rand.N(len(visitors))], jid)
}

// members lists the numbers of those of the cast who are in a group.
func members(srv *sandbox.Server, jid types.JID, fits func(i int) bool) ([]string, error) {
	var list []string
	for i := range cast {
		info, err := srv.Phone(number(i))
		if errors.Is(err, service.ErrUnknownPhone) {
			continue // the world was reset
		}
		if err != nil {
			return nil, err
		}
		for _, in := range info.Groups {
			if in == jid.String() && fits(i) {
				list = append(list, number(i))
			}
		}
	}
	return list, nil
}
