package auth_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/internal/auth"
	"muster/internal/fault"
	"muster/store/storetest"
)

// clock is a time that tests move by hand.
type clock struct{ seconds atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_700_000_000+c.seconds.Load(), 0) }
func (c *clock) advance(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

func TestLifeOfAToken(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		var now clock
		tokens := auth.NewTokens(db, "", now.now)
		token, secret, err := tokens.Create(t.Context(), auth.CreateRequest{Name: "bot", Sessions: []string{"one", "two"}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(secret, "mst_") || len(secret) != len("mst_")+43 {
			t.Errorf("the secret is %q", secret)
		}
		p, err := tokens.Authenticate(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		if p.TokenID != token.ID || p.Admin || !p.May("one") || !p.May("two") || p.May("three") || p.May("") {
			t.Errorf("the principal is %+v", p)
		}
		assertNotStored(t, db, secret)
		for range 2 { // revoking twice is not an error
			if err = tokens.Revoke(t.Context(), token.ID); err != nil {
				t.Fatal(err)
			}
			now.advance(time.Hour)
		}
		if _, err = tokens.Authenticate(t.Context(), secret); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a revoked token gives %v", err)
		}
		list, _, err := tokens.List(t.Context(), "", auth.MaxPage)
		if err != nil || len(list) != 1 || !list[0].RevokedAt.Equal(time.Unix(1_700_000_000, 0)) || len(list[0].Sessions) != 2 {
			t.Errorf("the list is %+v, %v", list, err)
		}
		if err = tokens.Revoke(t.Context(), "nobody"); !fault.Is(err, fault.NotFound) {
			t.Errorf("revoking an unknown token gives %v", err)
		}
	})
}

func assertNotStored(t *testing.T, db *dbutil.Database, secret string) {
	t.Helper()
	var hash []byte
	if err := db.QueryRow(t.Context(), "SELECT hash FROM tokens").Scan(&hash); err != nil {
		t.Fatal(err)
	}
	if len(hash) != 32 || strings.Contains(string(hash), secret) {
		t.Errorf("what is stored is %d bytes, want a hash of 32", len(hash))
	}
}

// last_used_at moves at most once a minute.
func TestUseIsNotedToTheMinute(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		var now clock
		tokens := auth.NewTokens(db, "", now.now)
		_, secret, err := tokens.Create(t.Context(), auth.CreateRequest{Name: "x", Admin: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct{ wait, want time.Duration }{
			{0, 0}, {59 * time.Second, 0}, {time.Second, time.Minute}, {30 * time.Second, time.Minute}, {time.Hour, 90*time.Second + time.Hour},
		} {
			now.advance(step.wait)
			if _, err := tokens.Authenticate(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			list, _, err := tokens.List(t.Context(), "", auth.MaxPage)
			if err != nil {
				t.Fatal(err)
			}
			if got := list[0].LastUsedAt.Sub(time.Unix(1_700_000_000, 0)); got != step.want {
				t.Errorf("after %v more, last used at +%v, want +%v", step.wait, got, step.want)
			}
		}
	})
}

func TestConfiguredAdmin(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	const secret = "a-token-from-the-environment"
	tokens := auth.NewTokens(db, secret, time.Now)
	if made, err := tokens.EnsureAdmin(t.Context()); made != "" || err != nil {
		t.Errorf("with a configured token another was made: %q, %v", made, err)
	}
	p, err := tokens.Authenticate(t.Context(), secret)
	if err != nil || !p.Admin || !p.May("anything") {
		t.Errorf("the configured token is %+v, %v", p, err)
	}
	if list, _, err := tokens.List(t.Context(), "", auth.MaxPage); len(list) != 0 || err != nil {
		t.Errorf("the configured token was stored: %+v, %v", list, err)
	}
	if _, err = auth.NewTokens(db, "", time.Now).Authenticate(t.Context(), secret); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("it outlives its configuration: %v", err)
	}
}

func TestFirstAdminOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		tokens := auth.NewTokens(db, "", time.Now)
		first, err := tokens.EnsureAdmin(t.Context())
		if err != nil || first == "" {
			t.Fatalf("the first start made %q, %v", first, err)
		}
		if p, err := tokens.Authenticate(t.Context(), first); err != nil || !p.Admin {
			t.Errorf("it is %+v, %v", p, err)
		}
		if again, err := tokens.EnsureAdmin(t.Context()); again != "" || err != nil {
			t.Errorf("the second start made %q, %v", again, err)
		}
	})
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	tokens := auth.NewTokens(storetest.SQLite(t), "", time.Now)
	for field, requests := range map[string][]auth.CreateRequest{
		"name":        {{Admin: true}, {Name: strings.Repeat("x", 101), Admin: true}},
		"sessions":    {{Name: "x"}, {Name: "x", Admin: true, Sessions: []string{"one"}}, {Name: "x", Sessions: make([]string, 1001)}},
		"sessions[1]": {{Name: "x", Sessions: []string{"one", "two words"}}},
	} {
		for _, request := range requests {
			_, _, err := tokens.Create(t.Context(), request)
			if coded := fault.From(err); err == nil || coded.Code != fault.Invalid || coded.Field != field {
				t.Errorf("%+v gives %v, want a refusal of %s", request, err, field)
			}
		}
	}
	for _, secret := range []string{"", "mst_", "mst_" + strings.Repeat("A", 43)} {
		if _, err := tokens.Authenticate(t.Context(), secret); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("the secret %q gives %v", secret, err)
		}
	}
	if p := auth.From(t.Context()); p.Admin || p.May("one") {
		t.Errorf("nobody is %+v", p)
	}
}

// A list is handed out in pages that neither repeat nor leave out a token.
func TestListInPages(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		now := new(clock)
		tokens := auth.NewTokens(db, "", now.now)
		for i := range 7 {
			if _, _, err := tokens.Create(t.Context(), auth.CreateRequest{Name: fmt.Sprint(i), Admin: true}); err != nil {
				t.Fatal(err)
			}
			now.advance(time.Duration(i%2) * time.Second) // some share their second
		}
		seen, cursor := map[string]bool{}, ""
		for pages := 1; ; pages++ {
			page, next, err := tokens.List(t.Context(), cursor, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range page {
				if seen[token.ID] {
					t.Errorf("token %s comes twice", token.Name)
				}
				seen[token.ID] = true
			}
			if cursor = next; cursor == "" {
				if len(seen) != 7 || pages != 4 {
					t.Errorf("%d tokens on %d pages", len(seen), pages)
				}
				break
			}
		}
		if _, _, err := tokens.List(t.Context(), "nonsense", 2); !fault.Is(err, fault.Invalid) {
			t.Errorf("a made-up cursor gives %v", err)
		}
	})
}

// A deleted session's name may be used again; the old tokens must not open it.
func TestUnbind(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		tokens := auth.NewTokens(db, "", time.Now)
		_, both, err := tokens.Create(t.Context(), auth.CreateRequest{Name: "both", Sessions: []string{"a_1", "other"}})
		if err != nil {
			t.Fatal(err)
		}
		_, alike, err := tokens.Create(t.Context(), auth.CreateRequest{Name: "alike", Sessions: []string{"ab1"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := tokens.Unbind(t.Context(), "a_1"); err != nil {
			t.Fatal(err)
		}
		if p, err := tokens.Authenticate(t.Context(), both); err != nil || p.May("a_1") || !p.May("other") {
			t.Errorf("the principal is %+v, %v", p, err)
		}
		if p, err := tokens.Authenticate(t.Context(), alike); err != nil || !p.May("ab1") {
			t.Errorf("a token of another session lost it: %+v, %v", p, err)
		}
	})
}

// What one process ends, another that has just seen the token accepts for a
// second at most.
func TestRevokedByAnotherProcess(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		var now clock
		server, other := auth.NewTokens(db, "", now.now), auth.NewTokens(db, "", now.now)
		token, secret, err := other.Create(t.Context(), auth.CreateRequest{Name: "x", Sessions: []string{"one"}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // looked up, then remembered
			if p, err := server.Authenticate(t.Context(), secret); err != nil || p.TokenID != token.ID || !p.May("one") {
				t.Fatalf("the principal is %+v, %v", p, err)
			}
		}
		if err = other.Revoke(t.Context(), token.ID); err != nil {
			t.Fatal(err)
		}
		now.advance(time.Second)
		if _, err = server.Authenticate(t.Context(), secret); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a second later a revoked token gives %v", err)
		}
	})
}
