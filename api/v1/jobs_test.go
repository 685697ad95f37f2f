package v1_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/service"
	"muster/store"
	"muster/store/storetest"
)

// eachRig runs the test on the whole program with each kind of database.
func eachRig(t *testing.T, test func(r *rig)) {
	t.Helper()
	storetest.EachStore(t, func(t *testing.T, options store.Options) {
		test(newRig(t, func(c *config.Config) { c.Database = config.Database{Driver: options.Driver, DSN: options.DSN} }))
	})
}

// job is what the API answers about one.
type job struct {
	ID         string `json:"job_id"`
	State      string
	Cancelling bool
	Total      int
	Done       int
	Counts     map[string]int
	Waiting    struct {
		Reason   string
		ResumeAt int64 `json:"resume_at"`
	}
	Error struct{ Code, Message string }
}

// bulk starts a job and gives its id.
func (r *rig) bulk(jid string, body object) string {
	r.t.Helper()
	started := r.group(http.MethodPost, jid, "/participants/bulk", body).status(http.StatusAccepted)
	id := started.text("job_id")
	if got := started.header.Get("Location"); got != "/api/v1/jobs/"+id || started.text("state") != "queued" {
		r.t.Fatalf("%s: %s, Location %s", started.what, started.raw, got)
	}
	return id
}

func (r *rig) job(id string) (answer, job) {
	r.t.Helper()
	a := r.call(http.MethodGet, "/api/v1/jobs/"+id+"?limit=1024", nil).status(http.StatusOK)
	return a, a.job()
}

func (a answer) job() (j job) {
	a.t.Helper()
	if err := json.Unmarshal(a.raw, &j); err != nil {
		a.t.Fatal(err)
	}
	return j
}

// until asks for the job again and again: nothing signals its progress.
func (r *rig) until(id, what string, holds func(job) bool) (answer, job) {
	r.t.Helper()
	limit, again := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		a, j := r.job(id)
		if holds(j) {
			return a, j
		}
		select {
		case <-again.C:
		case <-limit:
			r.t.Fatalf("waited in vain until the job %s: %s", what, a.raw)
		}
	}
}

func (r *rig) ended(id, state string) (answer, job) {
	r.t.Helper()
	a, j := r.until(id, "has ended", func(j job) bool { return j.State == "completed" || j.State == "failed" || j.State == "cancelled" })
	if j.State != state {
		r.t.Fatalf("the job has ended like this: %s", a.raw)
	}
	return a, j
}

func (r *rig) waits(id, reason string) job {
	r.t.Helper()
	_, j := r.until(id, "waits for "+reason, func(j job) bool { return j.State == "waiting" && j.Waiting.Reason == reason })
	return j
}

// crowd makes phones with numbers that no other test uses.
func (r *rig) crowd(n int) []string {
	r.t.Helper()
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("628222%06d", i)
	}
	r.people(numbers...)
	return numbers
}

func (r *rig) stanzas(key string) int { return r.wa.Stats().ByAccount[myNumber][key] }

// Jobs of one second keep the order in which they were asked for.
func TestJobsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann)
	jid := r.create("Ordered")
	r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/disconnect", nil).status(http.StatusOK)
	var asked []string
	for range 6 {
		asked = append(asked, r.bulk(jid, object{"participants": []string{ann}}))
	}
	if !slices.IsSorted(asked) {
		t.Errorf("they are worked on in another order than %v", asked)
	}
}

// sum is how many people there are with each status.
func sum(counts map[string]int) string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", status, counts[status]))
	}
	return strings.Join(parts, ", ")
}

func TestBulkEveryResult(t *testing.T) {
	const private, gone, twice = "628111000011", "628111000015", "628111000014"
	eachRig(t, func(r *rig) {
		r.people(ann, bob, cid, twice)
		r.phone(private, sandbox.PhoneOptions{GroupAdd: "none"})
		r.phone(gone, sandbox.PhoneOptions{NotOnWhatsApp: true})
		lid := r.phone("628111000016", sandbox.PhoneOptions{}).LID
		twiceInfo, _ := r.wa.Phone(twice)
		jid := r.create("Everybody", ann)
		lookups := r.stanzas("iq:usync:get:usync")
		id := r.bulk(jid, object{
			"participants":  []string{bob, ann, private, "+" + bob, gone, twice, nobod, twiceInfo.LID, lid, cid + "@c.us", myNumber},
			"on_private":    "invite",
			"batch_size":    3,
			"pause_seconds": 0,
		})
		a, j := r.ended(id, "completed")
		want := bob + " Added, " + ann + " Failed/already_member/409, " + private + " Invited, " + gone + " Failed/not_on_whatsapp/0, " +
			twice + " Added, " + nobod + " Failed/not_on_whatsapp/0, " + twice + " Added, 628111000016 Added, " + cid + " Added, " +
			myNumber + " Failed/already_member/409"
		results := a.outcomes("results")
		if got := strings.ReplaceAll(summary(results), "/already_member/0", "/already_member/409"); got != want {
			r.t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := sum(j.Counts); got != "Added 5, Failed 4, Invited 1" || j.Total != 10 || j.Done != 10 {
			r.t.Errorf("the job has %s of %d, %d done", got, j.Total, j.Done)
		}
		// One question about all numbers of a batch; the twin is settled in one more.
		if more := r.stanzas("iq:usync:get:usync") - lookups; more > 5 {
			r.t.Errorf("%d questions about numbers", more)
		}
		invited := results[2]
		r.eventually("the invite message", func() bool {
			inbox, _ := r.wa.Inbox(private)
			return len(inbox) == 1 && inbox[0].Message.GetGroupInviteMessage().GetInviteCode() == invited.Invite.Code
		})
		r.agrees(jid)
		r.checkPages(id, results)
	})
}

// checkPages reads the results and the list of jobs page by page.
func (r *rig) checkPages(id string, all []outcome) {
	r.t.Helper()
	var paged []outcome
	cursor := ""
	for range len(all) {
		a := r.call(http.MethodGet, "/api/v1/jobs/"+id+"?limit=4"+cursor, nil).status(http.StatusOK)
		paged = append(paged, a.outcomes("results")...)
		if a.text("next_cursor") == "" {
			break
		}
		cursor = "&cursor=" + a.text("next_cursor")
	}
	if summary(paged) != summary(all) {
		r.t.Errorf("page by page: %s\nat once: %s", summary(paged), summary(all))
	}
	list := r.call(http.MethodGet, "/api/v1/sessions/"+mySession+"/jobs", nil).status(http.StatusOK)
	if jobs, _ := list.body["jobs"].([]any); len(jobs) != 1 || !strings.Contains(string(list.raw), id) {
		r.t.Errorf("the session's jobs are %s", list.raw)
	}
	r.call(http.MethodGet, "/api/v1/sessions/nobody/jobs", nil).refused(http.StatusNotFound, "session_not_found", "")
	r.call(http.MethodGet, "/api/v1/jobs/job_0", nil).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodPost, "/api/v1/jobs/job_0/cancel", nil).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodPost, "/api/v1/jobs/"+id+"/cancel", nil).refused(http.StatusConflict, "conflict", "")
}

func TestBulkCancel(t *testing.T) {
	eachRig(t, func(r *rig) {
		who := r.crowd(6)
		jid := r.create("Everybody")
		first := r.bulk(jid, object{"participants": who, "batch_size": 2, "pause_seconds": 3600})
		second := r.bulk(jid, object{"participants": who[4:], "pause_seconds": 0})
		r.waits(first, "pause")
		if _, j := r.job(second); j.State != "queued" {
			r.t.Errorf("the second job is %s while the first has its turn", j.State)
		}
		// In a pause the end is immediate, and the next job begins.
		for range 2 {
			if j := r.call(http.MethodPost, "/api/v1/jobs/"+first+"/cancel", nil).status(http.StatusOK).job(); j.State != "cancelled" {
				r.t.Fatalf("after the request the job is %+v", j)
			}
		}
		if _, j := r.job(first); sum(j.Counts) != "Added 2, Skipped 4" || j.Done != 6 {
			r.t.Errorf("the cancelled job has %s", sum(j.Counts))
		}
		if _, j := r.ended(second, "completed"); sum(j.Counts) != "Added 2" {
			r.t.Errorf("the second job has %s", sum(j.Counts))
		}
		r.agrees(jid)
	})
}

// A batch that is on its way is finished and written down before the end.
func TestBulkCancelInTheMiddle(t *testing.T) {
	r := newRig(t)
	who := r.crowd(6)
	jid := r.create("Everybody")
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "add"}, Effect: sandbox.FaultEffect{DelayMS: 1000}, Count: 1})
	asked := r.stanzas("iq:w:g2:set:add")
	id := r.bulk(jid, object{"participants": who, "batch_size": 3, "pause_seconds": 1})
	waiting := r.bulk(jid, object{"participants": who})
	r.eventually("the request to add", func() bool { return r.stanzas("iq:w:g2:set:add") > asked })
	if j := r.call(http.MethodPost, "/api/v1/jobs/"+waiting+"/cancel", nil).status(http.StatusOK).job(); j.State != "cancelled" {
		r.t.Errorf("the job behind it is %+v", j)
	}
	if j := r.call(http.MethodPost, "/api/v1/jobs/"+id+"/cancel", nil).status(http.StatusOK).job(); j.State != "running" || !j.Cancelling {
		r.t.Errorf("in the middle of a batch the job is %+v", j)
	}
	if _, j := r.ended(id, "cancelled"); sum(j.Counts) != "Added 3, Skipped 3" {
		r.t.Errorf("the job has %s", sum(j.Counts))
	}
	r.agrees(jid)
}

func TestBulkFailsAsAWhole(t *testing.T) {
	r := newRig(t)
	who := r.crowd(4)
	r.people(ann, bob)
	// Somebody else's group, which is not open to additions by members.
	admins := "admin_add"
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Ann's", Participants: []string{myNumber}, Settings: sandbox.Settings{MemberAddMode: &admins}})
	_, j := r.ended(r.bulk(jid, object{"participants": who}), "failed")
	if j.Error.Code != "not_admin" || j.Error.Message == "" || sum(j.Counts) != "Skipped 4" {
		t.Errorf("without the right: %+v", j)
	}
	// Thrown out between two batches.
	r.act(ann, jid, service.ActPromote, myNumber)
	id := r.bulk(jid, object{"participants": who, "batch_size": 2, "pause_seconds": 2})
	r.until(id, "has added two", func(j job) bool { return j.Done == 2 })
	r.act(ann, jid, service.ActRemove, myNumber)
	_, j = r.ended(id, "failed")
	if j.Error.Code != "not_in_group" || sum(j.Counts) != "Added 2, Skipped 2" {
		t.Errorf("thrown out: %+v", j)
	}
	r.group(http.MethodPost, "120363000000000001@g.us", "/participants/bulk", people(bob)).status(http.StatusNotFound)
}

func TestBulkWaits(t *testing.T) {
	r := newRig(t)
	who := r.crowd(4)
	jid := r.create("Everybody")
	r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/disconnect", nil)
	id := r.bulk(jid, object{"participants": who, "pause_seconds": 0})
	r.waits(id, "session_not_connected")
	r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/connect", nil)
	if _, j := r.ended(id, "completed"); sum(j.Counts) != "Added 4" {
		t.Errorf("after the wait: %+v", j)
	}
	r.agrees(jid)

	more := r.create("Slowly")
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "add"}, Effect: sandbox.FaultEffect{Error: 429}, Count: 1})
	id = r.bulk(more, object{"participants": who})
	if j := r.waits(id, "rate_limited"); time.Until(time.Unix(j.Waiting.ResumeAt, 0)) <= 0 || j.Counts["Pending"] != 4 {
		t.Errorf("slowed down: %+v", j)
	}
	// They were refused, so they were surely not added.
	r.call(http.MethodPost, "/api/v1/jobs/"+id+"/cancel", nil).status(http.StatusOK)
	if _, j := r.ended(id, "cancelled"); sum(j.Counts) != "Skipped 4" {
		t.Errorf("cancelled while waiting: %+v", j)
	}
}

// A change whose answer is lost is looked up in the group, and not made again.
func TestBulkLostAnswer(t *testing.T) {
	r := newRig(t)
	who := r.crowd(5)
	r.people(ann)
	jid := r.create("Everybody", ann)
	asked := r.stanzas("iq:w:g2:set:add")
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "add"}, Effect: sandbox.FaultEffect{ApplyThenDisconnect: true}, Count: 1})
	id := r.bulk(jid, object{"participants": append(who, ann), "pause_seconds": 0})
	a, j := r.ended(id, "completed")
	if sum(j.Counts) != "Added 5, Failed 1" || a.outcomes("results")[5].Error.Code != "already_member" {
		t.Errorf("after the lost answer: %s", a.raw)
	}
	if more := r.stanzas("iq:w:g2:set:add") - asked; more != 1 {
		t.Errorf("WhatsApp was asked %d times", more)
	}
	r.agrees(jid)
}

// An invite message whose confirmation is lost is sent again as the same one.
func TestBulkLostInvite(t *testing.T) {
	const private = "628111000011"
	r := newRig(t)
	r.phone(private, sandbox.PhoneOptions{GroupAdd: "none"})
	jid := r.create("Come in")
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{ApplyThenDisconnect: true}, Count: 1})
	a, _ := r.ended(r.bulk(jid, object{"participants": []string{private}, "on_private": "invite"}), "completed")
	invited := a.outcomes("results")[0]
	if invited.Status != "Invited" || invited.Invite.ExpiresAt == 0 {
		t.Fatalf("the result is %+v", invited)
	}
	ids := map[string]bool{}
	r.eventually("the invite message", func() bool {
		inbox, _ := r.wa.Inbox(private)
		for _, m := range inbox {
			if m.Message.GetGroupInviteMessage().GetInviteCode() == invited.Invite.Code {
				ids[m.ID] = true
			}
		}
		return len(ids) > 0
	})
	if len(ids) != 1 {
		t.Errorf("the person got %d invite messages", len(ids))
	}

	// One that WhatsApp refuses is not claimed.
	second := r.create("Not today")
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{Error: 463}, Count: 1})
	a, _ = r.ended(r.bulk(second, object{"participants": []string{private}, "on_private": "invite"}), "completed")
	if got := summary(a.outcomes("results")); got != private+" Failed/privacy/403" {
		t.Errorf("without the message: %s", got)
	}
}

func TestBulkRequestIsChecked(t *testing.T) {
	r := newRig(t)
	jid := r.create("Everybody")
	many := make([]string, 1025)
	for i := range many {
		many[i] = fmt.Sprintf("628333%06d", i)
	}
	for name, test := range map[string]struct {
		body  object
		field string
	}{
		"nobody":       {object{"participants": []string{}}, "participants"},
		"too many":     {object{"participants": many}, "participants"},
		"a group":      {object{"participants": []string{jid}}, "participants[0]"},
		"no such wish": {object{"participants": []string{bob}, "on_private": "ask"}, "on_private"},
		"batch":        {object{"participants": []string{bob}, "batch_size": 101}, "batch_size"},
		"pause":        {object{"participants": []string{bob}, "pause_seconds": -1}, "pause_seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			r.with(t).group(http.MethodPost, jid, "/participants/bulk", test.body).refused(http.StatusUnprocessableEntity, "invalid", test.field)
		})
	}
}

// A token that is bound to another session does not learn of the job.
func TestBulkBelongsToItsSession(t *testing.T) {
	r := newRig(t)
	r.people(bob)
	jid := r.create("Everybody")
	id := r.bulk(jid, people(bob))
	made := r.call(http.MethodPost, "/api/v1/tokens", object{"name": "other", "sessions": []string{"other"}}).status(http.StatusCreated)
	for _, path := range []string{"GET /api/v1/jobs/" + id, "POST /api/v1/jobs/" + id + "/cancel"} {
		method, path, _ := strings.Cut(path, " ")
		request := r.request(t.Context(), method, path, nil)
		request.Header.Set("Authorization", "Bearer "+made.text("token"))
		r.do(request).refused(http.StatusNotFound, "not_found", "")
	}
	r.ended(id, "completed")
}
