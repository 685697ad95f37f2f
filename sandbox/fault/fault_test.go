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
		"no effect":              {Fault{}, "effect"},
		"two effects":            {Fault{Effect: Script{Close: true, Stall: true}}, "effect"},
		"error and close":        {Fault{Effect: Script{Error: 500, Close: true}}, "effect"},
		"negative delay":         {Fault{Effect: Script{DelayMS: -1}}, "effect.delay_ms"},
		"a delay of an hour":     {Fault{Effect: Script{DelayMS: 3600000}}, "effect.delay_ms"},
		"negative code":          {Fault{Effect: Script{Error: -7}}, "effect.error"},
		"code too small":         {Fault{Effect: Script{Error: 200}}, "effect.error"},
		"code too large":         {Fault{Effect: Script{Error: 9999}}, "effect.error"},
		"stream code too large":  {Fault{Effect: Script{StreamError: 600}}, "effect.stream_error"},
		"login reason too small": {Fault{Effect: Script{LoginFailure: 1}}, "effect.login_failure"},
		"negative count":         {Fault{Effect: Script{Close: true}, Count: -1}, "count"},
		"unlikely":               {Fault{Effect: Script{Close: true}, Probability: -0.1}, "probability"},
		"more than certain":      {Fault{Effect: Script{Close: true}, Probability: 1.1}, "probability"},
		"error after a delay":    {Fault{Effect: Script{Error: 429, DelayMS: 10}}, ""},
		"unknown stanza":         {Fault{Match: Match{Tag: "iqq"}, Effect: Script{Close: true}}, "match.tag"},
		"message by xmlns":       {Fault{Match: Match{Tag: "message", XMLNS: "w:g2"}, Effect: Script{Close: true}}, "match.xmlns"},
		"login by group":         {Fault{Match: Match{Group: "1@g.us"}, Effect: Script{LoginFailure: 401}}, "match.group"},
		"notification by xmlns":  {Fault{Match: Match{XMLNS: "w:g2"}, Effect: Script{Duplicate: true}}, "match.xmlns"},
		"a client's answer":      {Fault{Match: Match{Type: "result"}, Effect: Script{Close: true}}, "match.type"},
		"no number":              {Fault{Match: Match{Account: "Alice"}, Effect: Script{Close: true}}, "match.account"},
		"a LID":                  {Fault{Match: Match{Account: "1234@lid"}, Effect: Script{Close: true}}, "match.account"},
		"no group":               {Fault{Match: Match{Group: "49151@s.whatsapp.net"}, Effect: Script{Close: true}}, "match.group"},
		"late refused message":   {Fault{Match: Match{Tag: "message"}, Effect: Script{Error: 463, DelayMS: 10}}, ""},
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

// Each kind of stanza takes the effects that do something to it, and no others.
func TestValidateKnowsWhatDoesNothing(t *testing.T) {
	t.Parallel()
	effects := map[string]Script{
		"error": {Error: 500}, "delay_ms": {DelayMS: 1}, "drop_reply": {DropReply: true},
		"apply_then_disconnect": {ApplyThenDisconnect: true}, "stream_error": {StreamError: 503},
		"login_failure": {LoginFailure: 401}, "close": {Close: true}, "stall": {Stall: true},
		"duplicate": {Duplicate: true}, "reorder": {Reorder: true},
	}
	const ends = " apply_then_disconnect stream_error close stall "
	for tag, takes := range map[string]string{
		"iq":           " error delay_ms drop_reply" + ends,
		"message":      " error delay_ms drop_reply" + ends,
		"receipt":      ends,
		"ack":          ends,
		"presence":     ends,
		"chatstate":    ends,
		"notification": " delay_ms drop_reply duplicate reorder ",
		"login":        " login_failure error delay_ms drop_reply" + ends,
	} {
		for name, effect := range effects {
			err := Fault{Match: Match{Tag: tag}, Effect: effect}.Validate()
			if want := strings.Contains(takes, " "+name+" "); (err == nil) != want {
				t.Errorf("%s with %s: %v", tag, name, err)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), "effect."+name+":") || !strings.Contains(err.Error(), "close") && tag != "notification") {
				t.Errorf("%s with %s: %v does not name the field and what is allowed", tag, name, err)
			}
		}
	}
}

// A number may be written as people write it.
func TestAccountForms(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"4915112345678", "+4915112345678", "4915112345678@s.whatsapp.net", "4915112345678:3@s.whatsapp.net"} {
		set := NewSet(bytes.NewReader(nil))
		made, err := set.Add(Fault{Match: Match{Account: account}, Effect: Script{Error: 500}})
		if err != nil || made.Match.Account != "4915112345678" {
			t.Errorf("%s became %+v, %v", account, made, err)
		}
		if set.Match(Stanza{Tag: "iq", Account: "4915112345678"}).Error != 500 {
			t.Errorf("%s does not meet its account", account)
		}
	}
}

// A client's answer is no request: it must not use a fault up.
func TestAnswersAreNotMet(t *testing.T) {
	t.Parallel()
	set := NewSet(bytes.NewReader(nil))
	if _, err := set.Add(Fault{Effect: Script{Error: 429}, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if effect := set.Match(Stanza{Tag: "iq", Type: "result"}); effect != (Effect{}) {
		t.Errorf("an answer met %+v", effect)
	}
	if effect := set.Match(Stanza{Tag: "iq", Type: "get"}); effect.Error != 429 {
		t.Errorf("the request after it met %+v", effect)
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
