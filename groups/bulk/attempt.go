package bulk

import (
	"context"

	"muster/groups"
)

// attempt is one batch on its way: who has an outcome before WhatsApp is asked,
// and who will be asked for.
type attempt struct {
	job       Job
	batch     []item
	prospects []groups.Prospect // one for each of the batch

	noted []item // what to write down before asking
	// asked are the people to ask for, candidates the same for the operation.
	// askedBefore: an earlier attempt may have asked for them too.
	asked       []item
	candidates  []groups.Prospect
	askedBefore []bool
}

// sort decides about everybody of the batch. It may run again when its
// transaction is repeated.
func (a *attempt) sort(ctx context.Context, r repo) error {
	a.noted, a.asked, a.candidates, a.askedBefore = nil, nil, nil, nil
	named := map[string]bool{}
	for i, p := range a.prospects {
		it := a.batch[i]
		it.Identity = p.Identity
		if named[p.LID] || named[p.PhoneNumber] {
			continue // the same person twice in one batch: the next one finds the twin
		}
		for _, name := range []string{p.LID, p.PhoneNumber} {
			if name != "" {
				named[name] = true
			}
		}
		twin, found, err := r.twin(ctx, a.job.ID, it)
		if err != nil {
			return err
		}
		failed := p.Failed()
		switch {
		case found:
			twin.index, twin.input, twin.Identity = it.index, it.input, it.Identity
			it = twin
		case p.Member && it.state == itemAdding:
			it.settle(groups.Result{Identity: p.Identity, Status: groups.StatusAdded}, a.job.OnPrivate)
		case failed != nil:
			it.settle(*failed, a.job.OnPrivate)
		default:
			a.askedBefore = append(a.askedBefore, it.state == itemAdding)
			it.state = itemAdding
			a.asked, a.candidates = append(a.asked, it), append(a.candidates, p)
		}
		a.noted = append(a.noted, it)
	}
	return nil
}

// answer takes over what WhatsApp said of one of the people asked for. Somebody
// who became a member between the look at the group and the request was added
// by an earlier attempt, if there was one.
func (a *attempt) answer(i int, result groups.Result) {
	if a.askedBefore[i] && result.Failure != nil && result.Failure.Code == groups.CodeAlreadyMember {
		result.Status, result.Failure = groups.StatusAdded, nil
	}
	a.asked[i].settle(result, a.job.OnPrivate)
}
