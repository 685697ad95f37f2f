package service

import "muster/sandbox/fault"

// Faults are the world's scripted faults. A fault that is ended lets go of what
// it held up.
type Faults struct{ w *World }

// Faults is the world's set of scripted faults.
func (w *World) Faults() Faults { return Faults{w} }

// Add puts a fault in force and returns it with its id, or says what is wrong
// with it.
func (f Faults) Add(rule fault.Fault) (fault.Fault, error) { return f.w.faults.Add(rule) }

// List returns the faults, spent ones included, in the order they were added.
func (f Faults) List() []fault.Fault { return f.w.faults.List() }

// Remove ends one fault; it tells whether there was one. A fault that stalled
// connections or held notifications back lets them go on: those of the account
// it was about, or all when it was about any.
func (f Faults) Remove(id string) bool {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, rule := range w.faults.List() {
		if rule.ID != id || !w.faults.Remove(id) {
			continue
		}
		if rule.Effect.Stall {
			w.endStalls(rule.Match.Account)
		}
		if rule.Effect.Reorder {
			w.endHolds(rule.Match.Account)
		}
		w.touch()
		return true
	}
	return false
}

// Clear ends every fault, and lets go on what was stalled or held back.
func (f Faults) Clear() { f.w.ClearFaults() }

// ClearFaults ends every fault, and lets go on what was stalled or held back.
func (w *World) ClearFaults() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults.Clear()
	w.media.ClearFailures()
	w.groups.ClearRefusals()
	w.endStalls("")
	w.endHolds("")
	w.touch()
}

// endStalls lets the stalled connections of an account go on, or with "" all.
func (w *World) endStalls(number string) {
	for c := range w.conns {
		if number == "" || c.stalledFor == number {
			c.release()
		}
	}
}

// endHolds sends the notifications that are held back from an account's
// devices, or with "" from all.
func (w *World) endHolds(number string) {
	for _, a := range w.people() {
		if number != "" && a.PN.User != number {
			continue
		}
		for _, d := range a.companions() {
			w.release(d)
		}
	}
}
