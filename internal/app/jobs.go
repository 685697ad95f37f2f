package app

import (
	"context"

	"muster/groups"
	"muster/groups/bulk"
	"muster/internal/queue"
)

// openQueue opens the job queue, which takes jobs from then on; Run starts it.
func (a *App) openQueue(ctx context.Context) (err error) {
	if a.jobs, err = queue.Open(ctx, a.db, a.log); err == nil {
		err = a.metrics.Register(a.jobs.Metrics())
	}
	return err
}

// openJobs makes the durable jobs ready. They end before what they use does.
func (a *App) openJobs(service *groups.Service) *bulk.Service {
	a.onClose("job queue", a.jobs.Stop)
	a.services.Bulk = bulk.NewService(bulk.Options{DB: a.db, Groups: service, Queue: a.jobs, Log: a.log})
	return a.services.Bulk
}
