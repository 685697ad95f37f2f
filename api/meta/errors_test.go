package meta_test

import (
	"net/http"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
)

// refused fails the test unless the answer is an error with the number, and
// compares it with a golden file.
func (r *rig) refused(t testing.TB, name string, x apptest.Exchange, status, code int) {
	t.Helper()
	var answer struct {
		Error struct {
			Code    int
			Message string
			Type    string
			TraceID string                   `json:"fbtrace_id"`
			Data    struct{ Details string } `json:"error_data"`
		}
	}
	x.Want(t, status).Decode(t, &answer)
	e := answer.Error
	if e.Code != code || e.Type != "OAuthException" || e.Data.Details == "" || e.TraceID != x.Answered.Get("X-Request-Id") {
		t.Errorf("%s %s: %s, want the code %d", x.Method, x.Path, x.Answer, code)
	}
	r.golden().Exchange(t, "errors/"+name, x)
}

// TestErrors has an answer for each row of the table of errors.
func TestErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) { c.HTTP.BodyLimit = 16 << 10 })
	r.people(ann, bob)
	jid := r.group(sandbox.GroupOptions{Name: "Errors", Participants: []string{ann}})
	users := func(numbers ...string) object {
		var list []object
		for _, number := range numbers {
			list = append(list, object{"user": number})
		}
		return whatsapp(object{"participants": list})
	}
	refuseAdding := func(code int) {
		t.Helper()
		if err := r.line.WA.RefuseParticipant(bob, "add", code, 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name         string
		ask          func(r *rig) apptest.Exchange
		status, code int
	}{
		{"100", func(r *rig) apptest.Exchange { return r.call(http.MethodPost, business+"/groups", whatsapp(nil)) }, 400, 100},
		{"100 without a product", func(r *rig) apptest.Exchange {
			return r.call(http.MethodPost, business+"/groups", object{"subject": "x"})
		}, 400, 100},
		{"100 subject too long for WhatsApp", func(r *rig) apptest.Exchange {
			return r.call(http.MethodPost, business+"/groups", whatsapp(object{"subject": strings.Repeat("ä", 101)}))
		}, 400, 100},
		{"100 nothing to change", func(r *rig) apptest.Exchange { return r.call(http.MethodPost, id(jid), whatsapp(nil)) }, 400, 100},
		{"100 unknown field", func(r *rig) apptest.Exchange { return r.call(http.MethodGet, id(jid)+"?fields=owner", nil) }, 400, 100},
		{"100 broken JSON", func(r *rig) apptest.Exchange { return r.call(http.MethodPost, id(jid), `{"subject":`) }, 400, 100},
		{"100 unknown number", func(r *rig) apptest.Exchange { return r.call(http.MethodGet, "15559999999/groups", nil) }, 400, 100},
		{"100 picture by path", func(r *rig) apptest.Exchange {
			return r.call(http.MethodPost, id(jid), whatsapp(object{"profile_picture_file": "/etc/passwd"}))
		}, 400, 100},
		{"190", func(r *rig) apptest.Exchange {
			return r.line.Send(r, apptest.JSON(http.MethodGet, version+id(jid), http.Header{"Authorization": {"Bearer wrong"}}, nil))
		}, 401, 190},
		{"190 without a token", func(r *rig) apptest.Exchange {
			return r.line.Send(r, apptest.JSON(http.MethodGet, version+id(jid), nil, nil))
		}, 401, 190},
		{"131000", func(r *rig) apptest.Exchange {
			r.line.Call(r, http.MethodPost, "/api/v1/sessions/line/disconnect", nil, nil)
			defer r.reconnect()
			return r.call(http.MethodDelete, id(jid)+"/participants", users(ann))
		}, 500, 131000},
		{"10", func(r *rig) apptest.Exchange {
			return r.call(http.MethodPost, id(r.foreign()), whatsapp(object{"subject": "Mine"}))
		}, 403, 10},
		{"131020", func(r *rig) apptest.Exchange {
			alone := r.group(sandbox.GroupOptions{Name: "Alone"})
			return r.call(http.MethodPost, business+"/messages", whatsapp(object{"recipient_type": "group", "to": id(alone), "type": "text", "text": object{"body": "hi"}}))
		}, 400, 131020},
		{"131041", func(r *rig) apptest.Exchange { return r.call(http.MethodGet, id("120363000000000001@g.us"), nil) }, 400, 131041},
		{"131041 of another number", func(r *rig) apptest.Exchange {
			return r.call(http.MethodGet, "Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD", nil)
		}, 400, 131041},
		{"131059", func(r *rig) apptest.Exchange { return r.call(http.MethodGet, business+"/groups?after=nonsense!", nil) }, 400, 131059},
		{"131059 join requests", func(r *rig) apptest.Exchange { return r.call(http.MethodGet, id(jid)+"/join_requests?before=x", nil) }, 400, 131059},
		{"131202", func(r *rig) apptest.Exchange {
			return r.call(http.MethodDelete, id(jid)+"/participants", users(ann, "+"+ann))
		}, 400, 131202},
		{"131202 already in", func(r *rig) apptest.Exchange { return r.call(http.MethodPost, id(jid)+"/participants", users(ann)) }, 400, 131202},
		{"131203", func(r *rig) apptest.Exchange {
			refuseAdding(403)
			return r.call(http.MethodPost, id(jid)+"/participants", users(bob))
		}, 400, 131203},
		{"131203 not on WhatsApp", func(r *rig) apptest.Exchange {
			return r.call(http.MethodPost, id(jid)+"/participants", users("15550007777"))
		}, 400, 131203},
		{"131203 recently left", func(r *rig) apptest.Exchange {
			refuseAdding(408)
			return r.call(http.MethodPost, id(jid)+"/participants", users(bob))
		}, 400, 131203},
		{"131204", func(r *rig) apptest.Exchange {
			refuseAdding(419)
			return r.call(http.MethodPost, id(jid)+"/participants", users(bob))
		}, 400, 131204},
		{"131207", func(r *rig) apptest.Exchange {
			return r.call(http.MethodPost, id(r.suspended()), whatsapp(object{"subject": "x"}))
		}, 403, 131207},
		{"131208", func(r *rig) apptest.Exchange {
			r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "subject"}, Effect: sandbox.FaultEffect{Error: 429}, Count: 1})
			return r.call(http.MethodPost, id(jid), whatsapp(object{"subject": "Too often"}))
		}, 429, 131208},
		{"131209", func(r *rig) apptest.Exchange {
			return r.form(id(jid), map[string]string{"messaging_product": "whatsapp"}, "file", "image/jpeg", picture(r, 300, 200))
		}, 400, 131209},
		{"131210", func(r *rig) apptest.Exchange {
			return r.form(id(jid), map[string]string{"messaging_product": "whatsapp"}, "file", "image/jpeg", picture(r, 191, 191))
		}, 400, 131210},
		{"131212", func(r *rig) apptest.Exchange { return r.call(http.MethodDelete, id(jid)+"/participants", users(bob)) }, 400, 131212},
		{"131213", func(r *rig) apptest.Exchange {
			return r.call(http.MethodPost, id(jid)+"/join_requests", whatsapp(object{"join_requests": []string{"MTY0NjcwNDM1OTU6MTIwMzYzNDA0Njk0MjMzODIw"}}))
		}, 400, 131213},
		{"no such path", func(r *rig) apptest.Exchange { return r.call(http.MethodGet, business+"/nothing", nil) }, 404, 100},
		{"no version", func(r *rig) apptest.Exchange {
			return r.line.Send(r, apptest.JSON(http.MethodGet, "/meta/"+business+"/groups", r.header(), nil))
		}, 404, 100},
		{"no such method", func(r *rig) apptest.Exchange { return r.call(http.MethodPut, id(jid), whatsapp(nil)) }, 405, 100},
		{"body too large", func(r *rig) apptest.Exchange {
			x := r.call(http.MethodPost, business+"/groups", whatsapp(object{"subject": strings.Repeat("x", 20<<10)}))
			x.Body = nil // for the golden file
			return x
		}, 413, 100},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := r.with(t)
			r.refused(t, strings.ReplaceAll(row.name, " ", "-"), row.ask(r), row.status, row.code)
		})
	}
}

// TestErrorsOnTheWay has the rows of errors that are not answers: partial success,
// and groups that were not made.
func TestErrorsOnTheWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann)
	t.Run("131201", func(t *testing.T) {
		r := r.with(t)
		jid := r.group(sandbox.GroupOptions{Name: "Partly", Settings: on()})
		r.ask(ann, jid)
		ids := append(r.asked(jid, 1), "bm90IGFuIGlk")
		x := r.call(http.MethodPost, id(jid)+"/join_requests", whatsapp(object{"join_requests": ids})).Want(t, http.StatusPartialContent)
		if !strings.Contains(string(x.Answer), `"errors":[{"code":131201,`) || !strings.Contains(string(x.Answer), `"code":131213,`) {
			t.Errorf("the answer is %s", x.Answer)
		}
	})
	t.Run("131214", func(t *testing.T) {
		r := r.with(t)
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "create"}, Effect: sandbox.FaultEffect{Error: 403}, Count: 1})
		_, request := r.make("Not allowed")
		i, _ := r.told("the failure", func(i item) bool { return i.RequestID == request })
		if !strings.Contains(string(i.raw), `"errors":[{"code":131214,`) || i.GroupID != "" {
			t.Errorf("the webhook has %s", i.raw)
		}
	})
}

// foreign is a group of somebody else that the account is only a member of.
func (r *rig) foreign() string {
	r.Helper()
	jid, _, _, err := r.line.WA.CreateGroup(ann, sandbox.GroupOptions{Name: "Ann's", Participants: []string{business}, Settings: lockedSettings()})
	if err != nil {
		r.Fatal(err)
	}
	r.mirrored(jid.String())
	return jid.String()
}

func lockedSettings() sandbox.Settings {
	yes := true
	return sandbox.Settings{Locked: &yes}
}

// suspended is a group that WhatsApp has suspended.
func (r *rig) suspended() string {
	r.Helper()
	jid := r.group(sandbox.GroupOptions{Name: "Suspended"})
	parsed, err := types.ParseJID(jid)
	yes := true
	if err == nil {
		err = r.line.WA.SetSettings(business, parsed, sandbox.Settings{Suspended: &yes})
	}
	if err != nil {
		r.Fatal(err)
	}
	r.about(jid, "group_suspend")
	return jid
}

// reconnect connects the session again.
func (r *rig) reconnect() {
	r.Helper()
	r.line.Call(r, http.MethodPost, "/api/v1/sessions/line/connect", nil, nil)
	apptest.Eventually(r, "the session's connection", func() bool {
		var s struct{ Status string }
		r.line.Call(r, http.MethodGet, "/api/v1/sessions/line/status", nil, &s)
		return s.Status == "connected"
	})
	r.line.Seeded(r, "line")
}
