package v1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"muster/sandbox"
	"muster/sandbox/service"
)

const groupsOf = "/api/v1/sessions/" + mySession + "/groups"

// conditional asks with If-None-Match.
func (r *rig) conditional(path, etag string) answer {
	r.t.Helper()
	request := r.request(context.Background(), http.MethodGet, path, nil)
	request.Header.Set("If-None-Match", etag)
	return r.do(request)
}

// Reads have an ETag that holds until something changes, whatever happens to
// other groups, and whether or not the answer came out of the cache.
func TestETags(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	jid, other := r.create("Mine", ann), r.create("Other")
	r.eventuallyCertain()
	for _, path := range []string{groupsOf, groupsOf + "/" + jid, groupsOf + "/" + jid + "/info"} {
		first := r.call(http.MethodGet, path, nil).status(http.StatusOK)
		etag := first.header.Get("ETag")
		if again := r.call(http.MethodGet, path, nil); etag == "" || again.header.Get("ETag") != etag || string(again.raw) != string(first.raw) {
			t.Errorf("%s: etag %q, then %q", path, etag, again.header.Get("ETag"))
		}
		if got := first.header.Get("Cache-Control"); got != "private, no-cache" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		for _, sent := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
			unchanged := r.conditional(path, sent).status(http.StatusNotModified)
			if len(unchanged.raw) != 0 || unchanged.header.Get("ETag") != etag {
				t.Errorf("%s: 304 with %q and etag %q", path, unchanged.raw, unchanged.header.Get("ETag"))
			}
		}
		r.conditional(path, `"another"`).status(http.StatusOK)
	}
	info := r.call(http.MethodGet, groupsOf+"/"+jid+"/info", nil)
	list := r.call(http.MethodGet, groupsOf, nil)
	r.group(http.MethodPut, other, "/subject", object{"subject": "Changed"}).status(http.StatusOK)
	r.conditional(groupsOf+"/"+jid+"/info", info.header.Get("ETag")).status(http.StatusNotModified)
	r.conditional(groupsOf, list.header.Get("ETag")).status(http.StatusOK)
	r.group(http.MethodPut, jid, "/subject", object{"subject": "Changed as well"}).status(http.StatusOK)
	if got := r.conditional(groupsOf+"/"+jid+"/info", info.header.Get("ETag")).status(http.StatusOK); got.text("name") != "Changed as well" {
		t.Errorf("a read right after a write: %s", got.raw)
	}
}

// eventuallyCertain waits until nothing in the list is stale.
func (r *rig) eventuallyCertain() {
	r.t.Helper()
	if !r.soon(func() bool {
		return !strings.Contains(string(r.call(http.MethodGet, groupsOf, nil).raw), `"stale":true`)
	}) {
		r.t.Fatal("the mirror stays stale")
	}
}

func TestListFilters(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	mine := r.create("My Äpfel")
	hers := r.byPhone(ann, sandbox.GroupOptions{Name: "Her pears", Participants: []string{myNumber}})
	r.follows(hers)
	list := func(query string) string {
		a := r.call(http.MethodGet, groupsOf+query, nil).status(http.StatusOK)
		var body struct {
			Groups []struct{ JID string }
			Total  int
		}
		if err := json.Unmarshal(a.raw, &body); err != nil || body.Total != len(body.Groups) {
			t.Errorf("%s: %s, %v", query, a.raw, err)
		}
		var names []string
		for _, g := range body.Groups {
			names = append(names, map[string]string{mine: "mine", hers: "hers"}[g.JID])
		}
		return strings.Join(names, " ")
	}
	for query, want := range map[string]string{
		"?q=%C3%A4PFEL": "mine", "?q=nothing": "", "?q=pears": "hers", "?role=admin": "mine",
		"?community=120363999999999999@g.us": "", "?role=admin&q=pears": "",
	} {
		if got := list(query); got != want {
			t.Errorf("%s lists %q, want %q", query, got, want)
		}
	}
	some := r.call(http.MethodGet, groupsOf+"?fields=name,participant_count&q=pears", nil).status(http.StatusOK)
	groups, _ := some.body["groups"].([]any)
	if fmt.Sprint(groups) != fmt.Sprintf("[map[jid:%s name:Her pears participant_count:2]]", hers) {
		t.Errorf("with fields: %s", some.raw)
	}
	if some.body["complete"] != true || some.body["stale"] != false || some.body["synced_at"] == float64(0) {
		t.Errorf("freshness: %s", some.raw)
	}
	r.call(http.MethodGet, groupsOf+"?fields=name,nonsense", nil).refused(http.StatusUnprocessableEntity, "invalid", "fields")
	r.call(http.MethodGet, groupsOf+"?role=owner", nil).refused(http.StatusUnprocessableEntity, "invalid", "role")
	r.call(http.MethodGet, groupsOf+"?community=me", nil).refused(http.StatusUnprocessableEntity, "invalid", "community")
}

func TestHistoryPages(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Hers", Participants: []string{myNumber}})
	r.follows(jid)
	for _, subject := range []string{"One", "Two", "Three"} {
		if err := r.wa.SetSubject(ann, r.jid(jid), subject); err != nil {
			t.Fatal(err)
		}
	}
	r.act(ann, jid, service.ActAdd, bob)
	r.follows(jid)
	r.group(http.MethodPost, jid, "/leave", nil).status(http.StatusOK)
	type page struct {
		Changes []struct {
			Seq           int64
			At            int64
			Kind, Source  string
			Actor         struct{ PhoneNumber, LID string }
			Before, After any
		}
		After int64
		More  bool
	}
	var seen []string
	var after int64
	for more := true; more; {
		var p page
		a := r.group(http.MethodGet, jid, fmt.Sprintf("/changes?limit=2&after=%d", after), nil).status(http.StatusOK)
		if err := json.Unmarshal(a.raw, &p); err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Changes {
			seen = append(seen, fmt.Sprint(c.Kind, " ", c.Source, " ", c.Before, " ", c.After))
			if c.Seq <= after || c.At == 0 {
				t.Errorf("after %d comes %+v", after, c)
			}
			after = c.Seq
		}
		if more = p.More; p.After != after {
			t.Errorf("after is %d, want %d", p.After, after)
		}
	}
	text := strings.Join(seen, "\n")
	for _, want := range []string{"created event <nil> map", "subject event Hers One", "subject event One Two", "subject event Two Three", "participants_added event <nil> [map", "left "} {
		if !strings.Contains(text, want) {
			t.Errorf("the history lacks %q:\n%s", want, text)
		}
	}
	r.group(http.MethodGet, "120363999999999999@g.us", "/changes", nil).refused(http.StatusNotFound, "group_not_found", "")
	r.group(http.MethodGet, jid, "", nil).refused(http.StatusForbidden, "not_in_group", "")
}

// Readers that meet changes never see an older state than one they have seen.
func TestReadsUnderChanges(t *testing.T) {
	r := newRig(t)
	jid := r.create("0")
	var writing sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		writing.Go(func() {
			last := 0
			for {
				select {
				case <-done:
					return
				default:
				}
				var now int
				name := r.group(http.MethodGet, jid, "/info", nil).text("name")
				if _, err := fmt.Sscan(name, &now); err != nil || now < last {
					t.Errorf("after %d comes %q", last, name)
					return
				}
				last = now
			}
		})
	}
	for i := range 20 {
		r.group(http.MethodPut, jid, "/subject", object{"subject": fmt.Sprint(i + 1)}).status(http.StatusOK)
		if got := r.group(http.MethodGet, jid, "", nil).text("name"); got != fmt.Sprint(i+1) {
			t.Errorf("right after writing %d the name is %s", i+1, got)
		}
	}
	close(done)
	writing.Wait()
}

// What was repaired is counted for Prometheus, which needs an admin token.
func TestMetrics(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Hers", Participants: []string{myNumber}})
	r.follows(jid)
	r.eventuallyCertain()
	r.fault(sandbox.Fault{
		Match:  sandbox.FaultMatch{Tag: "notification", Account: myNumber},
		Effect: sandbox.FaultEffect{DropReply: true}, Count: 1,
	})
	if err := r.wa.SetSubject(ann, r.jid(jid), "Unheard"); err != nil {
		t.Fatal(err)
	}
	r.group(http.MethodGet, jid, "?refresh=true", nil).status(http.StatusOK)
	r.follows(jid)
	read := func(token string) (int, string) {
		request := r.request(context.Background(), http.MethodGet, "/metrics", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	if status, text := read(adminToken); status != http.StatusOK || !strings.Contains(text, `muster_mirror_repairs_total{kind="subject"} 1`) {
		t.Errorf("%d\n%s", status, text)
	}
	bound := r.call(http.MethodPost, "/api/v1/tokens", object{"name": "bound", "sessions": []string{mySession}}).
		status(http.StatusCreated).text("token")
	if status, _ := read(bound); status != http.StatusForbidden {
		t.Errorf("a bound token gets %d", status)
	}
}
