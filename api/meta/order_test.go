package meta_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
)

// impatient does not wait for WhatsApp as long as the real program does.
func impatient(c *config.Config) {
	c.Sessions.WriteTimeout, c.Sessions.SettleAfter = 300*time.Millisecond, 500*time.Millisecond
}

func (r *rig) make(subject string) (x apptest.Exchange, request string) {
	r.Helper()
	x = r.call(http.MethodPost, business+"/groups", whatsapp(object{"subject": subject, "description": "Text"}))
	var made struct {
		RequestID string `json:"request_id"`
	}
	x.Want(r, http.StatusOK).Decode(r, &made)
	return x, made.RequestID
}

// creations are the webhooks about new groups so far.
func (r *rig) creations() (list []item) {
	for _, i := range items(r.hook.Deliveries()) {
		if i.Type == "group_create" {
			list = append(list, i)
		}
	}
	return list
}

// What WhatsApp has not answered is told of all the same, once, when it is known
// what has become of it.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, impatient)
	create := sandbox.FaultMatch{XMLNS: "w:g2", Child: "create"}
	t.Run("a group that was made", func(t *testing.T) {
		r := r.with(t)
		r.fault(sandbox.Fault{Match: create, Effect: sandbox.FaultEffect{DropReply: true}, Count: 1})
		_, request := r.make("Made and not told")
		i, d := r.told("the creation", func(i item) bool { return i.RequestID == request })
		r.sameShape(t, "lifecycle_create", d.Body)
		if list := r.creations(); len(list) != 1 || i.GroupID == "" {
			t.Errorf("the creation was told of as %+v", list)
		}
		r.call(http.MethodGet, i.GroupID, nil).Want(t, http.StatusOK)
	})
	t.Run("a group that was not made", func(t *testing.T) {
		r := r.with(t)
		before := len(r.creations())
		r.fault(sandbox.Fault{Match: create, Effect: sandbox.FaultEffect{Error: 500}, Count: 1})
		_, request := r.make("Never made")
		r.told("the outcome", func(i item) bool { return i.RequestID == request })
		if after := len(r.creations()); after != before+1 {
			t.Errorf("%d webhooks came of it", after-before)
		}
	})
	t.Run("a new subject", func(t *testing.T) {
		r := r.with(t)
		_, request := r.make("To be renamed")
		i, _ := r.told("the creation", func(i item) bool { return i.RequestID == request })
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "subject"}, Effect: sandbox.FaultEffect{DropReply: true}, Count: 1})
		r.call(http.MethodPost, i.GroupID, whatsapp(object{"subject": "Renamed"})).Want(t, http.StatusInternalServerError)
		_, d := r.told("the change", func(s item) bool { return s.Type == "group_settings_update" && s.GroupID == i.GroupID })
		if !strings.Contains(string(d.Body), `"update_successful":true`) || !strings.Contains(string(d.Body), requestMark) {
			t.Errorf("the change was told of as %s", d.Body)
		}
		for _, other := range items(r.hook.Deliveries()) {
			if other.Type == "group_settings_update" && other.RequestID == "" {
				t.Errorf("its echo was told of, too: %s", other.raw)
			}
		}
	})
}

const requestMark = `"request_id":"mreq_`

// An order that the end of the server has cut off is carried on with by the next
// one.
func TestOrderSurvivesTheServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, impatient, func(c *config.Config) { c.Sessions.SettleAfter = 4 * time.Second })
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "create"}, Effect: sandbox.FaultEffect{ApplyThenDisconnect: true}, Count: 1})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.line.URL+version+business+"/groups",
			strings.NewReader(`{"messaging_product":"whatsapp","subject":"Cut off"}`))
		if err != nil {
			return
		}
		request.Header = r.header()
		request.Header.Set("Content-Type", "application/json")
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
		}
	}()
	apptest.Eventually(t, "the creation", func() bool { return len(r.line.WA.Groups()) == 1 })
	r.line.Stop(t)
	<-asked
	r.line.Restart(t)
	i, _ := r.told("the creation", func(i item) bool { return i.Type == "group_create" && strings.HasPrefix(i.RequestID, "mreq_") })
	if i.GroupID != id(r.line.WA.Groups()[0].String()) {
		t.Errorf("the creation was told of as %s", i.raw)
	}
}

// A repeated request has the answer of the first, and makes no second group.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	header := r.header()
	header.Set("Idempotency-Key", "once")
	send := func() apptest.Exchange {
		return r.line.Send(t, apptest.JSON(http.MethodPost, version+business+"/groups", header, whatsapp(object{"subject": "Once"}))).Want(t, http.StatusOK)
	}
	first, second := send(), send()
	if string(first.Answer) != string(second.Answer) || second.Answered.Get("Idempotent-Replayed") != "true" || len(r.line.WA.Groups()) != 1 {
		t.Errorf("%s, then %s; there are %d groups", first.Answer, second.Answer, len(r.line.WA.Groups()))
	}
	// A refusal is repeated in Meta's form, too.
	header.Set("Idempotency-Key", "refused")
	refuse := func() apptest.Exchange {
		return r.line.Send(t, apptest.JSON(http.MethodPost, version+business+"/groups", header, whatsapp(nil))).Want(t, 400)
	}
	if first, second = refuse(), refuse(); string(first.Answer) != string(second.Answer) {
		t.Errorf("%s, then %s", first.Answer, second.Answer)
	}
	header.Set("Idempotency-Key", "once")
	x := r.line.Send(t, apptest.JSON(http.MethodPost, version+business+"/groups", header, whatsapp(object{"subject": "Other"})))
	if x.Status != 400 || !strings.Contains(string(x.Answer), "OAuthException") {
		t.Errorf("the key of another request: %d %s", x.Status, x.Answer)
	}
}
