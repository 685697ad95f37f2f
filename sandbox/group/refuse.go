package group

import (
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"
)

// Refusal is a scripted outcome for one person: changes to them fail with a
// code that nothing in the model may lead to, 451 and 500 among them.
type Refusal struct {
	// Person is whom it is about, by phone JID or LID; they need not exist.
	Person types.JID `json:"person"`
	// Action is one of Actions; empty meets any.
	Action string `json:"action,omitempty"`
	// Code is the participant's error: 400 to 599. With 403 comes an add
	// request, where there can be one.
	Code int `json:"code"`
	// Count is how many changes it meets; 0 means no limit.
	Count int `json:"count,omitempty"`
}

// Actions lists what is done to participants, as Attempt and Refusal name it.
func Actions() []string {
	return []string{"create", "add", "remove", "promote", "demote", "approve", "reject"}
}

// Refuse puts a refusal in force until it has met its count of changes, or
// until ClearRefusals. The first one that meets a change decides; a hook of
// Interpose comes before all of them. The error names the field that is wrong.
func (r *Registry) Refuse(rule Refusal) error {
	rule.Person = bare(rule.Person)
	switch {
	case rule.Person.User == "" || rule.Person.Server != types.DefaultUserServer && rule.Person.Server != types.HiddenUserServer:
		return fmt.Errorf("person: %q is neither a phone JID nor a LID", rule.Person)
	case rule.Action != "" && !slices.Contains(Actions(), rule.Action):
		return fmt.Errorf("action: %q is none of %s", rule.Action, strings.Join(Actions(), ", "))
	case rule.Code < 400 || rule.Code > 599:
		return fmt.Errorf("code: must be between 400 and 599, not %d", rule.Code)
	case rule.Code == 421:
		return fmt.Errorf("code: 421 is no failure but a join request, which the group's approval mode brings about")
	case rule.Count < 0:
		return fmt.Errorf("count: must not be negative")
	}
	r.refusals = append(r.refusals, rule)
	return nil
}

// ClearRefusals ends all refusals.
func (r *Registry) ClearRefusals() { r.refusals = nil }

// hooked asks the hook of Interpose, then the refusals.
func (r *Registry) hooked(a Attempt) int {
	if r.interpose != nil {
		if code := r.interpose(a); code != 0 {
			return code
		}
	}
	for i := range r.refusals {
		rule := &r.refusals[i]
		if rule.Action != "" && rule.Action != a.Action || rule.Person != a.Target.PN && rule.Person != a.Target.LID {
			continue
		}
		code := rule.Code
		if rule.Count > 0 {
			if rule.Count--; rule.Count == 0 {
				r.refusals = slices.Delete(r.refusals, i, i+1)
			}
		}
		return code
	}
	return 0
}
