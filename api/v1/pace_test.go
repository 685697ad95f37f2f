package v1_test

import (
	"net/http"
	"strconv"
	"testing"

	"muster/internal/config"
	"muster/sandbox/fault"
)

// Changes of one group are made one after the other, in the order they came.
func TestChangesOfOneGroupWaitForEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid, other := r.create("Mine"), r.create("Other")
	before := r.sentOf("iq:w:g2:set:subject")
	r.trouble("subject", fault.Script{DelayMS: 700})
	ended := make(chan answer, 2)
	change := func(jid, subject string) {
		ended <- r.group(http.MethodPut, jid, "/subject", object{"subject": subject})
	}
	go change(jid, "First")
	r.eventually("the first change", func() bool { return r.sentOf("iq:w:g2:set:subject") == before+1 })
	go change(jid, "Second")
	// Another group does not wait.
	r.group(http.MethodPut, other, "/subject", object{"subject": "Meanwhile"}).status(http.StatusOK)
	for range 2 {
		(<-ended).status(http.StatusOK)
	}
	if got := r.truth(jid).Subject; got != "Second" {
		t.Errorf("the subject is %q", got)
	}
	if got := r.group(http.MethodGet, jid, "", nil).text("subject"); got != "Second" {
		t.Errorf("in the mirror the subject is %q", got)
	}
}

// pace reads the headers.
func (a answer) pace() (resource string, limit, remaining, reset int) {
	a.t.Helper()
	number := func(name string) int {
		n, err := strconv.Atoi(a.header.Get(name))
		if err != nil {
			a.t.Fatalf("%s: %s is %q", a.what, name, a.header.Get(name))
		}
		return n
	}
	return a.header.Get("X-RateLimit-Resource"), number("X-RateLimit-Limit"), number("X-RateLimit-Remaining"), number("X-RateLimit-Reset")
}

func TestPaceOfChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) {
		c.Sessions.WriteRate, c.Sessions.WriteBurst = 1e-6, 3
	})
	jid := r.create("Mine")
	for i, subject := range []string{"One", "Two"} {
		a := r.group(http.MethodPut, jid, "/subject", object{"subject": subject}).status(http.StatusOK)
		if resource, limit, remaining, reset := a.pace(); resource != "write" || limit != 3 || remaining != 1-i || reset < 1 {
			t.Errorf("after %d changes: %s %d %d %d", i+2, resource, limit, remaining, reset)
		}
	}
	before := r.sentOf("iq:w:g2:set:subject")
	refused := r.group(http.MethodPut, jid, "/subject", object{"subject": "Three"}).refused(http.StatusTooManyRequests, "rate_limited", "")
	if _, _, remaining, _ := refused.pace(); remaining != 0 || refused.header.Get("Retry-After") == "" {
		t.Errorf("the refusal has %v", refused.header)
	}
	if r.sentOf("iq:w:g2:set:subject") != before {
		t.Error("it was sent all the same")
	}
	// Reading goes on, and what the mirror answers is not counted.
	if a := r.group(http.MethodGet, jid, "", nil).status(http.StatusOK); a.header.Get("X-RateLimit-Limit") != "" {
		t.Errorf("a read of the mirror has %v", a.header)
	}
}

// WhatsApp's own complaint is passed on, and slows the session down.
func TestPaceAfterComplaint(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) { c.Sessions.WriteRate, c.Sessions.WriteBurst = 0.1, 10 })
	jid := r.create("Mine")
	r.trouble("subject", fault.Script{Error: 429})
	refused := r.group(http.MethodPut, jid, "/subject", object{"subject": "x"}).refused(http.StatusTooManyRequests, "rate_limited", "")
	if wait, err := strconv.Atoi(refused.header.Get("Retry-After")); err != nil || wait < 1 {
		t.Errorf("try again after %q", refused.header.Get("Retry-After"))
	}
	// Nothing is saved up any more, and ten turns take twenty seconds each.
	if _, limit, remaining, reset := refused.pace(); limit != 10 || remaining != 0 || reset < 150 {
		t.Errorf("after the complaint: %d of %d, all in %d s", remaining, limit, reset)
	}
	r.group(http.MethodPut, jid, "/subject", object{"subject": "y"}).refused(http.StatusTooManyRequests, "rate_limited", "")
}
