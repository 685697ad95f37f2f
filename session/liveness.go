package session

import (
	"context"
	"fmt"
	"time"
)

// pulse watches one connection for silence. whatsmeow pings every 20 to 30
// seconds, so a connection that works is never silent for long; what counts as
// a sign of life is anything that arrives on the websocket.
type pulse struct {
	probed   time.Time // when the last unanswered probe was sent; zero when none is
	degraded time.Time // since when; zero when it is not
}

// verdict is what a look at the pulse asks for.
type verdict int

const (
	alive verdict = iota
	probe
	degrade
	restore
	giveUp
)

// limits are the pulse's three durations, see Options.
type limits struct{ silence, probe, degraded time.Duration }

// look judges the connection at a moment, given when something last arrived.
func (p *pulse) look(now, received time.Time, l limits) verdict {
	if !p.probed.IsZero() && received.After(p.probed) || now.Sub(received) < l.silence {
		was := *p
		*p = pulse{}
		if !was.degraded.IsZero() {
			return restore
		}
		return alive
	}
	switch {
	case p.probed.IsZero():
		p.probed = now
		return probe
	case now.Sub(p.probed) < l.probe:
		return alive
	case p.degraded.IsZero():
		p.degraded = now
		return degrade
	case now.Sub(p.degraded) >= l.degraded:
		return giveUp
	default:
		p.probed = now
		return probe
	}
}

// pulseInterval is how often to look: often enough for the shortest limit.
func (o Options) pulseInterval() time.Duration {
	shortest := min(o.SilenceLimit, o.ProbeTimeout, o.DegradedLimit)
	return max(shortest/4, 10*time.Millisecond)
}

// checkPulse looks at a connection that is logged in.
func (s *serving) checkPulse() *ending {
	if !s.connected {
		return nil
	}
	o := &s.c.m.options
	received := time.Unix(0, s.received.Load())
	switch s.pulse.look(s.c.m.now(), received, limits{o.SilenceLimit, o.ProbeTimeout, o.DegradedLimit}) {
	case probe:
		go s.sendProbe()
	case degrade:
		s.c.setStateOf(s.run, StatusDegraded, ReasonSilent, "connected, but nothing arrives and a probe was not answered")
	case restore:
		s.c.setStateOf(s.run, StatusConnected, "", "")
	case giveUp:
		end := s.lost(ReasonSilent, fmt.Sprintf("nothing arrived for %s", s.c.m.now().Sub(received).Round(time.Second)))
		return &end
	case alive:
	}
	return nil
}

// sendProbe sends the ping that whatsmeow itself uses. Its answer is seen like
// everything else that arrives; the goroutine ends with the answer, whatsmeow's
// own deadline for it, or the socket. No context ends it: when one ends during
// the sending, whatsmeow closes the channel into which it may be putting the
// answer at that moment.
func (r *run) sendProbe() {
	r.client.DangerousInternals().SendKeepAlive(context.WithoutCancel(r.ctx))
}
