package zoko_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
)

const (
	me    = "628111000000" // the phone that the session is linked to
	ann   = "628111000001"
	bob   = "628111000002"
	cid   = "628111000003"
	dee   = "628111000004"
	eve   = "628111000005"
	nobod = "628199999999" // not on WhatsApp

	groupsPath = "/zoko/v2/channels/whatsapp/cloud/group"
)

// rig is a program with a linked session, and a store's key.
type rig struct {
	*apptest.Line
	t *testing.T
}

func newRig(t *testing.T, change ...func(*config.Config)) *rig {
	t.Helper()
	change = append([]func(*config.Config){func(c *config.Config) { c.Zoko.InvitationPause = 1 }}, change...)
	r := &rig{Line: apptest.StartLine(t, me, change...), t: t}
	for i, number := range []string{ann, bob, cid, dee, eve} {
		r.Phone(t, number, sandbox.PhoneOptions{Name: []string{"Ann", "Bob", "Cid", "Dee", "Eve"}[i]})
	}
	return r
}

// with is the rig for a subtest.
func (r *rig) with(t *testing.T) *rig { return &rig{Line: r.Line, t: t} }

type object = map[string]any

func (r *rig) header() http.Header {
	return http.Header{"Apikey": {r.Key}, "Accept": {"application/json"}}
}

// call makes a request as a store does.
func (r *rig) call(method, path string, body any) apptest.Exchange {
	r.t.Helper()
	return r.Send(r.t, apptest.JSON(method, path, r.header(), body))
}

// group is a group that a phone has made, and that the session knows.
func (r *rig) group(owner, subject string, members ...string) types.JID {
	r.t.Helper()
	jid, _, _, err := r.WA.CreateGroup(owner, sandbox.GroupOptions{Name: subject, Participants: members})
	if err != nil {
		r.t.Fatal(err)
	}
	apptest.Eventually(r.t, "the group "+subject, func() bool { return r.call(http.MethodGet, path(jid), nil).Status == http.StatusOK })
	return jid
}

// own is a group of the account, by the JID and by the path of its parts.
func (r *rig) own(subject string, members ...string) types.JID {
	r.t.Helper()
	return r.group(me, subject, members...)
}

func path(jid types.JID, rest ...string) string {
	return strings.Join(append([]string{groupsPath, jid.User}, rest...), "/")
}

// golden knows what differs between runs.
func golden() *apptest.Golden {
	g := apptest.NewGolden()
	g.Mask("link", `https://chat\.whatsapp\.com/(\w+)`)
	g.Mask("join-request", `NjI4MTEx\w+=*`)
	g.Mask("group", `120363\d+`)
	return g
}

var (
	clock   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	seconds = regexp.MustCompile(`("creation_timestamp":)\d+`)
)

// still is a body in which it is always the same time.
func still(body []byte) []byte {
	body = clock.ReplaceAll(body, []byte("2026-01-02T03:04:05Z"))
	return seconds.ReplaceAll(body, []byte("${1}1767323045"))
}

// pin compares an exchange with its golden file.
func pin(t *testing.T, g *apptest.Golden, file string, x apptest.Exchange) {
	t.Helper()
	x.Answer = still(x.Answer)
	g.Exchange(t, file, x)
}

// answer decodes an answer that is an object.
func answer(t *testing.T, x apptest.Exchange) object {
	t.Helper()
	var body object
	x.Decode(t, &body)
	return body
}

// members are the numbers in a group, sorted.
func (r *rig) members(jid types.JID) string {
	r.t.Helper()
	truth, err := r.WA.GroupTruth(jid)
	if err != nil {
		r.t.Fatal(err)
	}
	var numbers []string
	for _, p := range truth.Participants {
		numbers = append(numbers, r.WA.NumberOf(types.NewJID(p.JID.User, p.JID.Server)))
	}
	slices.Sort(numbers)
	return strings.Join(numbers, " ")
}

// received are the texts that a phone was sent by the account.
func (r *rig) received(number string) []string {
	r.t.Helper()
	inbox, err := r.WA.Inbox(number)
	if err != nil {
		r.t.Fatal(err)
	}
	var list []string
	for _, m := range inbox {
		if m.Text != "" {
			list = append(list, m.Text)
		}
	}
	return list
}

// gets waits until a phone has so many texts, and returns them.
func (r *rig) gets(number string, count int) []string {
	r.t.Helper()
	var list []string
	apptest.Eventually(r.t, fmt.Sprintf("%d texts at %s", count, number), func() bool {
		list = r.received(number)
		return len(list) >= count
	})
	return list
}

// ask has a person ask to be let into a group by its link.
func (r *rig) ask(number string, jid types.JID) {
	r.t.Helper()
	link, err := r.WA.InviteLink(me, jid, false)
	if err == nil {
		_, _, err = r.WA.Join(number, link)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// approval switches a group's approval of join requests on.
func (r *rig) approval(jid types.JID) {
	r.t.Helper()
	on := "on"
	if err := r.WA.SetSettings(me, jid, sandbox.Settings{ApprovalMode: &on}); err != nil {
		r.t.Fatal(err)
	}
	apptest.Eventually(r.t, "the approval of join requests", func() bool {
		return answer(r.t, r.call(http.MethodGet, path(jid), nil))["auto_approval"] == false
	})
}

// writeFile writes a file below a directory.
func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
