package meta_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/api/meta"
	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
)

const (
	business = "15550783881"
	secret   = "an-app-secret"
	version  = "/meta/v23.0/"
)

type object = map[string]any

// rig is a program that speaks Meta's API, with a receiver of its webhooks.
type rig struct {
	*testing.T
	line *apptest.Line
	hook *apptest.Receiver
	contracts
}

func newRig(t *testing.T, change ...func(*config.Config)) *rig {
	t.Helper()
	r := &rig{T: t, line: apptest.StartLine(t, business, change...), contracts: loadContracts(t)}
	r.hook = apptest.Receive(t, func(d apptest.Delivery) string { return strings.Join(d.Query["hub.challenge"], "") })
	r.subscribe(r.hook.URL+"/hook", meta.Name)
	return r
}

// with is the rig for a subtest.
func (r *rig) with(t *testing.T) *rig {
	t.Helper()
	return &rig{T: t, line: r.line, hook: r.hook, contracts: r.contracts}
}

func (r *rig) subscribe(url, format string) {
	r.Helper()
	body := object{"url": url, "format": format, "secret": secret, "verify_token": "a-verify-token", "sessions": []string{r.line.Session}}
	if status := r.line.Call(r, http.MethodPost, "/api/v1/webhooks", body, nil); status != http.StatusCreated {
		r.Fatalf("make a webhook: %d", status)
	}
}

func (r *rig) header() http.Header {
	return http.Header{"Authorization": {"Bearer " + r.line.Key}}
}

// call sends a request below the version's path.
func (r *rig) call(method, path string, body any) apptest.Exchange {
	r.Helper()
	x := r.line.Send(r, apptest.JSON(method, version+path, r.header(), body))
	r.check(r, x)
	return x
}

// whatsapp is a body with the field that every change has to have.
func whatsapp(fields object) object {
	body := object{"messaging_product": "whatsapp"}
	maps.Copy(body, fields)
	return body
}

// people makes phones with the numbers.
func (r *rig) people(numbers ...string) {
	r.Helper()
	for _, number := range numbers {
		r.line.Phone(r, number, sandbox.PhoneOptions{Name: "N" + number[len(number)-2:]})
	}
}

// group makes a group with the account as its admin, as a phone would, and
// returns its JID once the mirror has it.
func (r *rig) group(o sandbox.GroupOptions) string {
	r.Helper()
	jid, _, _, err := r.line.WA.CreateGroup(business, o)
	if err != nil {
		r.Fatal(err)
	}
	r.mirrored(jid.String())
	return jid.String()
}

// mirrored waits until the mirror has a group.
func (r *rig) mirrored(jid string) {
	r.Helper()
	apptest.Eventually(r, "the group "+jid, func() bool {
		return r.call(http.MethodGet, jid, nil).Status == http.StatusOK
	})
}

func id(jid string) string { return meta.GroupID(business, jid) }

// item is one thing that a webhook tells about a group.
type item struct {
	Field string
	raw   []byte

	Type      string `json:"type"`
	RequestID string `json:"request_id"`
	GroupID   string `json:"group_id"`
}

// items are what the receiver was told about groups so far.
func items(deliveries []apptest.Delivery) (list []item) {
	for _, d := range deliveries {
		var n struct {
			Entry []struct {
				Changes []struct {
					Field string
					Value struct{ Groups []json.RawMessage }
				}
			}
		}
		if d.Method != http.MethodPost || json.Unmarshal(d.Body, &n) != nil {
			continue
		}
		for _, e := range n.Entry {
			for _, c := range e.Changes {
				for _, raw := range c.Value.Groups {
					i := item{Field: c.Field, raw: raw}
					if json.Unmarshal(raw, &i) == nil {
						list = append(list, i)
					}
				}
			}
		}
	}
	return list
}

// told waits for a webhook about a group that fits, and returns it.
func (r *rig) told(what string, fits func(item) bool) (item, apptest.Delivery) {
	r.Helper()
	var found item
	d := r.hook.Wait(r, what, func(d apptest.Delivery) bool {
		for _, i := range items([]apptest.Delivery{d}) {
			if fits(i) {
				found = i
				return true
			}
		}
		return false
	})
	return found, d
}

// jid is the group that an id names, found through the session-style API.
func (r *rig) jid(group string) types.JID {
	r.Helper()
	var list struct {
		Groups []struct{ JID string }
	}
	r.line.Call(r, http.MethodGet, "/api/v1/sessions/"+r.line.Session+"/groups", nil, &list)
	for _, g := range list.Groups {
		if id(g.JID) == group {
			jid, err := types.ParseJID(g.JID)
			if err != nil {
				r.Fatal(err)
			}
			return jid
		}
	}
	r.Fatalf("there is no group with the id %s", group)
	return types.JID{}
}

// idOf is a group's id for the clients of another number.
func idOf(number, jid string) string { return meta.GroupID(number, jid) }
