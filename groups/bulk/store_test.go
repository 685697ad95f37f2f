package bulk

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/fault"
	"muster/internal/queue"
	"muster/store/storetest"
)

// bench is the service on a database, with a queue that takes jobs but is not
// asked for them.
type bench struct {
	*Service
	t *testing.T
}

func each(t *testing.T, test func(b bench)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		for _, id := range []string{"one", "two"} {
			if _, err := db.Exec(t.Context(), "INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ($1, $1, 'connected', 1, 1)", id); err != nil {
				t.Fatal(err)
			}
		}
		log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
		q, err := queue.Open(t.Context(), db, log)
		if err != nil {
			t.Fatal(err)
		}
		test(bench{t: t, Service: NewService(Options{DB: db, Queue: q, Log: log})})
	})
}

// put stores a job of the session as Start would; handed says that the queue
// has it.
func (b bench) put(id, session string, handed bool, people ...string) Job {
	b.t.Helper()
	entries, err := address.People("participants", people)
	b.must(err)
	job := Job{
		ID: id, SessionID: session, GroupJID: "120363000000000001@g.us", State: StateQueued,
		OnPrivate: groups.OnPrivateInvite, BatchSize: 2, Pause: 3 * time.Second, Total: len(entries), CreatedAt: time.Unix(100, 0), UpdatedAt: time.Unix(100, 0),
	}
	b.must(b.repo.txn(b.t.Context(), func(ctx context.Context) error {
		if err := b.repo.insert(ctx, job, entries); err != nil || !handed {
			return err
		}
		return b.repo.setQueueID(ctx, id, 1)
	}))
	return job
}

func (b bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// shown is the job's results as "0 Added, 1 Failed/privacy".
func (b bench) shown(id string) string {
	b.t.Helper()
	p, err := b.Get(b.t.Context(), GetRequest{JobID: id, Limit: MaxResults})
	b.must(err)
	var parts []string
	for i, r := range p.Results {
		part := fmt.Sprintf("%d %s", i, r.Status)
		if r.Failure != nil {
			part += "/" + r.Failure.Code
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// Thousand people survive storing, in order, and come back page by page.
func TestManyPeople(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		people := make([]string, MaxParticipants)
		for i := range people {
			people[i] = fmt.Sprintf("62811%07d", i)
		}
		people[7] = "12345678901234@lid"
		job := b.put("job_1", "one", true, people...)
		var seen int
		for cursor := ""; ; {
			p, err := b.Get(b.t.Context(), GetRequest{JobID: job.ID, Cursor: cursor})
			b.must(err)
			for _, r := range p.Results {
				if r.Input != people[seen] || r.Status != StatusPending {
					b.t.Fatalf("result %d is %+v, want %s", seen, r, people[seen])
				}
				seen++
			}
			if cursor = p.NextCursor; cursor == "" {
				if p.Counts[StatusPending] != MaxParticipants || p.Done != 0 || p.Pause != 3*time.Second {
					b.t.Errorf("the job is %+v", p.Job)
				}
				break
			}
		}
		if seen != len(people) {
			b.t.Errorf("%d results", seen)
		}
		for _, wrong := range []GetRequest{{JobID: job.ID, Limit: MaxResults + 1}, {JobID: job.ID, Cursor: "x"}, {JobID: job.ID, Cursor: "-1"}} {
			if _, err := b.Get(b.t.Context(), wrong); !fault.Is(err, fault.Invalid) {
				b.t.Errorf("%+v: %v", wrong, err)
			}
		}
	})
}

// Only one job of a session is handed to the queue at a time, the oldest first.
func TestOneJobOfASessionAtATime(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		head := func(session string) string {
			id, err := b.repo.head(b.t.Context(), session)
			b.must(err)
			return id
		}
		b.put("job_2", "one", false, "628110000001")
		b.put("job_1", "one", false, "628110000001")
		if got := head("one"); got != "job_1" {
			b.t.Errorf("the first is %q", got)
		}
		b.must(b.repo.setQueueID(b.t.Context(), "job_1", 7))
		b.put("job_3", "two", false, "628110000001")
		if one, two := head("one"), head("two"); one != "" || two != "job_3" {
			b.t.Errorf("while one is at work: %q and %q", one, two)
		}
		// Cancelling the one behind leaves the one in front alone.
		job, err := b.Cancel(b.t.Context(), "job_2")
		if err != nil || job.State != StateCancelled || head("one") != "" {
			b.t.Errorf("cancelling the waiting job: %+v, %v", job, err)
		}
		b.put("job_4", "one", false, "628110000001")
		b.must(b.repo.finish(b.t.Context(), "job_1", StateCompleted, nil, time.Unix(200, 0)))
		if got := head("one"); got != "job_4" {
			b.t.Errorf("after the end it is the turn of %q", got)
		}
		list, err := b.List(b.t.Context(), ListRequest{SessionID: "one", Limit: 2})
		if err != nil || len(list.Jobs) != 2 || list.Jobs[0].ID != "job_4" || list.NextCursor != "job_2" {
			b.t.Fatalf("the newest are %+v, %v", list, err)
		}
		list, err = b.List(b.t.Context(), ListRequest{SessionID: "one", Limit: 2, Cursor: list.NextCursor})
		if err != nil || len(list.Jobs) != 1 || list.Jobs[0].ID != "job_1" || list.NextCursor != "" {
			b.t.Errorf("the rest are %+v, %v", list, err)
		}
		if _, err = b.List(b.t.Context(), ListRequest{SessionID: "none"}); !fault.Is(err, fault.SessionNotFound) {
			b.t.Errorf("an unknown session: %v", err)
		}
		b.must(b.repo.prune(b.t.Context(), "one", time.Unix(300, 0)))
		if _, err = b.repo.job(b.t.Context(), "job_1"); !fault.Is(err, fault.NotFound) {
			b.t.Errorf("an old job is still there: %v", err)
		}
	})
}

// prospect is somebody as a look at the group finds them.
func prospect(it item, lid string, member, absent bool) groups.Prospect {
	return groups.Prospect{Input: it.input, Identity: groups.NewIdentity(it.PhoneNumber, lid), Member: member, Absent: absent}
}

// What is decided about a batch, by what is known of everybody from before and
// by who is in the group now.
func TestSortingABatch(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		job := b.put("job_1", "one", true,
			"628110000000", "628110000001", "628110000002", "628110000003", "628110000004", "77777777777@lid", "628110000006", "628110000007")
		batch, err := b.repo.items(ctx, job.ID, 0, 10)
		b.must(err)
		// 0 was asked for and is in, 1 was asked for and is not.
		batch[0].state, batch[1].state = itemAdding, itemAdding
		// 6 was settled in an earlier batch, as the person of entry 5.
		batch[6].settle(groups.Result{Identity: groups.NewIdentity("628110000006", "77777777777@lid"), Status: groups.StatusInvited, Invite: &groups.Ticket{Code: "c", ExpiresAt: time.Unix(9, 0)}}, job.OnPrivate)
		b.must(b.repo.save(ctx, job.ID, batch))
		work := append(batch[:6:6], batch[7])
		a := attempt{job: job, batch: work, prospects: []groups.Prospect{
			prospect(work[0], "10000000@lid", true, false),
			prospect(work[1], "10000001@lid", false, false),
			prospect(work[2], "10000002@lid", true, false),  // was a member before
			prospect(work[3], "", false, true),              // is not on WhatsApp
			prospect(work[4], "10000004@lid", false, false), // is to be asked for
			prospect(work[5], "77777777777@lid", false, false),
			prospect(work[6], "10000004@lid", false, false), // is the person of entry 4
		}}
		b.must(b.repo.txn(ctx, func(ctx context.Context) error {
			if err := a.sort(ctx, b.repo); err != nil {
				return err
			}
			return b.repo.save(ctx, job.ID, a.noted)
		}))
		if got, want := b.shown(job.ID), "0 Added, 1 Pending, 2 Failed/already_member, 3 Failed/not_on_whatsapp, 4 Pending, 5 Invited, 6 Invited, 7 Pending"; got != want {
			b.t.Errorf("got  %s\nwant %s", got, want)
		}
		if len(a.asked) != 2 || a.asked[0].index != 1 || a.asked[1].index != 4 || !a.askedBefore[0] || a.askedBefore[1] {
			b.t.Fatalf("to ask for: %+v, %v", a.asked, a.askedBefore)
		}
		// Both came in between; only the first of them can be our doing.
		member := &groups.Failure{Code: groups.CodeAlreadyMember, WhatsAppCode: 409}
		for i := range a.asked {
			a.answer(i, groups.Result{Status: groups.StatusFailed, Failure: member})
		}
		if a.asked[0].status != groups.StatusAdded || a.asked[1].status != groups.StatusFailed {
			b.t.Errorf("the answers are taken as %+v", a.asked)
		}
	})
}

// Whoever has no outcome when a job ends early gets one that is true.
func TestEndingEarly(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		ctx := b.t.Context()
		job := b.put("job_1", "one", false, "628110000000", "628110000001", "628110000002", "628110000003")
		items, err := b.repo.items(ctx, job.ID, 0, 10)
		b.must(err)
		items[0].state = itemAdding
		items[1].state, items[1].status, items[1].failure = itemInviting, groups.StatusFailed, groups.Failure{Code: groups.CodePrivacy, Reason: "privacy", WhatsAppCode: 403}
		items[2].settle(groups.Result{Status: groups.StatusRequested}, job.OnPrivate)
		b.must(b.repo.save(ctx, job.ID, items))
		b.must(b.locked(ctx, job.ID, func(ctx context.Context, found Job) error {
			return b.finish(ctx, found, StateFailed, fault.New(fault.NotAdmin, "not an admin"))
		}))
		if got, want := b.shown(job.ID), "0 Failed/outcome_unknown, 1 Failed/privacy, 2 Requested, 3 Skipped"; got != want {
			b.t.Errorf("got  %s\nwant %s", got, want)
		}
		ended, err := b.repo.job(ctx, job.ID)
		if err != nil || ended.State != StateFailed || ended.Failure.Code != fault.NotAdmin || ended.Failure.Message != "not an admin" ||
			ended.Done != 4 || ended.FinishedAt.IsZero() {
			b.t.Errorf("the job is %+v, %v", ended, err)
		}
		if _, err = b.Cancel(ctx, job.ID); !fault.Is(err, fault.Conflict) {
			b.t.Errorf("cancelling it: %v", err)
		}
	})
}

// A job waits longer the longer it has been waiting, and says why.
func TestWaiting(t *testing.T) {
	t.Parallel()
	each(t, func(b bench) {
		now := time.Unix(1000, 0)
		b.now = func() time.Time { return now }
		job := b.put("job_1", "one", false, "628110000000")
		if got := b.backoff(job); got != firstWait {
			b.t.Errorf("at first it waits %v", got)
		}
		b.must(b.repo.setWaiting(b.t.Context(), job.ID, Waiting{Reason: "no_answer", ResumeAt: now.Add(time.Minute)}, now.Add(-12*time.Second), now))
		job, err := b.repo.job(b.t.Context(), job.ID)
		b.must(err)
		if job.State != StateWaiting || job.Waiting == nil || job.Waiting.Reason != "no_answer" || !job.Waiting.ResumeAt.Equal(now.Add(time.Minute)) {
			b.t.Errorf("the job is %+v", job)
		}
		if got := b.backoff(job); got != 6*time.Second {
			b.t.Errorf("after twelve seconds it waits %v", got)
		}
		now = now.Add(time.Hour)
		if got := b.backoff(job); got != longestWait {
			b.t.Errorf("after an hour it waits %v", got)
		}
		b.must(b.repo.progressed(b.t.Context(), job.ID, now))
		if job, err = b.repo.job(b.t.Context(), job.ID); err != nil || b.backoff(job) != firstWait {
			b.t.Errorf("after a success it waits %v, %v", b.backoff(job), err)
		}
	})
}
