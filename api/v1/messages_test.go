package v1_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"muster/sandbox"
	"muster/sandbox/phone"
)

// send sends a text over the API.
func (r *rig) send(to, text string) answer {
	r.t.Helper()
	return r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/messages/text", object{"to": to, "text": text})
}

// received waits until the phone has decrypted the message that was sent.
func (r *rig) received(number, text string, sent answer) {
	r.t.Helper()
	id := sent.text("message_id")
	if stamp, _ := sent.body["timestamp"].(float64); id == "" || stamp == 0 {
		r.t.Errorf("%s: %s", sent.what, sent.raw)
	}
	r.eventually("the text at "+number, func() bool {
		inbox, err := r.wa.Inbox(number)
		return err == nil && slices.ContainsFunc(inbox, func(m phone.Received) bool {
			return m.ID == id && m.Text == text && m.From.User != ""
		})
	})
}

func TestSendText(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob, cid)
	annInfo, _ := r.wa.Phone(ann)
	jid := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Talk", Participants: []string{ann, bob}})
	pnGroup := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Talk by phone", Participants: []string{ann, bob}, AddressingMode: "pn"})

	for name, test := range map[string]struct {
		to, sentTo string
		readers    []string
	}{
		"group":                    {jid, jid, []string{ann, bob}},
		"group, bare":              {strings.TrimSuffix(jid, "@g.us"), jid, []string{ann, bob}},
		"group addressed by phone": {pnGroup, pnGroup, []string{ann, bob}},
		"number":                   {"+" + cid, cid + "@s.whatsapp.net", []string{cid}},
		"phone JID":                {bob + "@s.whatsapp.net", bob + "@s.whatsapp.net", []string{bob}},
		"LID":                      {annInfo.LID, ann + "@s.whatsapp.net", []string{ann}},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.with(t)
			text := "Hello, " + name + " 👋"
			sent := r.send(test.to, text).status(http.StatusOK)
			if sent.text("to") != test.sentTo {
				t.Errorf("sent to %s, want %s", sent.raw, test.sentTo)
			}
			for _, number := range test.readers {
				r.received(number, text, sent)
			}
		})
	}
	t.Run("long", func(t *testing.T) {
		r := r.with(t)
		text := strings.Repeat("x", 65536)
		r.received(ann, text, r.send(jid, text).status(http.StatusOK))
	})
}

func TestSendTextRefusals(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	on := true
	announcements := r.byPhone(ann, sandbox.GroupOptions{Name: "Listen", Participants: []string{myNumber}, Settings: sandbox.Settings{Announce: &on}})
	foreign := r.byPhone(ann, sandbox.GroupOptions{Name: "Private", Participants: []string{bob}})
	former := r.byPhone(ann, sandbox.GroupOptions{Name: "Former", Participants: []string{myNumber, bob}})

	r.send(nobod, "x").refused(http.StatusUnprocessableEntity, "invalid", "to")
	r.send("nonsense", "x").refused(http.StatusUnprocessableEntity, "invalid", "to")
	r.send("", "x").refused(http.StatusUnprocessableEntity, "invalid", "to")
	r.send(ann, "").refused(http.StatusUnprocessableEntity, "invalid", "text")
	r.send(ann, " ").refused(http.StatusUnprocessableEntity, "invalid", "text")
	r.send(ann, strings.Repeat("x", 65537)).refused(http.StatusUnprocessableEntity, "invalid", "text")
	r.send(ann, strings.Repeat("é", 32769)).refused(http.StatusUnprocessableEntity, "invalid", "text")
	r.send(announcements, "x").refused(http.StatusForbidden, "not_admin", "")
	r.send(foreign, "x").refused(http.StatusForbidden, "not_in_group", "")
	r.send("120363999999999999@g.us", "x").refused(http.StatusNotFound, "group_not_found", "")
	r.send(former, "Hello").status(http.StatusOK)
	r.act(ann, former, "remove", myNumber)
	r.send(former, "x").refused(http.StatusForbidden, "not_in_group", "")

	for _, test := range []struct {
		number, status int
		code           string
	}{
		{463, http.StatusForbidden, "account_restricted"},
		{475, http.StatusForbidden, "account_restricted"},
		{429, http.StatusTooManyRequests, "rate_limited"},
	} {
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{Error: test.number}, Count: 1})
		r.send(ann, "x").refused(test.status, test.code, "")
	}
	// A group that is addressed in another way by now is asked for again, and
	// the message sent once more.
	group := r.create("Stale", ann)
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{Error: 421}, Count: 1})
	r.received(ann, "Again", r.send(group, "Again").status(http.StatusOK))
	// Whoever loses the connection after sending does not know what came of it.
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{ApplyThenDisconnect: true}, Count: 1})
	r.send(ann, "Perhaps").refused(http.StatusGatewayTimeout, "outcome_unknown", "")
}
