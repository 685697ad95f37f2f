package invitations

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/groups"
	"muster/internal/event"
	"muster/store"
	"muster/store/storetest"
)

const (
	line1 = "a"
	club  = "120363012345678901@g.us"
)

// TestHistory writes what events and invitations tell, on each database.
func TestHistory(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := db.Exec(ctx, "INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ('a', 'a', 'connected', 1, 1)")
		must(err)
		at := time.Unix(1_800_000_000, 0)
		s := NewService(Options{DB: db, Now: func() time.Time { return at }})
		tell := func(kind event.Type, data any) {
			t.Helper()
			must(store.Txn(ctx, db, func(ctx context.Context) error {
				return s.Sink(ctx, event.Event{Type: kind, SessionID: line1, Group: club, At: at, Data: data})
			}))
		}
		moved := func(action string, people ...event.Person) {
			t.Helper()
			change := event.Participants{Action: action}
			for _, p := range people {
				change.Participants = append(change.Participants, event.Member{Person: p})
			}
			tell(event.GroupParticipants, change)
		}
		is := func(phone, lid, want string) {
			t.Helper()
			found, _, err := s.repo.find(ctx, line1, club, groups.NewIdentity(phone, lid))
			must(err)
			if got := string(found.state) + " " + found.link; strings.TrimSpace(got) != want {
				t.Errorf("%s %s is %q, want %q", phone, lid, got, want)
			}
		}
		ann := event.Person{PhoneNumber: "628111000001", LID: "1000001@lid"}
		moved("added", ann) // nothing is kept of who has only ever been a member
		is(ann.PhoneNumber, "", "")
		moved("left", ann, event.Person{LID: "1000002@lid"}, event.Person{PhoneNumber: "628111000003"})
		is(ann.PhoneNumber, "", "left")
		is("", ann.LID, "left")
		is("628111000002", "1000002@lid", "left")
		is("628111000003", "1000003@lid", "left")
		is("628111000009", "1000009@lid", "")

		// Who is met again under both names is still one person.
		moved("joined", event.Person{PhoneNumber: "628111000002", LID: "1000002@lid"})
		must(s.repo.note(ctx, line1, club, groups.NewIdentity("628111000003", "1000003@lid"), stateInvited, "one", at))
		is("628111000002", "", "joined")
		is("", "1000002@lid", "joined")
		is("", "1000003@lid", "invited one")
		moved("removed", event.Person{PhoneNumber: "628111000002", LID: "1000002@lid"}, event.Person{LID: "1000003@lid"})
		is("628111000002", "", "removed")
		is("628111000003", "", "removed one")

		links := func(want string) {
			t.Helper()
			got, err := s.repo.links(ctx, line1, []string{club, "120363@g.us"}, at.Add(-time.Hour))
			must(err)
			if got[club] != want || len(got) > 1 {
				t.Errorf("the links are %v, want %q", got, want)
			}
		}
		tell(event.GroupInviteLink, event.InviteLink{InviteLink: "two"})
		links("two")
		tell(event.GroupInviteLink, event.InviteLink{})
		links("")
		must(s.repo.setLink(ctx, line1, club, "three", at.Add(-2*time.Hour)))
		links("") // too old
		must(s.repo.setLink(ctx, "gone", club, "four", at))
		tell(event.GroupLeft, event.Left{Reason: "left"})
		is("628111000003", "", "removed one") // who comes back knows it all
		tell(event.GroupDeleted, event.Deleted{})
		is("628111000003", "", "")
	})
}

func TestLoad(t *testing.T) {
	t.Parallel()
	write := func(name, text string) string {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	library, err := Load(write("welcome.txt", " Hello {{ name }}, {{group.subject}} {{name}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	welcome, err := library.Find("id", "welcome")
	if err != nil || strings.Join(welcome.Variables(), " ") != "name group.subject" || len(library.All()) != 2 {
		t.Errorf("welcome is %+v, %v", welcome, err)
	}
	text, err := welcome.Render(map[string]string{"name": "{{group.subject}}", "group.subject": "Club"})
	if err != nil || text != "Hello {{group.subject}}, Club {{group.subject}}" { // a value is no template
		t.Errorf("it reads %q, %v", text, err)
	}
	if _, err = welcome.Render(map[string]string{"name": "x"}); err == nil {
		t.Error("a variable without a value was accepted")
	}
	for name, dir := range map[string]string{
		"bad name": write("my template.txt", "x"), "empty": write("a.txt", " "), "too long": write("a.txt", strings.Repeat("x", maxTemplate+1)),
		"not UTF-8": write("a.txt", "\xff"),
	} {
		if _, err := Load(dir); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if library, err = Load(filepath.Join(t.TempDir(), "none")); err != nil || len(library.All()) != 1 {
		t.Errorf("without a directory: %v, %v", library.All(), err)
	}
	if library, err = Load(write("notes.md", "x")); err != nil || len(library.All()) != 1 {
		t.Errorf("with other files: %v, %v", library.All(), err)
	}
}
