package bulk

import (
	"cmp"
	"context"
	"strconv"

	"muster/groups"
	"muster/internal/fault"
)

// Page sizes of results and of jobs.
const (
	DefaultResults, MaxResults = 100, MaxParticipants
	DefaultJobs, MaxJobs       = 50, 200
)

// GetRequest asks for a job and a page of its results.
type GetRequest struct {
	JobID  string
	Limit  int    // 0 is DefaultResults
	Cursor string // NextCursor of the page before; empty is the beginning
}

// Progress is a job with what became of its people.
type Progress struct {
	Job
	// Counts has the number of people for each status that occurs.
	Counts map[groups.Status]int
	// Results is one page, in the order asked.
	Results []groups.Result
	// NextCursor is empty on the last page.
	NextCursor string
}

// Get shows a job. Who may see it is for the caller to decide by its SessionID.
func (s *Service) Get(ctx context.Context, req GetRequest) (p Progress, err error) {
	if req.Limit < 0 || req.Limit > MaxResults {
		return p, fault.Field("limit", "must be between 1 and %d", MaxResults)
	}
	from := 0
	if req.Cursor != "" {
		if from, err = strconv.Atoi(req.Cursor); err != nil || from < 0 || from > MaxParticipants {
			return p, fault.Field("cursor", "is not one that a job answered with")
		}
	}
	// The job is read first: of one that has ended, everything else has too.
	if p.Job, err = s.repo.job(ctx, req.JobID); err != nil {
		return p, err
	}
	if p.Counts, err = s.repo.counts(ctx, req.JobID); err != nil {
		return p, err
	}
	p.Done = p.Total - p.Counts[StatusPending]
	limit := cmp.Or(req.Limit, DefaultResults)
	items, err := s.repo.items(ctx, req.JobID, from, limit+1)
	if err != nil {
		return p, err
	}
	if len(items) > limit {
		items, p.NextCursor = items[:limit], strconv.Itoa(items[limit].index)
	}
	p.Results = make([]groups.Result, len(items))
	for i := range items {
		p.Results[i] = items[i].result()
	}
	return p, nil
}

// ListRequest asks for the jobs of a session, the newest first.
type ListRequest struct {
	SessionID string
	Limit     int    // 0 is DefaultJobs
	Cursor    string // NextCursor of the page before; empty is the beginning
}

// List is one page of a session's jobs.
type List struct {
	Jobs []Job
	// NextCursor is empty on the last page.
	NextCursor string
}

// List shows the jobs of a session. Finished ones are kept for thirty days.
func (s *Service) List(ctx context.Context, req ListRequest) (List, error) {
	if req.Limit < 0 || req.Limit > MaxJobs {
		return List{}, fault.Field("limit", "must be between 1 and %d", MaxJobs)
	}
	limit := cmp.Or(req.Limit, DefaultJobs)
	jobs, err := s.repo.list(ctx, req.SessionID, req.Cursor, limit+1)
	if err != nil {
		return List{}, err
	}
	if len(jobs) == 0 && req.Cursor == "" {
		// An empty list of a session that does not exist would be a lie.
		return List{}, s.repo.sessionExists(ctx, req.SessionID)
	}
	list := List{Jobs: jobs}
	if len(jobs) > limit {
		list.Jobs, list.NextCursor = jobs[:limit], jobs[limit-1].ID
	}
	return list, nil
}
