package zernio_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

// sdkDir has Zernio's own SDK, when it is installed; see client.mjs there.
const sdkDir = "../../internal/e2e/zernio"

// sdk is a process that calls Zernio's SDK.
type sdk struct {
	t    *testing.T
	in   io.Writer
	out  *bufio.Scanner
	next int
}

// sdkError is an error of the SDK's.
type sdkError struct {
	Class, Message, Code, Type, Param, Platform string
	StatusCode                                  int
	Fields                                      map[string][]string
}

func (r *rig) startSDK() *sdk {
	r.t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(sdkDir, "node_modules"))
	}
	switch {
	case err != nil && os.Getenv("MUSTER_REQUIRE_ALL") == "1":
		r.t.Fatalf("Zernio's SDK is not installed (npm ci in internal/e2e/zernio): %v", err)
	case err != nil:
		r.t.Skipf("Zernio's SDK is not installed (npm ci in internal/e2e/zernio): %v", err)
	}
	cmd := exec.CommandContext(r.t.Context(), "node", "client.mjs", r.URL+base, r.Key)
	cmd.Dir, cmd.Stderr, cmd.WaitDelay = sdkDir, os.Stderr, 10*time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	return &sdk{t: r.t, in: in, out: lines}
}

// call calls a method, and returns what the SDK does: its data or its error.
func (s *sdk) call(method string, args object) (object, *sdkError) {
	s.t.Helper()
	s.next++
	line, err := json.Marshal(object{"id": s.next, "do": method, "args": args})
	if err == nil {
		_, err = fmt.Fprintf(s.in, "%s\n", line)
	}
	var answer struct {
		ID    int
		Data  object
		Error *sdkError
	}
	if err == nil && s.out.Scan() {
		err = json.Unmarshal(s.out.Bytes(), &answer)
	}
	if err != nil || answer.ID != s.next {
		s.t.Fatalf("%s: %v, %v, %+v", method, err, s.out.Err(), answer)
	}
	return answer.Data, answer.Error
}

// do is call for what has to succeed.
func (s *sdk) do(method string, args object) object {
	s.t.Helper()
	data, failure := s.call(method, args)
	if failure != nil {
		s.t.Fatalf("%s: %+v", method, *failure)
	}
	return data
}

// TestSDK drives the server with Zernio's own SDK, unchanged but for its base
// URL and its key.
func TestSDK(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.startSDK()
	query := object{"accountId": r.Session}
	at := func(id string, more ...object) object {
		args := object{"path": object{"groupId": id}, "query": query}
		if len(more) > 0 {
			args["body"] = more[0]
		}
		return args
	}
	made := s.do("whatsapp.createWhatsAppGroupChat", object{"body": object{
		"accountId": r.Session, "subject": "Customer Support Team", "description": "Internal", "joinApprovalMode": "approval_required",
	}})["group"].(object)
	id, _ := made["groupId"].(string)
	link, _ := made["inviteLink"].(string)
	if list := s.do("whatsapp.listWhatsAppGroupChats", object{"query": object{"accountId": r.Session, "limit": 50}})["groups"].([]any); len(list) != 1 || list[0].(object)["id"] != id {
		t.Errorf("the list is %v, want %s", list, id)
	}
	s.do("whatsapp.addWhatsAppGroupParticipants", at(id, phones(ann, bob)))
	s.do("whatsapp.removeWhatsAppGroupParticipants", at(id, phones(bob)))
	s.do("whatsapp.updateWhatsAppGroupChat", at(id, object{"subject": "Renamed"}))
	if _, _, err := r.WA.Join(cid, link); err != nil {
		t.Fatal(err)
	}
	if waiting := s.do("whatsapp.listWhatsAppGroupJoinRequests", at(id))["joinRequests"].([]any); len(waiting) != 1 {
		t.Errorf("waiting: %v", waiting)
	}
	s.do("whatsapp.approveWhatsAppGroupJoinRequests", at(id, phones(cid)))
	renewed := s.do("whatsapp.createWhatsAppGroupInviteLink", at(id))
	if renewed["inviteLink"] == link {
		t.Errorf("the link is still %s", link)
	}
	if _, _, err := r.WA.Join(shy, renewed["inviteLink"].(string)); err != nil {
		t.Fatal(err)
	}
	s.do("whatsapp.rejectWhatsAppGroupJoinRequests", at(id, phones(shy)))
	group := s.do("whatsapp.getWhatsAppGroupChat", at(id))["group"].(object)
	if group["subject"] != "Renamed" || group["participantCount"] != 3.0 || group["joinApprovalMode"] != "approval_required" {
		t.Errorf("the group is %v", group)
	}
	s.inbox(r, id)
	s.errors(r, at)
	s.do("whatsapp.deleteWhatsAppGroupChat", at(id))
}

// inbox sends a message, reads it back, and hears of it.
func (s *sdk) inbox(r *rig, id string) {
	s.t.Helper()
	receiver := apptest.Receive(s.t, nil)
	s.do("webhooks.createWebhookSettings", object{"body": object{"name": "mine", "url": receiver.URL, "secret": "s", "events": []string{"message.sent", "post.published"}}})
	path := object{"conversationId": id}
	sent := s.do("messages.sendInboxMessage", object{
		"path": path, "body": object{"accountId": r.Session, "message": "Hello team!"}, "headers": object{"Idempotency-Key": "k1"},
	})["data"].(object)
	r.hears(ann, "the message", func(m sandbox.Received) bool { return m.Text == "Hello team!" && m.ID == sent["messageId"] })
	receiver.Wait(s.t, "message.sent", func(d apptest.Delivery) bool { return d.Header.Get("X-Zernio-Event") == "message.sent" })
	list := s.do("messages.getInboxConversationMessages", object{"path": path, "query": object{"accountId": r.Session}})["messages"].([]any)
	if len(list) != 1 || list[0].(object)["id"] != sent["messageId"] {
		s.t.Errorf("the messages are %v, want %v", list, sent)
	}
	if list = s.do("messages.listInboxConversations", object{"query": object{"accountId": r.Session}})["data"].([]any); len(list) != 1 || list[0].(object)["id"] != id {
		s.t.Errorf("the conversations are %v", list)
	}
	if list = s.do("webhooks.getWebhookSettings", object{})["webhooks"].([]any); len(list) != 1 {
		s.t.Errorf("the webhooks are %v", list)
	}
}

// errors has the SDK make its own classes of our errors.
func (s *sdk) errors(r *rig, at func(string, ...object) object) {
	s.t.Helper()
	_, failure := s.call("whatsapp.createWhatsAppGroupChat", object{"body": object{"accountId": r.Session, "subject": ""}})
	if failure == nil || failure.Class != "ValidationError" || failure.StatusCode != http.StatusBadRequest || failure.Param != "subject" || len(failure.Fields["subject"]) != 1 {
		s.t.Errorf("no subject: %+v", failure)
	}
	_, failure = s.call("whatsapp.getWhatsAppGroupChat", at("120363000000000001"))
	if failure == nil || failure.Class != "ZernioApiError" || failure.StatusCode != http.StatusNotFound || failure.Type != "not_found" {
		s.t.Errorf("no group: %+v", failure)
	}
	_, failure = s.call("whatsapp.getWhatsAppGroupChat", at("120363000000000001@g.us")) // which the SDK percent-encodes
	if failure == nil || failure.StatusCode != http.StatusNotFound {
		s.t.Errorf("no group by its JID: %+v", failure)
	}
	made, failure := s.call("whatsapp.createWhatsAppGroupChat", object{"body": object{"accountId": r.Session, "subject": "Errors"}})
	if failure != nil {
		s.t.Fatalf("%+v", failure)
	}
	id, _ := made["group"].(object)["groupId"].(string)
	_, failure = s.call("whatsapp.addWhatsAppGroupParticipants", at(id, phones(nobody)))
	if failure == nil || failure.Type != "platform_error" || failure.Platform != "whatsapp" || failure.Class != "ZernioApiError" {
		s.t.Errorf("nobody there: %+v", failure)
	}
}
