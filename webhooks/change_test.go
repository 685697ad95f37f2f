package webhooks_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"muster/internal/event"
	"muster/internal/fault"
	"muster/webhooks"
)

// What is not acceptable is refused by the name of its field.
func TestRefusals(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		e := r.create(webhooks.CreateRequest{URL: "https://example.com/"})
		text := func(s string) *string { return &s }
		list := func(s ...string) *[]string { return &s }
		headers := func(name, value string) *map[string]string { return &map[string]string{name: value} }
		many := make([]string, 1001)
		for i := range many {
			many[i] = "a"
		}
		for _, c := range []struct {
			field string
			req   webhooks.UpdateRequest
		}{
			{"url", webhooks.UpdateRequest{URL: text("")}},
			{"url", webhooks.UpdateRequest{URL: text("example.com/x")}},
			{"url", webhooks.UpdateRequest{URL: text("ftp://example.com/")}},
			{"url", webhooks.UpdateRequest{URL: text("http:///path")}},
			{"url", webhooks.UpdateRequest{URL: text("http://user:pass@example.com/")}},
			{"url", webhooks.UpdateRequest{URL: text("http://example.com/#part")}},
			{"url", webhooks.UpdateRequest{URL: text("http://exa mple.com/")}},
			{"url", webhooks.UpdateRequest{URL: text("http://example.com/" + strings.Repeat("x", 2048))}},
			{"events[1]", webhooks.UpdateRequest{Events: list("*", "group.nothing")}},
			{"events[0]", webhooks.UpdateRequest{Events: list("group.sub*")}},
			{"sessions[0]", webhooks.UpdateRequest{Sessions: list("a b")}},
			{"sessions", webhooks.UpdateRequest{Sessions: &many}},
			{"groups[0]", webhooks.UpdateRequest{Groups: list("628111000000@s.whatsapp.net")}},
			{"groups", webhooks.UpdateRequest{Groups: &many}},
			{"format", webhooks.UpdateRequest{Format: text("xml")}},
			{"secret", webhooks.UpdateRequest{Secret: text("short")}},
			{"secret", webhooks.UpdateRequest{Secret: text("whsec_AAAA")}},
			{"secret", webhooks.UpdateRequest{Secret: text(strings.TrimPrefix(secretA, "whsec_"))}},
			{"headers", webhooks.UpdateRequest{Headers: headers("a b", "x")}},
			{"headers.x-a", webhooks.UpdateRequest{Headers: headers("x-a", "a\r\nHost: b")}},
			{"headers.host", webhooks.UpdateRequest{Headers: headers("host", "x")}},
			{"headers.Webhook-Id", webhooks.UpdateRequest{Headers: headers("Webhook-Id", "x")}},
			{"headers.x-webhook-signature", webhooks.UpdateRequest{Headers: headers("x-webhook-signature", "x")}},
			{"headers.x-a", webhooks.UpdateRequest{Headers: &map[string]string{"X-A": "1", "x-a": "2"}}},
		} {
			c.req.ID = e.ID
			_, err := r.hooks.Update(r.t.Context(), c.req)
			var failure *fault.Error
			if !errors.As(err, &failure) || failure.Code != fault.Invalid || failure.Field != c.field {
				r.t.Errorf("%s: %v", c.field, err)
			}
		}
		if got := r.get(e.ID); got.URL != "https://example.com/" || len(got.Events) != 1 || got.Events[0] != "*" || got.Format != "muster" {
			r.t.Errorf("it is now %+v", got)
		}
	})
}

// Private addresses are refused when a webhook is made, and again when it is
// connected to.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		to := receive(r.t)
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		r.stop()
		r.options.AllowPrivate = false
		r.start()
		for _, host := range []string{
			"127.0.0.1", "localhost", "LOCALHOST.", "x.localhost", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
			"0.0.0.0", "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
		} {
			_, _, err := r.hooks.Create(r.t.Context(), webhooks.CreateRequest{URL: "http://" + host + ":8080/"})
			var failure *fault.Error
			if !errors.As(err, &failure) || failure.Field != "url" {
				r.t.Errorf("%s: %v", host, err)
			}
		}
		r.create(webhooks.CreateRequest{URL: "https://93.184.215.14/"})
		r.subjects("x", 1)
		r.eventually("the refusal", 0, func() bool { return r.get(e.ID).Failures == 1 })
		if text := r.get(e.ID).LastError; !strings.Contains(text, "prohibited") {
			r.t.Errorf("it failed because of %q", text)
		}
		if n := len(to.requests()); n > 0 {
			r.t.Errorf("%d requests came", n)
		}
	})
}

// A test sends a sample of each type that the endpoint wants, and says what came
// of each.
func TestTest(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		to := receive(r.t)
		off := false
		e := r.create(webhooks.CreateRequest{URL: to.URL, Secret: secretA, Enabled: &off})
		attempts, err := r.hooks.Test(r.t.Context(), webhooks.TestRequest{WebhookID: e.ID})
		r.must(err)
		if len(attempts) != len(event.Kinds()) || len(to.requests()) != len(attempts) {
			r.t.Fatalf("%d attempts and %d requests for %d types", len(attempts), len(to.requests()), len(event.Kinds()))
		}
		for i, kind := range event.Kinds() {
			if a := attempts[i]; a.Type != kind.Type || a.Result != "delivered" || a.Kind != "test" {
				r.t.Errorf("%s: %+v", kind.Type, a)
			}
		}
		if !verifies(r.t, secretA, to.requests()[0]) {
			r.t.Error("a sample is not signed")
		}
		to.status(410, "")
		attempts, err = r.hooks.Test(r.t.Context(), webhooks.TestRequest{WebhookID: e.ID, Events: []string{"session.*"}})
		if err != nil || len(attempts) != 3 || attempts[0].Result != "gone" {
			r.t.Errorf("with 410: %+v, %v", attempts, err)
		}
		if got := r.get(e.ID); got.DisabledReason != "" || got.DeadLetters != 0 || got.Failures != 0 {
			r.t.Errorf("the test has consequences: %+v", got)
		}
		if n := len(r.attempts(e.ID)); n != len(event.Kinds())+3 {
			r.t.Errorf("%d attempts are shown", n)
		}
		if _, err = r.hooks.Test(r.t.Context(), webhooks.TestRequest{WebhookID: e.ID, Events: []string{"nothing"}}); err == nil {
			r.t.Error("a type that there is not was accepted")
		}
	})
}

// Samples have the data that their types have.
func TestSamples(t *testing.T) {
	t.Parallel()
	samples := webhooks.Samples("a", newClock().Now())
	for i, kind := range event.Kinds() {
		if i >= len(samples) || samples[i].Type != kind.Type {
			t.Fatalf("there is no sample of %s, or not in its place", kind.Type)
		}
		if got := typeOf(samples[i].Data); got != kind.Payload {
			t.Errorf("the sample of %s is a %v, want %v", kind.Type, got, kind.Payload)
		}
	}
}

// double writes two requests for each event, none for some, and fails on others.
type double struct{}

func (double) Encode(e event.Event, to webhooks.Endpoint) ([]webhooks.Request, error) {
	var data event.Subject
	if err := e.Decode(&data); err != nil {
		return nil, err
	}
	switch data.Subject {
	case "nothing":
		return nil, nil
	case "error":
		return nil, errors.New("no words for it")
	case "panic":
		panic("a defect")
	}
	return []webhooks.Request{
		{Body: "one " + to.ID},
		{Body: "two", ContentType: "text/plain", Header: map[string]string{"X-Vendor": "v", "webhook-id": "forged"}},
	}, nil
}

// A format decides what is sent, and its defects do not keep events from being
// written.
func TestFormat(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{Encoders: map[string]webhooks.Encoder{"double": double{}}}, func(r *rig) {
		to, plain := receive(r.t), receive(r.t)
		e := r.create(webhooks.CreateRequest{URL: to.URL, Format: "double", Events: []string{"group.subject"}})
		r.create(webhooks.CreateRequest{URL: plain.URL})
		r.emit(subject("a", "nothing"), subject("a", "error"), subject("a", "panic"), subject("a", "fine"))
		plain.wait(r.t, 4)
		byID := map[string]got{}
		for _, request := range to.wait(r.t, 2) {
			byID[strings.TrimPrefix(request.id, request.id[:24])] = request
		}
		one, two := byID[""], byID[".2"]
		if string(one.body) != "one "+e.ID || string(two.body) != "two" || two.header.Get("X-Vendor") != "v" || two.header.Get("Content-Type") != "text/plain" {
			r.t.Errorf("the requests are %q and %q, %v", one.body, two.body, two.header)
		}
		letters := r.dead(e.ID)
		if len(letters) != 2 || letters[0].Reason != "unwritable" || letters[1].Reason != "unwritable" {
			r.t.Fatalf("the dead letters are %+v", letters)
		}
		muster := "muster"
		if _, err := r.hooks.Update(r.t.Context(), webhooks.UpdateRequest{ID: e.ID, Format: &muster}); err != nil {
			r.t.Fatal(err)
		}
		if _, err := r.hooks.ReplayAllDead(r.t.Context(), e.ID); err != nil {
			r.t.Fatal(err)
		}
		if n := len(received(to.wait(r.t, 4))); n != 4 {
			r.t.Errorf("%d different requests came", n)
		}
	})
}

// The figures for Prometheus are those of the database.
func TestMetrics(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{PauseAfter: 1}, func(r *rig) {
		good, bad := receive(r.t), receive(r.t)
		bad.status(500, "")
		fine := r.create(webhooks.CreateRequest{URL: good.URL})
		e := r.create(webhooks.CreateRequest{URL: bad.URL})
		r.subjects("x", 1)
		r.eventually("the pause", 0, func() bool { return r.get(e.ID).Pending == 1 && r.get(e.ID).State() == webhooks.StatePaused })
		want := map[string]float64{
			"muster_webhook_deliveries_total delivered": 1, "muster_webhook_deliveries_total failed": 1,
			"muster_webhooks active": 1, "muster_webhooks failing": 0, "muster_webhooks off": 0, "muster_webhooks paused": 1,
			"muster_webhook_queue_depth " + e.ID: 1, "muster_webhook_queue_depth " + fine.ID: 0,
		}
		r.eventually("the figures", 0, func() bool {
			figures := r.figures()
			for name, value := range want {
				if got, there := figures[name]; !there || got != value {
					return false
				}
			}
			return true
		})
		if age, there := r.figures()["muster_webhook_queue_age_seconds "+e.ID]; !there || age < 0 || age > 3600 {
			r.t.Errorf("the age is %v", age)
		}
	})
}

// signing is a format with signatures of its own.
type signing struct{}

func (signing) Encode(event.Event, webhooks.Endpoint) ([]webhooks.Request, error) {
	return []webhooks.Request{{Body: "{}"}}, nil
}

func (signing) Sign(header http.Header, _ string, secrets []string) {
	header.Set("X-Proof", secrets[0])
}

// An empty secret would sign with what everybody knows.
func TestEmptySecret(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{Encoders: map[string]webhooks.Encoder{"own": signing{}}}, func(r *rig) {
		e, none := r.create(webhooks.CreateRequest{URL: "https://example.com/", Format: "own", Secret: "any"}), ""
		_, err := r.hooks.Update(r.t.Context(), webhooks.UpdateRequest{ID: e.ID, Secret: &none})
		var failure *fault.Error
		if !errors.As(err, &failure) || failure.Field != "secret" {
			r.t.Errorf("an empty secret: %v", err)
		}
	})
}
