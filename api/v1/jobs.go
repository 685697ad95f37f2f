package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"muster/groups"
	"muster/groups/bulk"
	"muster/internal/auth"
)

// JobView is a job as the API shows it; times are UNIX seconds.
type JobView struct {
	JobID        string      `json:"job_id" example:"job_19b2f3a4c5d0123456789abcdef"`
	SessionID    string      `json:"session_id" example:"my-session"`
	GroupJID     string      `json:"group_jid" example:"123456789-1234567890@g.us"`
	State        string      `json:"state" enum:"queued,running,waiting,completed,cancelled,failed" doc:"The last three are final. queued: jobs of one session run one after the other. waiting: it goes on by itself, see waiting."`
	Cancelling   bool        `json:"cancelling" doc:"It will be cancelled after the batch that is in work."`
	Total        int         `json:"total" example:"200" doc:"How many people there are; repeated ones count once."`
	Done         int         `json:"done" example:"40" doc:"How many of them have an outcome, good or bad."`
	OnPrivate    string      `json:"on_private" enum:"fail,invite"`
	BatchSize    int         `json:"batch_size" example:"20"`
	PauseSeconds int         `json:"pause_seconds" example:"10"`
	Waiting      *jobWaiting `json:"waiting,omitempty" doc:"Present while state is waiting."`
	Error        *jobError   `json:"error,omitempty" doc:"Present when state is failed."`
	CreatedAt    int64       `json:"created_at"`
	UpdatedAt    int64       `json:"updated_at"`
	FinishedAt   int64       `json:"finished_at,omitempty" doc:"Absent until the state is final."`
}

type jobWaiting struct {
	Reason   string `json:"reason" example:"session_not_connected" doc:"pause (between batches), or the code of what hinders it: session_not_connected, rate_limited, no_answer, outcome_unknown, unavailable, internal."`
	ResumeAt int64  `json:"resume_at" doc:"When it tries again."`
}

type jobError struct {
	Code    string `json:"code" example:"not_admin" doc:"One of the codes of problem documents."`
	Message string `json:"message"`
}

type jobStarted struct {
	// Location is where the progress is shown.
	Location string `header:"Location"`
	Body     JobView
}

type jobProgress struct {
	JobView
	Counts     map[string]int  `json:"counts" doc:"How many people there are with each status." example:"{\"Added\":38,\"Failed\":2,\"Pending\":160}"`
	Results    []jobResultView `json:"results" nullable:"false" doc:"One for each person, in the order asked."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page of results begins; absent on the last one."`
}

// jobResultView is what became of one person of a job.
type jobResultView struct {
	PersonView
	Input  string       `json:"input" example:"+628123456789" doc:"The person as the request spelled it."`
	Status string       `json:"status" enum:"Pending,Added,Invited,Requested,Failed,Skipped" example:"Added" doc:"Pending: there is no outcome yet. Requested: an admin has to approve first. Invited: privacy forbade adding, and an invite message was sent. Skipped: the job ended before it was this person's turn."`
	Error  *resultError `json:"error,omitempty" doc:"Why it failed; outcome_unknown when the job ended while the addition was on its way."`
	Invite *ticketView  `json:"invite,omitempty" doc:"The invitation that was sent."`
}

type jobList struct {
	Jobs       []JobView `json:"jobs" nullable:"false" doc:"The newest first."`
	NextCursor string    `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type bulkAddInput struct {
	GroupPath
	Body struct {
		Participants []string `json:"participants" nullable:"false" minItems:"1" maxItems:"1024" example:"[\"628123456789@s.whatsapp.net\"]" doc:"Phone JIDs, LIDs, or phone numbers with or without +."`
		OnPrivate    string   `json:"on_private,omitempty" enum:"fail,invite" default:"fail" doc:"What to do about people whose privacy settings do not let them be added: nothing, or send them an invite message."`
		BatchSize    int      `json:"batch_size,omitempty" minimum:"1" maximum:"100" default:"20" doc:"How many people to add at once."`
		PauseSeconds *int     `json:"pause_seconds,omitempty" minimum:"0" maximum:"3600" default:"10" doc:"How long to pause after each batch."`
	}
}

type listJobsInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Limit     int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The most jobs in one answer."`
	Cursor    string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`
}

// JobPath is the path of everything about one job.
type JobPath struct {
	JobID string `path:"job_id" maxLength:"64" doc:"The job's id." example:"job_19b2f3a4c5d0123456789abcdef"`
}

type getJobInput struct {
	JobPath
	Limit  int    `query:"limit" minimum:"1" maximum:"1024" default:"100" doc:"The most results in one answer."`
	Cursor string `query:"cursor" maxLength:"16" doc:"next_cursor of the page before."`
}

const (
	jobsTag = "Jobs"
	jobPath = "/jobs/{job_id}"
)

// RegisterJobs adds what starts, shows and ends durable jobs.
func RegisterJobs(api huma.API, jobs *bulk.Service) {
	registerBulkAdd(api, jobs)
	handle(api, route{
		Method: http.MethodGet, Path: "/sessions/{session_id}/jobs", ID: "list-jobs", Tag: jobsTag,
		Summary: "List the jobs of a session", Description: "Finished jobs are kept for thirty days.",
	}, func(ctx context.Context, in *listJobsInput) (jobList, error) {
		list, err := jobs.List(ctx, bulk.ListRequest{SessionID: in.SessionID, Limit: in.Limit, Cursor: in.Cursor})
		view := jobList{Jobs: make([]JobView, len(list.Jobs)), NextCursor: list.NextCursor}
		for i, job := range list.Jobs {
			view.Jobs[i] = viewJob(job)
		}
		return view, err
	})
	handle(api, route{
		Method: http.MethodGet, Path: jobPath, ID: "get-job", Tag: jobsTag,
		Summary: "Get a job's progress and results",
	}, func(ctx context.Context, in *getJobInput) (jobProgress, error) {
		progress, err := visible(ctx, in.JobID)(jobs.Get(ctx, bulk.GetRequest{JobID: in.JobID, Limit: in.Limit, Cursor: in.Cursor}))
		return viewProgress(progress), err
	})
	handle(api, route{
		Method: http.MethodPost, Path: jobPath + "/cancel", ID: "cancel-job", Tag: jobsTag,
		Summary:     "Cancel a job",
		Description: "At once, or after the batch that is in work: then cancelling is true. People who were added stay. A job that has ended in another way is a conflict.",
	}, func(ctx context.Context, in *struct{ JobPath }) (JobView, error) {
		if _, err := visible(ctx, in.JobID)(jobs.Get(ctx, bulk.GetRequest{JobID: in.JobID, Limit: 1})); err != nil {
			return JobView{}, err
		}
		job, err := jobs.Cancel(ctx, in.JobID)
		return viewJob(job), err
	})
}

func registerBulkAdd(api huma.API, jobs *bulk.Service) {
	respond(api, route{
		Method: http.MethodPost, Path: groupPath + "/participants/bulk", ID: "bulk-add-group-participants", Tag: groupsTag,
		Summary: "Add many participants, as a job",
		Description: "The job adds people in batches with pauses, survives restarts, waits while the session is disconnected or WhatsApp asks to slow down, " +
			"and adds nobody twice. Watch it at /api/v1/jobs/{job_id}.",
		Status: http.StatusAccepted,
	}, func(ctx context.Context, in *bulkAddInput) (*jobStarted, error) {
		req := bulk.StartRequest{
			Target: in.group(), Participants: in.Body.Participants,
			OnPrivate: groups.OnPrivate(in.Body.OnPrivate), BatchSize: in.Body.BatchSize,
		}
		if seconds := in.Body.PauseSeconds; seconds != nil {
			pause := time.Duration(*seconds) * time.Second
			req.Pause = &pause
		}
		job, err := jobs.Start(ctx, req)
		if err != nil {
			return nil, err
		}
		return &jobStarted{Location: prefix + "/jobs/" + job.ID, Body: viewJob(job)}, nil
	})
}

// visible hides jobs of sessions that the caller's token is not bound to: they
// do not exist for it.
func visible(ctx context.Context, id string) func(bulk.Progress, error) (bulk.Progress, error) {
	return func(progress bulk.Progress, err error) (bulk.Progress, error) {
		if err == nil && !auth.From(ctx).May(progress.SessionID) {
			return bulk.Progress{}, bulk.NotFound(id)
		}
		return progress, err
	}
}

func viewJob(j bulk.Job) JobView {
	view := JobView{
		JobID: j.ID, SessionID: j.SessionID, GroupJID: j.GroupJID, State: string(j.State), Cancelling: j.Cancelling,
		Total: j.Total, Done: j.Done, OnPrivate: string(j.OnPrivate), BatchSize: j.BatchSize, PauseSeconds: int(j.Pause / time.Second),
		CreatedAt: seconds(j.CreatedAt), UpdatedAt: seconds(j.UpdatedAt), FinishedAt: seconds(j.FinishedAt),
	}
	if j.Waiting != nil {
		view.Waiting = &jobWaiting{Reason: j.Waiting.Reason, ResumeAt: seconds(j.Waiting.ResumeAt)}
	}
	if j.Failure != nil {
		view.Error = &jobError{Code: string(j.Failure.Code), Message: j.Failure.Message}
	}
	return view
}

func viewProgress(p bulk.Progress) jobProgress {
	view := jobProgress{JobView: viewJob(p.Job), Counts: make(map[string]int, len(p.Counts)), NextCursor: p.NextCursor}
	for status, count := range p.Counts {
		view.Counts[string(status)] = count
	}
	results := viewResults(p.Results)
	view.Results = make([]jobResultView, len(results))
	for i, r := range results {
		view.Results[i] = jobResultView(r)
	}
	return view
}
