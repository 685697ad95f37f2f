package v1_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/config"
	"muster/sandbox/fault"
	"muster/sandbox/group"
)

const (
	myGroups = "/api/v1/sessions/" + mySession + "/groups"
	keyName  = "Idempotency-Key"
)

// keyed is call with a key.
func (r *rig) keyed(key, method, path string, body any) answer {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request := r.request(ctx, method, path, body)
	request.Header.Set(keyName, key)
	return r.do(request)
}

// replayed fails the test unless the answer is marked as the one before.
func (a answer) replayed(first answer) answer {
	a.t.Helper()
	if a.code != first.code || !bytes.Equal(a.raw, first.raw) || a.header.Get("Content-Type") != first.header.Get("Content-Type") {
		a.t.Errorf("%s: the repetition got %d %s, the first %d %s", a.what, a.code, a.raw, first.code, first.raw)
	}
	if a.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
		a.t.Errorf("%s: the marks are %q and %q", a.what, first.header.Get("Idempotent-Replayed"), a.header.Get("Idempotent-Replayed"))
	}
	return a
}

// trouble scripts what befalls the next request about groups whose first
// element has the tag.
func (r *rig) trouble(child string, effect fault.Script) {
	r.t.Helper()
	r.addFault(fault.Fault{Match: fault.Match{XMLNS: "w:g2", Type: "set", Child: child}, Effect: effect, Count: 1})
}

func (r *rig) addFault(f fault.Fault) {
	r.t.Helper()
	if _, err := r.wa.Faults().Add(f); err != nil {
		r.t.Fatal(err)
	}
}

// online waits until the session is connected again, without the pauses between
// attempts.
func (r *rig) online() {
	r.t.Helper()
	connect := func() answer { return r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/connect", nil) }
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(patience)
	for connect().text("status") != "connected" {
		select {
		case <-ticker.C:
		case <-limit:
			r.t.Fatal("the session did not connect again")
		}
	}
}

// named lists the groups that have the subject in truth.
func (r *rig) named(subject string) (found []group.Truth) {
	r.t.Helper()
	for _, jid := range r.wa.Groups() {
		truth, err := r.wa.GroupTruth(jid)
		if err != nil {
			r.t.Fatal(err)
		}
		if truth.Subject == subject {
			found = append(found, truth)
		}
	}
	return found
}

func (r *rig) truth(jid string) group.Truth {
	r.t.Helper()
	parsed, err := types.ParseJID(jid)
	if err != nil {
		r.t.Fatal(err)
	}
	truth, err := r.wa.GroupTruth(parsed)
	if err != nil {
		r.t.Fatal(err)
	}
	return truth
}

// sentOf counts what the session has sent of a kind.
func (r *rig) sentOf(kind string) int {
	return r.wa.Stats().ByAccount[myNumber][kind]
}

// soon makes what WhatsApp does not show count as not done at once.
func soon(c *config.Config) { c.Sessions.SettleAfter = time.Millisecond }

func TestSameKeySameAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann)
	body := object{"name": "Repeated", "participants": []string{ann}}
	first := r.keyed("create-1", http.MethodPost, myGroups, body).status(http.StatusOK)
	for range 3 {
		r.keyed("create-1", http.MethodPost, myGroups, body).replayed(first)
	}
	if made := r.named("Repeated"); len(made) != 1 {
		t.Errorf("there are %d groups", len(made))
	}
	// A refusal is an answer too.
	jid := first.text("group_jid")
	removal := func() answer {
		return r.keyed("refused", http.MethodPut, myGroups+"/"+jid+"/subject", object{"subject": ""})
	}
	removal().replayedBy(removal())
	// Another request is not that one, whatever it differs in.
	r.keyed("create-1", http.MethodPost, myGroups, object{"name": "Other", "participants": []string{ann}}).
		refused(http.StatusUnprocessableEntity, "invalid", keyName)
	r.keyed("create-1", http.MethodPut, myGroups+"/"+jid+"/subject", body).refused(http.StatusUnprocessableEntity, "invalid", keyName)
	// A question needs no key, and is not refused for having one.
	r.keyed("create-1", http.MethodGet, myGroups+"/"+jid, nil).status(http.StatusOK)
	// Resetting the link is a change, though it is asked for with GET.
	reset := r.keyed("reset", http.MethodGet, myGroups+"/"+jid+"/invite-link?reset=true", nil).status(http.StatusOK)
	r.keyed("reset", http.MethodGet, myGroups+"/"+jid+"/invite-link?reset=true", nil).replayed(reset)
	for _, key := range []string{"with space", "ä", strings.Repeat("x", 256)} {
		r.keyed(key, http.MethodPost, myGroups, body).refused(http.StatusUnprocessableEntity, "invalid", keyName)
	}
	if made := len(r.wa.Groups()); made != 1 {
		t.Errorf("there are %d groups", made)
	}
}

func (a answer) replayedBy(again answer) { again.replayed(a) }

// Whoever holds another token has other keys, and secrets are not stored.
func TestKeysBelongToTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	create := func() answer {
		return r.keyed("same", http.MethodPost, "/api/v1/tokens", object{"name": "bot", "sessions": []string{mySession}})
	}
	first := create().status(http.StatusCreated)
	create().replayed(first)
	jid := r.keyed("same", http.MethodPost, myGroups, object{"name": "Mine", "participants": []string{}}).status(http.StatusOK).text("group_jid")
	request := r.request(t.Context(), http.MethodPost, myGroups, object{"name": "Bot's", "participants": []string{}})
	request.Header.Set("Authorization", "Bearer "+first.text("token"))
	request.Header.Set(keyName, "same")
	if other := r.do(request).status(http.StatusOK).text("group_jid"); other == jid {
		t.Error("the bot got the answer of the admin")
	}
}

func TestSameKeyAtTheSameTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.create("Mine")
	r.trouble("subject", fault.Script{DelayMS: 500})
	before := r.sentOf("iq:w:g2:set:subject")
	ended := make(chan answer)
	change := func() answer {
		return r.keyed("k", http.MethodPut, myGroups+"/"+jid+"/subject", object{"subject": "Slow"})
	}
	go func() { ended <- change() }()
	r.eventually("the change", func() bool { return r.sentOf("iq:w:g2:set:subject") > before })
	second := change().refused(http.StatusConflict, "conflict", "")
	if second.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	first := (<-ended).status(http.StatusOK)
	change().replayed(first)
}

// What was refused before anything was sent may be asked again with the same key.
func TestKeyOfWhatHasNotHappenedIsFree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.create("Mine")
	change := func() answer {
		return r.keyed("k", http.MethodPut, myGroups+"/"+jid+"/subject", object{"subject": "At last"})
	}
	r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/disconnect", nil).status(http.StatusOK)
	change().refused(http.StatusServiceUnavailable, "session_not_connected", "")
	r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/connect", nil).status(http.StatusOK)
	r.online()
	r.trouble("subject", fault.Script{Error: 429})
	change().refused(http.StatusTooManyRequests, "rate_limited", "")
	first := change().status(http.StatusOK)
	change().replayed(first)
}
