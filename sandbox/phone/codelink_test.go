package phone

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"go.mau.fi/whatsmeow/util/keys"
	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/pbkdf2"
)

// codeCompanion does the companion's side of a linking by code, written down
// from whatsmeow's pair-code.go, whose own functions need a connection.
type codeCompanion struct {
	code                string
	ephemeral, identity *keys.KeyPair
}

func newCodeCompanion(code string) *codeCompanion {
	return &codeCompanion{code: code, ephemeral: keys.NewKeyPair(), identity: keys.NewKeyPair()}
}

func (c *codeCompanion) crypt(t testing.TB, salt, iv, text []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(pbkdf2.Key([]byte(c.code), salt, 131072, 32, sha256.New))
	must(t, err)
	out := make([]byte, len(text))
	cipher.NewCTR(block, iv).XORKeyStream(out, text)
	return out
}

func (c *codeCompanion) hello(t testing.TB) []byte {
	salt, iv := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16)
	return slices.Concat(salt, iv, c.crypt(t, salt, iv, c.ephemeral.Pub[:]))
}

func (c *codeCompanion) finish(t testing.TB, wrapped []byte, primary [32]byte) (bundle, secret []byte) {
	t.Helper()
	theirs := c.crypt(t, wrapped[:32], wrapped[32:48], wrapped[48:80])
	shared, err := curve25519.X25519(c.ephemeral.Priv[:], theirs)
	must(t, err)
	share, salt, nonce := bytes.Repeat([]byte{3}, 32), bytes.Repeat([]byte{4}, 32), bytes.Repeat([]byte{5}, 12)
	key := hkdfutil.SHA256(shared, salt, []byte("link_code_pairing_key_bundle_encryption_key"), 32)
	sealed, err := gcmutil.Encrypt(key, nonce, slices.Concat(c.identity.Pub[:], primary[:], share), nil)
	must(t, err)
	identities, err := curve25519.X25519(c.identity.Priv[:], primary[:])
	must(t, err)
	secret = hkdfutil.SHA256(slices.Concat(shared, identities, share), nil, []byte("adv_secret"), 32)
	return slices.Concat(salt, nonce, sealed), secret
}

func TestCodeLinkAgrees(t *testing.T) {
	p := newPhone(t)
	for _, typed := range []string{"ABCD-1234", "abcd1234", "ABCD 1234"} {
		c := newCodeCompanion("ABCD1234")
		link, err := p.StartCodeLink(typed, c.hello(t))
		must(t, err)
		wrapped, primary := link.Hello()
		if primary != p.Identity() {
			t.Fatal("the phone shows another identity than its own")
		}
		bundle, want := c.finish(t, wrapped, primary)
		got, err := link.Finish(*c.identity.Pub, bundle)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%q: the two sides have different secrets", typed)
		}
	}
}

func TestCodeLinkWrongCode(t *testing.T) {
	p := newPhone(t)
	c := newCodeCompanion("ABCD1234")
	link, err := p.StartCodeLink("ABCD1235", c.hello(t))
	must(t, err)
	bundle, _ := c.finish(t, first(link.Hello()), p.Identity())
	if _, err = link.Finish(*c.identity.Pub, bundle); !errors.Is(err, ErrWrongCode) {
		t.Fatalf("error %v, want ErrWrongCode", err)
	}
	// The user types it once more, right.
	link, err = p.StartCodeLink("ABCD1234", c.hello(t))
	must(t, err)
	bundle, want := c.finish(t, first(link.Hello()), p.Identity())
	got, err := link.Finish(*c.identity.Pub, bundle)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Error("the second attempt agrees on nothing")
	}
}

func TestCodeLinkOtherIdentities(t *testing.T) {
	p := newPhone(t)
	c := newCodeCompanion("ABCD1234")
	link, err := p.StartCodeLink("ABCD1234", c.hello(t))
	must(t, err)
	wrapped, primary := link.Hello()

	bundle, _ := c.finish(t, wrapped, primary)
	if _, err = link.Finish(*keys.NewKeyPair().Pub, bundle); !errors.Is(err, ErrWrongCode) {
		t.Errorf("other companion: error %v", err)
	}
	bundle, _ = c.finish(t, wrapped, *keys.NewKeyPair().Pub)
	if _, err = link.Finish(*c.identity.Pub, bundle); !errors.Is(err, ErrWrongCode) {
		t.Errorf("other phone: error %v", err)
	}
	bundle, _ = c.finish(t, wrapped, primary)
	bundle[len(bundle)-1] ^= 1
	if _, err = link.Finish(*c.identity.Pub, bundle); !errors.Is(err, ErrWrongCode) {
		t.Errorf("changed bundle: error %v", err)
	}
	if _, err = link.Finish(*c.identity.Pub, bundle[1:]); err == nil {
		t.Error("a short bundle was accepted")
	}
}

func TestCodeLinkLowOrderKey(t *testing.T) {
	p := newPhone(t)
	c := newCodeCompanion("ABCD1234")
	c.ephemeral.Pub = new([32]byte)
	link, err := p.StartCodeLink("ABCD1234", c.hello(t))
	must(t, err)
	if _, err = link.Finish(*c.identity.Pub, make([]byte, bundleSize)); !errors.Is(err, ErrWrongCode) {
		t.Errorf("error %v, want ErrWrongCode", err)
	}
}

func TestStartCodeLinkRefuses(t *testing.T) {
	p := newPhone(t)
	for _, code := range []string{"", "ABCD", "ABCD-12345", "ABCDI234", "ABCDO234", "ABCD123ß"} {
		if _, err := p.StartCodeLink(code, make([]byte, wrappedSize)); !errors.Is(err, ErrBadCode) {
			t.Errorf("%q: error %v, want ErrBadCode", code, err)
		}
	}
	if _, err := p.StartCodeLink("ABCD1234", make([]byte, wrappedSize-1)); err == nil {
		t.Error("a short wrapped key was accepted")
	}
}

func first[A, B any](a A, _ B) A { return a }

func FuzzStartCodeLink(f *testing.F) {
	p := newPhone(f)
	f.Add("ABCD-1234", make([]byte, wrappedSize))
	f.Add("ABCDI234", make([]byte, wrappedSize))
	f.Add("ßßßßßßßß", []byte{})
	f.Fuzz(func(t *testing.T, code string, wrapped []byte) {
		link, err := p.StartCodeLink(code, wrapped)
		if err == nil && len(first(link.Hello())) != wrappedSize {
			t.Error("the phone's wrapped key has the wrong size")
		}
	})
}

func FuzzFinish(f *testing.F) {
	p := newPhone(f)
	c := newCodeCompanion("ABCD1234")
	link, err := p.StartCodeLink("ABCD1234", c.hello(f))
	must(f, err)
	f.Add(make([]byte, 32), make([]byte, bundleSize))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, identity, bundle []byte) {
		var companion [32]byte
		copy(companion[:], identity)
		if _, err := link.Finish(companion, bundle); err == nil {
			t.Error("a bundle that nobody sealed was opened")
		}
	})
}
