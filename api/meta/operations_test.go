package meta_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

// golden replaces what differs between runs.
func (r *rig) golden() *apptest.Golden {
	g := apptest.NewGolden()
	g.Value("origin", r.line.URL)
	g.Value("token", r.line.Key)
	g.Mask("request", `mreq_[A-Z0-9]{26}`)
	g.Mask("link", `https://chat\.whatsapp\.com/[A-Za-z0-9]+`)
	g.Mask("group", `Y2FwaV9ncm91cD[A-Za-z0-9]+`)
	g.Mask("media", `Y2FwaV9tZAWRp[A-Za-z0-9]+|Y2FwaV9maWxl[A-Za-z0-9]+`)
	g.Mask("message", `wamid\.[A-Za-z0-9+/=]+`)
	g.Mask("join-request", `MTU1NTAwMDEw[A-Za-z0-9+/=]+`)
	g.Mask("cursor", `"(eyJvZAm[A-Za-z0-9]+|MTIwMz[A-Za-z0-9+/=]+)"`)
	g.Mask("files", `http://127\.0\.0\.1:\d+`)
	g.Mask("sha256", `"sha256": "([^"]+)"`)
	g.Mask("time", `\b1[78]\d{8}\b`)
	g.Mask("jid", `1203\d{14}@g\.us`)
	return g
}

// picture is a JPEG of the size.
func picture(t testing.TB, width, height int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, width, height))
	for x := range width {
		img.SetGray(x, x%height, color.Gray{Y: uint8(x)})
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// form sends a multipart form.
func (r *rig) form(path string, fields map[string]string, file, mimetype string, content []byte) apptest.Exchange {
	r.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			r.Fatal(err)
		}
	}
	if file != "" {
		part, err := w.CreatePart(map[string][]string{
			"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename="a.jpg"`, file)}, "Content-Type": {mimetype},
		})
		if err != nil {
			r.Fatal(err)
		}
		if _, err = part.Write(content); err != nil {
			r.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		r.Fatal(err)
	}
	header := r.header()
	header.Set("Content-Type", w.FormDataContentType())
	x := r.line.Send(r, apptest.Exchange{Method: http.MethodPost, Path: version + path, Header: header, Body: out.Bytes()})
	r.check(r, x)
	x.Body = []byte(fmt.Sprintf("(a form with %v and the file %s)", fields, file)) // for golden files
	x.Header.Set("Content-Type", "multipart/form-data")
	return x
}

// ask has a person ask to be let into a group by its link.
func (r *rig) ask(number, jid string) {
	r.Helper()
	var link struct {
		Link string `json:"invite_link"`
	}
	r.call(http.MethodGet, id(jid)+"/invite_link", nil).Want(r, http.StatusOK).Decode(r, &link)
	if _, _, err := r.line.WA.Join(number, link.Link); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) asked(jid string, count int) (ids []string) {
	r.Helper()
	apptest.Eventually(r, "the requests to join", func() bool {
		var list struct {
			Data []struct {
				ID string `json:"join_request_id"`
			}
		}
		r.call(http.MethodGet, id(jid)+"/join_requests", nil).Want(r, http.StatusOK).Decode(r, &list)
		ids = nil
		for _, one := range list.Data {
			ids = append(ids, one.ID)
		}
		return len(ids) == count
	})
	return ids
}

func on() sandbox.Settings {
	mode := "on"
	return sandbox.Settings{ApprovalMode: &mode}
}

// TestOperations goes through the operations of Meta's documents, each with the
// exchange in a golden file.
func TestOperations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, bob, cleo := "15550001001", "15550001002", "15550001003"
	r.people(ann, bob, cleo, "15550001004", "15550001005")

	var made struct {
		RequestID string `json:"request_id"`
	}
	t.Run("Create", func(t *testing.T) {
		r := r.with(t)
		x := r.call(http.MethodPost, business+"/groups", whatsapp(object{"subject": "  First group ", "description": "What it is about", "join_approval_mode": "auto_approve"}))
		x.Want(t, http.StatusOK).Decode(t, &made)
		r.golden().Exchange(t, "operations/create", x)
	})
	created, delivery := r.told("the creation", func(i item) bool { return i.RequestID == made.RequestID })
	r.checkWebhook(t, delivery.Body)
	group := created.GroupID
	jid := r.jid(group)

	t.Run("List", func(t *testing.T) {
		r := r.with(t)
		x := r.call(http.MethodGet, business+"/groups?limit=25", nil).Want(t, http.StatusOK)
		r.golden().Exchange(t, "operations/list", x)
	})
	if _, err := r.line.WA.ChangePeople(business, jid, "add", []string{ann, bob}); err != nil {
		t.Fatal(err)
	}
	r.told("the additions", func(i item) bool { return i.Type == "group_participants_add" })
	t.Run("Info", func(t *testing.T) {
		r := r.with(t)
		x := r.call(http.MethodGet, group+"?fields=subject,description,suspended,creation_timestamp,total_participant_count,participants,join_approval_mode", nil)
		r.golden().Exchange(t, "operations/info", x.Want(t, http.StatusOK))
		r.golden().Exchange(t, "operations/info-without-fields", r.call(http.MethodGet, group, nil).Want(t, http.StatusOK))
	})
	t.Run("Update", func(t *testing.T) { testUpdate(t, r.with(t), group) })
	t.Run("Get link", func(t *testing.T) {
		r := r.with(t)
		r.golden().Exchange(t, "operations/get-link", r.call(http.MethodGet, group+"/invite_link", nil).Want(t, http.StatusOK))
	})
	t.Run("Reset link", func(t *testing.T) {
		r := r.with(t)
		before := r.link(group)
		x := r.call(http.MethodPost, group+"/invite_link", whatsapp(nil)).Want(t, http.StatusOK)
		r.golden().Exchange(t, "operations/reset-link", x)
		if after := r.link(group); after == before || !bytes.Contains(x.Answer, []byte(after)) {
			t.Errorf("the link was %s and is %s; the answer was %s", before, after, x.Answer)
		}
	})
	t.Run("Delete link", func(t *testing.T) {
		r := r.with(t)
		before := r.link(group)
		r.golden().Exchange(t, "operations/delete-link", r.call(http.MethodDelete, group+"/invite_link", whatsapp(nil)).Want(t, http.StatusOK))
		if _, _, err := r.line.WA.Join(cleo, before); err == nil {
			t.Error("the deleted link is still good")
		}
	})
	t.Run("Join requests", func(t *testing.T) { testJoinRequests(t, r.with(t)) })
	t.Run("Approve / reject", func(t *testing.T) { testDecisions(t, r.with(t)) })
	t.Run("Remove", func(t *testing.T) {
		r := r.with(t)
		x := r.call(http.MethodDelete, group+"/participants", whatsapp(object{"participants": []object{{"user": "+" + ann}, {"user": bob}}}))
		r.golden().Exchange(t, "operations/remove", x.Want(t, http.StatusOK))
		r.members(t, group)
	})
	t.Run("Add", func(t *testing.T) {
		r := r.with(t)
		x := r.call(http.MethodPost, group+"/participants", whatsapp(object{"participants": []object{{"user": cleo}}}))
		r.golden().Exchange(t, "operations/add", x.Want(t, http.StatusOK))
		r.members(t, group, cleo)
	})
	t.Run("Delete", func(t *testing.T) {
		r := r.with(t)
		r.golden().Exchange(t, "operations/delete", r.call(http.MethodDelete, group, nil).Want(t, http.StatusOK))
		if _, err := r.line.WA.GroupTruth(jid); err == nil {
			if truth, _ := r.line.WA.GroupTruth(jid); len(truth.Participants) > 0 {
				t.Errorf("there are still %v in the group", truth.Participants)
			}
		}
	})
}

func (r *rig) link(group string) string {
	r.Helper()
	var answer struct {
		Link string `json:"invite_link"`
	}
	r.call(http.MethodGet, group+"/invite_link", nil).Want(r, http.StatusOK).Decode(r, &answer)
	return answer.Link
}

// members fails the test unless the group has them, beside the account.
func (r *rig) members(t testing.TB, group string, want ...string) {
	t.Helper()
	var info struct {
		Count        int `json:"total_participant_count"`
		Participants []struct {
			WaID string `json:"wa_id"`
		}
	}
	r.call(http.MethodGet, group+"?fields=participants,total_participant_count", nil).Want(t, http.StatusOK).Decode(t, &info)
	var got []string
	for _, p := range info.Participants {
		got = append(got, p.WaID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if info.Count != len(want) || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the group has %d members: %q, want %q", info.Count, got, want)
	}
}

func testUpdate(t *testing.T, r *rig, group string) {
	truth := func(subject, description string) {
		t.Helper()
		now, err := r.line.WA.GroupTruth(r.jid(group))
		if err != nil || now.Subject != subject || now.Description.Text != description {
			t.Errorf("the group is %q, %q (%v), want %q, %q", now.Subject, now.Description.Text, err, subject, description)
		}
	}
	x := r.call(http.MethodPost, group, whatsapp(object{"subject": "Second name", "description": "Another text"}))
	r.golden().Exchange(t, "operations/update-json", x.Want(t, http.StatusOK))
	truth("Second name", "Another text")

	form := url.Values{"messaging_product": {"whatsapp"}, "subject": {"Third & name"}}
	header := r.header()
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	x = r.line.Send(t, apptest.Exchange{Method: http.MethodPost, Path: version + group, Header: header, Body: []byte(form.Encode())})
	r.golden().Exchange(t, "operations/update-form", x.Want(t, http.StatusOK))
	truth("Third & name", "Another text")

	product := map[string]string{"messaging_product": "whatsapp"}
	r.form(group, product, "file", "image/jpeg", picture(t, 300, 300)).Want(t, http.StatusOK)
	r.form(group, product, "profile_picture_file", "image/jpeg", picture(t, 192, 192)).Want(t, http.StatusOK)
	data := "data:image/jpeg;base64," + base64Of(picture(t, 200, 200))
	r.call(http.MethodPost, group, whatsapp(object{"profile_picture_file": data})).Want(t, http.StatusOK)
	r.told("the picture", func(i item) bool { return strings.Contains(string(i.raw), "profile_picture") })
}

func testJoinRequests(t *testing.T, r *rig) {
	jid := r.group(sandbox.GroupOptions{Name: "By request", Settings: on()})
	r.ask("15550001001", jid)
	r.asked(jid, 1)
	r.golden().Exchange(t, "operations/join-requests", r.call(http.MethodGet, id(jid)+"/join_requests", nil).Want(t, http.StatusOK))
	r.ask("15550001002", jid)
	r.ask("15550001003", jid)
	ids := r.asked(jid, 3)
	// Page by page there are the same, forwards and backwards.
	var forwards, backwards []string
	next := version + id(jid) + "/join_requests?limit=1"
	var last string
	for next != "" {
		var page requestPage
		r.page(next).Decode(t, &page)
		forwards = append(forwards, page.ids()...)
		last, next = next, r.below(page.Paging.Next)
	}
	for next = last; next != ""; {
		var page requestPage
		r.page(next).Decode(t, &page)
		backwards = append(page.ids(), backwards...)
		next = r.below(page.Paging.Previous)
	}
	if fmt.Sprint(forwards) != fmt.Sprint(ids) || fmt.Sprint(backwards) != fmt.Sprint(ids) {
		t.Errorf("the requests are %v, page by page %v and %v", ids, forwards, backwards)
	}
}

// requestPage is a page of requests to join.
type requestPage struct {
	Data []struct {
		ID string `json:"join_request_id"`
	}
	Paging struct{ Previous, Next string }
}

func (p requestPage) ids() (list []string) {
	for _, one := range p.Data {
		list = append(list, one.ID)
	}
	return list
}

// page gets a path that a list has named.
func (r *rig) page(path string) apptest.Exchange {
	r.Helper()
	x := r.line.Send(r, apptest.JSON(http.MethodGet, path, r.header(), nil)).Want(r, http.StatusOK)
	r.check(r, x)
	return x
}

// below is the path of an address on this server.
func (r *rig) below(address string) string {
	r.Helper()
	path, ok := strings.CutPrefix(address, r.line.URL)
	if address != "" && !ok {
		r.Errorf("%s is not on this server", address)
	}
	return path
}

func testDecisions(t *testing.T, r *rig) {
	jid := r.group(sandbox.GroupOptions{Name: "Decisions", Settings: on()})
	for _, who := range []string{"15550001001", "15550001002", "15550001003", "15550001004"} {
		r.ask(who, jid)
	}
	ids := r.asked(jid, 4)
	path := id(jid) + "/join_requests"
	approved := r.call(http.MethodPost, path, whatsapp(object{"join_requests": ids[:1]}))
	r.golden().Exchange(t, "operations/approve", approved.Want(t, http.StatusOK))
	partly := r.call(http.MethodPost, path, whatsapp(object{"join_requests": []string{ids[1], ids[0]}}))
	r.golden().Exchange(t, "operations/approve-partly", partly.Want(t, http.StatusPartialContent))
	rejected := r.call(http.MethodDelete, path, whatsapp(object{"join_requests": ids[2:3]}))
	r.golden().Exchange(t, "operations/reject", rejected.Want(t, http.StatusOK))
	partly = r.call(http.MethodDelete, path, whatsapp(object{"join_requests": []string{"bm90IGFuIGlk", ids[3]}}))
	r.golden().Exchange(t, "operations/reject-partly", partly.Want(t, http.StatusPartialContent))
	none := r.call(http.MethodPost, path, whatsapp(object{"join_requests": ids[3:]}))
	r.golden().Exchange(t, "operations/approve-none", none.Want(t, http.StatusBadRequest))
	r.asked(jid, 0)
	r.members(t, id(jid), requesterOf(t, ids[0]), requesterOf(t, ids[1]))
}

// requesterOf is the number in the id of a request to join.
func requesterOf(t testing.TB, id string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	number, _, _ := strings.Cut(string(raw), ":")
	return number
}

func base64Of(data []byte) string {
	return base64.StdEncoding.EncodeToString(data)
}
