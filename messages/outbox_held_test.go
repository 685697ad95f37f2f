package messages

import (
	"fmt"
	"testing"
	"time"
)

// The letters of a chat are due one attempt after the other, ever more rarely,
// and at once when the session connects.
func TestHeld(t *testing.T) {
	var h held
	h.init()
	now := time.Unix(1_700_000_000, 0)
	first, second := &letter{session: "s", id: "1"}, &letter{session: "s", id: "2"}
	h.add(first, now)
	h.add(second, now)
	if lines, pause := h.due(now); len(lines) != 0 || pause != heldFirst {
		t.Errorf("at once: %v, %v", lines, pause)
	}
	var pauses []time.Duration
	for range 8 {
		_, pause := h.due(now)
		pauses = append(pauses, pause)
		now = now.Add(pause)
		if lines, _ := h.due(now); len(lines) != 1 {
			t.Fatalf("due after %v: %v", pause, lines)
		}
		if lines, _ := h.due(now); len(lines) != 0 {
			t.Errorf("what is being sent is due again")
		}
		h.rest(first.line(), now)
	}
	if fmt.Sprint(pauses) != "[1s 1s 2s 4s 8s 16s 32s 1m0s]" {
		t.Errorf("the pauses are %v", pauses)
	}
	h.hurry("other", now)
	if lines, _ := h.due(now); len(lines) != 0 {
		t.Error("another session's connection made them due")
	}
	h.hurry("s", now)
	if lines, _ := h.due(now); len(lines) != 1 {
		t.Error("the session's connection did not make them due")
	}
	h.remove(first)
	if got := h.of(second.line()); len(got) != 1 || got[0] != second || h.has(first) || !h.has(second) {
		t.Errorf("left are %v", got)
	}
	h.remove(second)
	h.rest(second.line(), now)
	if len(h.chats) != 0 {
		t.Errorf("%d chats are kept", len(h.chats))
	}
}
