package zernio_test

import (
	"net/http"
	"net/url"
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
	me     = "628111000000" // the phone that the session is linked to
	ann    = "628111000001"
	bob    = "628111000002"
	cid    = "628111000003"
	shy    = "628111000004" // whose privacy settings let nobody add them
	nobody = "628199999999" // not on WhatsApp

	base   = "/zernio/api"
	groups = base + "/v1/whatsapp/wa-groups"
	chats  = base + "/v1/inbox/conversations"
)

// rig is a program with a linked session, and a client's key.
type rig struct {
	*apptest.Line
	t *testing.T
}

func newRig(t *testing.T, change ...func(*config.Config)) *rig {
	t.Helper()
	r := &rig{Line: apptest.StartLine(t, me, change...), t: t}
	for number, name := range map[string]string{ann: "Ann", bob: "Bob", cid: "Cid"} {
		r.Phone(t, number, sandbox.PhoneOptions{Name: name})
	}
	r.Phone(t, shy, sandbox.PhoneOptions{Name: "Shy", GroupAdd: "none"})
	return r
}

// with is the rig for a subtest.
func (r *rig) with(t *testing.T) *rig { return &rig{Line: r.Line, t: t} }

type object = map[string]any

func (r *rig) header() http.Header {
	return http.Header{"Authorization": {"Bearer " + r.Key}, "Accept": {"application/json"}}
}

// call makes a request as a client does.
func (r *rig) call(method, path string, body any) apptest.Exchange {
	r.t.Helper()
	return r.Send(r.t, apptest.JSON(method, path, r.header(), body))
}

// inGroup calls something about a group.
func (r *rig) inGroup(method, id, rest string, body any) apptest.Exchange {
	r.t.Helper()
	return r.call(method, groups+"/"+id+rest+"?accountId="+r.Session, body)
}

// make makes a group by the API, and returns its id and its JID.
func (r *rig) make(subject string) (id string, jid types.JID) {
	r.t.Helper()
	before := r.WA.Groups()
	answer := r.call(http.MethodPost, groups, object{"accountId": r.Session, "subject": subject}).Want(r.t, http.StatusCreated)
	id = text(r.t, answer, "group", "groupId")
	for _, g := range r.WA.Groups() {
		if truth, err := r.WA.GroupTruth(g); err == nil && truth.Subject == subject && !slices.Contains(before, g) {
			return id, g
		}
	}
	r.t.Fatalf("there is no group %q", subject)
	return "", types.JID{}
}

// with members: makes a group and adds people to it.
func (r *rig) makeWith(subject string, members ...string) (id string, jid types.JID) {
	r.t.Helper()
	id, jid = r.make(subject)
	r.inGroup(http.MethodPost, id, "/participants", phones(members...)).Want(r.t, http.StatusOK)
	return id, jid
}

func phones(numbers ...string) object {
	list := make([]string, len(numbers))
	for i, number := range numbers {
		list[i] = "+" + number
	}
	return object{"phoneNumbers": list}
}

// ask has a person ask to be let into a group whose link asks for that.
func (r *rig) ask(jid types.JID, number string) {
	r.t.Helper()
	link, err := r.WA.InviteLink(me, jid, false)
	if err == nil {
		_, _, err = r.WA.Join(number, link)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// gated makes a group that asks before it lets people in.
func (r *rig) gated(subject string) (id string, jid types.JID) {
	r.t.Helper()
	id, jid = r.make(subject)
	r.inGroup(http.MethodPost, id, "", object{"joinApprovalMode": "approval_required"}).Want(r.t, http.StatusOK)
	return id, jid
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
		numbers = append(numbers, r.WA.NumberOf(p.JID))
	}
	slices.Sort(numbers)
	return strings.Join(numbers, " ")
}

// hears waits until a phone has read a message that fits.
func (r *rig) hears(number, what string, fits func(sandbox.Received) bool) (found sandbox.Received) {
	r.t.Helper()
	apptest.Eventually(r.t, number+" to read "+what, func() bool {
		inbox, err := r.WA.Inbox(number)
		if err != nil {
			r.t.Fatal(err)
		}
		at := slices.IndexFunc(inbox, fits)
		if at >= 0 {
			found = inbox[at]
		}
		return at >= 0
	})
	return found
}

// said waits until the API has so many messages in a conversation.
func (r *rig) said(id string, count int) apptest.Exchange {
	r.t.Helper()
	var x apptest.Exchange
	apptest.Eventually(r.t, "the messages of "+id, func() bool {
		x = r.call(http.MethodGet, chats+"/"+id+"/messages?accountId="+r.Session, nil).Want(r.t, http.StatusOK)
		list, _ := body(r.t, x)["messages"].([]any)
		return len(list) == count
	})
	return x
}

func body(t *testing.T, x apptest.Exchange) (o object) {
	t.Helper()
	x.Decode(t, &o)
	return o
}

// field is what stands at the end of a path in an answer.
func field(t *testing.T, x apptest.Exchange, path ...string) (value any) {
	t.Helper()
	value = body(t, x)
	for _, name := range path {
		o, ok := value.(object)
		if !ok {
			t.Fatalf("%s %s: there is no %s in %s", x.Method, x.Path, strings.Join(path, "."), x.Answer)
		}
		value = o[name]
	}
	return value
}

func text(t *testing.T, x apptest.Exchange, path ...string) string {
	t.Helper()
	value, _ := field(t, x, path...).(string)
	return value
}

// refused fails the test unless the answer is an error of the class, about the
// field.
func (r *rig) refused(x apptest.Exchange, status int, class, param string) apptest.Exchange {
	r.t.Helper()
	x.Want(r.t, status)
	if text(r.t, x, "type") != class || text(r.t, x, "param") != param || text(r.t, x, "error") == "" || text(r.t, x, "code") == "" {
		r.t.Errorf("%s %s: %s, want type %s and param %q", x.Method, x.Path, x.Answer, class, param)
	}
	return x
}

// golden knows what differs between runs.
func golden(r *rig) *apptest.Golden {
	g := apptest.NewGolden()
	g.Value("server", r.URL)
	g.Value("server", strings.TrimPrefix(r.URL, "http://"))
	g.Mask("subject", `"(First|Second|Third)"`) // groups are listed by their ids, which are random
	g.Mask("link", `https://chat\.whatsapp\.com/(\w+)`)
	g.Mask("media", `bXVzdGVyX21lZGlh\w+`)
	g.Mask("group", `Y2FwaV9n\w+`)
	g.Mask("jid", `120363\d+`)
	g.Mask("cursor", `MTIwMzYz\w+=*`)
	g.Mask("cursor", `\b[ns]\.\w+`)
	g.Mask("cursor", `(?:nextCursor": "|cursor=)(\w+)`)
	g.Mask("message", `3EB0[0-9A-F]+`)
	g.Mask("webhook", `wh_\w+`)
	g.Mask("event", `evt_\w+`)
	g.Mask("secret", `whsec_[\w+/=]+`)
	g.Mask("receiver", `http://127\.0\.0\.1:\d+`)
	return g
}

// check compares an exchange with a golden file. Whether two times are the same
// differs between runs, so each is replaced by one.
func (r *rig) check(g *apptest.Golden, name string, x apptest.Exchange, headers ...string) {
	r.t.Helper()
	x.Answer = timeless(x.Answer)
	g.Exchange(r.t, name, x, headers...)
}

var (
	isoTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ`)
	seconds = regexp.MustCompile(`"(createdAt|timestamp)":\d+`)
)

func timeless(body []byte) []byte {
	return seconds.ReplaceAll(isoTime.ReplaceAll(body, []byte("2001-02-03T04:05:06.000Z")), []byte(`"$1":981173106`))
}

func query(values ...string) string {
	q := url.Values{}
	for i := 0; i < len(values); i += 2 {
		q.Set(values[i], values[i+1])
	}
	return "?" + q.Encode()
}
