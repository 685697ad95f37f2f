package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
)

const (
	killedMe  = "4915700000001" // the server's session is linked to it
	killedAnn = "4915700000002"
)

// killed is a server that is killed again and again while it sends to a group
// in which ann's phone reads.
type killed struct {
	*testing.T
	w     *world
	s     *server
	data  string
	group string
}

// TestMessagesSurviveKills kills the server while WhatsApp has a message that
// it has not confirmed, while it has a message that WhatsApp does not have, and
// while others write to it: each message is there once in the end, and the same
// request, made again, finds its message and makes no second one.
func TestMessagesSurviveKills(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	k := &killed{T: t, w: w, data: filepath.Join(t.TempDir(), "data")}
	w.phone(t, killedMe, "Me")
	w.phone(t, killedAnn, "Ann")
	k.s = serve(t, w, k.data)
	k.s.link(t, w, "me", killedMe)
	var made struct {
		JID string `json:"group_jid"`
	}
	k.s.api(t, http.MethodPost, "/sessions/me/groups", map[string]any{"name": "Talk", "participants": []string{killedAnn}}, &made)
	k.group = made.JID
	for round, effect := range []map[string]any{{"drop_reply": true}, {"close": true}, {"drop_reply": true}} {
		k.round(round, effect)
	}
	k.retried()
	noneUnknown(t, w)
}

// retried has ann's phone ask for a message again that an earlier process sent.
func (k *killed) retried() {
	k.Helper()
	const text = "asked for again"
	status, id, err := k.post("retried", text)
	if err != nil || status != http.StatusOK {
		k.Fatalf("send: %d, %v", status, err)
	}
	k.s.kill(k.T)
	k.s = serve(k.T, k.w, k.data)
	k.s.connected(k.T, "me")
	k.w.control(k.T, http.MethodPost, "/phones/"+killedAnn+"/messages/"+id+"/ask-again", nil, nil)
	until(k.T, "ann has "+text+" again", func() bool { return k.count(text) == 1 })
}

// round sends a text that is met by a fault, kills the server, has ann write in
// the meantime, and starts it again.
func (k *killed) round(round int, effect map[string]any) {
	k.Helper()
	text, key := fmt.Sprintf("from the server, round %d", round), fmt.Sprintf("round-%d", round)
	k.w.control(k.T, http.MethodPost, "/faults", map[string]any{
		"match": map[string]any{"tag": "message", "account": killedMe}, "effect": effect, "count": 1,
	}, nil)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _, _ = k.post(key, text) // killed, mostly: the answer is looked for later
	}()
	until(k.T, "the message has met its fault", func() bool { return k.spent(round + 1) })
	k.s.kill(k.T)
	<-answered
	var written []string
	for n := range 5 {
		body := fmt.Sprintf("from ann, round %d, %d", round, n)
		written = append(written, body)
		k.w.control(k.T, http.MethodPost, "/phones/"+killedAnn+"/messages", map[string]any{"to": k.group, "text": body}, nil)
	}
	k.s = serve(k.T, k.w, k.data)
	k.s.connected(k.T, "me")
	// Nobody asks again, and it arrives.
	until(k.T, "ann has "+text, func() bool { return k.count(text) > 0 })
	k.arrived(written)
	status, id, err := k.post(key, text)
	if err != nil || status != http.StatusOK {
		k.Fatalf("the same request again: %d, %v", status, err)
	}
	if got := k.ids(text); len(got) != 1 || got[0] != id {
		k.Errorf("ann has %q as %q, and the request answers %q", text, got, id)
	}
}

// spent tells whether so many faults have struck as often as they were to.
func (k *killed) spent(want int) bool {
	var list struct {
		Faults []struct {
			Met int `json:"met"`
		} `json:"faults"`
	}
	k.w.control(k.T, http.MethodGet, "/faults", nil, &list)
	struck := 0
	for _, f := range list.Faults {
		struck += f.Met
	}
	return struck >= want
}

// post sends a text under an idempotency key.
func (k *killed) post(key, text string) (status int, id string, err error) {
	raw, err := json.Marshal(map[string]any{"to": k.group, "text": text})
	if err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.s.url+"/api/v1/sessions/me/messages/text", bytes.NewReader(raw))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	var answer struct {
		ID string `json:"message_id"`
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer.ID, err
}

// ids are the ids under which ann's phone has a text.
func (k *killed) ids(text string) (ids []string) {
	k.Helper()
	var list struct {
		Messages []struct{ ID, Text string } `json:"messages"`
	}
	k.w.control(k.T, http.MethodGet, "/phones/"+killedAnn+"/messages", nil, &list)
	for _, m := range list.Messages {
		if m.Text == text {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func (k *killed) count(text string) int { return len(k.ids(text)) }

// arrived waits until what was written while the server was dead is in its
// inbox, and checks that it is there once, in order, and marked.
func (k *killed) arrived(written []string) {
	k.Helper()
	var got []string
	until(k.T, "the backlog is in the inbox", func() bool {
		var list struct {
			Messages []struct {
				Text    string `json:"text"`
				Offline bool   `json:"offline"`
			} `json:"messages"`
		}
		k.s.api(k.T, http.MethodGet, "/sessions/me/chats/"+k.group+"/messages", nil, &list)
		got = nil
		for _, m := range list.Messages { // the newest first
			if slices.Contains(written, m.Text) {
				if !m.Offline {
					k.Errorf("%q is not marked as having come with the backlog", m.Text)
				}
				got = append(got, m.Text)
			}
		}
		return len(got) >= len(written)
	})
	slices.Reverse(got)
	if !slices.Equal(got, written) {
		k.Errorf("the inbox has %q, want %q", got, written)
	}
}
