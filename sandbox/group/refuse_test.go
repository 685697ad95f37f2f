package group_test

import (
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

func TestScriptedRefusals(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 4)
	g := w.create(p[0])
	stranger := types.NewJID("4915599999999", types.DefaultUserServer)
	for _, rule := range []group.Refusal{
		{Person: p[1].PN, Code: 451, Count: 1},
		{Person: p[2].LID, Action: "remove", Code: 500},
		{Person: stranger, Action: "add", Code: 500},
		{Person: p[3].PN, Action: "add", Code: 403, Count: 2},
	} {
		if err := w.reg.Refuse(rule); err != nil {
			t.Fatal(err)
		}
	}
	everyone := w.change("add", p[1], p[2], p[3])
	everyone.Content = append(stanza.Children(&everyone), stanza.Node{Tag: "participant", Attrs: stanza.Attrs{"jid": stranger}})
	reply, _ := w.must(p[0], g.JID, "set", everyone)
	if got := codes(t, reply, "add"); got != "451 200 403 500" {
		t.Errorf("the first time: %s", got)
	}
	reply, _ = w.must(p[0], g.JID, "set", everyone)
	if got := codes(t, reply, "add"); got != "200 409 403 500" {
		t.Errorf("the second time: %s", got)
	}
	reply, heard := w.must(p[0], g.JID, "set", w.change("remove", p[2]))
	if got := codes(t, reply, "remove"); got != "500" {
		t.Errorf("removal: %s", got)
	}
	heard.want(t)
	w.reg.ClearRefusals()
	reply, _ = w.must(p[0], g.JID, "set", w.change("remove", p[2]))
	if got := codes(t, reply, "remove"); got != "200" {
		t.Errorf("once it is over: %s", got)
	}
}

func TestScriptedRefusalsAreChecked(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	person := w.persons(0, 1)[0].PN
	for want, rule := range map[string]group.Refusal{
		"person:": {Person: types.NewJID("1", types.GroupServer), Code: 500},
		"action:": {Person: person, Action: "expel", Code: 500},
		"code: m": {Person: person, Code: 200},
		"code: 4": {Person: person, Code: 421},
		"count:":  {Person: person, Code: 500, Count: -1},
	} {
		if err := w.reg.Refuse(rule); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v", rule, err)
		}
	}
}
