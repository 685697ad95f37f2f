package phone

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"go.mau.fi/libsignal/logger"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

var (
	testPN    = types.NewJID("4915550000001", types.DefaultUserServer)
	testLID   = types.NewJID("100000000000001", types.HiddenUserServer)
	peerPN    = types.NewJID("4915550000002", types.DefaultUserServer)
	peerLID   = types.NewJID("100000000000002", types.HiddenUserServer)
	testGroup = types.NewJID("120363000000000001", types.GroupServer)
	testTime  = time.Unix(1_700_000_000, 0)
)

// TestMain silences libsignal, whose default logger prints to stdout.
func TestMain(m *testing.M) {
	var quiet logger.Loggable = quietLogger{}
	logger.Setup(&quiet)
	os.Exit(m.Run())
}

type quietLogger struct{}

func (quietLogger) Debug(string, string)   {}
func (quietLogger) Info(string, string)    {}
func (quietLogger) Warning(string, string) {}
func (quietLogger) Error(string, string)   {}
func (quietLogger) Configure(string)       {}

// seeded is a reader with the same bytes every time.
func seeded(seed byte) io.Reader {
	return rand.NewChaCha8([32]byte{seed})
}

func newPhone(t testing.TB) *Phone {
	t.Helper()
	p, err := New(testPN, testLID, "Ada", seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newPeer(t testing.TB) *Phone {
	t.Helper()
	p, err := New(peerPN, peerLID, "Bob", seeded(2))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// companion is whatsmeow with a database of its own and no connection.
type companion struct {
	*whatsmeow.Client
	jid, lid types.JID
}

// newCompanion makes an unlinked companion. Its JIDs are those it will have.
func newCompanion(t testing.TB, pn, lid types.JID, device uint16) *companion {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '#' {
			return '_'
		}
		return r
	}, t.Name())
	dsn := fmt.Sprintf("file:%s_%s_%d?mode=memory&cache=shared&_foreign_keys=on", name, pn.User, device)
	container, err := sqlstore.New(t.Context(), "sqlite3", dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := container.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &companion{Client: whatsmeow.NewClient(container.NewDevice(), nil), jid: pn, lid: lid}
	c.jid.Device, c.lid.Device = device, device
	return c
}

// linked makes a companion that the phone has signed.
func linked(t testing.TB, p *Phone, device uint16) *companion {
	t.Helper()
	c := newCompanion(t, p.PN(), p.LID(), device)
	container, err := p.SignCompanion(*c.Store.IdentityKey.Pub, c.Store.AdvSecretKey, uint32(device), testTime)
	if err != nil {
		t.Fatal(err)
	}
	c.save(t, container)
	return c
}

// save stores a companion as whatsmeow does after pairing.
func (c *companion) save(t testing.TB, container []byte) {
	t.Helper()
	var outer waAdv.ADVSignedDeviceIdentityHMAC
	var account waAdv.ADVSignedDeviceIdentity
	must(t, proto.Unmarshal(container, &outer))
	must(t, proto.Unmarshal(outer.Details, &account))
	account.DeviceSignature = make([]byte, 64)
	c.Store.Account, c.Store.ID, c.Store.LID = &account, &c.jid, c.lid
	must(t, c.Store.Save(t.Context()))
	must(t, c.Store.LIDs.PutLIDMapping(t.Context(), c.lid, c.jid))
}

// bundle is what the companion would have uploaded, with or without a one-time
// key.
func (c *companion) bundle(t testing.TB, oneTime bool) *Bundle {
	t.Helper()
	b := &Bundle{
		RegistrationID:  c.Store.RegistrationID,
		Identity:        *c.Store.IdentityKey.Pub,
		SignedID:        c.Store.SignedPreKey.KeyID,
		SignedKey:       *c.Store.SignedPreKey.Pub,
		SignedSignature: *c.Store.SignedPreKey.Signature,
	}
	if oneTime {
		key, err := c.Store.PreKeys.GenOnePreKey(t.Context())
		must(t, err)
		b.PreKeyID, b.PreKey = key.KeyID, key.Pub
	}
	return b
}

// encrypt has whatsmeow encrypt for a device, starting a session from the
// bundle if there is one.
func (c *companion) encrypt(t testing.TB, to types.JID, bundle *Bundle, msg *waE2E.Message) stanza.Node {
	t.Helper()
	plaintext, err := proto.Marshal(msg)
	must(t, err)
	if bundle == nil {
		node, _, err := c.DangerousInternals().EncryptMessageForDevice(t.Context(), plaintext, to, nil, nil, nil)
		must(t, err)
		return *node
	}
	node, _, err := c.DangerousInternals().EncryptMessageForDevice(t.Context(), plaintext, to, bundle.signal(to), nil, nil)
	must(t, err)
	return *node
}

// decrypt has whatsmeow decrypt a direct <enc>.
func (c *companion) decrypt(t testing.TB, enc stanza.Node, from types.JID) *waE2E.Message {
	t.Helper()
	preKey := stanza.Text(&enc, "type") == "pkmsg"
	plaintext, _, err := c.DangerousInternals().DecryptDM(t.Context(), &enc, from, preKey, testTime)
	must(t, err)
	return parse(t, plaintext)
}

// decryptGroup has whatsmeow decrypt a shared <enc>.
func (c *companion) decryptGroup(t testing.TB, enc stanza.Node, from types.JID) (*waE2E.Message, error) {
	t.Helper()
	plaintext, _, err := c.DangerousInternals().DecryptGroupMsg(t.Context(), &enc, from, testGroup, testTime)
	if err != nil {
		return nil, err
	}
	return parse(t, plaintext), nil
}

func parse(t testing.TB, plaintext []byte) *waE2E.Message {
	t.Helper()
	msg := new(waE2E.Message)
	must(t, proto.Unmarshal(plaintext, msg))
	return msg
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func textMessage(text string) *waE2E.Message {
	return &waE2E.Message{Conversation: &text}
}

func message(id string, encs ...stanza.Node) *stanza.Node {
	return &stanza.Node{
		Tag:     "message",
		Attrs:   stanza.Attrs{"id": id, "t": fmt.Sprint(testTime.Unix())},
		Content: encs,
	}
}
