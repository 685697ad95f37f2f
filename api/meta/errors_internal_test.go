package meta

import (
	"testing"

	"muster/groups"
	"muster/internal/fault"
)

func TestEveryFaultHasANumber(t *testing.T) {
	t.Parallel()
	known := meanings()
	for _, code := range fault.Codes() {
		ruling := verdictOf(code)
		if ruling.code == 0 || known[ruling.code].title == "" {
			t.Errorf("the fault %s has no number at Meta's", code)
		}
		if p := problemOf(fault.New(code, "x")); p.Status < 400 || p.Status > 599 {
			t.Errorf("the fault %s is answered with the status %d", code, p.Status)
		}
	}
	if verdictOf("no such code").code != 0 {
		t.Error("the table has a row for what does not exist")
	}
}

func TestEveryFailureOfAPersonHasANumber(t *testing.T) {
	t.Parallel()
	known := meanings()
	for _, code := range []string{
		groups.CodeNotOnWhatsApp, groups.CodePrivacy, groups.CodeBlocked, groups.CodeRecentlyLeft, groups.CodeAlreadyMember, groups.CodeNotMember,
		groups.CodeCommunity, groups.CodeGroupFull, groups.CodeLegal, groups.CodeCreator, groups.CodeNotAcceptable, groups.CodeNoRequest,
	} {
		if known[personal(code)].title == "" {
			t.Errorf("the failure %s has no number at Meta's", code)
		}
	}
}
