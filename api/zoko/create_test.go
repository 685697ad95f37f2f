package zoko_test

import (
	"net/http"
	"testing"
	"time"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
)

// TestCreatePending: a creation that takes long is answered before its end, and
// goes on.
func TestCreatePending(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) { c.Zoko.PendingAfter = 20 * time.Millisecond })
	if _, err := r.WA.Faults().Add(sandbox.Fault{
		Match: sandbox.FaultMatch{XMLNS: "w:g2", Type: "set", Child: "create"}, Effect: sandbox.FaultEffect{DelayMS: 500}, Count: 1,
	}); err != nil {
		t.Fatal(err)
	}
	x := r.call(http.MethodPost, groupsPath, object{"subject": "Slow", "description": "It takes its time"}).Want(t, http.StatusAccepted)
	pin(t, golden(), "rows/Create pending", x)
	apptest.Eventually(t, "the group", func() bool {
		var rows []object
		r.call(http.MethodGet, groupsPath, nil).Decode(t, &rows)
		if len(rows) != 1 {
			return false
		}
		group := answer(t, r.call(http.MethodGet, groupsPath+"/"+rows[0]["id"].(string), nil))
		return group["subject"] == "Slow" && group["description"] == "It takes its time"
	})
}

// TestCreateUnknown: a creation whose answer is lost may have happened. Without a
// key it is pending; with one it can be repeated until it is known.
func TestCreateUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) { c.Sessions.WriteTimeout = 500 * time.Millisecond })
	lose := func() {
		t.Helper()
		if _, err := r.WA.Faults().Add(sandbox.Fault{
			Match: sandbox.FaultMatch{XMLNS: "w:g2", Type: "set", Child: "create"}, Effect: sandbox.FaultEffect{DropReply: true}, Count: 1,
		}); err != nil {
			t.Fatal(err)
		}
	}
	lose()
	r.call(http.MethodPost, groupsPath, object{"subject": "Lost"}).Want(t, http.StatusAccepted)

	lose()
	x := apptest.JSON(http.MethodPost, groupsPath, r.header(), object{"subject": "Repeated"})
	x.Header.Set("Idempotency-Key", "once")
	r.Send(t, x).Want(t, http.StatusGatewayTimeout)
	var last apptest.Exchange
	apptest.Eventually(t, "the answer", func() bool {
		last = r.Send(t, x)
		return last.Status == http.StatusOK
	})
	if body := answer(t, last); body["status"] != "complete" || body["subject"] != "Repeated" {
		t.Errorf("in the end: %s", last.Answer)
	}
	if n := len(r.WA.Groups()); n != 2 {
		t.Errorf("there are %d groups", n)
	}
}
