package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// farewell bounds the attempt to tell the phone that a deleted session is gone.
const farewell = 5 * time.Second

// Connect starts a session that is not running: a linked one logs in, another
// one asks for QR codes. It returns at once; the state tells how it went on. A
// session that waits to try again tries at once.
func (m *Manager) Connect(ctx context.Context, id string) (Session, error) {
	return m.starting(ctx, id, false)
}

// Reconnect ends the session's connection, if there is one, and connects.
func (m *Manager) Reconnect(ctx context.Context, id string) (Session, error) {
	return m.starting(ctx, id, true)
}

func (m *Manager) starting(ctx context.Context, id string, anew bool) (Session, error) {
	c, err := m.find(id)
	if err != nil {
		return Session{}, err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return Session{}, err
	}
	defer end()
	// Within the turn, so that a Disconnect at the same moment comes before or
	// after both of what is desired and what is done.
	if err = c.desire(ctx, desiredConnected); err != nil {
		return Session{}, err
	}
	r, err := c.startInTurn(ctx, ReasonRequested)
	if err != nil {
		return Session{}, err
	}
	r.poke()
	if anew {
		r.reconnect()
	}
	if r.ending.Load() { // it ended at this moment
		if _, err = c.startInTurn(ctx, ReasonRequested); err != nil {
			return Session{}, err
		}
	}
	return c.snapshot(), nil
}

// reconnect ends the present connection, if there is one.
func (r *run) reconnect() {
	select {
	case <-r.settled: // else it is connecting right now
		// Said here, so that the answer does not show the old connection.
		r.c.setStateOf(r, StatusConnecting, ReasonRequested, "")
		r.signal(r.attempts.Load(), reconnectNow{})
	default:
	}
}

// Disconnect ends the connection and keeps the session linked. It stays
// disconnected over restarts of the server until Connect.
func (m *Manager) Disconnect(ctx context.Context, id string) (Session, error) {
	c, err := m.find(id)
	if err != nil {
		return Session{}, err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return Session{}, err
	}
	defer end()
	if err = c.desire(ctx, desiredDisconnected); err != nil {
		return Session{}, err
	}
	if c.current() == nil {
		return c.snapshot(), nil
	}
	if err = c.halt(ctx); err != nil {
		return Session{}, err
	}
	c.setState(ctx, StatusDisconnected, ReasonRequested, "")
	return c.snapshot(), nil
}

// SetProxy stores the session's proxy, "" for none, and moves a running
// session to it.
func (m *Manager) SetProxy(ctx context.Context, id, proxy string) (Session, error) {
	c, err := m.find(id)
	if err != nil {
		return Session{}, err
	}
	if _, err = m.options.Network.parseProxy(proxy); err != nil {
		return Session{}, err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return Session{}, err
	}
	defer end()
	now := m.now()
	if err = m.repo.setProxy(ctx, id, proxy, now); err != nil {
		return Session{}, err
	}
	c.update(func() { c.proxy, c.session.Proxy, c.session.UpdatedAt = proxy, redact(proxy), now })
	if c.current() == nil {
		return c.snapshot(), nil
	}
	if err = c.halt(ctx); err != nil {
		return Session{}, err
	}
	if _, err = c.startInTurn(ctx, ReasonRequested); err != nil {
		c.setState(ctx, StatusDisconnected, ReasonRequested, "it could not be started with the new proxy")
		return Session{}, err
	}
	return c.snapshot(), nil
}

// loggedOutHere is the detail of ReasonLoggedOutHere.
const loggedOutHere = "logged out through this server"

// Logout unlinks the session: it tells WhatsApp, deletes the keys and keeps the
// session, ready to be linked again. A session that is not connected cannot
// tell WhatsApp; then, or when telling fails, force deletes the keys all the
// same, and the phone goes on listing the device until someone removes it
// there.
func (m *Manager) Logout(ctx context.Context, id string, force bool) (Session, error) {
	c, err := m.find(id)
	if err != nil {
		return Session{}, err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return Session{}, err
	}
	defer end()
	if !c.linked() {
		return Session{}, errNotLinked()
	}
	if err = c.sayGoodbye(ctx); err != nil {
		if !force {
			return Session{}, err
		}
		m.log.Warn().Err(err).Str("session", id).Msg("logging out without telling the phone")
	}
	if err = c.halt(ctx); err != nil {
		return Session{}, err
	}
	if err = c.dropDevice(); err != nil {
		c.setState(ctx, StatusDisconnected, ReasonRequested, "its keys could not be deleted: log it out again")
		return Session{}, err
	}
	c.setState(ctx, StatusLoggedOut, ReasonLoggedOutHere, loggedOutHere)
	return c.snapshot(), nil
}

// Delete removes the session and its keys. A connected one tells WhatsApp
// first, if that takes no more than a moment; told is false when WhatsApp still
// counts the device as linked.
func (m *Manager) Delete(ctx context.Context, id string) (told bool, err error) {
	c, err := m.find(id)
	if err != nil {
		return false, err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	if c.isGone() {
		return false, notFound(id)
	}
	told = c.snapshot().JID == ""
	if c.snapshot().Status.online() {
		brief, cancel := context.WithTimeout(ctx, farewell)
		if err = c.sayGoodbye(brief); err != nil {
			m.log.Warn().Err(err).Str("session", id).Msg("deleting a session without telling the phone")
		}
		cancel()
		told = err == nil
	}
	if err = c.halt(ctx); err != nil {
		return false, err
	}
	if err = c.erase(ctx); err != nil {
		c.setState(ctx, StatusDisconnected, ReasonRequested, "it could not be deleted")
		return false, err
	}
	c.update(func() {
		c.gone = true
		c.session.Status, c.session.Reason, c.session.Detail = StatusDisconnected, ReasonRequested, "the session was deleted"
	})
	m.mu.Lock()
	delete(m.sessions, id)
	m.mu.Unlock()
	return told, nil
}

// erase deletes the session's rows and its device's keys together.
func (c *companion) erase(ctx context.Context) error {
	jid := c.snapshot().JID
	return c.m.options.DB.DoTxn(ctx, nil, func(ctx context.Context) error {
		if jid != "" {
			parsed, err := types.ParseJID(jid)
			if err != nil {
				return fmt.Errorf("stored jid of session %s: %w", c.id, err)
			}
			if err = c.m.devices.remove(ctx, parsed); err != nil {
				return err
			}
		}
		return c.m.repo.delete(ctx, c.id)
	})
}

// start begins a run, or returns the one in progress.
func (c *companion) start(ctx context.Context, reason string) (*run, error) {
	end, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return c.startInTurn(ctx, reason)
}

// startInTurn is start for those who have their turn already.
func (c *companion) startInTurn(ctx context.Context, reason string) (*run, error) {
	if c.isGone() {
		return nil, notFound(c.id)
	}
	if c.m.isClosing() {
		return nil, errClosing()
	}
	if r := c.current(); r != nil {
		if !r.ending.Load() {
			return r, nil
		}
		select { // its last connection is being closed
		case <-r.done:
		case <-ctx.Done():
			return nil, abandoned(ctx)
		}
	}
	r, err := c.newRun(ctx)
	if err != nil {
		return nil, err
	}
	c.setState(ctx, StatusConnecting, reason, "")
	c.update(func() { c.run = r })
	go r.loop()
	return r, nil
}

// haltLimit bounds the end of a run: whatsmeow's closing of a websocket cannot
// be interrupted for 5 seconds (and is waited for when it tries twice), and
// operations and decryptions have drainLimit each.
const haltLimit = 10*time.Second + 2*drainLimit

// halt stops the run and waits for its end, whether or not the caller's client
// still waits: a run that is stopped half-way would leave a wrong state behind.
// Whoever calls it has its turn and sets the state afterwards.
func (c *companion) halt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), haltLimit)
	defer cancel()
	err := c.haltWithin(ctx)
	if err != nil {
		c.setState(ctx, StatusDisconnected, ReasonRequested, "its last connection is slow to end")
	}
	return err
}

func (c *companion) haltWithin(ctx context.Context) error {
	r := c.current()
	if r == nil {
		return nil
	}
	r.stop()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("session %s: the connection did not end in time: %w", c.id, ctx.Err())
	}
}

// shutDown ends the session with the server.
func (c *companion) shutDown(ctx context.Context) error {
	end, err := c.begin(ctx)
	if err != nil {
		return fmt.Errorf("session %s is busy: %w", c.id, err)
	}
	defer end()
	if c.current() == nil {
		return nil
	}
	err = c.haltWithin(ctx)
	if c.bannedUntil().IsZero() { // the next start has to know of a ban
		c.setState(ctx, StatusDisconnected, ReasonStopped, "the server was stopped")
	}
	return err
}

// sayGoodbye removes this device from the account at WhatsApp; its keys are left
// to who calls it. whatsmeow's Logout does both, while events that need the keys
// may still be in work.
func (c *companion) sayGoodbye(ctx context.Context) error {
	if err := c.ready(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.m.options.WriteTimeout)
	defer cancel()
	c.update(func() { c.leaving = true })
	err := c.do(ctx, removeDevice)
	if errors.Is(err, errCut) {
		c.awaitLoss(ctx)
	}
	err = translate(Write, err)
	if err != nil && !fault.Is(err, fault.OutcomeUnknown) {
		c.update(func() { c.leaving = false })
	}
	// After an unknown outcome the next login tells: see loggedOut and onConnected.
	return err
}

// removeDevice asks WhatsApp to remove the client's device, as whatsmeow's
// Logout does.
func removeDevice(ctx context.Context, client *whatsmeow.Client) error {
	_, err := client.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "md", Type: "set", To: types.ServerJID, NoRetry: true,
		Content: []waBinary.Node{{
			Tag: "remove-companion-device", Attrs: waBinary.Attrs{"jid": client.Store.GetJID(), "reason": "user_initiated"},
		}},
	})
	return err
}

// dropDevice deletes the device's keys, if they are still there.
func (c *companion) dropDevice() error {
	jid := c.snapshot().JID
	if jid == "" {
		return nil
	}
	parsed, err := types.ParseJID(jid)
	if err != nil {
		return fmt.Errorf("stored jid of session %s: %w", c.id, err)
	}
	ctx, cancel := context.WithTimeout(c.m.ctx, stateTimeout)
	defer cancel()
	if err = c.m.devices.remove(ctx, parsed); err != nil {
		return err
	}
	c.forgetDevice()
	return nil
}

// desire stores whether a restart of the server connects the session.
func (c *companion) desire(ctx context.Context, desired string) error {
	if err := c.m.repo.setDesired(ctx, c.id, desired); err != nil {
		return err
	}
	c.mu.Lock()
	c.desired = desired
	c.mu.Unlock()
	return nil
}

func (c *companion) isGone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

func (m *Manager) isClosing() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.closing
}

func errNotLinked() error {
	return fault.New(fault.SessionNotLinked, "no phone is linked to this session: link one by QR code or phone number")
}
