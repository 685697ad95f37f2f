package e2e_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
)

// TestKilledServer kills the server while groups change, several times over,
// and expects every session back without linking, and the truth in its answers.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, w, data)
	ids := []string{"one", "two", "three"}
	for i, id := range ids {
		number := fmt.Sprintf("491510000000%d", i)
		w.phone(t, number, id)
		s.link(t, w, id, number)
	}
	var made struct {
		JID string `json:"group_jid"`
	}
	s.api(t, http.MethodPost, "/sessions/one/groups", map[string]any{
		"name": "Before", "participants": []string{"4915100000001", "4915100000002"},
	}, &made)
	for round := range 3 {
		changing := changeUntilKilled(t, s, made.JID, round)
		s.kill(t)
		changing.Wait()
		s = serve(t, w, data)
		for _, id := range ids {
			s.connected(t, id)
		}
		agree(t, w, s, made.JID)
	}
	noneUnknown(t, w)
}

// changeUntilKilled renames the group without pause from the side and returns
// once that has begun to work.
func changeUntilKilled(t *testing.T, s *server, jid string, round int) *sync.WaitGroup {
	t.Helper()
	var changing sync.WaitGroup
	begun := make(chan struct{})
	changing.Go(func() {
		for i := 0; ; i++ {
			status, _, err := request(http.MethodPut, s.url+"/api/v1/sessions/one/groups/"+jid+"/subject",
				map[string]any{"subject": fmt.Sprintf("Round %d, change %d", round, i)})
			if i == 5 || (err != nil && i < 5) {
				close(begun)
			}
			if err != nil {
				return // killed
			}
			if status != http.StatusOK {
				t.Errorf("change %d: status %d", i, status)
			}
		}
	})
	<-begun
	return &changing
}

// agree waits until every session says of the group what is the service's truth.
func agree(t *testing.T, w *world, s *server, jid string) {
	t.Helper()
	var truth struct {
		Subject      string `json:"subject"`
		Participants []any  `json:"participants"`
	}
	w.control(t, http.MethodGet, "/groups/"+jid, nil, &truth)
	for _, id := range []string{"one", "two", "three"} {
		var info struct {
			Name         string `json:"name"`
			Participants []any  `json:"participants"`
		}
		until(t, fmt.Sprintf("session %s sees %q with %d members", id, truth.Subject, len(truth.Participants)), func() bool {
			s.api(t, http.MethodGet, "/sessions/"+id+"/groups/"+jid+"/info", nil, &info)
			return info.Name == truth.Subject && len(info.Participants) == len(truth.Participants)
		})
	}
}

// TestKilledSimulatorAndServer kills a server that has the simulator inside:
// its state file must bring the linked session back.
func TestKilledSimulatorAndServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for range 3 {
		p := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0", "--data-dir", data)
		s := &server{process: p, url: p.line(t, `API\s+(http://127\.0\.0\.1:\d+)/api/v1`)[1]}
		s.connected(t, "demo")
		var list struct {
			Total int `json:"total"`
		}
		s.api(t, http.MethodGet, "/sessions/demo/groups", nil, &list)
		if list.Total != 3 {
			t.Fatalf("the demo has %d groups, not 3", list.Total)
		}
		// A session that had to be linked anew would be a second device.
		var phone struct {
			Devices []struct {
				JID string `json:"jid"`
			} `json:"devices"`
		}
		control := p.line(t, `Sandbox\s+(http://127\.0\.0\.1:\d+)`)[1]
		call(t, http.MethodGet, control+"/control/v1/phones/4915150000000", nil, &phone)
		if len(phone.Devices) != 1 || phone.Devices[0].JID != "4915150000000:1@s.whatsapp.net" {
			t.Fatalf("the demo phone has the devices %v: the session was linked again", phone.Devices)
		}
		p.kill(t)
	}
}
