package app

import (
	"context"

	"muster/groups"
	"muster/groups/bulk"
	"muster/internal/queue"
)

// openJobs makes the durable jobs ready; Run starts them. They end before what
// they use does.
func (a *App) openJobs(ctx context.Context, service *groups.Service) (jobs *bulk.Service, err error) {
	if a.jobs, err = queue.Open(ctx, a.db, a.log); err != nil {
		return nil, err
	}
	a.onClose("job queue", a.jobs.Stop)
	return bulk.NewService(bulk.Options{DB: a.db, Groups: service, Queue: a.jobs, Log: a.log}), nil
}
