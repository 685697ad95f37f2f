package dialog360_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"muster/api/contract"
	"muster/api/dialog360"
	"muster/api/meta"
	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
)

const (
	business = "15550783881"
	ann      = "15550001001"
	bob      = "15550001002"
	base     = "/360dialog"
)

type object = map[string]any

// rig is a program that speaks 360dialog's API, with a receiver of webhooks that
// was configured through it.
type rig struct {
	*testing.T
	line   *apptest.Line
	hook   *apptest.Receiver
	secret string
	ours   *contract.Document
}

func newRig(t *testing.T, change ...func(*config.Config)) *rig {
	t.Helper()
	r := &rig{T: t, line: apptest.StartLine(t, business, change...), hook: apptest.Receive(t, nil), ours: loadDocument(t, dialog360.Options{AddParticipants: true})}
	for _, number := range []string{ann, bob} {
		r.line.Phone(t, number, sandbox.PhoneOptions{Name: "N" + number[9:]})
	}
	var answer struct{ Secret string }
	r.call(http.MethodPost, "/v1/configs/webhook", object{"url": r.hook.URL + "/hook", "headers": object{"X-Mine": "yes"}}).Want(t, http.StatusOK).Decode(t, &answer)
	if r.secret = answer.Secret; r.secret == "" {
		t.Fatal("the new webhook has no secret")
	}
	return r
}

func loadDocument(t testing.TB, o dialog360.Options) *contract.Document {
	t.Helper()
	raw, err := dialog360.New(nil, nil, o).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	document, err := contract.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func (r *rig) with(t *testing.T) *rig {
	t.Helper()
	copied := *r
	copied.T = t
	return &copied
}

func (r *rig) header() http.Header { return http.Header{"D360-Api-Key": {r.line.Key}} }

// call sends a request, and compares it and its answer with the document.
func (r *rig) call(method, path string, body any) apptest.Exchange {
	r.Helper()
	return r.send(apptest.JSON(method, base+path, r.header(), body))
}

func (r *rig) send(x apptest.Exchange) apptest.Exchange {
	r.Helper()
	x = r.line.Send(r, x)
	op := r.ours.Operation(x.Method, strings.TrimPrefix(x.Path, base))
	if op == nil {
		if x.Status < http.StatusBadRequest {
			r.Errorf("%s %s is not in the OpenAPI document", x.Method, x.Path)
		}
		return x
	}
	var errs []error
	if x.Status < http.StatusBadRequest {
		if strings.HasPrefix(x.Header.Get("Content-Type"), "application/json") {
			errs = r.ours.Request(op, x.Body)
		}
		errs = append(errs, r.ours.Answer(op, x.Status, x.Answer)...)
	}
	for _, err := range errs {
		r.Errorf("%s %s: %v\n%s\n%s", x.Method, x.Path, err, x.Body, x.Answer)
	}
	return x
}

func whatsapp(fields object) object {
	body := object{"messaging_product": "whatsapp"}
	maps.Copy(body, fields)
	return body
}

func id(jid string) string { return meta.GroupID(business, jid) }

// group makes a group with the account as its admin, as a phone would.
func (r *rig) group(o sandbox.GroupOptions) string {
	r.Helper()
	jid, _, _, err := r.line.WA.CreateGroup(business, o)
	if err != nil {
		r.Fatal(err)
	}
	apptest.Eventually(r, "the group", func() bool { return r.call(http.MethodGet, "/groups/"+jid.String(), nil).Status == http.StatusOK })
	return jid.String()
}

// golden replaces what differs between runs.
func (r *rig) golden() *apptest.Golden {
	g := apptest.NewGolden()
	g.Value("origin", r.line.URL)
	g.Value("hook", r.hook.URL)
	g.Mask("request", `mreq_[A-Z0-9]{26}`)
	g.Mask("link", `https://chat\.whatsapp\.com/[A-Za-z0-9]+`)
	g.Mask("group", `Y2FwaV9ncm91cD[A-Za-z0-9]+`)
	g.Mask("media", `Y2FwaV9maWxl[A-Za-z0-9]+`)
	g.Mask("message", `wamid\.[A-Za-z0-9+/=]+`)
	g.Mask("join-request", `MTU1NTAwMDEw[A-Za-z0-9+/=]+`)
	g.Mask("cursor", `"(eyJvZAm[A-Za-z0-9]+|MTIwMz[A-Za-z0-9+/=]+)"`)
	g.Mask("secret", `whsec_[A-Za-z0-9+/=]+`)
	g.Mask("time", `\b1[78]\d{8}\b`)
	return g
}

// told waits for a webhook that contains the texts, checks its signature and
// its own header, and returns it.
func (r *rig) told(contains ...string) apptest.Delivery {
	r.Helper()
	d := r.hook.Wait(r, strings.Join(contains, " and "), func(d apptest.Delivery) bool {
		for _, text := range contains {
			if !bytes.Contains(d.Body, []byte(text)) {
				return false
			}
		}
		return true
	})
	mac := hmac.New(sha256.New, []byte(r.secret))
	mac.Write(d.Body)
	if got := d.Header.Get("X-360dialog-Signature"); got != hex.EncodeToString(mac.Sum(nil)) || d.Header.Get("X-Mine") != "yes" {
		r.Errorf("the webhook has the headers %v", d.Header)
	}
	if !json.Valid(d.Body) || !bytes.HasPrefix(d.Body, []byte(`{"object":"whatsapp_business_account","entry":[`)) {
		r.Errorf("the webhook is wrapped: %s", d.Body)
	}
	return d
}
