package e2e_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/sync/errgroup"
)

const (
	benchDevices      = 2000
	benchGroups       = 50
	benchMembers      = 20
	benchRounds       = 20               // changes of each group in the storm
	benchRest         = 30 * time.Second // how long the idle fleet is watched: a keep-alive of every device
	clockTicksPerSec  = 100              // of /proc/PID/stat, on Linux
	benchLinkParallel = 8
)

// BenchmarkDevices connects 2,000 real whatsmeow clients to a simulator in a
// process of its own, puts 1,000 of them into 50 groups of 20, and reports what
// the simulator's process takes: memory and idle CPU for each device, and CPU
// for each notification while all groups change as fast as they can.
//
//	go test ./internal/e2e -run '^$' -bench Devices -benchtime 1x
func BenchmarkDevices(b *testing.B) {
	for b.Loop() {
		w := startWorld(b)
		trust(b, w)
		empty := w.memory(b)
		fleet := linkFleet(b, w)
		linked := w.memory(b)
		groups := benchMakeGroups(b, w)

		before := w.cpu(b)
		<-time.After(benchRest)
		idle := w.cpu(b) - before

		began, before := time.Now(), w.cpu(b)
		storm(b, w, fleet, groups)
		took, busy := time.Since(began), w.cpu(b)-before
		delivered := float64(benchGroups * benchMembers * benchRounds)

		b.ReportMetric(float64(linked-empty)/benchDevices/1024, "KiB/device")
		b.ReportMetric(float64(w.memory(b)-empty)/benchDevices/1024, "KiB/device-after-storm")
		b.ReportMetric(idle.Seconds()*1e6/benchDevices/benchRest.Seconds(), "idle-µs-cpu/device/s")
		b.ReportMetric(busy.Seconds()*1e6/delivered, "µs-cpu/notification")
		b.ReportMetric(delivered/took.Seconds(), "notifications/s")
		b.ReportMetric(busy.Seconds()/took.Seconds(), "cores-in-storm")
		for _, c := range fleet {
			c.Disconnect()
		}
		w.kill(b)
	}
}

// member is a whatsmeow client that counts the changes of its group.
type member struct {
	*whatsmeow.Client
	qr        chan string
	connected chan struct{}
	last      chan struct{} // closed at the storm's last subject
}

// lastSubject ends the storm.
const lastSubject = "the storm is over"

// trust makes this process's clients accept the simulator.
func trust(b *testing.B, w *world) {
	root, err := hex.DecodeString(w.rootKey)
	if err != nil || len(root) != 32 {
		b.Fatalf("root key %q", w.rootKey)
	}
	whatsmeow.WACertPubKey = [32]byte(root)
}

func linkFleet(b *testing.B, w *world) []*member {
	b.Helper()
	pool := make([]*keys.PreKey, whatsmeow.WantedPreKeyCount)
	for i := range pool {
		pool[i] = keys.NewPreKey(uint32(i + 1))
	}
	fleet := make([]*member, benchDevices)
	var linking errgroup.Group
	linking.SetLimit(benchLinkParallel)
	for i := range fleet {
		linking.Go(func() error {
			m, err := linkMember(w, i, pool)
			fleet[i] = m
			return err
		})
	}
	if err := linking.Wait(); err != nil {
		b.Fatal(err)
	}
	return fleet
}

func benchNumber(i int) string { return fmt.Sprintf("49152%07d", i) }

func linkMember(w *world, i int, pool []*keys.PreKey) (*member, error) {
	number := benchNumber(i)
	if err := post(w.url+"/control/v1/phones", map[string]any{"number": number}); err != nil {
		return nil, err
	}
	m := newMember(w, pool)
	if err := m.Connect(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	select {
	case code := <-m.qr:
		if err := post(w.url+"/control/v1/phones/"+number+"/link", map[string]any{"qr": code}); err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, fmt.Errorf("device %d got no QR code", i)
	}
	select {
	case <-m.connected:
		return m, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("device %d did not connect", i)
	}
}

func newMember(w *world, pool []*keys.PreKey) *member {
	device := memoryDevice(pool)
	m := &member{
		Client: whatsmeow.NewClient(device, nil),
		qr:     make(chan string, 1), connected: make(chan struct{}), last: make(chan struct{}),
	}
	address := strings.TrimPrefix(w.url, "http://")
	client := &http.Client{Transport: toLoopback{&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}}}
	m.SetPreLoginHTTPClient(client)
	m.SetWebsocketHTTPClient(client)
	m.SetMediaHTTPClient(client)
	var connected, last sync.Once
	m.AddEventHandler(func(event any) {
		switch e := event.(type) {
		case *events.QR:
			select {
			case m.qr <- e.Codes[0]:
			default:
			}
		case *events.Connected:
			connected.Do(func() { close(m.connected) })
		case *events.GroupInfo:
			if e.Name != nil && e.Name.Name == lastSubject {
				last.Do(func() { close(m.last) })
			}
		}
	})
	return m
}

// toLoopback strips TLS from requests that are dialled to the simulator anyway.
type toLoopback struct{ inner http.RoundTripper }

func (t toLoopback) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return t.inner.RoundTrip(r)
}

func post(url string, body any) error {
	status, raw, err := request(http.MethodPost, url, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%s: %d %s", url, status, raw)
	}
	return err
}

// benchMakeGroups makes the groups; their owners are the first of each.
func benchMakeGroups(b *testing.B, w *world) []string {
	b.Helper()
	groups := make([]string, benchGroups)
	for g := range groups {
		people := make([]string, 0, benchMembers-1)
		for i := 1; i < benchMembers; i++ {
			people = append(people, benchNumber(g*benchMembers+i))
		}
		var made struct {
			JID string `json:"group_jid"`
		}
		w.control(b, http.MethodPost, "/phones/"+benchNumber(g*benchMembers)+"/groups",
			map[string]any{"name": fmt.Sprintf("Group %d", g), "participants": people}, &made)
		groups[g] = made.JID
	}
	return groups
}

// storm renames every group, again and again, and waits until every member has
// seen the last name.
func storm(b *testing.B, w *world, fleet []*member, groups []string) {
	b.Helper()
	var renaming errgroup.Group
	renaming.SetLimit(benchLinkParallel)
	for g, jid := range groups {
		renaming.Go(func() error {
			for round := 1; round <= benchRounds; round++ {
				subject := fmt.Sprintf("Round %d", round)
				if round == benchRounds {
					subject = lastSubject
				}
				url := w.url + "/control/v1/phones/" + benchNumber(g*benchMembers) + "/groups/" + jid + "/subject"
				if err := post(url, map[string]any{"subject": subject}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := renaming.Wait(); err != nil {
		b.Fatal(err)
	}
	limit := time.After(2 * patience)
	for i := range benchGroups * benchMembers {
		select {
		case <-fleet[i].last:
		case <-limit:
			b.Fatalf("device %d has not seen the end of the storm", i)
		}
	}
}

// memory is the resident memory of the process, in bytes.
func (p *process) memory(b *testing.B) int64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// cpu is the processor time that the process has taken.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	// The program's name, in parentheses, may hold spaces.
	fields := strings.Fields(string(raw)[strings.LastIndex(string(raw), ")")+1:])
	var ticks int64
	for _, i := range []int{11, 12} { // utime and stime, counted after the name
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicksPerSec
}

// memoryStore keeps what a client needs to read messages, in memory, so that
// the benchmark's clients cost little beside the simulator.
type memoryStore struct {
	store.NoopStore
	pool []*keys.PreKey

	mu       sync.Mutex
	sessions map[string][]byte
	synced   map[string]store.AppStateSyncKey
}

func memoryDevice(pool []*keys.PreKey) *store.Device {
	s := &memoryStore{pool: pool, sessions: map[string][]byte{}, synced: map[string]store.AppStateSyncKey{}}
	device := &store.Device{
		NoiseKey: keys.NewKeyPair(), IdentityKey: keys.NewKeyPair(), RegistrationID: 1, AdvSecretKey: make([]byte, 32),
		LIDs: s, Container: s, Log: nil,
	}
	device.SignedPreKey = device.IdentityKey.CreateSignedPreKey(1)
	device.SetAllStores(s)
	return device
}

func (s *memoryStore) IsTrustedIdentity(context.Context, string, [32]byte) (bool, error) {
	return true, nil
}

func (s *memoryStore) GetSession(_ context.Context, address string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[address], nil
}

func (s *memoryStore) HasSession(ctx context.Context, address string) (bool, error) {
	session, err := s.GetSession(ctx, address)
	return session != nil, err
}

func (s *memoryStore) PutSession(_ context.Context, address string, session []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[address] = session
	return nil
}

func (s *memoryStore) GetOrGenPreKeys(_ context.Context, count uint32) ([]*keys.PreKey, error) {
	return s.pool[:min(int(count), len(s.pool))], nil
}

func (s *memoryStore) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	if id == 0 || int(id) > len(s.pool) {
		return nil, nil
	}
	return s.pool[id-1], nil
}

func (s *memoryStore) UploadedPreKeyCount(context.Context) (int, error) { return len(s.pool), nil }

func (s *memoryStore) PutAppStateSyncKey(_ context.Context, id []byte, key store.AppStateSyncKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced[string(id)] = key
	return nil
}

func (s *memoryStore) GetAppStateSyncKey(_ context.Context, id []byte) (*store.AppStateSyncKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key, ok := s.synced[string(id)]; ok {
		return &key, nil
	}
	return nil, nil
}

func (s *memoryStore) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	return decrypt(ctx)
}
