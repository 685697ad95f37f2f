package media

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Use is what the database says of a file.
type Use int

const (
	Unused Use = iota // no row names it
	Kept              // a message has it; it may go by age and size
	Needed            // a message that is still to be sent has it: it is not removed
)

// Owner tells which files its rows use; what it leaves out is Unused. It is
// asked in batches before anything is removed.
type Owner func(ctx context.Context, sums []Sum) (map[Sum]Use, error)

// AddOwner makes the sweep ask the owner too. All owners are added before Run.
// Without any, no file counts as an orphan.
func (s *Store) AddOwner(owner Owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners = append(s.owners, owner)
}

const (
	// grace is how long a file stays that no row names: the row is written after
	// the file.
	grace      = time.Hour
	sweepEvery = 10 * time.Minute
	// batch is how many files an owner is asked about at once.
	batch = 500
)

// Run sweeps now and then, and when the files have outgrown their size, until
// the context ends: see Sweep.
func (s *Store) Run(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.full:
		}
		swept, err := s.Sweep(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.options.Log.Error().Err(err).Msg("media files could not be swept")
		case swept != Swept{}:
			s.options.Log.Info().Int("orphans", swept.Orphans).Int("expired", swept.Expired).Int("over", swept.Over).
				Int64("bytes", swept.Bytes).Msg("media files removed")
		}
	}
}

// Swept counts what a sweep removed.
type Swept struct {
	Orphans, Expired, Over int   // files: without an owner, past the retention, over the size
	Bytes                  int64 // of all of them
}

// candidate is a file that a sweep looks at.
type candidate struct {
	sum Sum
	entry
}

// Sweep removes files that no owner uses, files past the retention, and the
// oldest ones over the size. Files that a message still to be sent needs stay,
// and so does for an hour what nobody uses yet. An owner learns by Has what is
// gone.
func (s *Store) Sweep(ctx context.Context) (Swept, error) {
	candidates, owners := s.candidates()
	var swept Swept
	for part := range slices.Chunk(candidates, batch) {
		uses, err := ask(ctx, owners, part)
		if err != nil {
			return swept, err
		}
		for _, c := range part {
			if err = s.judge(c, uses[c.sum], len(owners) > 0, &swept); err != nil {
				return swept, err
			}
		}
	}
	return swept, nil
}

// candidates are all files, the oldest first.
func (s *Store) candidates() ([]candidate, []Owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]candidate, 0, len(s.kept))
	for sum, known := range s.kept {
		list = append(list, candidate{sum, known})
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(a.stored.Compare(b.stored), slices.Compare(a.sum[:], b.sum[:]))
	})
	return list, slices.Clone(s.owners)
}

// ask is the strongest use of each file.
func ask(ctx context.Context, owners []Owner, part []candidate) (map[Sum]Use, error) {
	sums := make([]Sum, len(part))
	for i, c := range part {
		sums[i] = c.sum
	}
	uses := make(map[Sum]Use, len(sums))
	for _, owner := range owners {
		answer, err := owner(ctx, sums)
		if err != nil {
			return nil, fmt.Errorf("asking who uses media files: %w", err)
		}
		for sum, use := range answer {
			uses[sum] = max(uses[sum], use)
		}
	}
	return uses, nil
}

// judge removes one file if there is a reason to, and if nobody stored it
// again since it became a candidate.
func (s *Store) judge(c candidate, use Use, owned bool, swept *Swept) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, found := s.kept[c.sum]; !found || known != c.entry || use == Needed {
		return nil
	}
	var reason *int
	switch age := s.options.Now().Sub(c.stored); {
	case owned && use == Unused && age < grace:
		return nil
	case owned && use == Unused:
		reason = &swept.Orphans
	case s.options.Retention > 0 && age >= s.options.Retention:
		reason = &swept.Expired
	case s.options.MaxBytes > 0 && s.bytes > s.options.MaxBytes:
		reason = &swept.Over
	default:
		return nil
	}
	if err := s.remove(c.sum); err != nil {
		return err
	}
	*reason++
	swept.Bytes += c.size
	return nil
}
