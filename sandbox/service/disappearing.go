package service

import (
	"fmt"
	"strconv"
	"strings"

	"muster/sandbox/stanza"
)

// timerSetting is where an account's default timer is kept among its privacy
// settings. It is no category that clients ask for: iqGetPrivacy leaves it out.
const timerSetting = "disappearing_mode"

// timer is how long messages of new chats live, in seconds, and when that was
// set, in UNIX seconds. The zero value is "for ever, never set".
type timer struct{ duration, at int64 }

// timers are the lengths WhatsApp offers: off, a day, a week, ninety days.
var timers = map[int64]bool{0: true, 86400: true, 604800: true, 7776000: true}

// node is the timer as usync and account_sync show it.
func (t timer) node() stanza.Node {
	return stanza.Node{Tag: "disappearing_mode", Attrs: stanza.Attrs{"duration": t.duration, "t": t.at}}
}

// defaultTimer is the account's timer for new chats.
func (a *Account) defaultTimer() timer {
	duration, at, _ := strings.Cut(a.Privacy[timerSetting], " ")
	var t timer
	// Only setDefaultTimer writes the setting; without it both stay zero.
	t.duration, _ = strconv.ParseInt(duration, 10, 64)
	t.at, _ = strconv.ParseInt(at, 10, 64)
	return t
}

func (a *Account) setDefaultTimer(t timer) {
	a.Privacy[timerSetting] = fmt.Sprintf("%d %d", t.duration, t.at)
}

// iqDisappearingMode sets the account's timer for new chats.
func (w *World) iqDisappearingMode(c *call) ([]stanza.Node, *stanza.Error) {
	mode := stanza.Child(c.iq, "disappearing_mode")
	if mode == nil {
		return nil, stanza.Refuse(501)
	}
	duration, ok := stanza.Int(mode, "duration")
	if !ok || !timers[duration] {
		return nil, stanza.Refuse(400)
	}
	t := timer{duration: duration, at: w.opts.Now().Unix()}
	c.device.Account.setDefaultTimer(t)
	c.then(func() { w.syncAccount(c.device, t.node()) })
	return nil, nil
}
