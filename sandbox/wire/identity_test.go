package wire

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestIdentityJSON(t *testing.T) {
	data, err := json.Marshal(identities.good)
	if err != nil {
		t.Fatal(err)
	}
	var back Identity
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.RootPublic() != identities.good.RootPublic() || !back.static.Equal(identities.good.static) ||
		!bytes.Equal(back.chain, identities.good.chain) {
		t.Error("another identity came back")
	}
}

func TestIdentityJSONRefuses(t *testing.T) {
	good := identities.good
	file := identityFile{Root: good.root[:], Static: good.static.Bytes(), Chain: good.chain}
	other := identities.foreign
	for name, test := range map[string]struct {
		change func(f *identityFile)
		want   string
	}{
		"short root":   {func(f *identityFile) { f.Root = f.Root[:31] }, "root key of 31 bytes"},
		"no static":    {func(f *identityFile) { f.Static = nil }, "static key"},
		"other root":   {func(f *identityFile) { f.Root = other.root[:] }, "intermediate certificate"},
		"other static": {func(f *identityFile) { f.Static = other.static.Bytes() }, "for another key"},
		"no chain":     {func(f *identityFile) { f.Chain = nil }, "signature does not verify"},
		"forged chain": {func(f *identityFile) {
			f.Chain = bytes.Clone(f.Chain)
			f.Chain[10] ^= 1
		}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := file
			test.change(&changed)
			data, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			id := *good
			err = json.Unmarshal(data, &id)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if !id.static.Equal(good.static) {
				t.Error("a refused identity was taken over")
			}
		})
	}
	if _, err := json.Marshal(&Identity{}); err == nil {
		t.Error("an empty identity was written")
	}
}

func TestIdentityFollowsItsRandomness(t *testing.T) {
	again, err := NewIdentity(rand.NewChaCha8([32]byte{1}), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if again.RootPublic() != identities.good.RootPublic() {
		t.Error("equal randomness made another root")
	}
	if again.RootPublic() == identities.foreign.RootPublic() {
		t.Error("other randomness made the same root")
	}
	if _, err := NewIdentity(strings.NewReader("too little"), time.Now()); err == nil {
		t.Error("an identity was made of ten bytes")
	}
}
