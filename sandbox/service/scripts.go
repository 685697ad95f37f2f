package service

import (
	"fmt"

	"muster/sandbox/group"
	"muster/sandbox/media"
)

// Scripted trouble beyond single stanzas, which package fault is for: requests
// for media over HTTP, and the outcome for one person of a change of several.

// FailMedia lets uploads, downloads or deletions of media fail until the
// failure has met its count, or until ClearScripts. The error names the field
// that is wrong.
func (w *World) FailMedia(failure media.Failure) error { return w.media.Fail(failure) }

// RefuseParticipant makes changes to one person in groups fail with a code that
// nothing else may lead to, such as 451 or 500: the change goes through for
// everybody else. The number may be a JID of either kind, and of nobody known.
// action is one of group.Actions, or "" for any; count is how many changes it
// meets, 0 for no limit. The error names the field that is wrong.
func (w *World) RefuseParticipant(number, action string, code, count int) error {
	person, err := parsePerson(number)
	if err != nil {
		return fmt.Errorf("number: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.groups.Refuse(group.Refusal{Person: person, Action: action, Code: code, Count: count})
}

// ClearScripts ends what FailMedia and RefuseParticipant began.
func (w *World) ClearScripts() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.media.ClearFailures()
	w.groups.ClearRefusals()
}
