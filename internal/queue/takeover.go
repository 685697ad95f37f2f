package queue

import (
	"context"
	"encoding/json"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// takeOverBatch is how many jobs are put back at a time.
const takeOverBatch = 100

// takeOver puts jobs back that were running when the last process was killed.
// River would wait for rescueAfter, because it cannot know that their workers
// are gone; we do, because there is only one server at a time. For the same
// reason the dead process's leadership can be ended at once.
func (q *Queue) takeOver(ctx context.Context) error {
	executor := q.driver.GetExecutor()
	if _, err := executor.LeaderResign(ctx, &riverdriver.LeaderResignParams{LeaderID: clientID}); err != nil {
		return err
	}
	for {
		now := time.Now().UTC()
		// The horizon is in the future in case the clock was put back.
		jobs, err := executor.JobGetStuck(ctx, &riverdriver.JobGetStuckParams{Max: takeOverBatch, StuckHorizon: now.AddDate(1, 0, 0)})
		if err != nil || len(jobs) == 0 {
			return err
		}
		var back riverdriver.JobRescueManyParams
		for _, job := range jobs {
			note, err := json.Marshal(rivertype.AttemptError{At: now, Attempt: job.Attempt, Error: "the server ended while the job was running"})
			if err != nil {
				return err
			}
			back.ID = append(back.ID, job.ID)
			back.Error = append(back.Error, note)
			back.FinalizedAt = append(back.FinalizedAt, nil)
			back.ScheduledAt = append(back.ScheduledAt, now)
			back.State = append(back.State, string(rivertype.JobStateAvailable))
		}
		if _, err = executor.JobRescueMany(ctx, &back); err != nil {
			return err
		}
	}
}
