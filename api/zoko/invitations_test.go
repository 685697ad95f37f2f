package zoko_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/service"
	"muster/store/storetest"
)

type invited struct {
	Sent    []string
	Skipped []string
	Failed  []struct {
		Number string `json:"phone_number"`
		Reason string
	}
}

func (r *rig) invite(jid types.JID, numbers ...string) string {
	r.t.Helper()
	var out invited
	r.call(http.MethodPost, path(jid, "invitations"), object{"phone_numbers": numbers}).Want(r.t, http.StatusOK).Decode(r.t, &out)
	return fmt.Sprint(out)
}

// follows waits until the session knows who is in a group.
func (r *rig) follows(jid types.JID, numbers ...string) {
	r.t.Helper()
	apptest.Eventually(r.t, "the members", func() bool {
		var group struct {
			Participants []struct {
				WaID string `json:"wa_id"`
			}
		}
		r.call(http.MethodGet, path(jid), nil).Decode(r.t, &group)
		found := map[string]bool{}
		for _, p := range group.Participants {
			found[p.WaID] = true
		}
		for _, number := range numbers {
			if !found[number] {
				return false
			}
		}
		return len(found) == len(numbers)
	})
}

// TestInvitationsAreRemembered: numbers that have joined, have left, were
// removed or have an invitation are skipped.
func TestInvitationsAreRemembered(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { remembered(newRig(t)) })
	url, ok := storetest.PostgresURL(t)
	if !ok {
		return
	}
	t.Run("postgres", func(t *testing.T) {
		remembered(newRig(t, func(c *config.Config) { c.Database = config.Database{Driver: config.DriverPostgres, DSN: url} }))
	})
}

func remembered(r *rig) {
	t := r.t
	jid := r.own("Remembered", ann, bob, cid)
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	// Somebody leaves, somebody is removed by another admin, somebody is there.
	if _, err := r.WA.ChangePeople(me, jid, service.ActPromote, []string{cid}); err != nil {
		t.Fatal(err)
	}
	if err := r.WA.LeaveGroup(ann, jid); err != nil {
		t.Fatal(err)
	}
	r.follows(jid, me, bob, cid)
	if _, err := r.WA.ChangePeople(cid, jid, service.ActRemove, []string{bob}); err != nil {
		t.Fatal(err)
	}
	r.follows(jid, me, cid)
	want("left, removed, member, new", r.invite(jid, ann, bob, cid, dee), "{[628111000004] [628111000001 628111000002 628111000003] []}")
	want("again", r.invite(jid, dee, eve), "{[628111000005] [628111000004] []}")

	// Who has joined with the invitation and has left is not asked again.
	text := r.gets(dee, 1)[0]
	if _, _, err := r.WA.Join(dee, text[strings.Index(text, "https://"):]); err != nil {
		t.Fatal(err)
	}
	r.follows(jid, me, cid, dee)
	want("joined", r.invite(jid, dee), "{[] [628111000004] []}")
	if err := r.WA.LeaveGroup(dee, jid); err != nil {
		t.Fatal(err)
	}
	r.follows(jid, me, cid)
	want("joined and left", r.invite(jid, dee), "{[] [628111000004] []}")

	// An invitation ends with its link.
	want("pending", r.invite(jid, eve), "{[] [628111000005] []}")
	r.call(http.MethodPut, path(jid, "invite-link"), nil).Want(t, http.StatusOK)
	want("after the link was reset", r.invite(jid, eve, dee), "{[628111000005] [628111000004] []}")
	if got := r.gets(eve, 2); got[0] == got[1] {
		t.Errorf("eve was sent %q twice", got[0])
	}

	// Another group has a history of its own.
	want("another group", r.invite(r.own("Other", cid), eve), "{[628111000005] [] []}")
}

// TestInvitationsThatFail: what cannot be sent is said, for each person or for all.
func TestInvitationsThatFail(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) { c.Zoko.MaxInvitations = 3 })
	jid := r.own("Failing", ann)
	refuse := func(code, count int) {
		t.Helper()
		if _, err := r.WA.Faults().Add(sandbox.Fault{
			Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{Error: code}, Count: count,
		}); err != nil {
			t.Fatal(err)
		}
	}
	refuse(400, 1)
	if got, want := r.invite(jid, bob, cid), "{[628111000003] [] [{628111000002 send failed}]}"; got != want {
		t.Errorf("one is refused: %s, want %s", got, want)
	}
	if got, want := r.invite(jid, bob), "{[628111000002] [] []}"; got != want {
		t.Errorf("a failed one again: %s, want %s", got, want)
	}
	refuse(463, 1) // the account may not write to strangers
	r.call(http.MethodPost, path(jid, "invitations"), object{"phone_numbers": []string{dee, eve}}).Want(t, http.StatusForbidden)
	if got, want := r.invite(jid, dee, eve), "{[628111000004 628111000005] [] []}"; got != want {
		t.Errorf("after the restriction: %s, want %s", got, want)
	}
	for name, body := range map[string]object{
		"none": {"phone_numbers": []string{}}, "absent": {}, "no array": {"phone_numbers": bob}, "null": {"phone_numbers": nil},
		"too many": {"phone_numbers": []string{"628111000011", "628111000012", "628111000013", "628111000014"}},
	} {
		x := r.call(http.MethodPost, path(jid, "invitations"), body).Want(t, http.StatusBadRequest)
		if !strings.Contains(string(x.Answer), "phone_numbers: ") {
			t.Errorf("%s: %s", name, x.Answer)
		}
	}
	// Only admins are told the link.
	other := r.group(ann, "Ann's", me, bob)
	r.call(http.MethodPost, path(other, "invitations"), object{"phone_numbers": []string{cid}}).Want(t, http.StatusForbidden)
}

// TestInvitationsOnce: a request that is repeated with its key sends nothing
// again, and says the same.
func TestInvitationsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.own("Once", ann)
	x := apptest.JSON(http.MethodPost, path(jid, "invitations"), r.header(), object{"phone_numbers": []string{bob, cid}})
	x.Header.Set("Idempotency-Key", "invite-once")
	first := r.Send(t, x).Want(t, http.StatusOK)
	second := r.Send(t, x).Want(t, http.StatusOK)
	if string(first.Answer) != string(second.Answer) || !strings.Contains(string(first.Answer), `"sent":["`+bob+`","`+cid+`"]`) {
		t.Errorf("first %s, then %s", first.Answer, second.Answer)
	}
	for _, number := range []string{bob, cid} {
		if got := r.gets(number, 1); len(got) != 1 {
			t.Errorf("%s was sent %q", number, got)
		}
	}
}
