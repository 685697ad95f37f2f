package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// foreign is a Baileys client in a process of its own; see baileys/client.mjs
// for how it is spoken to.
type foreign struct {
	in   io.WriteCloser
	next int

	mu   sync.Mutex
	said []said
	news chan struct{}
	done chan struct{}
}

// said is one line of the client's: an answer or an event.
type said struct {
	ID          int             `json:"id"`
	Result      json.RawMessage `json:"result"`
	Error       string          `json:"error"`
	Event       string          `json:"event"`
	QR          string          `json:"qr"`
	Chat        string          `json:"chat"`
	Text        string          `json:"text"`
	FromMe      bool            `json:"fromMe"`
	Participant string          `json:"participant"`
	Data        json.RawMessage `json:"data"`
	raw         string
}

// startForeign runs a Baileys client; version is baileys6 or baileys7.
func startForeign(t *testing.T, version, endpoint string) *foreign {
	t.Helper()
	needBaileys(t)
	cmd := exec.Command("node", "client.mjs", version, endpoint, t.TempDir())
	cmd.Dir = "baileys"
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f := &foreign{in: in, news: make(chan struct{}), done: make(chan struct{})}
	go f.listen(out)
	t.Cleanup(func() {
		_ = in.Close() // which ends the client
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		<-f.done
		_ = cmd.Wait()
		timer.Stop()
		if t.Failed() {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, s := range f.said {
				t.Log(s.raw)
			}
		}
	})
	return f
}

// needBaileys skips the test where the client is not installed, unless
// everything is required.
func needBaileys(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("baileys", "node_modules", "baileys7"))
	}
	if err == nil {
		return
	}
	if os.Getenv("MUSTER_REQUIRE_ALL") == "1" {
		t.Fatalf("the foreign clients are not installed (npm ci in internal/e2e/baileys): %v", err)
	}
	t.Skipf("the foreign clients are not installed (npm ci in internal/e2e/baileys): %v", err)
}

func (f *foreign) listen(out io.Reader) {
	defer close(f.done)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		s := said{raw: lines.Text()}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			s.Error = err.Error()
		}
		f.mu.Lock()
		f.said = append(f.said, s)
		close(f.news)
		f.news = make(chan struct{})
		f.mu.Unlock()
	}
}

// wait returns the first line, past or to come, that fits.
func (f *foreign) wait(t *testing.T, what string, fits func(said) bool) said {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for seen := 0; ; {
		f.mu.Lock()
		recent, news := f.said[seen:], f.news
		seen = len(f.said)
		f.mu.Unlock()
		for _, s := range recent {
			if fits(s) {
				return s
			}
		}
		select {
		case <-news:
		case <-f.done:
			t.Fatalf("the foreign client ended before %s", what)
		case <-limit.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// call runs a method of the client's socket and reads its result.
func (f *foreign) call(t *testing.T, into any, method string, args ...any) {
	t.Helper()
	f.next++
	id := f.next
	line, err := json.Marshal(map[string]any{"id": id, "do": method, "args": args})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(f.in, "%s\n", line); err != nil {
		t.Fatal(err)
	}
	answer := f.wait(t, "the answer to "+method, func(s said) bool { return s.ID == id })
	if answer.Error != "" {
		t.Fatalf("%s: %s", method, answer.raw)
	}
	if into != nil {
		if err := json.Unmarshal(answer.Result, into); err != nil {
			t.Fatalf("%s: %v in %s", method, err, answer.Result)
		}
	}
}

// linkQR links the client by scanning its QR code with a phone.
func (f *foreign) linkQR(t *testing.T, w *world, number string) {
	t.Helper()
	qr := f.wait(t, "a QR code", func(s said) bool { return s.Event == "qr" }).QR
	w.control(t, http.MethodPost, "/phones/"+number+"/link", map[string]any{"qr": qr}, nil)
	f.wait(t, "the connection", func(s said) bool { return s.Event == "open" })
}

// linkCode links the client by typing its code into a phone.
func (f *foreign) linkCode(t *testing.T, w *world, number string) {
	t.Helper()
	f.wait(t, "readiness", func(s said) bool { return s.Event == "qr" })
	var code string
	f.call(t, &code, "pairingCode", number)
	// Baileys shows the code without waiting for the service to hear of it.
	until(t, "the phone's user has typed the code", func() bool {
		status, raw, err := request(http.MethodPost, w.url+"/control/v1/phones/"+number+"/link", map[string]any{"code": code})
		if err != nil || status != http.StatusOK && !strings.Contains(string(raw), "no client waits for a code") {
			t.Fatalf("link by code: %d %s %v", status, raw, err)
		}
		return status == http.StatusOK
	})
	f.wait(t, "the connection", func(s said) bool { return s.Event == "open" })
}

// hears waits for a text that somebody else sent to a chat.
func (f *foreign) hears(t *testing.T, chat, text string) {
	t.Helper()
	f.wait(t, "the text "+text, func(s said) bool { return s.Event == "message" && s.Chat == chat && s.Text == text && !s.FromMe })
}

// phoneHears waits until a phone has decrypted a text.
func (w *world) phoneHears(t *testing.T, number, text string) {
	t.Helper()
	until(t, "phone "+number+" reads "+text, func() bool {
		var inbox struct {
			Messages []struct {
				Text string `json:"text"`
			} `json:"messages"`
		}
		w.control(t, http.MethodGet, "/phones/"+number+"/messages", nil, &inbox)
		for _, m := range inbox.Messages {
			if m.Text == text {
				return true
			}
		}
		return false
	})
}

const (
	musterNumber  = "4915100000001"
	foreignNumber = "4915100000002"
)

// TestForeignClients lets clients written by others link to the simulator,
// run a group and exchange decrypted messages with a Muster session.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	for _, version := range []struct {
		name, mode string
		link       func(*foreign, *testing.T, *world, string)
	}{
		{"baileys7", "lid", (*foreign).linkQR},
		{"baileys7", "pn", (*foreign).linkCode},
		// Version 6 knows no LIDs.
		{"baileys6", "pn", (*foreign).linkQR},
		{"baileys6", "pn", (*foreign).linkCode},
	} {
		t.Run(version.name+" in a group addressed by "+version.mode, func(t *testing.T) {
			t.Parallel()
			w := startWorld(t)
			w.phone(t, musterNumber, "Muster")
			w.phone(t, foreignNumber, "Foreign")
			s := serve(t, w, filepath.Join(t.TempDir(), "data"))
			s.link(t, w, "bot", musterNumber)
			f := startForeign(t, version.name, w.endpoint)
			version.link(f, t, w, foreignNumber)
			talk(t, w, s, f, version.mode)
			if version.mode == "lid" {
				govern(t, s, f)
			}
			noneUnknown(t, w)
		})
	}
}

// talk lets the phone of the Muster session make a group in the addressing
// mode asked for, and both sides speak in it.
func talk(t *testing.T, w *world, s *server, f *foreign, mode string) {
	t.Helper()
	var made struct {
		JID string `json:"group_jid"`
	}
	w.control(t, http.MethodPost, "/phones/"+musterNumber+"/groups", map[string]any{
		"name": "Both", "participants": []string{foreignNumber}, "addressing_mode": mode,
	}, &made)
	s.api(t, http.MethodPost, "/sessions/bot/messages/text", map[string]any{"to": made.JID, "text": "from muster"}, nil)
	f.hears(t, made.JID, "from muster")
	w.phoneHears(t, foreignNumber, "from muster")
	f.call(t, nil, "sendText", made.JID, "from the foreign client")
	w.phoneHears(t, musterNumber, "from the foreign client")
	// And once more each way, now that keys are known.
	s.api(t, http.MethodPost, "/sessions/bot/messages/text", map[string]any{"to": made.JID, "text": "again from muster"}, nil)
	f.hears(t, made.JID, "again from muster")
	f.call(t, nil, "sendText", made.JID, "again from the foreign client")
	w.phoneHears(t, musterNumber, "again from the foreign client")
}

// govern lets the foreign client make and run a group that Muster is in.
func govern(t *testing.T, s *server, f *foreign) {
	t.Helper()
	var group struct {
		ID string `json:"id"`
	}
	f.call(t, &group, "groupCreate", "Foreign", []string{musterNumber + "@s.whatsapp.net"})
	f.call(t, nil, "groupUpdateSubject", group.ID, "Foreign and renamed")
	f.call(t, nil, "groupUpdateDescription", group.ID, "Described by others")
	f.call(t, nil, "groupSettingUpdate", group.ID, "announcement")
	f.call(t, nil, "groupSettingUpdate", group.ID, "locked")
	f.call(t, nil, "groupToggleEphemeral", group.ID, 86400)
	f.call(t, nil, "groupJoinApprovalMode", group.ID, "on")
	f.call(t, nil, "groupMemberAddMode", group.ID, "admin_add")
	f.call(t, nil, "groupParticipantsUpdate", group.ID, []string{musterNumber + "@s.whatsapp.net"}, "promote")
	var code string
	f.call(t, &code, "groupInviteCode", group.ID)
	var info struct {
		Name     string `json:"name"`
		Topic    string `json:"topic"`
		Approval string `json:"membership_approval_mode"`
		AddMode  string `json:"member_add_mode"`
		Announce bool   `json:"announce"`
		Locked   bool   `json:"locked"`
		Timer    int    `json:"disappearing_seconds"`
	}
	until(t, "Muster knows what the foreign client has changed", func() bool {
		status, raw, err := request(http.MethodGet, s.url+"/api/v1/sessions/bot/groups/"+group.ID+"/info", nil)
		if err != nil || status == http.StatusNotFound {
			return false // the session has not heard of the group yet
		}
		if err := json.Unmarshal(raw, &info); err != nil {
			t.Fatalf("%d %s", status, raw)
		}
		return info.Name == "Foreign and renamed" && info.Topic == "Described by others" && info.Approval == "on" &&
			info.AddMode == "admin_add" && info.Announce && info.Locked && info.Timer == 86400
	})
	// The other way round: Muster, now an admin, changes, the foreign client sees.
	s.api(t, http.MethodPut, "/sessions/bot/groups/"+group.ID+"/subject", map[string]any{"subject": "Renamed by Muster"}, nil)
	f.wait(t, "the new subject", func(s said) bool {
		var updates []struct{ ID, Subject string }
		return s.Event == "groups.update" && json.Unmarshal(s.Data, &updates) == nil &&
			len(updates) > 0 && updates[0].ID == group.ID && updates[0].Subject == "Renamed by Muster"
	})
	var link struct {
		InviteLink string `json:"invite_link"`
	}
	s.api(t, http.MethodGet, "/sessions/bot/groups/"+group.ID+"/invite-link", nil, &link)
	if link.InviteLink != "https://chat.whatsapp.com/"+code {
		t.Errorf("Muster's link is %s, the foreign client's code %s", link.InviteLink, code)
	}
}

// noneUnknown fails when a client sent what the simulator does not know.
func noneUnknown(t *testing.T, w *world) {
	t.Helper()
	var stats struct {
		Unknown []string `json:"unknown_stanzas"`
	}
	w.control(t, http.MethodGet, "/stats", nil, &stats)
	if len(stats.Unknown) > 0 {
		t.Errorf("the simulator did not know %q", stats.Unknown)
	}
}
