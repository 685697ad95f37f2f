package notes_test

import (
	"fmt"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/internal/notes"
	"muster/store/storetest"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		if _, err := db.Exec(t.Context(), "INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ('a', 'a', 'connected', 1, 1)"); err != nil {
			t.Fatal(err)
		}
		n := notes.New(db, func() time.Time { return time.Unix(1_800_000_000, 0) })
		shelf := notes.Shelf{SessionID: "a", Dialect: "meta", Kind: "template"}
		for _, id := range []string{"b%", "a", "b_1", "b2"} {
			if err := n.Put(t.Context(), shelf, id, map[string]string{"text": "first " + id}); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Put(t.Context(), shelf, "a", map[string]string{"text": "second a"}); err != nil {
			t.Fatal(err)
		}
		var value struct{ Text string }
		if found, err := n.Get(t.Context(), shelf, "a", &value); !found || err != nil || value.Text != "second a" {
			t.Errorf("a is %t %v %v", found, value, err)
		}
		other := shelf
		other.Kind = "invitation"
		if found, err := n.Get(t.Context(), other, "a", &value); found || err != nil {
			t.Errorf("there is an a of another kind: %v", err)
		}
		for query, want := range map[[2]string]string{
			{"", ""}: "[a b% b2 b_1]", {"", "a"}: "[b% b2 b_1]", {"b", ""}: "[b% b2 b_1]", {"b%", ""}: "[b%]", {"b_", "b2"}: "[b_1]",
		} {
			list, err := n.List(t.Context(), shelf, query[0], query[1], 3+len("x"))
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, note := range list {
				ids = append(ids, note.ID)
			}
			if got := fmt.Sprint(ids); got != want {
				t.Errorf("list %q: %s, want %s", query, got, want)
			}
		}
		at := time.Unix(1_800_000_000, 0)
		if known, err := n.Known(t.Context(), "meta", "template", []string{"a", "c"}, at); err != nil || fmt.Sprint(known) != "map[a:true]" {
			t.Errorf("known: %v %v", known, err)
		}
		if known, err := n.Known(t.Context(), "meta", "template", []string{"a"}, at.Add(time.Second)); err != nil || len(known) != 0 {
			t.Errorf("known since later: %v %v", known, err)
		}
		if err := n.Prune(t.Context(), shelf, at); err != nil {
			t.Error(err)
		}
		for _, want := range []bool{true, false} {
			if found, err := n.Delete(t.Context(), shelf, "a"); found != want || err != nil {
				t.Errorf("delete: %t %v, want %t", found, err, want)
			}
		}
		if err := n.Prune(t.Context(), shelf, at.Add(time.Second)); err != nil {
			t.Error(err)
		}
		if err := n.Put(t.Context(), shelf, "b", 1); err != nil {
			t.Error(err)
		}
		if list, err := n.List(t.Context(), shelf, "", "", 10); err != nil || len(list) != 1 {
			t.Errorf("after pruning there are %v %v", list, err)
		}
		if _, err := db.Exec(t.Context(), "DELETE FROM sessions WHERE id = 'a'"); err != nil {
			t.Fatal(err)
		}
		if list, err := n.List(t.Context(), shelf, "", "", 10); err != nil || len(list) != 0 {
			t.Errorf("the notes outlive their session: %v %v", list, err)
		}
	})
}
