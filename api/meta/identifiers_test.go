package meta_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

// TestIdentifiers has each way to name something.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann, bob)
	jid := r.group(sandbox.GroupOptions{Name: "Named", Participants: []string{ann}, Settings: on()})
	t.Run("account selector", func(t *testing.T) {
		r := r.with(t)
		for _, name := range []string{business, "%2B" + business, "line"} {
			r.call(http.MethodGet, name+"/groups", nil).Want(t, http.StatusOK)
		}
		for _, v := range []string{"v17.0", "v23.0", "v99.12"} {
			r.line.Send(t, apptest.JSON(http.MethodGet, "/meta/"+v+"/"+business+"/groups", r.header(), nil)).Want(t, http.StatusOK)
		}
	})
	t.Run("group id", func(t *testing.T) {
		r := r.with(t)
		digits := strings.TrimSuffix(jid, "@g.us")
		for _, name := range []string{id(jid), digits, jid, strings.ReplaceAll(jid, "@", "%40")} {
			var info struct{ ID string }
			r.call(http.MethodGet, name, nil).Want(t, http.StatusOK).Decode(t, &info)
			if info.ID != id(jid) {
				t.Errorf("%s is answered with the id %s, want %s", name, info.ID, id(jid))
			}
		}
	})
	t.Run("person", func(t *testing.T) {
		r := r.with(t)
		for _, name := range []string{ann, "+" + ann, ann + "@s.whatsapp.net"} {
			body := whatsapp(object{"participants": []object{{"user": name}}})
			r.call(http.MethodDelete, id(jid)+"/participants", body).Want(t, http.StatusOK)
			r.call(http.MethodPost, id(jid)+"/participants", body).Want(t, http.StatusOK)
		}
	})
	t.Run("join request id", func(t *testing.T) {
		r := r.with(t)
		r.ask(bob, jid)
		ids := r.asked(jid, 1)
		if got := requesterOf(t, ids[0]); got != bob {
			t.Errorf("the request is of %s", got)
		}
		other := r.group(sandbox.GroupOptions{Name: "Other", Settings: on()})
		x := r.call(http.MethodPost, id(other)+"/join_requests", whatsapp(object{"join_requests": ids}))
		if !strings.Contains(string(x.Want(t, 400).Answer), "131213") {
			t.Errorf("a request for another group is answered with %s", x.Answer)
		}
	})
}

// TestTokens has a token's view of the numbers: what is not its own does not
// exist.
func TestTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const second = "15550783882"
	r.line.Phone(t, second, sandbox.PhoneOptions{Name: "Second"})
	r.line.Link(t, r.line.WA, "other", second)
	jid, _, _, err := r.line.WA.CreateGroup(second, sandbox.GroupOptions{Name: "The other's", Participants: []string{business}})
	if err != nil {
		t.Fatal(err)
	}
	admin := http.Header{"Authorization": {"Bearer " + r.line.Token()}}
	get := func(header http.Header, path string) apptest.Exchange {
		return r.line.Send(t, apptest.JSON(http.MethodGet, version+path, header, nil))
	}
	if x := get(r.header(), second+"/groups"); x.Status != 400 {
		t.Errorf("another's number: %d %s", x.Status, x.Answer)
	}
	get(admin, second+"/groups").Want(t, http.StatusOK)
	// Without a number in the request, whose group it is decides: an admin's
	// before a member's.
	apptest.Eventually(t, "the group", func() bool {
		x := get(admin, jid.String())
		return x.Status == http.StatusOK && strings.Contains(string(x.Answer), `"id"`) && x.Answered.Get("X-Request-Id") != "" &&
			strings.Contains(string(x.Answer), idOf(second, jid.String()))
	})
	r.mirrored(jid.String())
	if x := get(r.header(), idOf(second, jid.String())); x.Status != 400 || !strings.Contains(string(x.Answer), "131041") {
		t.Errorf("the other's id for a group: %d %s", x.Status, x.Answer)
	}
	if x := get(r.header(), id(jid.String())); x.Status != http.StatusOK {
		t.Errorf("the own id for the group: %d %s", x.Status, x.Answer)
	}
}

// TestLimits has each limit that Meta's documents have, from both sides.
func TestLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.group(sandbox.GroupOptions{Name: "Limits"})
	update := func(r *rig, fields object) apptest.Exchange {
		r.Helper()
		return r.line.Send(r, apptest.JSON(http.MethodPost, version+id(jid), r.header(), whatsapp(fields)))
	}
	t.Run("subject", func(t *testing.T) {
		r := r.with(t)
		update(r, object{"subject": strings.Repeat("ü", 100)}).Want(t, http.StatusOK)
		for text, why := range map[string]string{
			strings.Repeat("ü", 101): "WhatsApp itself takes 100", strings.Repeat("ü", 129): "128 are the most", "  ": "must not be empty", "": "must not be empty",
		} {
			if x := update(r, object{"subject": text}).Want(t, 400); !strings.Contains(string(x.Answer), why) {
				t.Errorf("a subject of %d bytes is answered with %s, want %q", len(text), x.Answer, why)
			}
		}
	})
	t.Run("description", func(t *testing.T) {
		r := r.with(t)
		update(r, object{"description": strings.Repeat("ü", 2048)}).Want(t, http.StatusOK)
		update(r, object{"description": strings.Repeat("ü", 2049)}).Want(t, 400)
		update(r, object{"description": ""}).Want(t, http.StatusOK)
	})
	t.Run("participants per add/remove request", func(t *testing.T) {
		r := r.with(t)
		for _, count := range []int{0, 9} {
			var users []object
			for i := range count {
				users = append(users, object{"user": fmt.Sprintf("1555000%04d", i)})
			}
			for _, method := range []string{http.MethodPost, http.MethodDelete} {
				x := r.line.Send(t, apptest.JSON(method, version+id(jid)+"/participants", r.header(), whatsapp(object{"participants": users})))
				if !strings.Contains(string(x.Want(t, 400).Answer), "participants: ") {
					t.Errorf("%d people: %s", count, x.Answer)
				}
			}
		}
	})
	t.Run("list limit", func(t *testing.T) {
		r := r.with(t)
		for _, limit := range []string{"1", "1024"} {
			r.call(http.MethodGet, business+"/groups?limit="+limit, nil).Want(t, http.StatusOK)
		}
		for _, limit := range []string{"0", "1025", "-1", "x", "1.5"} {
			r.call(http.MethodGet, business+"/groups?limit="+limit, nil).Want(t, 400)
		}
		r.call(http.MethodGet, business+"/groups?after=MTIwMw==&before=MTIwMw==", nil).Want(t, 400)
	})
	t.Run("picture", func(t *testing.T) {
		r := r.with(t)
		product := map[string]string{"messaging_product": "whatsapp"}
		huge := append(picture(t, 300, 300), make([]byte, 5<<20)...)
		if x := r.form(id(jid), product, "file", "image/jpeg", huge).Want(t, 400); !strings.Contains(string(x.Answer), "are the most") {
			t.Errorf("a picture of %d bytes is answered with %s", len(huge), x.Answer)
		}
		r.form(id(jid), product, "file", "image/png", []byte("\x89PNG\r\n\x1a\n")).Want(t, 400)
		r.form(id(jid), product, "other", "image/jpeg", picture(t, 300, 300)).Want(t, 400)
	})
}

// TestPaging goes through a list of groups, forwards and backwards, along the
// links that it has.
func TestPaging(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const count = 30
	want := map[string]bool{}
	for i := range count {
		jid, _, _, err := r.line.WA.CreateGroup(business, sandbox.GroupOptions{Name: fmt.Sprint("G", i)})
		if err != nil {
			t.Fatal(err)
		}
		want[id(jid.String())] = true
	}
	type page struct {
		Data   struct{ Groups []struct{ ID string } }
		Paging struct{ Previous, Next string }
	}
	apptest.Eventually(t, "all groups", func() bool {
		var all page
		r.call(http.MethodGet, business+"/groups?limit=1024", nil).Want(t, http.StatusOK).Decode(t, &all)
		return len(all.Data.Groups) == count && all.Paging.Next == "" && all.Paging.Previous == ""
	})
	var sizes []int
	seen := map[string]bool{}
	last := ""
	for next := version + business + "/groups"; next != ""; {
		var p page
		r.page(next).Decode(t, &p)
		for _, g := range p.Data.Groups {
			seen[g.ID] = true
		}
		sizes = append(sizes, len(p.Data.Groups))
		last, next = next, r.below(p.Paging.Next)
	}
	if fmt.Sprint(sizes) != "[25 5]" || len(seen) != count {
		t.Errorf("the pages have %v groups, %d different ones", sizes, len(seen))
	}
	var p page
	r.page(last).Decode(t, &p)
	back := r.below(p.Paging.Previous)
	p = page{}
	r.page(back).Decode(t, &p)
	if len(p.Data.Groups) != 25 || p.Paging.Previous != "" || p.Paging.Next == "" {
		t.Errorf("the page before the last is %+v", p)
	}
}

// A list has the groups that the account is an admin of, as Meta's has those
// that the business has made.
func TestListHasOwnGroupsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann)
	mine, theirs := r.group(sandbox.GroupOptions{Name: "Mine"}), r.foreign()
	x := r.call(http.MethodGet, business+"/groups", nil).Want(t, http.StatusOK)
	if !strings.Contains(string(x.Answer), id(mine)) || strings.Contains(string(x.Answer), id(theirs)) {
		t.Errorf("the list is %s", x.Answer)
	}
}
