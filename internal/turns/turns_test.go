package turns_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"muster/internal/turns"
)

const patience = 30 * time.Second

func TestOneAtATimeInOrder(t *testing.T) {
	t.Parallel()
	var lines turns.Lines[string]
	var order, want []int
	var all sync.WaitGroup
	for i := range 50 {
		turn := lines.Join("key")
		want = append(want, i)
		all.Go(func() {
			defer turn.Leave()
			if err := turn.Wait(t.Context(), patience); err != nil {
				t.Error(err)
			}
			order = append(order, i) // the race detector sees to it that nobody else is here
		})
	}
	all.Wait()
	if !slices.Equal(order, want) || lines.Len() != 0 {
		t.Errorf("in the order %v, and %d lines are kept", order, lines.Len())
	}
}

func TestOtherKeysDoNotWait(t *testing.T) {
	t.Parallel()
	var lines turns.Lines[int]
	first := lines.Join(1)
	defer first.Leave()
	second := lines.Join(2)
	defer second.Leave()
	if err := second.Wait(t.Context(), patience); err != nil {
		t.Error(err)
	}
}

// Whoever gives up in the middle of a line does not hold up those behind.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	var lines turns.Lines[int]
	first, second, third := lines.Join(1), lines.Join(1), lines.Join(1)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := second.Wait(gone, patience); !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone got %v", err)
	}
	if err := third.Wait(t.Context(), time.Nanosecond); !errors.Is(err, turns.ErrTooLong) {
		t.Errorf("who has no time got %v", err)
	}
	second.Leave()
	second.Leave()
	select {
	case <-awaited(t, third):
		t.Error("a turn came although the first has not ended")
	default:
	}
	first.Leave()
	if err := third.Wait(t.Context(), patience); err != nil {
		t.Error(err)
	}
	third.Leave()
	if lines.Len() != 0 {
		t.Errorf("%d lines are kept", lines.Len())
	}
}

// awaited is closed at once if the turn has come.
func awaited(t *testing.T, turn *turns.Turn[int]) <-chan struct{} {
	come := make(chan struct{})
	if turn.Wait(t.Context(), time.Nanosecond) == nil {
		close(come)
	}
	return come
}
