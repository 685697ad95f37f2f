package dialog360_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/api/contract"
	"muster/api/dialog360"
	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
)

// TestOperations goes through the operations of 360dialog's documents, each with
// the exchange in a golden file.
func TestOperations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var made struct {
		ID        string
		RequestID string `json:"request_id"`
	}
	t.Run("Create / list", func(t *testing.T) {
		r := r.with(t)
		x := r.call(http.MethodPost, "/groups", whatsapp(object{"subject": "First", "description": "Text", "join_approval_mode": "approval_required"}))
		x.Want(t, http.StatusOK).Decode(t, &made)
		r.golden().Exchange(t, "create", x)
		r.golden().JSON(t, "webhook-created", r.told(made.RequestID, "group_create").Body)
		r.golden().Exchange(t, "list", r.call(http.MethodGet, "/groups?limit=10", nil).Want(t, http.StatusOK))
	})
	group := "/groups/" + made.ID
	t.Run("Info / update / delete", func(t *testing.T) {
		r := r.with(t)
		r.golden().Exchange(t, "info", r.call(http.MethodGet, group+"?fields=subject,description,suspended,creation_timestamp,total_participant_count,participants,join_approval_mode", nil).Want(t, http.StatusOK))
		x := r.call(http.MethodPost, group, whatsapp(object{"subject": "Second"}))
		r.golden().Exchange(t, "update", x.Want(t, http.StatusOK))
		r.told("group_settings_update", "Second")
		for _, field := range []string{"file", "profile_picture_file"} {
			r.send(form(t, r, base+group, field)).Want(t, http.StatusOK)
		}
		r.told("profile_picture", "update_successful")
	})
	t.Run("Join requests, approve, reject", func(t *testing.T) {
		r := r.with(t)
		var link struct {
			Link string `json:"invite_link"`
		}
		r.call(http.MethodGet, group+"/invite_link", nil).Want(t, http.StatusOK).Decode(t, &link)
		ids := map[string]string{}
		for _, who := range []string{ann, bob} {
			if _, _, err := r.line.WA.Join(who, link.Link); err != nil {
				t.Fatal(err)
			}
			var list struct {
				Data []struct {
					ID   string `json:"join_request_id"`
					WaID string `json:"wa_id"`
				}
			}
			apptest.Eventually(t, "the request", func() bool {
				r.call(http.MethodGet, group+"/join_requests", nil).Want(t, http.StatusOK).Decode(t, &list)
				for _, one := range list.Data {
					ids[one.WaID] = one.ID
				}
				return ids[who] != ""
			})
		}
		x := r.call(http.MethodPost, group+"/join_requests", whatsapp(object{"join_requests": []string{ids[ann]}}))
		r.golden().Exchange(t, "approve", x.Want(t, http.StatusOK))
		r.told("group_participants_add", ann)
		x = r.call(http.MethodDelete, group+"/join_requests", whatsapp(object{"join_requests": []string{ids[ann], ids[bob]}}))
		r.golden().Exchange(t, "reject-partly", x.Want(t, http.StatusPartialContent))
	})
	t.Run("Link get / reset", func(t *testing.T) {
		r := r.with(t)
		r.golden().Exchange(t, "get-link", r.call(http.MethodGet, group+"/invite_link", nil).Want(t, http.StatusOK))
		r.golden().Exchange(t, "reset-link", r.call(http.MethodPost, group+"/invite_link", whatsapp(nil)).Want(t, http.StatusOK))
		r.golden().Exchange(t, "delete-link", r.call(http.MethodDelete, group+"/invite_link", nil).Want(t, http.StatusOK))
	})
	t.Run("Messages", func(t *testing.T) {
		r := r.with(t)
		text := object{"recipient_type": "group", "to": made.ID, "type": "text", "text": object{"body": "Hello"}}
		x := r.call(http.MethodPost, "/messages", whatsapp(text)).Want(t, http.StatusOK)
		r.golden().Exchange(t, "message", x)
		var sent struct{ Messages []struct{ ID string } }
		x.Decode(t, &sent)
		pin := object{"recipient_type": "group", "to": made.ID, "type": "pin", "pin": object{"type": "pin", "message_id": sent.Messages[0].ID, "expiration_days": 1}}
		r.golden().Exchange(t, "pin", r.call(http.MethodPost, "/messages", whatsapp(pin)).Want(t, http.StatusOK))
		r.told(`"statuses"`, sent.Messages[0].ID, `"delivered"`)
	})
	t.Run("Remove", func(t *testing.T) {
		r := r.with(t)
		x := r.call(http.MethodDelete, group+"/participants", whatsapp(object{"participants": []object{{"user": "+" + ann}}}))
		r.golden().Exchange(t, "remove", x.Want(t, http.StatusOK))
		r.told("group_participants_remove", `"+`+ann+`"`)
	})
	t.Run("Templates", func(t *testing.T) { testTemplates(t, r.with(t), made.ID) })
	t.Run("media", func(t *testing.T) {
		r := r.with(t)
		var file struct{ ID string }
		r.send(form(t, r, base+"/media", "file")).Want(t, http.StatusOK).Decode(t, &file)
		info := r.call(http.MethodGet, "/"+file.ID, nil).Want(t, http.StatusOK)
		var where struct{ URL string }
		info.Decode(t, &where)
		path, ok := strings.CutPrefix(where.URL, r.line.URL)
		got := r.line.Send(t, apptest.Exchange{Method: http.MethodGet, Path: path, Header: r.header()}).Want(t, http.StatusOK)
		if !ok || !bytes.Equal(got.Answer, picture(t)) {
			t.Errorf("the file at %s has %d bytes", where.URL, len(got.Answer))
		}
		r.call(http.MethodDelete, "/"+file.ID, nil).Want(t, http.StatusOK)
	})
	t.Run("Delete", func(t *testing.T) {
		r := r.with(t)
		r.golden().Exchange(t, "delete", r.call(http.MethodDelete, group, nil).Want(t, http.StatusOK))
		r.told("group_delete", made.ID)
	})
}

func testTemplates(t *testing.T, r *rig, group string) {
	x := r.call(http.MethodPost, "/v1/configs/templates", object{
		"name": "test_template", "category": "UTILITY", "language": "en_US", "library_template_name": "group_invite_link",
	})
	r.golden().Exchange(t, "template-create", x.Want(t, http.StatusCreated))
	r.golden().Exchange(t, "template-list", r.call(http.MethodGet, "/v1/configs/templates", nil).Want(t, http.StatusOK))
	r.call(http.MethodPost, "/messages", whatsapp(object{"to": bob, "type": "template", "template": object{
		"name": "test_template", "language": object{"code": "en_US"},
		"components": []object{{"type": "body", "parameters": []object{{"type": "group_id", "group_id": group}}}},
	}})).Want(t, http.StatusOK)
	apptest.Eventually(t, "the invitation", func() bool {
		inbox, err := r.line.WA.Inbox(bob)
		return err == nil && len(inbox) > 0 && strings.Contains(inbox[len(inbox)-1].Text, "https://chat.whatsapp.com/")
	})
	r.call(http.MethodDelete, "/v1/configs/templates/test_template", nil).Want(t, http.StatusOK)
	r.call(http.MethodDelete, "/v1/configs/templates/test_template", nil).Want(t, http.StatusNotFound)
}

func picture(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, 200, 200)), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// form is a multipart form with a picture.
func form(t testing.TB, r *rig, path, field string) apptest.Exchange {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	err := w.WriteField("messaging_product", "whatsapp")
	if err == nil && field == "file" {
		err = w.WriteField("type", "image/jpeg")
	}
	if err == nil {
		part, partErr := w.CreateFormFile(field, "a.jpg")
		if err = partErr; err == nil {
			_, err = part.Write(picture(t))
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	header := r.header()
	header.Set("Content-Type", w.FormDataContentType())
	return apptest.Exchange{Method: http.MethodPost, Path: path, Header: header, Body: out.Bytes()}
}

// TestClientExpectations has what a published client of 360dialog relies on.
func TestClientExpectations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, row := range []struct {
		sent any
		want string
	}{{true, "approval_required"}, {false, "auto_approve"}} {
		var made struct{ ID string }
		r.raw(http.MethodPost, "/groups", whatsapp(object{"subject": "Bool", "join_approval_mode": row.sent})).Want(t, http.StatusOK).Decode(t, &made)
		var info struct {
			Mode    string `json:"join_approval_mode"`
			Created int64  `json:"creation_timestamp"`
		}
		r.call(http.MethodGet, "/groups/"+made.ID+"?fields=join_approval_mode,creation_timestamp", nil).Want(t, http.StatusOK).Decode(t, &info)
		if info.Mode != row.want || info.Created == 0 {
			t.Errorf("join_approval_mode %v makes a group that is %+v, want %s", row.sent, info, row.want)
		}
	}
}

// raw is call for requests that are not as the document has them.
func (r *rig) raw(method, path string, body any) apptest.Exchange {
	r.Helper()
	return r.line.Send(r, apptest.JSON(method, base+path, r.header(), body))
}

// TestErrors has the errors of the gateway and those of Meta behind it.
func TestErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.group(sandbox.GroupOptions{Name: "Errors"})
	with := func(key string) http.Header {
		if key == "" {
			return nil
		}
		return http.Header{"D360-Api-Key": {key}}
	}
	r.line.Phone(t, "15550783882", sandbox.PhoneOptions{Name: "Second"})
	r.line.Link(t, r.line.WA, "other", "15550783882")
	both := r.line.NewKey(t, "line", "other")
	for name, row := range map[string]struct {
		x      apptest.Exchange
		status int
		shape  string
	}{
		"no key":                  {apptest.JSON(http.MethodGet, base+"/groups", nil, nil), 401, `{"meta":{"httpCode":401,`},
		"wrong key":               {apptest.JSON(http.MethodGet, base+"/groups", with("wrong"), nil), 401, `{"meta":{"httpCode":401,`},
		"bearer token":            {apptest.JSON(http.MethodGet, base+"/groups", http.Header{"Authorization": {"Bearer " + r.line.Key}}, nil), 401, `{"meta":{"httpCode":401,`},
		"admin key":               {apptest.JSON(http.MethodGet, base+"/groups", with(r.line.Token()), nil), 403, `{"meta":{"httpCode":403,`},
		"key of two sessions":     {apptest.JSON(http.MethodGet, base+"/groups", with(both), nil), 403, `{"meta":{"httpCode":403,`},
		"unknown group":           {apptest.JSON(http.MethodGet, base+"/groups/120363000000000001", r.header(), nil), 400, `"code":131041`},
		"group of another number": {apptest.JSON(http.MethodGet, base+"/groups/Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD", r.header(), nil), 400, `"code":131041`},
		"no subject":              {apptest.JSON(http.MethodPost, base+"/groups", r.header(), whatsapp(nil)), 400, `"code":100`},
		"nobody to remove":        {apptest.JSON(http.MethodDelete, base+"/groups/"+id(jid)+"/participants", r.header(), whatsapp(nil)), 400, `"code":100`},
		"picture by path": {apptest.JSON(http.MethodPost, base+"/groups/"+id(jid), r.header(), whatsapp(object{"profile_picture_file": "<FILE_PATH>"})),
			400, `"code":100`},
		"adding":       {apptest.JSON(http.MethodPost, base+"/groups/"+id(jid)+"/participants", r.header(), whatsapp(object{"participants": []object{{"user": ann}}})), 405, `"code":100`},
		"no such path": {apptest.JSON(http.MethodGet, base+"/a/b/c", r.header(), nil), 404, `"code":100`},
		"no webhook":   {apptest.JSON(http.MethodGet, base+"/v1/configs/webhook", with(r.line.NewKey(t, "other")), nil), 404, `"code":100`},
	} {
		t.Run(name, func(t *testing.T) {
			x := r.line.Send(t, row.x).Want(t, row.status)
			if !strings.Contains(string(x.Answer), row.shape) {
				t.Errorf("%s, want %s", x.Answer, row.shape)
			}
			r.golden().Exchange(t, "errors/"+strings.ReplaceAll(name, " ", "-"), x)
		})
	}
}

// TestGaps has what 360dialog's pages leave open.
func TestGaps(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) { c.Dialog360.AddParticipants = true })
	jid := r.group(sandbox.GroupOptions{Name: "Gaps"})
	t.Run("GET info carries a body", func(t *testing.T) {
		r.with(t).raw(http.MethodGet, "/groups/"+id(jid)+"?fields=description%2Cparticipants", `{"messaging_product":"whatsapp","join_requests":["x"]}`).Want(t, http.StatusOK)
	})
	t.Run("paging leads here", func(t *testing.T) {
		r := r.with(t)
		r.group(sandbox.GroupOptions{Name: "More"})
		var page struct{ Paging struct{ Next string } }
		r.call(http.MethodGet, "/groups?limit=1", nil).Want(t, http.StatusOK).Decode(t, &page)
		if !strings.HasPrefix(page.Paging.Next, r.line.URL+base+"/groups?") {
			t.Errorf("the next page is at %q", page.Paging.Next)
		}
	})
	t.Run("adding, where it is switched on", func(t *testing.T) {
		r := r.with(t)
		r.call(http.MethodPost, "/groups/"+id(jid)+"/participants", whatsapp(object{"participants": []object{{"user": ann}}})).Want(t, http.StatusOK)
		parsed, _ := types.ParseJID(jid)
		if truth, err := r.line.WA.GroupTruth(parsed); err != nil || len(truth.Participants) != 2 {
			t.Errorf("the group has %v (%v)", truth.Participants, err)
		}
	})
}

// TestWebhookConfiguration has the calls about webhooks.
func TestWebhookConfiguration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	t.Run("one", func(t *testing.T) {
		r := r.with(t)
		r.golden().Exchange(t, "webhook-get", r.call(http.MethodGet, "/v1/configs/webhook", nil).Want(t, http.StatusOK))
		r.golden().Exchange(t, "webhook-set", r.call(http.MethodPost, "/v1/configs/webhook", object{"url": r.hook.URL + "/other"}).Want(t, http.StatusOK))
		r.golden().Exchange(t, "webhook-bad", r.call(http.MethodPost, "/v1/configs/webhook", object{"url": "ftp://x"}).Want(t, 400))
		r.call(http.MethodDelete, "/v1/configs/webhook", nil).Want(t, http.StatusOK)
		r.call(http.MethodGet, "/v1/configs/webhook", nil).Want(t, http.StatusNotFound)
	})
	t.Run("several", func(t *testing.T) {
		r := r.with(t)
		more := func(names ...string) object {
			var list []object
			for _, name := range names {
				list = append(list, object{"name": name, "url": r.hook.URL + "/" + name})
			}
			return object{"destinations": list}
		}
		r.golden().Exchange(t, "multi-off", r.call(http.MethodPut, "/multi_webhook", more("a")).Want(t, http.StatusConflict))
		r.golden().Exchange(t, "multi-on", r.call(http.MethodPost, "/multi_webhook", object{"enabled": true, "destinations": more("a")["destinations"]}).Want(t, http.StatusOK))
		r.call(http.MethodPut, "/multi_webhook", more("b")).Want(t, http.StatusOK)
		r.call(http.MethodPut, "/multi_webhook", more("b")).Want(t, 400)
		r.call(http.MethodPut, "/multi_webhook", more("c", "d")).Want(t, 400)
		r.call(http.MethodPatch, "/multi_webhook", object{"name": "b", "url": r.hook.URL + "/c"}).Want(t, http.StatusOK)
		r.call(http.MethodPatch, "/multi_webhook", object{"name": "z"}).Want(t, http.StatusNotFound)
		r.golden().Exchange(t, "multi-get", r.call(http.MethodGet, "/multi_webhook", nil).Want(t, http.StatusOK))
		jid := r.group(sandbox.GroupOptions{Name: "Everywhere"})
		for _, path := range []string{"/a", "/c"} {
			r.hook.Wait(t, path, func(d apptest.Delivery) bool { return d.Path == path && bytes.Contains(d.Body, []byte(id(jid))) })
		}
		r.call(http.MethodDelete, "/multi_webhook", object{"name": "a"}).Want(t, http.StatusOK)
		r.call(http.MethodPost, "/multi_webhook", object{"enabled": false}).Want(t, http.StatusOK)
		r.golden().Exchange(t, "multi-empty", r.call(http.MethodGet, "/multi_webhook", nil).Want(t, http.StatusOK))
	})
}

// Every route has a place in the document, and every place a route.
func TestDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	served := r.raw(http.MethodGet, "/openapi.json", nil).Want(t, http.StatusOK)
	document, err := contract.Load(served.Answer)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(document.Operations()); n != 28 {
		t.Errorf("the document has %d operations: %q", n, document.Operations())
	}
	if n := len(loadDocument(t, dialog360.Options{AddParticipants: true}).Operations()); n != 29 {
		t.Errorf("with adding, the document has %d operations", n)
	}
	for _, op := range document.Operations() {
		method, path, _ := strings.Cut(op, " ")
		path = strings.NewReplacer("{group_id}", "120363000000000000", "{media_id}", "x", "{name}", "x").Replace(path)
		x := r.raw(method, path, nil)
		if strings.Contains(string(x.Answer), "nothing at this path") || x.Status == http.StatusMethodNotAllowed {
			t.Errorf("%s has no route: %d %s", op, x.Status, x.Answer)
		}
	}
}
