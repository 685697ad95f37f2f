package fault

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestValidateNamesTheField(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault Fault
		want  string
	}{
		"no effect":           {Fault{}, "effect"},
		"two effects":         {Fault{Effect: Script{Close: true, Stall: true}}, "effect"},
		"negative delay":      {Fault{Effect: Script{DelayMS: -1}}, "effect.delay_ms"},
		"negative count":      {Fault{Effect: Script{Close: true}, Count: -1}, "count"},
		"unlikely":            {Fault{Effect: Script{Close: true}, Probability: -0.1}, "probability"},
		"more than certain":   {Fault{Effect: Script{Close: true}, Probability: 1.1}, "probability"},
		"error after a delay": {Fault{Effect: Script{Error: 429, DelayMS: 10}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.fault.Validate()
			if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want+":") {
				t.Errorf("got %v, want an error about %q", err, test.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	create := Stanza{Tag: "iq", XMLNS: "w:g2", Type: "set", Child: "create", Account: "49151"}
	pushed := Stanza{Tag: "notification", Type: "w:gp2", Child: "subject", Group: "1@g.us", Outgoing: true}
	for name, test := range map[string]struct {
		fault  Fault
		stanza Stanza
		meets  bool
	}{
		"anything":                         {Fault{Effect: Script{Error: 500}}, create, true},
		"every field":                      {Fault{Match: Match{XMLNS: "w:g2", Type: "set", Child: "create", Account: "49151"}, Effect: Script{Error: 500}}, create, true},
		"another child":                    {Fault{Match: Match{Child: "add"}, Effect: Script{Error: 500}}, create, false},
		"another account":                  {Fault{Match: Match{Account: "49152"}, Effect: Script{Error: 500}}, create, false},
		"another group":                    {Fault{Match: Match{Group: "2@g.us"}, Effect: Script{Duplicate: true}}, pushed, false},
		"a notification's effect":          {Fault{Match: Match{Group: "1@g.us"}, Effect: Script{Duplicate: true}}, pushed, true},
		"a request is no notification":     {Fault{Match: Match{Type: "set"}, Effect: Script{Duplicate: true}}, create, false},
		"an error is not for what is sent": {Fault{Effect: Script{Error: 500}}, pushed, false},
		"delayed notification":             {Fault{Match: Match{Tag: "notification"}, Effect: Script{DelayMS: 5}}, pushed, true},
		"login":                            {Fault{Effect: Script{LoginFailure: 402}}, Stanza{Tag: "login", Account: "1"}, true},
		"login only":                       {Fault{Effect: Script{LoginFailure: 402}}, create, false},
		"messages by tag":                  {Fault{Match: Match{Tag: "message"}, Effect: Script{Error: 463}}, Stanza{Tag: "message"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := NewSet(bytes.NewReader(nil))
			if _, err := set.Add(test.fault); err != nil {
				t.Fatal(err)
			}
			if effect := set.Match(test.stanza); (effect != Effect{}) != test.meets {
				t.Errorf("effect %+v, want one: %v", effect, test.meets)
			}
		})
	}
}

// A fault that is used up stays listed, so that a test can see that it struck.
func TestCount(t *testing.T) {
	t.Parallel()
	set := NewSet(bytes.NewReader(nil))
	made, err := set.Add(Fault{Effect: Script{Error: 429, DelayMS: 7}, Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		effect := set.Match(Stanza{Tag: "iq"})
		if want := i < 2; (effect.Error == 429 && effect.Delay == 7*time.Millisecond) != want {
			t.Errorf("stanza %d: %+v", i, effect)
		}
	}
	if list := set.List(); len(list) != 1 || list[0].ID != made.ID || list[0].Met != 2 || list[0].Count != 2 {
		t.Errorf("the list is %+v", list)
	}
	if !set.Remove(made.ID) || set.Remove(made.ID) || len(set.List()) != 0 {
		t.Error("removing does not work")
	}
}

// The first rule decides, and a rule whose draw fails leaves the stanza to the next.
func TestOrderAndProbability(t *testing.T) {
	t.Parallel()
	low, high := make([]byte, 8), bytes.Repeat([]byte{0xff}, 8)
	set := NewSet(bytes.NewReader(append(low, high...)))
	for _, f := range []Fault{{Effect: Script{Error: 500}, Probability: 0.5}, {Effect: Script{Error: 429}}} {
		if _, err := set.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	if first, second := set.Match(Stanza{Tag: "iq"}).Error, set.Match(Stanza{Tag: "iq"}).Error; first != 500 || second != 429 {
		t.Errorf("got %d and %d, want 500 for a low draw and 429 after a high one", first, second)
	}
	set.Clear()
	if (set.Match(Stanza{Tag: "iq"}) != Effect{}) {
		t.Error("a cleared set still strikes")
	}
}
